"""The pages that a person sees at the provider."""

from html import escape

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><main><h1>{title}</h1>{body}</main></body></html>
"""


def _hidden(parameters):
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in parameters.items()
    )


def _scopes(dialect, scope):
    return "".join(
        f'<label><input type="checkbox" name="granted" value="{escape(word)}" checked>'
        f"{escape(word)}</label>"
        for word in scope.split(dialect.scope_separator or None)
    )


def consent(dialect, parameters):
    """The consent form; what the client asked travels in hidden fields."""
    company = escape(parameters.get("company_id", "acme"))
    body = f"""<form method="post" action="{escape(dialect.authorize_path)}">
{_hidden(parameters)}
<p><label>You are <input name="user" value="alice"></label></p>
<p><label>Company <input name="company" value="{company}"></label></p>
<p>{_scopes(dialect, parameters.get("scope", ""))}</p>
<button name="decision" value="allow" id="allow">Allow</button>
<button name="decision" value="deny" id="deny">Deny</button>
</form>"""
    return _PAGE.format(title=f"{escape(dialect.name)} asks for your consent", body=body)


def page(title, body):
    return _PAGE.format(title=escape(title), body=body)


def problem(text):
    return page("Error", f"<p>{escape(text)}</p>")

"""The authorization endpoint: the request's checks, and where the answer goes."""

from urllib.parse import urlencode, urlsplit

from . import pages


class BadRequest(Exception):
    """Shown to the person; the browser is sent nowhere."""


def check_request(dialect, parameters):
    """The page for a sound request; BadRequest where it may not be answered by a redirect."""
    if parameters.get("client_id") != dialect.client_id:
        raise BadRequest("unknown client_id")
    redirect = parameters.get("redirect_uri", "")
    registered = [_comparable(dialect, uri) for uri in dialect.redirect_uris]
    if _comparable(dialect, redirect) not in registered:
        raise BadRequest("redirect_uri is not registered")
    if dialect.https_redirect and urlsplit(redirect).scheme != "https":
        raise BadRequest("redirect_uri must be https")
    if parameters.get("response_type") != "code":
        raise BadRequest("response_type must be code")
    if dialect.scope_required and not parameters.get("scope"):
        raise BadRequest("scope is required")
    method = "plain" if dialect.pkce_plain else "S256"
    if dialect.pkce_required and parameters.get("code_challenge_method") != method:
        raise BadRequest(f"PKCE with {method} is required")
    if dialect.pkce_refused and "code_challenge" in parameters:
        raise BadRequest("unknown parameter code_challenge")
    return pages.consent(dialect, parameters)


def _comparable(dialect, redirect):
    return redirect.partition("?")[0] if dialect.redirect_query_ignored else redirect


def answer(authority, issuer, form):
    """Where the browser goes after the person pressed a button; form maps names to lists."""
    dialect = authority.dialect
    first = {name: values[0] for name, values in form.items()}
    if first.get("decision") == "allow":
        scope = (dialect.scope_separator or " ").join(form.get("granted", []))
        grant = authority.new_grant(first.get("user", "alice"), first.get("company", "acme"), scope,
                                    first.get("nonce", ""))
        challenge = first.get("code_challenge", "") if dialect.pkce else ""
        result = {"code": authority.new_code(grant, first["redirect_uri"], challenge)}
    else:
        authority.ledger.write("denied", user=first.get("user"))
        result = {"error": "access_denied"} if dialect.denial == "error" else {}
    echoed = dialect.state_echoed and ("code" in result or dialect.denial_echoes_state)
    if echoed and "state" in first:
        result["state"] = first["state"]
    if dialect.iss:
        result["iss"] = issuer
    return _with_query(first["redirect_uri"], result)


def _with_query(redirect, result):
    joint = "&" if "?" in redirect else "?"
    return redirect + joint + urlencode(result) if result else redirect

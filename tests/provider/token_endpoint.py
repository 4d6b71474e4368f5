"""The token and revocation endpoints: from a request's parts to a reply's members."""

from .authority import Refused
from .client_auth import check_client


def collect_parameters(dialect, content_type, body, query):
    """The request's parameters from wherever this provider reads them; Refused if they are
    elsewhere. body is what the content type says: parsed form or JSON members."""
    if dialect.secret_in_url_refused and "client_secret" in query:
        raise Refused("invalid_request", "client_secret in the URL")
    parameters = {}
    if "query" in dialect.parameters_in:
        parameters |= query
    kind = "json" if content_type == "application/json" else "form"
    if kind in dialect.parameters_in:
        parameters |= body
    return parameters


def answer(authority, shown, parameters, path=""):
    """The members of a successful reply; raises Refused. Every refusal stands in the ledger."""
    dialect = authority.dialect
    event = _EVENTS.get(parameters.get("grant_type"), "refresh")
    try:
        check_client(dialect, shown, parameters)
        _check_path(dialect, parameters, path)
        _check_parameters(dialect, parameters)
    except Refused as refusal:
        token = parameters.get("refresh_token", "")
        if dialect.bad_client_consumes and refusal.error == "invalid_client":
            authority.consume(token)
        authority.refuse(event, refusal, user=authority.user_of(token))
        raise
    return _GRANTS[parameters["grant_type"]](authority, parameters)


def revoke(authority, shown, parameters):
    check_client(authority.dialect, shown, parameters)
    authority.revoke_token(parameters.get("token", ""))


def begin_device(authority, issuer, shown, parameters):
    """The device authorization request (RFC 8628 3.1)."""
    try:
        check_client(authority.dialect, shown, parameters)
    except Refused as refusal:
        authority.refuse("device_begun", refusal)
        raise
    return authority.begin_device(issuer, parameters.get("scope", ""))


DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_EVENTS = {DEVICE: "device", "authorization_code": "exchange", "system_access": "system_access",
           "client_credentials": "client_credentials"}


def _check_path(dialect, parameters, path):
    if not dialect.refresh_path:
        return
    refreshes = parameters.get("grant_type") == "refresh_token"
    if path != (dialect.refresh_path if refreshes else dialect.token_path):
        raise Refused("unsupported_grant_type", f"not at {path}")


def _check_parameters(dialect, parameters):
    kind = parameters.get("grant_type")
    needed = {"authorization_code": ["code", "redirect_uri"], "refresh_token": ["refresh_token"]}
    if dialect.device_path:
        needed[DEVICE] = ["device_code"]
    if kind in _CLIENTS_OWN and kind == dialect.clients_own_grant:
        return
    if kind not in needed:
        raise Refused("unsupported_grant_type", f"grant_type {kind}")
    if kind == "refresh_token" and dialect.refresh_needs_redirect_uri:
        needed[kind].append("redirect_uri")
    for name in needed[kind]:
        if not parameters.get(name):
            raise Refused("invalid_request", f"{name} is missing")
    if parameters.get("redirect_uri", "") not in ("", *dialect.redirect_uris):
        raise Refused("invalid_grant", "redirect_uri is not registered")


_GRANTS = {
    "authorization_code": lambda authority, p: authority.exchange(
        p["code"], p["redirect_uri"], p.get("code_verifier", "")),
    DEVICE: lambda authority, p: authority.poll_device(p["device_code"]),
    "refresh_token": lambda authority, p: authority.refresh(p["refresh_token"], p.get("life")),
    "system_access": lambda authority, p: authority.clients_own("system_access", ""),
    "client_credentials": lambda authority, p: authority.clients_own(
        "client_credentials", p.get("scope", "")),
}
_CLIENTS_OWN = ("system_access", "client_credentials")

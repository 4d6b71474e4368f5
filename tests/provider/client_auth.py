"""Whether a request to the token endpoint comes from the server's one client."""

import base64
import binascii
from urllib.parse import unquote_plus

from .authority import Refused
from .client_keys import check_assertion, check_certificate

_KEYS = {"private_key_jwt": check_assertion, "tls": check_certificate}


def _basic(header):
    """The id and secret of an Authorization header as sent, or None."""
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    identity, colon, secret = text.partition(":")
    return (identity, secret) if colon else None


def _offers(dialect, header, parameters):
    """Every pair of id and secret that the request holds in a way this provider reads."""
    basic = _basic(header)
    if basic and "basic_raw" in dialect.client_auth:
        yield basic
    if basic and "basic" in dialect.client_auth:
        yield tuple(unquote_plus(part) for part in basic)
    if "post" in dialect.client_auth and "client_secret" in parameters:
        yield parameters.get("client_id", ""), parameters["client_secret"]


def check_client(dialect, shown, parameters):
    """Raises Refused where the client is not ours or not shown in the provider's way."""
    if dialect.client_auth == ("none",):
        if shown.authorization or "client_secret" in parameters:
            raise Refused("invalid_client", "a secret from a client without one", 401)
        if parameters.get("client_id") != dialect.client_id:
            raise Refused("invalid_client", "client_id missing or wrong", 401)
        return
    if dialect.client_auth[0] in _KEYS:
        if parameters.get("client_id") != dialect.client_id:
            raise Refused("invalid_client", "client_id missing or wrong", 401)
        _KEYS[dialect.client_auth[0]](dialect, shown, parameters)
        return
    _check_secret(dialect, shown.authorization, parameters)


def _check_secret(dialect, header, parameters):
    ours = (dialect.client_id, dialect.client_secret)
    if ours not in _offers(dialect, header, parameters):
        raise Refused("invalid_client", "client credentials missing or wrong", 401)
    exchange = parameters.get("grant_type") == "authorization_code"
    in_body = (parameters.get("client_id"), parameters.get("client_secret"))
    if dialect.both_at_exchange and exchange and in_body != ours:
        raise Refused("invalid_client", "client credentials missing in the body", 401)

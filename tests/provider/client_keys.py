"""Clients that prove themselves with a key: signed assertions (RFC 7523), certificates (RFC 8705).

The signatures are verified by openssl, not by anything that the broker is made of.
"""

import base64
import binascii
import json
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .authority import Refused

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE = 60  # seconds; longer ones are refused
CLOCK_TOLERANCE = 2
P256_NUMBER = 32  # bytes of each of a signature's two numbers

_seen = set()  # every jti that was taken
_seen_lock = threading.Lock()


@dataclass(frozen=True)
class Shown:
    """What a request shows beside its parameters."""

    authorization: str  # the header, or None
    audience: str  # who an assertion has to be for
    certificate: dict  # as ssl's getpeercert(), {} without one

    @property
    def common_name(self):
        subject = self.certificate.get("subject", ())
        return next((value for part in subject for key, value in part if key == "commonName"), "")


def check_assertion(dialect, shown, parameters):
    """Raises Refused unless the request holds a fresh assertion, signed with the client's key."""
    if "client_secret" in parameters or shown.authorization:
        raise Refused("invalid_request", "two ways to say who the client is")
    if parameters.get("client_assertion_type") != ASSERTION_TYPE:
        raise _invalid("no assertion")
    signed, _, signature = parameters.get("client_assertion", "").rpartition(".")
    try:
        header, claims = (json.loads(_decode(part)) for part in signed.split("."))
        signature = _decode(signature)
    except (ValueError, binascii.Error):
        raise _invalid("the assertion is no JWT") from None
    if header != {"typ": "JWT", "alg": dialect.assertion_alg, "kid": dialect.assertion_kid}:
        raise _invalid(f"header {header}")
    if not _verify(dialect, signed.encode(), signature):
        raise _invalid("the signature does not fit")
    _check_claims(dialect, shown.audience, claims)


def check_certificate(dialect, shown, parameters):
    """Raises Refused unless the connection was made with the client's certificate."""
    if "client_secret" in parameters or shown.authorization:
        raise Refused("invalid_request", "a secret beside a certificate")
    if shown.common_name != dialect.certificate_name:
        raise _invalid(f"certificate of {shown.common_name or 'nobody'}")


def _invalid(why):
    return Refused("invalid_client", why, 401)


def _check_claims(dialect, audience, claims):
    now = time.time()
    if sorted(claims) != ["aud", "exp", "iat", "iss", "jti", "sub"]:
        raise _invalid(f"claims {sorted(claims)}")
    if claims["iss"] != dialect.client_id or claims["sub"] != dialect.client_id:
        raise _invalid("another client")
    if claims["aud"] != audience:
        raise _invalid(f"for {claims['aud']}, not {audience}")
    if not now - ASSERTION_LIFE < claims["iat"] <= now + CLOCK_TOLERANCE:
        raise _invalid("issued at another time")
    if not now < claims["exp"] <= claims["iat"] + ASSERTION_LIFE:
        raise _invalid("lives too long, or no more")
    with _seen_lock:
        if claims["jti"] in _seen:
            raise _invalid("seen before")
        _seen.add(claims["jti"])


def _decode(text):
    """base64url without padding, strictly."""
    if "=" in text or "+" in text or "/" in text:
        raise ValueError("no base64url")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)


def _verify(dialect, signed, signature):
    if dialect.assertion_alg == "ES256":
        if len(signature) != 2 * P256_NUMBER:
            return False
        signature = _der(signature[:P256_NUMBER], signature[P256_NUMBER:])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "signature")
        path.write_bytes(signature)
        done = subprocess.run(
            ["openssl", "dgst", "-sha256", "-verify", dialect.client_key, "-signature", path],
            input=signed, capture_output=True, check=False)
    return done.returncode == 0


def _der(*numbers):
    """Two numbers as ASN.1: what openssl wants instead of RFC 7518's form."""
    body = b""
    for number in numbers:
        number = number.lstrip(b"\0") or b"\0"
        number = b"\0" * (number[0] >= 0x80) + number
        body += bytes([2, len(number)]) + number
    return bytes([0x30, len(body)]) + body

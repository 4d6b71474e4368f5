"""The emulator's eyes for assertions and certificates: what is right passes, all else is refused."""

import base64
import json
import subprocess
import time
import uuid
from dataclasses import replace

import pytest

from harness.keys import make_key
from provider.authority import Refused
from provider.client_keys import ASSERTION_TYPE, Shown, check_assertion, check_certificate
from provider.dialects import PLAIN

AUDIENCE = "https://as.example/token"
SHOWN = Shown(None, AUDIENCE, {})
ALICE = {"subject": ((("organizationName", "x"),), (("commonName", "alice"),))}


@pytest.fixture(scope="module", params=["RS256", "ES256"])
def signer(request, tmp_path_factory):
    """(dialect, private key) of that kind."""
    private, public = make_key(tmp_path_factory.mktemp("keys"), request.param)
    dialect = replace(PLAIN, client_auth=("private_key_jwt",), client_key=str(public),
                      assertion_alg=request.param)
    return dialect, private


def _encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _raw(der):
    """The two numbers of a signature in ASN.1, at their full width."""
    numbers, rest = [], der[2:]
    while rest:
        length = rest[1]
        numbers.append(rest[2:2 + length].lstrip(b"\0").rjust(32, b"\0"))
        rest = rest[2 + length:]
    return b"".join(numbers)


def assertion(signer, header=None, **claims):
    dialect, private = signer
    now = int(time.time())
    header = {"typ": "JWT", "alg": dialect.assertion_alg, "kid": "key-1"} | (header or {})
    claims = {"iss": "client-id", "sub": "client-id", "aud": AUDIENCE, "jti": uuid.uuid4().hex,
              "iat": now, "exp": now + 60} | claims
    claims = {name: value for name, value in claims.items() if value is not None}
    signed = ".".join(_encode(json.dumps(part).encode()) for part in (header, claims))
    der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", private], input=signed.encode(),
                         capture_output=True, check=True).stdout
    return signed + "." + _encode(_raw(der) if dialect.assertion_alg == "ES256" else der)


def parameters(jwt, **more):
    return {"client_id": "client-id", "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": jwt} | more


def test_right_one(signer):
    check_assertion(signer[0], SHOWN, parameters(assertion(signer)))


@pytest.mark.parametrize("change", [
    {"aud": "https://as.example/"}, {"aud": [AUDIENCE]}, {"iss": "x"}, {"sub": "x"}, {"jti": None},
    {"iat": 1}, {"exp": 1}, {"exp": 1 << 40}, {"nbf": 1}, {"header": {"alg": "none"}},
    {"header": {"kid": "key-2"}}], ids=str)
def test_wrong_ones(signer, change):
    with pytest.raises(Refused):
        check_assertion(signer[0], SHOWN, parameters(assertion(signer, **change)))


def test_no_second_time(signer):
    jwt = assertion(signer)
    check_assertion(signer[0], SHOWN, parameters(jwt))
    with pytest.raises(Refused, match="seen before"):
        check_assertion(signer[0], SHOWN, parameters(jwt))


def test_changed_on_the_way(signer):
    head, claims, signature = assertion(signer).split(".")
    other = assertion(signer).split(".")[1]
    for jwt in (f"{head}.{other}.{signature}", f"{head}.{claims}.", f"{head}.{claims}", "", "a.b.c",
                f"{head}.{claims}.{signature}="):
        with pytest.raises(Refused):
            check_assertion(signer[0], SHOWN, parameters(jwt))


def test_one_way_at_a_time(signer):
    for shown, more in ((SHOWN, {"client_secret": "x"}), (replace(SHOWN, authorization="x"), {})):
        with pytest.raises(Refused, match="two ways"):
            check_assertion(signer[0], shown, parameters(assertion(signer), **more))


@pytest.mark.parametrize("certificate, more, should_fail", [
    (ALICE, {}, False), ({}, {}, True), ({"subject": ((("commonName", "bob"),),)}, {}, True),
    (ALICE, {"client_secret": "x"}, True)])
def test_certificates(certificate, more, should_fail):
    dialect = replace(PLAIN, client_auth=("tls",), certificate_name="alice")
    shown = replace(SHOWN, certificate=certificate)
    if not should_fail:
        check_certificate(dialect, shown, {"client_id": "client-id"})
        return
    with pytest.raises(Refused):
        check_certificate(dialect, shown, {"client_id": "client-id"} | more)

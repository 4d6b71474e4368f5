"""Each emulated provider does what its provider's documents say, in each variant."""

import json
from urllib.parse import urlencode

import pytest

from harness.person import Person
from provider.dialects import DIALECTS, VARIANTS
from provider.testclient import send

EVERY = [(name,) for name in DIALECTS] + [
    (name, variant) for name, variants in VARIANTS.items() for variant in variants
    if variant not in ("sample-json", "push")  # see test_push.py
]


@pytest.mark.parametrize("choice", EVERY, ids="-".join)
def test_whole_walk(client, choice):
    one = client(*choice)
    reply = one.grant()
    assert one.whoami(reply["access_token"])[0] == 200
    status, text = one.refresh(reply["refresh_token"])
    assert status == 200, text
    assert one.whoami(json.loads(text)["access_token"])[0] == 200


@pytest.mark.parametrize("name, expected, others", [
    ("zenhr", {"token_type": "Bearer", "expires_in": 3600}, ""),
    ("zenegy", {"token_type": "bearer", "expires_in": 1799}, "company_id"),
    ("enablehr", {"token_type": "bearer", "expires_in": "1799", "scope": "read:a read:b",
                  "accountIds": []}, "jti userId"),
    ("zenpayroll", {"token_type": "bearer", "expires_in": 7200}, ""),
    ("gusto", {"token_type": "bearer", "expires_in": 7200, "scope": "read:a read:b"},
     "company_uuid created_at"),
])
def test_reply_members(client, name, expected, others):
    reply = client(name).grant()
    assert expected.items() <= reply.items() and len(reply["refresh_token"]) > 20
    assert sorted(set(reply) - {"access_token", "refresh_token", *expected}) == others.split()


@pytest.mark.parametrize("choice, members", [
    ("zenhr", "error state"),
    ("zenegy", ""),
    ("zenegy state-echoed", "state"),
    ("enablehr", "error state"),
    ("zenpayroll state-absent", "error"),
    ("gusto", "error state"),
    ("plain iss", "error iss state"),
])
def test_denial(client, choice, members):
    assert sorted(client(*choice.split()).consent("deny")) == members.split()


@pytest.mark.parametrize("rotation, kinds", [
    ("same", ["same", "ok", "ok"]),
    ("new-old-alive", ["new", "ok", "ok"]),
    ("revoke-on-first-use", ["new", "ok", "refused"]),
    ("grace", ["new", "ok", "ok"]),
    ("strict", ["new", "refused", "refused"]),
])
def test_rotation(client, rotation, kinds):
    """The refresh reply's token; the old one at once; the old one after the new access was used."""
    one = client("plain", rotation=rotation, grace=60)
    first = one.grant()
    second = json.loads(one.refresh(first["refresh_token"])[1])
    kind = "same" if second["refresh_token"] == first["refresh_token"] else "new"
    at_once = one.refresh(first["refresh_token"])[0]
    one.whoami(second["access_token"])
    later = one.refresh(first["refresh_token"])[0]
    assert [kind, *("ok" if s == 200 else "refused" for s in (at_once, later))] == kinds


def test_grace_ends(client):
    one = client("plain", rotation="grace", grace=0)
    token = one.grant()["refresh_token"]
    assert [one.refresh(token)[0], one.refresh(token)[0]] == [200, 400]


def test_family_dies_on_reuse(client):
    one = client("plain", "family")
    first = one.grant()
    second = json.loads(one.refresh(first["refresh_token"])[1])
    assert one.refresh(first["refresh_token"])[0] == 400
    assert one.refresh(second["refresh_token"])[0] == 400
    assert one.whoami(second["access_token"])[0] == 401


def test_code_used_twice_revokes(client):
    one = client("zenhr")
    code = one.consent()["code"]
    reply = json.loads(one.exchange(code)[1])
    assert one.exchange(code)[0] == 400
    assert one.refresh(reply["refresh_token"])[0] == 400


@pytest.mark.parametrize("name, changes, error", [
    ("zenhr", {"client_secret": "wrong"}, "invalid_client"),
    ("zenhr", {"code_verifier": "w" * 43}, "invalid_grant"),
    ("zenhr", {"redirect_uri": "https://other.example/"}, "invalid_grant"),
    ("zenegy", {"code": "unknown"}, "invalid_grant"),
    ("zenegy", {"grant_type": "password"}, "unsupported_grant_type"),
])
def test_exchange_refused(client, name, changes, error):
    one = client(name)
    status, text = one.exchange(one.consent()["code"], **changes)
    assert status in (400, 401) and json.loads(text)["error"] == error


@pytest.mark.parametrize("name", ["zenpayroll", "gusto"])
def test_refresh_needs_redirect_uri(client, name):
    one = client(name)
    token = one.grant()["refresh_token"]
    assert one.refresh(token, redirect_uri="")[0] == 400
    assert one.refresh(token)[0] == 200


def test_zenegy_prose_path_fails(client):
    one = client("zenegy")
    assert send(one.emulator.url + "/auth/authentication/", b"grant_type=x")[0] == 401


def test_zenegy_wants_https(client):
    one = client("zenegy")
    one.emulator.register("http://localhost/callback")
    page = Person().open(one.authorize_url(redirect_uri="http://localhost/callback"))
    assert (page.status, "must be https" in page.text) == (400, True)


def test_zenegy_token_has_base64_signs(client):
    assert all(sign in client("zenegy").grant()["refresh_token"] for sign in "+/=")


def test_gusto_refuses_secret_in_url(client):
    one = client("gusto")
    secret = urlencode({"client_secret": one.dialect.client_secret})
    status, text = send(f"{one.emulator.url}/oauth/token?{secret}", b"grant_type=refresh_token")
    assert (status, json.loads(text)["error"]) == (400, "invalid_request")


def test_gusto_system_access(client):
    reply = json.loads(client("gusto").token({"grant_type": "system_access"})[1])
    assert reply["expires_in"] == 7200 and "refresh_token" not in reply


def test_enablehr_sample_is_not_json(client):
    one = client("enablehr", "sample-json")
    status, text = one.exchange(one.consent()["code"])
    assert status == 200
    with pytest.raises(ValueError):
        json.loads(text)
    assert json.loads(text.replace('"\n "expires_in', '",\n "expires_in'))["expires_in"] == "1799"


def test_enablehr_fewer_scopes(client):
    one = client("enablehr")
    reply = json.loads(one.exchange(one.consent(granted=["read:a"])["code"])[1])
    assert reply["scope"] == "read:a"


def test_zenpayroll_api_token(client):
    one = client("zenpayroll")
    one.emulator.add_static("app-token")
    url = one.emulator.api_base + "/whoami"
    assert send(url, None, {"Authorization": "Token app-token"})[0] == 200
    assert send(url, None, {"Authorization": "Bearer app-token"})[0] == 401


def test_zenhr_rate_limit(client):
    one = client("zenhr")
    assert [one.whoami("x")[0] for _ in range(16)] == [401] * 15 + [429]


@pytest.mark.parametrize("variant, refresh_status", [
    ((), 400),
    (("revoked-refresh-succeeds",), 200),
])
def test_revoked_grant(client, variant, refresh_status):
    one = client("zenegy", *variant)
    reply = one.grant()
    assert one.emulator.revoke("alice") == 1
    assert one.whoami(reply["access_token"])[0] == 401
    assert one.refresh(reply["refresh_token"])[0] == refresh_status


@pytest.mark.parametrize("ends_all, other_status", [(False, 200), (True, 400)])
def test_metadata_and_revocation(client, ends_all, other_status):
    one = client("plain")
    one.emulator.configure(revocation_ends_all=ends_all)
    metadata = json.loads(send(one.emulator.url + "/.well-known/openid-configuration")[1])
    reply, other = one.grant(), one.grant()
    body = urlencode({"token": reply["refresh_token"]}).encode()
    headers = {"Authorization": one._basic()}
    assert send(metadata["revocation_endpoint"], body, headers)[0] == 200
    assert one.refresh(reply["refresh_token"])[0] == 400
    assert one.refresh(other["refresh_token"])[0] == other_status


def test_clients_own_grant(client):
    """RFC 6749 4.4: without a refresh token; other grant types of that kind are not known."""
    one = client("plain", "clients-own")
    reply = json.loads(one.token({"grant_type": "client_credentials", "scope": "a"})[1])
    assert "refresh_token" not in reply and reply["scope"] == "a"
    assert one.whoami(reply["access_token"])[0] == 200
    assert one.token({"grant_type": "system_access"})[0] == 400
    assert client("plain").token({"grant_type": "client_credentials"})[0] == 400

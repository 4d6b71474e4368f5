"""The emulated provider's device logins, as RFC 8628 has them."""

import json
import time
import urllib.parse
import urllib.request

import pytest

from harness.person import Person
from provider.token_endpoint import DEVICE


def _begin(one, **changes):
    ours = {"client_id": one.dialect.client_id, "client_secret": one.dialect.client_secret}
    body = urllib.parse.urlencode(ours | {"scope": "read"} | changes).encode()
    with urllib.request.urlopen(one.emulator.url + one.dialect.device_path, body) as reply:
        return json.load(reply)


def _poll(one, begun):
    status, text = one.token({"grant_type": DEVICE, "device_code": begun["device_code"]})
    return status, json.loads(text)


def _decide(begun, decision):
    person = Person()
    page = person.open(begun["verification_uri"])
    return person.fetch(*person.answer(page, decision, user_code=begun["user_code"]))


@pytest.fixture
def device(client):
    return client("plain", "device", "post")


def test_granted_once(device):
    begun = _begin(device)
    assert begun["expires_in"] > 0 and begun["interval"] == 1
    assert begun["verification_uri_complete"].endswith(begun["user_code"])
    assert _poll(device, begun)[1]["error"] == "authorization_pending"
    assert _decide(begun, "allow").status == 200
    time.sleep(1)
    status, reply = _poll(device, begun)
    assert status == 200 and reply["scope"] == "read" and reply["refresh_token"]
    assert _poll(device, begun)[1]["error"] == "invalid_grant"


def test_denied(device):
    begun = _begin(device)
    _decide(begun, "deny")
    assert _poll(device, begun)[1]["error"] == "access_denied"


def test_expired(device):
    device.emulator.configure(device_lifetime=0.3)
    begun = _begin(device)
    time.sleep(0.4)
    assert _poll(device, begun)[1]["error"] == "expired_token"
    assert "unknown code" in _decide(begun, "allow").text


def test_asked_too_often(device):
    begun = _begin(device)
    assert [_poll(device, begun)[1]["error"] for _ in range(2)] == [
        "authorization_pending", "slow_down"]


def test_code_in_any_case(device):
    begun = _begin(device)
    person = Person()
    page = person.open(begun["verification_uri"])
    fields = person.answer(page, "allow", user_code=begun["user_code"].lower() + " ")
    assert "Done" in person.fetch(*fields).text


def test_client_is_checked(device):
    with pytest.raises(urllib.error.HTTPError) as refused:
        _begin(device, client_secret="wrong")
    assert refused.value.code == 401


def test_none_where_there_is_no_endpoint(client):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(client("plain").emulator.url + "/device_authorization", b"")
    assert refused.value.code == 404

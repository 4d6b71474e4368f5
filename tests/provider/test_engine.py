"""Faults, the ledger, and how much an emulated provider can bear."""

import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

import pytest

from provider.ledger import fingerprint


@pytest.mark.parametrize("mode, status", [
    ("http500", 500), ("http503", 503), ("empty400", 400), ("not-json", 200), ("too-many", 429),
    ("invalid_grant", 400), ("invalid_client", 401), ("redirect", 307), ("huge", 200),
])
def test_canned_faults(client, mode, status):
    one = client("plain")
    token = one.emulator.seed("u")["u"]
    one.emulator.fault(mode, times=1)
    if mode != "redirect":  # urllib refuses to follow a POST's 307 by itself
        assert one.refresh(token)[0] == status
        assert one.refresh(token)[0] == 200


def test_fault_for_some(client):
    one = client("plain")
    tokens = one.emulator.seed("u", "v")
    one.emulator.fault("invalid_grant", users=["u"])
    assert [one.refresh(tokens[user])[0] for user in "uv"] == [400, 200]


@pytest.mark.parametrize("mode, error", [
    ("drop", http.client.RemoteDisconnected), ("truncate", http.client.IncompleteRead),
])
def test_reply_harmed_after_commit(client, mode, error):
    one = client("plain")
    token = one.emulator.seed("u")["u"]
    one.emulator.fault(mode, times=1)
    with pytest.raises(error):
        one.refresh(token)
    assert one.refresh(token)[0] == 400, "the first refresh has to have spent it"


def test_a_clock_put_forward(client):
    """Tokens end when the server's clock says so, also when it went on while nobody looked."""
    one = client("plain")
    one.emulator.configure(refresh_idle=100)
    first, second = one.emulator.seed("u", "v").values()
    one.emulator.skip(60)
    assert one.refresh(first)[0] == 200
    one.emulator.skip(60)
    assert one.refresh(second)[0] == 400


def test_hold_until_cleared(client):
    one = client("plain")
    token = one.emulator.seed("u")["u"]
    one.emulator.fault("hold")
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(one.refresh, token)
        one.emulator.ledger.wait_for("fault")
        assert not answer.done() and not one.emulator.ledger.refreshes()
        one.emulator.clear_faults()
        assert answer.result()[0] == 200


def test_hang_ends_without_an_answer(client):
    one = client("plain")
    token = one.emulator.seed("u")["u"]
    one.emulator.fault("hang", seconds=0.2)
    with pytest.raises(http.client.RemoteDisconnected):
        one.refresh(token)


def test_ledger_holds_fingerprints_only(client):
    one = client("plain")
    reply = one.grant()
    one.refresh(reply["refresh_token"])
    text = one.emulator.ledger.path.read_text()
    assert not [secret for secret in one.emulator.secrets() if secret in text]
    line = one.emulator.ledger.refreshes()[0]
    assert line["presented"] == fingerprint(reply["refresh_token"])
    assert line["at"] <= time.time()


def test_lifetime_ends(client):
    one = client("plain", lifetime=0)
    assert one.whoami(one.grant()["access_token"])[0] == 401
    assert one.emulator.ledger.lines("api")[0]["why"] == "expired"


def _keep_alive_client(one, users, tokens, gate):
    host = urlsplit(one.emulator.url)
    connection = http.client.HTTPConnection(host.hostname, host.port, timeout=60)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    gate.wait()
    good = 0
    for user in users:
        body = urlencode({"grant_type": "refresh_token", "refresh_token": tokens[user]})
        connection.request("POST", "/token", body, {
            "Content-Type": "application/x-www-form-urlencoded", "Authorization": one._basic()})
        reply = connection.getresponse()
        good += "access_token" in json.loads(reply.read())
    connection.close()
    return good


def test_500_accounts_over_200_connections(client):
    one = client("plain")
    names = [f"u{number}" for number in range(500)]
    tokens = one.emulator.seed(*names)
    gate = threading.Barrier(200)
    with ThreadPoolExecutor(200) as pool:
        good = list(pool.map(lambda n: _keep_alive_client(one, names[n::200], tokens, gate),
                             range(200)))
    assert sum(good) == 500
    assert len({line["user"] for line in one.emulator.ledger.refreshes()}) == 500

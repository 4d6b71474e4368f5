"""What is told to those who follow: GET /v1/events."""

import os
import re
import socket
import time
from pathlib import Path

import pytest
import yaml

from harness.logins import log_in, start
from harness.stream import Stream

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "plain/acme"
OTHER = 61234

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs other users")


@pytest.fixture
def follow(api, schema):
    """follow(last_id=…, account=…): a stream that ends with the test."""
    streams = []

    def begin(**how):
        streams.append(Stream(api, **{"schema": schema, **how}))
        return streams[-1]
    yield begin
    for stream in streams:
        stream.close()


def test_a_login_and_a_refresh(broker, api, plain, person, follow):
    before = int(time.time())
    stream = follow()
    log_in(api, person, ACCOUNT)
    started, granted = stream.next(), stream.wait_for("login_granted")
    assert (started.name, started.data["account"]) == ("login_started", ACCOUNT)
    assert str(os.getuid()) in started.data["text"]
    assert granted.data["provider"] == "plain" and "identity" in granted.data["text"]
    assert before <= granted.data["at"] <= time.time()
    api.refresh_allowed(ACCOUNT).ok()
    refreshed = stream.wait_for("refreshed")
    assert refreshed.data["event"] == "refreshed" and refreshed.data["account"] == ACCOUNT


def test_a_login_that_is_refused(broker, api, person, follow):
    stream = follow()
    log_in(api, person, ACCOUNT, "deny")
    assert stream.wait_for("login_failed").data["text"] == "access_denied"
    api.cancel(start(api, ACCOUNT)["login_id"]).ok()
    assert stream.wait_for("login_cancelled").data["account"] == ACCOUNT


@pytest.mark.slow
def test_a_dead_grant_and_an_odd_refusal(broker, api, plain, follow):
    broker.grant(plain, ACCOUNT)
    broker.grant(plain, "plain/other")
    stream = follow()
    plain.revoke("acme")
    assert api.token(ACCOUNT, wait=20).error == "consent_required"
    assert stream.wait_for("consent_required").data["account"] == ACCOUNT
    plain.fault("unknown-error")
    assert api.refresh_allowed("plain/other").status == 502
    failed = stream.wait_for("refresh_failed")
    assert (failed.data["account"], failed.data["text"]) == ("plain/other", "out_of_cheese")


def test_refused_credentials_pause_the_provider(broker, api, plain, follow):
    broker.grant(plain, ACCOUNT)
    stream = follow(account="plain")
    plain.configure(client_secret="another")
    api.refresh(ACCOUNT)
    paused = stream.wait_for("provider_paused")
    assert paused.data["provider"] == "plain" and "account" not in paused.data
    assert "invalid_client" in paused.data["text"]


def test_only_what_was_asked_for(broker, api, plain, follow):
    for name in ("acme", "other"):
        broker.grant(plain, f"plain/{name}")
    one, none = follow(account="plain/o*"), follow(account="zenegy")
    api.refresh(ACCOUNT).ok()
    api.refresh("plain/other").ok()
    assert one.next().data["account"] == "plain/other"
    assert none.quiet()


@needs_root
def test_a_peer_sees_only_its_own(daemon, plain, api, schema, follow):
    daemon.config.access["one"] = {
        "accounts": ["plain/acme"], "who": [f"user:{OTHER}"], "may": ["list"]}
    daemon.config.access["all"] = {"accounts": ["*/*"], "who": ["user:0"], "may": ["admin"]}
    daemon.folder.chmod(0o711)
    daemon.with_provider("plain", plain).start()
    os.chmod(daemon.socket, 0o666)
    for name in ("acme", "other"):
        daemon.grant(plain, f"plain/{name}")
    os.seteuid(OTHER)
    try:
        stream = follow(schema=None)
    finally:
        os.seteuid(0)
    api.refresh("plain/other").ok()
    plain.configure(client_secret="another")
    api.refresh("plain/other")
    api.refresh_allowed(ACCOUNT)
    plain.configure(client_secret=plain.dialect.client_secret)
    api.retry("plain").ok()
    assert stream.next().data["account"] == ACCOUNT
    assert stream.quiet()


@needs_root
def test_who_may_see_nothing_is_refused(daemon, plain, api):
    daemon.config.access["one"] = {
        "accounts": ["plain/*"], "who": ["user:0"], "may": ["token"]}
    daemon.with_provider("plain", plain).start()
    assert api.request("GET", "/v1/events").error == "forbidden"


@pytest.mark.parametrize("query", ["account=", "account=a%20b", "account=%00", "since=1",
                                   "account=a&account=b", "account=" + "a" * 100])
def test_bad_filters(shared, query):
    assert shared.api.request("GET", f"/v1/events?{query}").error == "bad_request"


def test_coming_again(broker, api, plain, follow):
    """What happened between two streams is told by the second."""
    broker.grant(plain, ACCOUNT)
    first = follow()
    first.close()
    api.refresh(ACCOUNT).ok()
    again = follow(last_id=first.last_id)
    assert again.next().name == "refreshed"
    assert again.quiet()


def test_a_restart_is_told_as_lost(broker, api, plain, follow):
    broker.grant(plain, ACCOUNT)
    stream = follow()
    broker.restart()
    assert stream.next() is None, "a stop ends the stream cleanly"
    again = follow(last_id=stream.last_id)
    lost = again.next()
    assert lost.name == "lost" and "restarted" in lost.data["text"]


def test_a_reload_ends_streams_cleanly(broker, api, plain, follow):
    """Who may see what may have changed; the client comes again and misses nothing."""
    broker.grant(plain, ACCOUNT)
    stream = follow()
    broker.reload()
    assert stream.next() is None
    api.refresh(ACCOUNT).ok()
    assert follow(last_id=stream.last_id).next().name == "refreshed"


def test_bounded_for_each_user(broker, api, follow):
    streams = [follow() for _ in range(8)]
    assert api.request("GET", "/v1/events").error == "too_many_requests"
    streams[0].close()
    deadline = time.monotonic() + 5
    while True:
        try:
            follow()
            return
        except AssertionError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.slow
def test_a_heartbeat(broker, follow):
    stream = follow()
    assert stream.comments.get(timeout=20) == ":"


def ends_within(connection, seconds):
    """Reads what waits; true when the connection then ends."""
    deadline = time.monotonic() + seconds
    connection.settimeout(seconds)
    while time.monotonic() < deadline:
        if not connection.recv(65536):
            return True
    return False


@pytest.mark.slow
def test_who_reads_nothing_holds_nobody(broker, api, plain, follow):
    """Dropped, with what it did not read; the others go on hearing."""
    broker.grant(plain, ACCOUNT)
    with socket.socket(socket.AF_UNIX) as sleeper:
        sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sleeper.connect(str(broker.socket))
        sleeper.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        stream = follow()
        begun = time.monotonic()
        for _ in range(1500):
            api.cancel(start(api, ACCOUNT)["login_id"]).ok()
        assert stream.wait_for("login_cancelled").data["account"] == ACCOUNT
        assert time.monotonic() - begun < 120
        time.sleep(12)  # its deadline is 10 s
        assert ends_within(sleeper, 5), "it was not dropped"
        assert api.health().status == 200


def test_names_stand_in_one_table():
    """Every event that the daemon tells of is in schema/wire.h, and described in api.yaml."""
    wire = re.findall(r'^    X\("([a-z_]+)", "', (ROOT / "schema/wire.h").read_text(), re.M)
    sources = "".join(path.read_text() for path in (ROOT / "daemon").rglob("*.c"))
    told = set(re.findall(r'keeper_(?:event|remark)\([^;"]*?"([a-z_]+)"', sources))
    told |= set(re.findall(r'events_tell\([^;"]*?"([a-z_]+)"', sources))
    assert told and told <= set(wire)
    document = yaml.safe_load((ROOT / "schema/api.yaml").read_text())
    assert document["components"]["schemas"]["Event"]["properties"]["event"]["enum"] == wire

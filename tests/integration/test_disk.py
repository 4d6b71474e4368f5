"""A disk that is full, slow or broken: no token leaves before its refresh token is durable."""

import contextlib
import os
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.hook import wait_for_lines
from harness.openmetrics import Metrics
from harness.spoil import leaves_of, spoil, spoil_the_page_of
from harness.strace import injected, needs_strace, slow_syncs

ACCOUNT = "plain/acme"
CACHED_MAX = 0.25


@pytest.fixture
def small_disk(daemon):
    """The state folder on a file system of 2 MB; returns a function that fills it."""
    daemon.state.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", daemon.state],
                   check=True)
    filler = daemon.state / "filler"

    def fill():
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError:
                pass
        return filler

    try:
        yield fill
        daemon.close()
    finally:
        subprocess.run(["umount", "-l", daemon.state], check=True)


def _in_the_air(pool, api, plain):
    """A refresh that the provider has accepted; its reply comes once the faults are cleared."""
    plain.fault("hold-after")
    refresh = pool.submit(api.refresh_allowed, ACCOUNT)
    plain.ledger.wait_for("fault", mode="hold-after")
    return refresh


@pytest.mark.skipif(os.getuid() != 0, reason="needs mount")
def test_nothing_is_spent_early_on_a_full_disk(small_disk, daemon, api, plain):
    """A refresh that is not due would be forgotten by a crash: it is not begun."""
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, ACCOUNT)
    before = api.token(ACCOUNT).ok()
    small_disk()
    assert api.refresh_allowed(ACCOUNT).status == 503
    assert api.token(ACCOUNT).ok()["access_token"] == before["access_token"]
    assert len(plain.ledger.refreshes()) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="needs mount")
def test_full_disk(small_disk, daemon, api, plain):
    """What cannot be kept is not handed out; the cached token is; then all goes on by itself."""
    plain.configure(rotation="revoke-on-first-use")
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, ACCOUNT)
    before = api.token(ACCOUNT).ok()
    with ThreadPoolExecutor() as pool:
        refresh = _in_the_air(pool, api, plain)
        filler = small_disk()
        plain.clear_faults()
        health = api.wait_health("degraded")
        assert health["store"]["problem"]
        assert "\ntokenbroker_refreshing 0\n" in api.request("GET", "/metrics").text
        assert api.token(ACCOUNT).ok()["access_token"] == before["access_token"]
        assert not refresh.done()
        filler.unlink()
        assert refresh.result().status == 200
    api.wait_health("ok")
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200
    daemon.restart()
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200
    assert api.refresh_allowed(ACCOUNT).status == 200
    assert not plain.ledger.lines("refresh", outcome="refused")


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="needs mount")
def test_stop_with_a_full_disk(small_disk, daemon, api, plain):
    """A clean end, although a new token could not be kept; the old one still counts."""
    plain.configure(rotation="revoke-on-first-use")
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, ACCOUNT)
    api.token(ACCOUNT).ok()
    with ThreadPoolExecutor() as pool:
        refresh = _in_the_air(pool, api, plain)
        filler = small_disk()
        plain.clear_faults()
        api.wait_health("degraded")
        daemon.stop()
        assert refresh.exception() or refresh.result().status == 503
    filler.unlink()
    daemon.start()
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200
    assert api.refresh_allowed(ACCOUNT).status == 200


@pytest.mark.skipif(os.getuid() != 0, reason="needs mount")
def test_import_on_a_full_disk(small_disk, daemon, api, plain):
    daemon.with_provider("plain", plain).start()
    small_disk().exists()
    token = plain.seed("acme")["acme"]
    assert api.import_grant(ACCOUNT, refresh_token=token).status in (500, 503)
    assert api.account(ACCOUNT).status == 404


@pytest.mark.slow
@needs_strace
def test_slow_disk_delays_no_cached_token(daemon, api, plain):
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, ACCOUNT)
    token = api.token(ACCOUNT).ok()["access_token"]
    daemon.stop()
    daemon.start()
    with slow_syncs(daemon.process, 5):
        api.token(ACCOUNT).ok()
        with ThreadPoolExecutor() as pool:
            refresh = pool.submit(api.refresh_allowed, ACCOUNT)
            plain.ledger.wait_for("refresh", 2, outcome="accepted")
            begun, worst, asked = time.monotonic(), 0.0, 0
            while not refresh.done() and time.monotonic() - begun < 4:
                single = time.monotonic()
                assert api.token(ACCOUNT).ok()["access_token"] == token
                worst, asked = max(worst, time.monotonic() - single), asked + 1
            assert worst < CACHED_MAX and asked > 20
            assert time.monotonic() - begun > 3, "the disk was not slow"
            assert refresh.result().status == 200
        assert api.token(ACCOUNT).ok()["access_token"] != token


@pytest.mark.slow
@needs_strace
def test_what_comes_while_the_disk_hangs_is_read(daemon, api, plain):
    """The reply's time is over when the disk is back, but the reply lies there: the one that a
    strict provider gives."""
    plain.configure(rotation="strict")
    daemon.with_provider("plain", plain, retry_grace="4s").start()  # a first answer has 2 s
    daemon.grant(plain, ACCOUNT)
    api.token(ACCOUNT).ok()
    other = plain.seed("other")["other"]
    with ThreadPoolExecutor() as pool:
        refresh = _in_the_air(pool, api, plain)
        with slow_syncs(daemon.process, 60):
            imported = pool.submit(api.import_grant, "plain/other", refresh_token=other)
            time.sleep(0.5)
            plain.clear_faults()
            time.sleep(4)
        assert refresh.result().status == imported.result().status == 200
    assert not plain.ledger.lines("refresh", outcome="refused")
    assert len(plain.ledger.refreshes()) == 2


@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
def test_failing_disk(daemon, api, plain, call):
    """Every write fails with EIO for a while: nothing undurable is served, the grant survives."""
    plain.configure(rotation="revoke-on-first-use")
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, ACCOUNT)
    before = api.token(ACCOUNT).ok()["access_token"]
    with ThreadPoolExecutor() as pool:
        refresh = _in_the_air(pool, api, plain)
        with injected(daemon.process, call, "error=EIO"):
            plain.clear_faults()
            api.wait_health("degraded")
            assert api.token(ACCOUNT).ok()["access_token"] == before
            assert not refresh.done()
        assert refresh.result().status == 200
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200
    assert not plain.ledger.lines("refresh", outcome="refused")


def _handed_out(api):
    """The tokens that the audit knows of; what the broker counted until now is told first."""
    return sum(row["count"] for row in api.audit().ok()["audit"] if row["verdict"] == "token")


def _hand_out(api, count):
    for _ in range(count):
        api.token(ACCOUNT).ok()
    _handed_out(api)


def _waiting_and_lost(api):
    metrics = Metrics(api.request("GET", "/metrics").text)
    return metrics.value("audit_waiting"), metrics.value("audit_lost_total")


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="needs mount")
def test_the_audit_of_a_full_disk(small_disk, daemon, api, plain):
    """Whoever got a token from the cache meanwhile is in the audit once there is room again."""
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, ACCOUNT)
    _hand_out(api, 3)
    assert _handed_out(api) == 3
    filler = small_disk()
    for _ in range(2):
        _hand_out(api, 10)
        time.sleep(1)  # it is tried again meanwhile
    assert _handed_out(api) == 3
    assert _waiting_and_lost(api) == (1, 0)
    filler.unlink()
    api.wait_audit(lambda rows: _handed_out(api) == 23)
    assert _waiting_and_lost(api) == (0, 0)
    small_disk()
    _hand_out(api, 7)
    filler.unlink()
    daemon.restart()
    assert _handed_out(api) == 30


@pytest.mark.skipif(os.getuid() != 0, reason="needs mount")
def test_the_audit_of_a_disk_that_stays_full(small_disk, daemon, api, plain):
    """It ends in order, and says what nobody will know."""
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, ACCOUNT)
    _hand_out(api, 3)
    filler = small_disk()
    _hand_out(api, 10)
    for _ in range(4):
        api.token(ACCOUNT).ok()
    daemon.stop()
    assert "the store refuses writes at the end: 14 events of the audit are lost" in daemon.log()
    filler.unlink()
    daemon.start()
    assert _handed_out(api) == 3


ON_ONE_PAGE = 40  # accounts are more than a page takes: the first of them fill one of their own


@pytest.fixture
def spoilt(daemon, emulator, plain, folder):
    """A broker, not started, one page of whose store is damaged: plain/n00 and some others lie on
    it. Returns (provider, account that is on another page) for plain, and for another provider."""
    zen = emulator("plain")
    daemon.config.broker["on_event"] = str(folder / "hook")
    (folder / "hook").write_text(f"#!/bin/sh\ncat >> {folder}/told\n")
    (folder / "hook").chmod(0o755)
    daemon.with_provider("plain", plain).with_provider("zen", zen).start()
    for number in range(ON_ONE_PAGE):
        daemon.grant(plain, f"plain/n{number:02}")
    for label in ("acme", "dead"):
        daemon.grant(zen, f"zen/{label}")
    for one in (plain, zen):
        one.configure(lifetime=4)
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.state / "store.sqlite")) as store, store:
        store.execute("UPDATE accounts SET refresh_at = 1")
        store.execute("UPDATE accounts SET state = 2, last_error = 'invalid_grant', refresh_at = 0"
                      " WHERE label = 'dead'")
    lost = spoil_the_page_of(daemon, "plain/n00")
    assert len(lost) > 1 and not lost & {f"plain/n{ON_ONE_PAGE - 1}", "zen/acme", "zen/dead"}
    return (plain, f"plain/n{ON_ONE_PAGE - 1}"), (zen, "zen/acme")


def _refreshed_once_more(provider, label):
    before = provider.ledger.count("refresh", outcome="accepted", user=label)
    provider.ledger.wait_for("refresh", before + 2, outcome="accepted", user=label)


@pytest.mark.slow
def test_a_damaged_page_is_the_trouble_of_its_own_accounts_alone(spoilt, daemon, api, folder):
    """All others are refreshed, also of the same provider; people are called for them, the audit
    is written."""
    daemon.start()
    for provider, account in spoilt:
        _refreshed_once_more(provider, account.partition("/")[2])
        api.token(account).ok()
        api.wait_audit(lambda rows, account=account: any(
            row["account"] == account and row["verdict"] == "token" for row in rows))
    [told] = wait_for_lines(folder / "told", 1)
    assert (told["event"], told["account"]) == ("consent_required", "zen/dead")
    assert api.token("plain/n00").status == 500
    assert api.health().ok()["store"]["ok"]


@pytest.mark.slow
def test_what_is_wanted_of_a_damaged_row_holds_up_nobody(spoilt, daemon, api):
    daemon.start()
    _, (zen, _) = spoilt
    assert "damaged" in api.login("plain/n00").text
    for reply in (api.import_grant("plain/n00", refresh_token="never-sent-" + "y" * 30),
                  api.forget("plain/n00"), api.rename("plain/n00", "plain/other")):
        assert reply.status in (500, 503), reply
    _refreshed_once_more(zen, "acme")
    assert api.health().ok()["store"]["ok"]
    api.import_grant("zen/new", refresh_token="never-sent-" + "x" * 30).ok()


def test_a_damaged_page_keeps_no_new_account_of_a_client_from_anybody(daemon, emulator, api):
    own = emulator("plain", "clients-own")
    daemon.with_provider("plain", own, grant="client_credentials", redirect_uri=None,
                         scope="read write").start()
    for number in range(ON_ONE_PAGE):
        api.token(f"plain/n{number:02}").ok()
    daemon.stop()
    assert f"plain/n{ON_ONE_PAGE - 1}" not in spoil_the_page_of(daemon, "plain/n00")
    daemon.start()
    assert own.call(api.token("plain/new").ok())[0] == 200


AUDIT_ROWS_MAX = 100_000


def test_damaged_rows_that_should_go_keep_none_out_of_the_audit(daemon, plain, api):
    """The oldest ones: what comes is written all the same, and the log says so once."""
    daemon.with_provider("plain", plain).start()
    for label in ("a", "b", "c"):
        daemon.grant(plain, f"plain/{label}")
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.state / "store.sqlite")) as store, store:
        store.execute("DELETE FROM audit")
        store.executemany(
            "INSERT INTO audit (account, uid, unit, verdict, generation, count, first_at, last_at)"
            " VALUES ('plain/old', 1, '', 'token', ?, 1, 1, 1)",
            ((generation,) for generation in range(AUDIT_ROWS_MAX + 10)))
    size, leaves = leaves_of(daemon, "audit")
    spoil(daemon, size, leaves[0][0])
    daemon.start()
    for label in ("a", "b", "c"):
        api.token(f"plain/{label}").ok()
        api.wait_audit(lambda rows, label=label: any(
            row["account"] == f"plain/{label}" for row in rows))
    assert _waiting_and_lost(api) == (0, 0)
    assert daemon.log().count("the oldest rows of the audit are damaged") == 1
    assert api.health().ok()["store"]["ok"]

"""Killed at any instant: no grant is lost, judged by the provider's ledger."""

import os
import random
import shutil
import threading

import pytest

from fault import kill9
from harness.client import Reply

FULL = int(os.environ.get("TOKENBROKER_TEST_KILLS", "20"))
ACCOUNTS = [f"plain/u{number}" for number in range(12)]


class Clients:
    """Ask for tokens and use each at once at the API, which kills the refresh token before it."""

    def __init__(self, api, provider):
        self._api, self._provider = api, provider
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(ACCOUNTS[number::3],))
                         for number in range(3)]
        for thread in self._threads:
            thread.start()

    def _run(self, accounts):
        while not self._over.is_set():
            for account in accounts:
                try:
                    reply = self._api.token(account, wait=1)
                except OSError:  # the daemon is dead just now
                    reply = Reply(0, None, b"")
                    self._over.wait(0.02)
                if reply.status == 200:
                    self._provider.call(reply.json)

    def stop(self):
        self._over.set()
        for thread in self._threads:
            thread.join()


def assert_nothing_lost(daemon, api, provider):
    """Every account answers with a token that the API accepts, and no refresh was ever refused."""
    for account in ACCOUNTS:
        token = api.token(account, wait=30).ok()
        assert provider.call(token)[0] == 200
    assert not provider.ledger.lines("refresh", outcome="refused")
    assert api.health().ok()["accounts"] == {
        "active": len(ACCOUNTS), "suspect": 0, "consent_required": 0}


@pytest.fixture
def provider(daemon, emulator):
    one = emulator("plain")
    one.configure(rotation="revoke-on-first-use", lifetime=1.5)
    daemon.with_provider("plain", one).start()
    for account in ACCOUNTS:
        daemon.grant(one, account)
    return one


@pytest.mark.slow
def test_kill_at_random_moments():
    """The fault bench's own, over a build with sanitizers."""
    kill9.run("revoke-on-first-use", FULL, random.Random(FULL), lambda count: None)


def test_killed_between_request_and_reply(daemon, api, provider):
    """The provider has rotated, its reply never arrives: the same refresh token again."""
    api.token(ACCOUNTS[0]).ok()
    provider.fault("hold-after", users=["u0"])
    provider.ledger.wait_for("fault", mode="hold-after")
    daemon.kill()
    provider.clear_faults()
    daemon.start()
    assert_nothing_lost(daemon, api, provider)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("nth", [1, 2, 3, 5, 8, 13, 21])
def test_killed_at_the_nth_sync(daemon, api, provider, nth):
    """The kernel kills it right at a sync of the store: before, within or after a commit."""
    daemon.stop()
    daemon.wrapper = ["strace", "-f", "-qq", "-o", "/dev/null",
                      "-e", "trace=fsync,fdatasync",
                      "-e", f"inject=fsync,fdatasync:signal=KILL:when={nth}"]
    daemon.spawn()
    clients = Clients(api, provider)
    try:
        daemon.process.wait(30)
    finally:
        clients.stop()
    daemon.wrapper = []
    daemon.start()
    assert_nothing_lost(daemon, api, provider)

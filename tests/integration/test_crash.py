"""Killed at any instant: no grant is lost, judged by the provider's ledger."""

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fault import kill9

FULL = int(os.environ.get("TOKENBROKER_TEST_KILLS", "20"))
GRACE_S = 3
ACCOUNTS = [f"plain/u{number}" for number in range(12)]


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
def test_killed_in_a_refresh_that_was_not_due(daemon, api, emulator):
    """The provider takes the spent token again for a few seconds only; nobody asks meanwhile."""
    one = emulator("plain")
    one.configure(rotation="grace", grace=GRACE_S)
    daemon.with_provider("plain", one).start()
    daemon.grant(one, ACCOUNTS[0])
    api.token(ACCOUNTS[0]).ok()
    one.fault("hold-after")
    with ThreadPoolExecutor() as pool:
        refresh = pool.submit(api.refresh_allowed, ACCOUNTS[0])
        one.ledger.wait_for("fault", mode="hold-after")
        daemon.kill()
        assert refresh.exception()
    one.clear_faults()
    daemon.start()
    one.ledger.wait_for("refresh", 3, outcome="accepted", timeout=GRACE_S)
    time.sleep(GRACE_S)
    assert api.refresh_allowed(ACCOUNTS[0]).status == 200
    assert not one.ledger.lines("refresh", outcome="refused")

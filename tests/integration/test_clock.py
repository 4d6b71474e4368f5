"""Clocks jump, computers sleep and boot; what is served stays what it is."""

import time

import pytest

from harness.clocks import Clocks
from harness.logins import start

ACCOUNT, OTHER = "plain/acme", "plain/other"
DAY = 86400

@pytest.fixture
def clocks(daemon, plain):
    """A started daemon whose clocks can be moved."""
    moved = Clocks(daemon)
    daemon.with_provider("plain", plain).start()
    return moved


@pytest.mark.parametrize("jump", [2 * DAY, -2 * DAY])
def test_jump_changes_no_lifetime(clocks, daemon, api, plain, jump):
    daemon.grant(plain, ACCOUNT)
    before = api.token(ACCOUNT).ok()
    clocks.step(jump)
    after = api.token(ACCOUNT).ok()
    assert after["access_token"] == before["access_token"]
    assert before["expires_in"] - 5 <= after["expires_in"] <= before["expires_in"]
    assert abs(after["expires_at"] - (before["expires_at"] + jump)) <= 5
    assert len(plain.ledger.token_requests()) == 1


@pytest.mark.parametrize("jump", [2 * DAY, -2 * DAY])
def test_jump_before_a_restart(clocks, daemon, api, plain, jump):
    """The same boot: the lifetime goes on where it was."""
    daemon.grant(plain, ACCOUNT)
    before = api.token(ACCOUNT).ok()
    clocks.step(jump)
    daemon.restart()
    after = api.token(ACCOUNT).ok()
    assert after["access_token"] == before["access_token"]
    assert before["expires_in"] - 10 <= after["expires_in"] <= before["expires_in"]


def test_jump_back_serves_no_ended_token(clocks, daemon, api, plain):
    plain.configure(lifetime=2)
    daemon.grant(plain, ACCOUNT)
    first = api.token(ACCOUNT).ok()
    plain.fault("http500")
    clocks.step(-3600)
    deadline = time.monotonic() + 10
    while (reply := api.token(ACCOUNT, wait=0)).status == 200:
        assert plain.call(reply.json)[0] == 200, "an ended token was served"
        assert time.monotonic() < deadline
    assert first["access_token"] not in reply.text


def test_what_is_due_during_a_suspend_is_done_at_wake(clocks, daemon, api, plain):
    daemon.grant(plain, ACCOUNT)
    before = api.token(ACCOUNT).ok()
    _sleep(clocks, plain, DAY)
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200, "an ended token was served"
    plain.ledger.wait_for("refresh", 2, outcome="accepted")
    assert api.token(ACCOUNT).ok()["access_token"] != before["access_token"]
    assert len(plain.ledger.token_requests()) == 2


def test_a_suspend_ends_what_it_outlasts(clocks, daemon, api, plain):
    """Also where nothing newer is to be had."""
    daemon.grant(plain, ACCOUNT)
    api.token(ACCOUNT).ok()
    login = start(api, ACCOUNT)["login_id"]
    plain.fault("http500")
    _sleep(clocks, plain, DAY)
    assert api.token(ACCOUNT, wait=0).status != 200
    assert api.follow(login).json.get("status") != "pending"


def test_a_night_asleep_is_no_reason_for_a_consent(clocks, daemon, api, plain):
    """An odd refusal before it and another after it are two, not hours of them."""
    plain.configure(lifetime=60)
    for account in (ACCOUNT, OTHER):
        daemon.grant(plain, account)
        api.token(account).ok()
    plain.fault("empty400", users=["acme"])
    for _ in range(3):
        before = plain.ledger.count("fault")
        _sleep(clocks, plain, DAY)
        plain.ledger.wait_for("fault", before + 1)
        assert api.account(ACCOUNT).ok()["state"] != "consent_required"
    plain.clear_faults()
    _sleep(clocks, plain, DAY)
    api.wait_state(ACCOUNT, "active")


def test_a_reboot(clocks, daemon, api, plain):
    """Time goes on while the computer is off."""
    daemon.grant(plain, ACCOUNT)
    before = api.token(ACCOUNT).ok()
    _boot(clocks, daemon, plain, 600)
    after = api.token(ACCOUNT).ok()
    assert after["access_token"] == before["access_token"]
    assert 590 < before["expires_in"] - after["expires_in"] < 620
    _boot(clocks, daemon, plain, DAY)
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200


def test_a_reboot_without_a_clock(clocks, daemon, api, plain):
    """Nobody knows for how long it was off: no token from before is served, and it costs one refresh."""
    for account in (ACCOUNT, OTHER):
        daemon.grant(plain, account)
        api.token(account).ok()
    clocks.step(-30 * DAY)
    _boot(clocks, daemon, plain, DAY)
    daemon.wait_log("clock of this computer is behind")
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200
    daemon.restart()  # in the same boot it is still so, for whom nobody asked yet
    for account in (ACCOUNT, OTHER):
        assert plain.call(api.token(account).ok())[0] == 200
    assert len(plain.ledger.token_requests()) == 4
    assert daemon.log().count("clock of this computer is behind") == 1


def test_what_cannot_be_renewed_is_served_to_its_end(clocks, daemon, api, plain):
    """A clock that was wrong is no reason for another consent."""
    daemon.config.providers["own"] = {"grant": "static"}
    daemon.reload()
    api.import_grant("own/acme", access_token="without-an-end").ok()
    clocks.step(-30 * DAY)
    _boot(clocks, daemon, plain, 60)
    assert api.token("own/acme").ok()["access_token"] == "without-an-end"


def _sleep(clocks, plain, seconds):
    plain.skip(seconds)
    clocks.suspend(seconds)


def _boot(clocks, daemon, plain, seconds):
    daemon.stop()
    plain.skip(seconds)
    clocks.boot(seconds)
    daemon.start()

"""keep = asked: who is not asked for is not refreshed; who is asked for is, once, and from then on."""

import time

import pytest

from harness import later
from harness.later import DAY, restart_later

ACCOUNT = "plain/acme"

pytestmark = pytest.mark.skipif(later.missing() != "", reason=later.missing())


@pytest.fixture
def asked(daemon, plain):
    def start(**keys):
        daemon.with_provider("plain", plain, keep="asked", **keys).start()
        daemon.grant(plain, ACCOUNT)
        return daemon
    return start


def refreshes(plain):
    return plain.ledger.count("refresh", outcome="accepted")


def next_refresh(api):
    return api.account(ACCOUNT).ok()["next_refresh_at"] - time.time()


def quiet(plain, seconds=3):
    """So many refreshes, and no more come."""
    time.sleep(seconds)
    return refreshes(plain)


@pytest.mark.slow
def test_is_fresh_for_a_day_only(asked, api, plain, cli):
    plain.configure(lifetime=4)
    daemon = asked()
    api.token(ACCOUNT).ok()
    plain.ledger.wait_for("refresh", 3, outcome="accepted")
    assert not api.account(ACCOUNT).ok().get("rests")
    restart_later(daemon, DAY + 3600)
    settled = refreshes(plain)
    assert quiet(plain, 6) == settled
    account = api.account(ACCOUNT).ok()
    assert account["rests"] and "next_refresh_at" not in account
    assert "nobody asked for 24 h" in cli.run("status", ACCOUNT).stdout

    # One request refreshes once, and it is fresh from then on.
    api.token(ACCOUNT).ok()
    assert refreshes(plain) == settled + 1
    plain.ledger.wait_for("refresh", settled + 3, outcome="accepted")
    assert not api.account(ACCOUNT).ok().get("rests")


@pytest.mark.slow
def test_a_valid_token_is_refreshed_again_too(asked, api, plain):
    """The front answers from its cache; the back hears of it by the audit."""
    plain.configure(lifetime=30 * 3600)
    daemon = asked()
    api.token(ACCOUNT).ok()
    assert refreshes(plain) == 1
    restart_later(daemon, 26 * 3600)
    account = api.account(ACCOUNT).ok()
    assert account["expires_in"] > 3600 and account["rests"]
    assert quiet(plain) == 1
    api.token(ACCOUNT).ok()
    plain.ledger.wait_for("refresh", 2, outcome="accepted")
    assert quiet(plain) == 2
    assert "next_refresh_at" in api.account(ACCOUNT).ok()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["reload", "restart"])
def test_who_rests_is_refreshed_again_once_it_says_always(asked, api, plain, way):
    plain.configure(lifetime=4)
    daemon = asked()
    api.token(ACCOUNT).ok()
    restart_later(daemon, DAY + 3600)
    settled = refreshes(plain)
    assert quiet(plain) == settled and api.account(ACCOUNT).ok()["rests"]
    daemon.config.providers["plain"]["keep"] = "always"
    getattr(daemon, way)()
    plain.ledger.wait_for("refresh", settled + 2, outcome="accepted")


@pytest.mark.slow
def test_is_kept_alive(asked, api, plain):
    """By half of the idle limit, whoever asks."""
    daemon = asked(refresh_token_idle_lifetime="14d")
    api.token(ACCOUNT).ok()
    restart_later(daemon, 6 * DAY)
    assert quiet(plain) == 1
    assert abs(next_refresh(api) - 1 * DAY) < 60
    restart_later(daemon, 8 * DAY)
    plain.ledger.wait_for("refresh", 2, outcome="accepted")
    assert quiet(plain) == 2
    assert abs(next_refresh(api) - 7 * DAY) < 60


@pytest.mark.slow
def test_a_lost_reply_is_tried_before_the_grace_ends(daemon, plain, api, cli):
    """enableHR's half hour: the waits between two tries do not jump over its end."""
    plain.configure(rotation="grace", grace=3600)
    daemon.with_provider("plain", plain, retry_grace="8s").start()
    daemon.grant(plain, ACCOUNT)
    api.token(ACCOUNT).ok()
    plain.fault("drop", times=4)
    assert api.refresh_allowed(ACCOUNT).status in (503, 504)
    account = api.account(ACCOUNT).ok()
    first, *_, last = [line["at"] for line in plain.ledger.lines("token_request")[1:]]
    assert first + 6.5 < last < first + 8
    assert abs(account["retry_grace_ends_at"] - first - 8) <= 2
    assert "lost reply" in cli.run("status", ACCOUNT).stdout

"""An event before a grant dies: once for each level, also over a restart. Who is to be called is
called at least once, whatever the number, and twice only where a crash or a stop came between."""

import collections
import contextlib
import json
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import later
from harness.later import DAY, restart_later
from harness.logins import log_in

ACCOUNT = "plain/acme"

pytestmark = pytest.mark.skipif(later.missing() != "", reason=later.missing())


@pytest.fixture
def told(daemon, folder):
    """Where what on_event was told is kept."""
    hook, kept = folder / "hook", folder / "told"
    hook.write_text(f"#!/bin/sh\ncat >> {kept}\necho >> {kept}\n")
    hook.chmod(0o755)
    kept.touch()
    daemon.config.broker["on_event"] = str(hook)
    return kept


@pytest.mark.slow
def test_each_level_once(daemon, plain, api, person, told):
    daemon.with_provider("plain", plain, refresh_token_lifetime="365d").start()
    log_in(api, person, ACCOUNT)

    def count():
        return told.read_text().count("grant_dies_soon")

    for days, expected in ((300, 0), (340, 1), (341, 1), (360, 2), (360, 2), (364.5, 3)):
        restart_later(daemon, days * DAY)
        api.wait_account(ACCOUNT, lambda _: True)
        time.sleep(2)
        assert count() == expected, (days, told.read_text())


def test_one_damaged_row_keeps_no_warning_and_no_list_from_others(daemon, plain, api, person, told):
    daemon.with_provider("plain", plain, refresh_token_lifetime="365d").start()
    for account in (ACCOUNT, "plain/other"):
        log_in(api, person, account)
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.state / "store.sqlite")) as store, store:
        store.execute("UPDATE accounts SET failures = -1 WHERE label = 'acme'")
    restart_later(daemon, 340 * DAY)
    deadline = time.monotonic() + 10
    while "grant_dies_soon" not in told.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert '"account":"plain/other"' in told.read_text()
    [row] = api.request("GET", "/v1/accounts").ok()["accounts"]
    assert row["account"] == "plain/other"
    assert api.account(ACCOUNT).status == 500


MANY = 300  # more than main's mailbox takes
CALLS_MAX = 16  # that a crash may repeat: what the hook was given and nobody has noted


def many_that_need_somebody(daemon, api, plain):
    """Half of them have died, half will die; nobody was told yet."""
    daemon.with_provider("plain", plain).start()
    with ThreadPoolExecutor(4) as pool:
        for reply in pool.map(lambda number: api.import_grant(
                f"plain/n{number:03}", refresh_token=f"never-sent-{number:03}-" + "x" * 20),
                range(MANY)):
            reply.ok()
    daemon.stop()
    dies_at = int((time.time() + 6 * DAY) * 1000)
    with contextlib.closing(sqlite3.connect(daemon.state / "store.sqlite")) as store, store:
        store.execute("UPDATE accounts SET state = 2, last_error = 'invalid_grant', refresh_at = 0"
                      f" WHERE label < 'n{MANY // 2:03}'")
        store.execute(f"UPDATE accounts SET refresh_token_expires_at = {dies_at},"
                      f" refresh_token_life_ms = {365 * DAY * 1000}"
                      f" WHERE label >= 'n{MANY // 2:03}'")


def heard(told):
    """How often each account was told of, and each by the event that is its own."""
    events = [json.loads(line) for line in told.read_text().splitlines() if line]
    for event in events:
        dead = int(event["account"][-3:]) < MANY // 2
        assert event["event"] == ("consent_required" if dead else "grant_dies_soon")
    return collections.Counter(event["account"] for event in events)


def wait_until_heard(told, count, timeout):
    deadline = time.monotonic() + timeout
    while len(heard(told)) < count:
        assert time.monotonic() < deadline, len(heard(told))
        time.sleep(0.1)


def slow_down(folder):
    """Each event is kept in one piece, and takes its time."""
    (folder / "hook").write_text(
        f'#!/bin/sh\nread -r event\necho "$event" >> {folder}/told\nsleep 0.06\n')


@pytest.mark.slow
def test_many_at_once_and_a_slow_hook(daemon, plain, api, told, folder):
    slow_down(folder)
    many_that_need_somebody(daemon, api, plain)
    daemon.start()
    wait_until_heard(told, MANY, timeout=30)
    assert set(heard(told).values()) == {1}
    assert "was dropped" not in daemon.log()
    time.sleep(1)  # a stop would end the last one, and it would be called again
    daemon.restart()
    time.sleep(2)
    assert sum(heard(told).values()) == MANY, "told once more after a restart"


@pytest.mark.slow
def test_a_crash_and_a_stop_while_many_are_told(daemon, plain, api, told, folder):
    slow_down(folder)
    many_that_need_somebody(daemon, api, plain)
    for ends_at, end in ((60, daemon.kill), (140, daemon.stop)):
        daemon.start()
        wait_until_heard(told, ends_at, timeout=20)
        end()
    daemon.start()
    wait_until_heard(told, MANY, timeout=30)
    times = heard(told)
    assert len(times) == MANY and sum(times.values()) <= MANY + 2 * CALLS_MAX


def test_a_hook_that_was_not_there_is_called_once_it_is(daemon, plain, api, told, folder):
    """What it was to hear is not taken for heard."""
    hook, away = folder / "hook", folder / "away"
    daemon.with_provider("plain", plain).start()
    api.import_grant(ACCOUNT, refresh_token="never-sent-" + "x" * 30).ok()
    daemon.stop()
    hook.rename(away)
    with contextlib.closing(sqlite3.connect(daemon.state / "store.sqlite")) as store, store:
        store.execute("UPDATE accounts SET state = 2, last_error = 'invalid_grant', refresh_at = 0")
    daemon.start()
    daemon.wait_log("cannot be started for consent_required")
    away.rename(hook)
    daemon.reload()
    deadline = time.monotonic() + 10
    while "consent_required" not in told.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_pause_is_told_once_also_over_a_crash(daemon, plain, api, told):
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, ACCOUNT)
    plain.configure(client_secret="another")
    api.refresh(ACCOUNT)

    def count():
        return told.read_text().count("provider_paused")
    deadline = time.monotonic() + 10
    while count() == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)
    daemon.kill()
    daemon.start()
    time.sleep(2)
    assert count() == 1
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.state / "store.sqlite")) as store, store:
        # as if it had crashed before it was noted
        store.execute("DELETE FROM facts WHERE name LIKE 'pause_told%'")
    daemon.start()
    while count() < 2:
        assert time.monotonic() < deadline + 20
        time.sleep(0.05)

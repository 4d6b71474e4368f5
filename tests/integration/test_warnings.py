"""An event before a grant dies: once for each level, also over a restart."""

import contextlib
import sqlite3
import time

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

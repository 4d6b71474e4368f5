"""An event before a grant dies: once for each level, also over a restart."""

import time

import pytest

from harness import later
from harness.later import DAY, restart_later
from harness.logins import log_in

ACCOUNT = "plain/acme"

pytestmark = pytest.mark.skipif(later.missing() != "", reason=later.missing())


def test_each_level_once(daemon, plain, api, person, folder):
    hook = folder / "hook"
    told = folder / "told"
    hook.write_text(f"#!/bin/sh\ncat >> {told}\necho >> {told}\n")
    hook.chmod(0o755)
    daemon.config.broker["on_event"] = str(hook)
    daemon.with_provider("plain", plain, refresh_token_lifetime="365d").start()
    log_in(api, person, ACCOUNT)

    def count():
        return told.read_text().count("grant_dies_soon") if told.exists() else 0

    for days, expected in ((300, 0), (340, 1), (341, 1), (360, 2), (360, 2), (364.5, 3)):
        restart_later(daemon, days * DAY)
        api.wait_account(ACCOUNT, lambda _: True)
        time.sleep(2)
        assert count() == expected, (days, told.read_text() if told.exists() else "")

"""The wall clock may jump; what is served stays what it is."""

import time
from pathlib import Path

import pytest

ACCOUNT = "plain/acme"
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
DAY = 86400

pytestmark = pytest.mark.skipif(LIBRARY is None, reason="needs libfaketime")


@pytest.fixture
def wall(daemon, plain):
    """A started daemon whose wall clock (not its others) can be moved: wall("+2d")."""
    file = daemon.folder / "wall"
    file.write_text("+0")
    daemon.environment |= {
        "LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "ASAN_OPTIONS": "verify_asan_link_order=0"}
    daemon.with_provider("plain", plain).start()
    return file.write_text


@pytest.mark.parametrize("jump, seconds", [("+2d", 2 * DAY), ("-2d", -2 * DAY)])
def test_jump_changes_no_lifetime(wall, daemon, api, plain, jump, seconds):
    daemon.grant(plain, ACCOUNT)
    before = api.token(ACCOUNT).ok()
    wall(jump)
    after = api.token(ACCOUNT).ok()
    assert after["access_token"] == before["access_token"]
    assert before["expires_in"] - 5 <= after["expires_in"] <= before["expires_in"]
    assert abs(after["expires_at"] - (before["expires_at"] + seconds)) <= 5
    assert len(plain.ledger.token_requests()) == 1


@pytest.mark.parametrize("jump", ["+2d", "-2d"])
def test_jump_before_a_restart(wall, daemon, api, plain, jump):
    """The same boot: the lifetime goes on where it was."""
    daemon.grant(plain, ACCOUNT)
    before = api.token(ACCOUNT).ok()
    wall(jump)
    daemon.restart()
    after = api.token(ACCOUNT).ok()
    assert after["access_token"] == before["access_token"]
    assert before["expires_in"] - 10 <= after["expires_in"] <= before["expires_in"]


def test_jump_back_serves_no_ended_token(wall, daemon, api, plain):
    plain.configure(lifetime=2)
    daemon.grant(plain, ACCOUNT)
    first = api.token(ACCOUNT).ok()
    plain.fault("http500")
    wall("-1h")
    deadline = time.monotonic() + 10
    while (reply := api.token(ACCOUNT, wait=0)).status == 200:
        assert plain.call(reply.json)[0] == 200, "an ended token was served"
        assert time.monotonic() < deadline
    assert first["access_token"] not in reply.text

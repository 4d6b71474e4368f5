"""The wall clock may jump; what is served stays what it is."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

ACCOUNT = "plain/acme"
DAY = 86400

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """A library that moves the wall clock of the program into which it is preloaded."""
    path = tmp_path_factory.mktemp("wall") / "wall_clock.so"
    source = Path(__file__).parent / "harness" / "wall_clock.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", path, source], check=True)
    return path


@pytest.fixture
def wall(daemon, plain, library):
    """A started daemon whose wall clock (not its others) can be moved: wall(seconds)."""
    file = daemon.folder / "wall"
    daemon.environment |= {"LD_PRELOAD": str(library), "WALL_CLOCK_FILE": str(file),
                           "ASAN_OPTIONS": "verify_asan_link_order=0"}
    daemon.with_provider("plain", plain).start()
    return lambda seconds: file.write_text(str(seconds))


@pytest.mark.parametrize("jump", [2 * DAY, -2 * DAY])
def test_jump_changes_no_lifetime(wall, daemon, api, plain, jump):
    daemon.grant(plain, ACCOUNT)
    before = api.token(ACCOUNT).ok()
    wall(jump)
    after = api.token(ACCOUNT).ok()
    assert after["access_token"] == before["access_token"]
    assert before["expires_in"] - 5 <= after["expires_in"] <= before["expires_in"]
    assert abs(after["expires_at"] - (before["expires_at"] + jump)) <= 5
    assert len(plain.ledger.token_requests()) == 1


@pytest.mark.parametrize("jump", [2 * DAY, -2 * DAY])
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
    wall(-3600)
    deadline = time.monotonic() + 10
    while (reply := api.token(ACCOUNT, wait=0)).status == 200:
        assert plain.call(reply.json)[0] == 200, "an ended token was served"
        assert time.monotonic() < deadline
    assert first["access_token"] not in reply.text

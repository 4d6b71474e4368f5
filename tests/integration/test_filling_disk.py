"""The disk of the state folder fills up in the midst of a backup, of a rekey, of a restore: nothing
is lost, what was half done is gone or goes on, and it is said what to do."""

import os
import shutil
import subprocess
import time

import pytest

from harness.large import enlarge
from test_backup import (FEW, assert_waits, back_up, elsewhere, key_file, provider,  # noqa: F401
                         restore)
from test_rekey import key_ids

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs mount")

KB = 1024
MB = 1024 * KB
DISK = 80 * MB
BIG_ROWS = 10_000  # a copy of them takes long enough to be met on its way


class SmallDisk:
    """A file system of its own below a folder."""

    def __init__(self, folder, size=DISK):
        self.folder, self._filler = folder, folder / "filler"
        folder.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", folder],
                       check=True)

    def free(self):
        facts = os.statvfs(self.folder)
        return facts.f_bavail * facts.f_frsize

    def fill(self, left=0):
        """Up to so many bytes."""
        with open(self._filler, "ab", buffering=0) as file:
            try:
                while self.free() > left:
                    file.write(b"\0" * min(MB, max(4096, self.free() - left)))
            except OSError:
                pass

    def relieve(self):
        self._filler.unlink(missing_ok=True)

    def close(self):
        subprocess.run(["umount", "-l", self.folder], check=True)


@pytest.fixture
def disk(daemon):
    one = SmallDisk(daemon.state)
    try:
        yield one
        daemon.close()
    finally:
        one.close()


def wait_until(condition, timeout=30):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.slow
def test_a_backup(disk, daemon, api, cli, provider, folder):
    enlarge(daemon, FEW[0], BIG_ROWS)
    before = disk.free()
    one = cli.spawn("backup", str(folder / "kept"))
    wait_until(lambda: disk.free() < before - 4 * MB)
    disk.fill()
    said = one.communicate(timeout=60)[1]
    assert one.returncode == 1, said
    assert "too little room" in said and "free some" in said
    assert not list(folder.glob("kept*"))
    for account in FEW:
        assert provider.call(api.token(account).ok())[0] == 200
    # The half copy gave its room back, before anybody freed any.
    wait_until(lambda: disk.free() > 3 * MB)
    assert api.refresh_allowed(FEW[0]).status == 200
    disk.relieve()
    assert api.health().ok()["status"] == "ok"
    back_up(cli, folder / "kept")
    daemon.kill()
    daemon.start()
    for account in FEW:
        api.refresh_allowed(account).ok()
    assert not provider.ledger.lines("refresh", outcome="refused")



@pytest.mark.parametrize("left", [0, 4096, 16384, 32768, 65536, 131072])
def test_a_rekey(disk, daemon, api, cli, provider, folder, left):
    """Wherever it stops: the broker serves on, and it is done once there is room again."""
    daemon.config.broker["key_next"] = f"file:{key_file(folder, 'next')}"
    daemon.reload()
    disk.fill(left)
    waits = cli.run("rekey")
    assert waits.returncode == 1, waits.stderr
    assert "the disk is full, free some" in waits.stderr or "the key is as it was" in waits.stderr
    for account in FEW:
        assert provider.call(api.token(account).ok())[0] == 200
    disk.relieve()
    assert_goes_on(daemon, cli, provider)


def ends(api):
    reply = api.rekey_progress()
    return reply.status == 200 and not reply.json["running"]


def assert_goes_on(daemon, cli, provider):
    """By itself, if it had begun."""
    wait_until(lambda: ends(daemon.api))
    done = cli.run("rekey")
    assert done.returncode == 0 or "sealed with key_next already" in done.stderr, done.stderr
    for account in FEW:
        daemon.api.refresh_allowed(account).ok()
    assert not provider.ledger.lines("refresh", outcome="refused")
    daemon.config.broker["key"] = daemon.config.broker.pop("key_next")
    daemon.restart()
    for account in FEW:
        assert provider.call(daemon.api.token(account).ok())[0] == 200
    daemon.stop()
    assert len(key_ids(daemon)) == 1


@pytest.mark.parametrize("left", [16384, 65536, 131072])
def test_a_rekey_that_is_killed_there(disk, daemon, api, cli, provider, folder, left):
    """It starts again where a start has room, else says so; and all goes on from there."""
    daemon.config.broker["key_next"] = f"file:{key_file(folder, 'next')}"
    daemon.reload()
    disk.fill(left)
    assert cli.run("rekey").returncode == 1
    daemon.kill()
    disk.fill()
    assert "free" in daemon.refuses_to_start().splitlines()[-1]
    disk.relieve()
    daemon.start()
    assert_goes_on(daemon, cli, provider)


def test_a_restore(daemon, cli, provider, elsewhere, folder):
    """On disks of every size up to that on which it succeeds: whole, or not there."""
    back_up(cli, folder / "kept")
    daemon.stop()
    size = (folder / "kept").stat().st_size
    for more in range(0, 128 * KB, 4 * KB):
        small = SmallDisk(elsewhere.state, size + more)
        try:
            done = restore(elsewhere, folder / "kept")
            left = [path.name for path in elsewhere.state.iterdir()]
            if done.returncode == 0:
                shutil.copy2(elsewhere.state / "store.sqlite", folder / "restored")
                break
            assert not left and ("No space left" in done.stderr or "full" in done.stderr)
        finally:
            small.close()
            elsewhere.state.rmdir()
    assert left == ["store.sqlite"] and more > 0
    elsewhere.state.mkdir(mode=0o700)
    shutil.copy2(folder / "restored", elsewhere.state / "store.sqlite")
    elsewhere.start()
    assert_waits(elsewhere, provider, FEW)

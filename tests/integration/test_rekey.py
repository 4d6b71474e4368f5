"""The key that seals the store: where it comes from, and sealing anew with another."""

import http.client
import os
import random
import secrets
import shutil
import sqlite3
import subprocess
import threading
import time

import pytest

ACCOUNTS = [f"plain/u{number:03}" for number in range(120)]
KILLS = int(os.environ.get("TOKENBROKER_TEST_REKEY_KILLS", "30"))
SBIN = "/usr/sbin:/sbin"
ID = slice(1, 9)  # of a key, in what it sealed


def key_file(path, form=bytes):
    """A new key in a file as an admin makes it."""
    key = secrets.token_bytes(32)
    path.write_bytes(key if form is bytes else key.hex().encode() + b"\n")
    path.chmod(0o600)
    return path


def key_ids(daemon, tables=("accounts", "held", "kept", "links")):
    """The ids of all the keys that sealed anything; the daemon must not run."""
    store = sqlite3.connect(f"file:{daemon.state / 'store.sqlite'}", uri=True)
    found = set()
    for table in tables:
        found |= {bytes(sealed)[ID] for [sealed] in store.execute(
            f"SELECT sealed FROM {table} WHERE sealed IS NOT NULL")}
    store.close()
    return found


def rekey(cli):
    done = cli.run("rekey")
    assert done.returncode == 0, done.stderr
    return done.stderr


def assert_all_open(daemon, plain, accounts):
    """Each account's refresh token is what the provider knows: none was refused."""
    for account in accounts:
        assert plain.call(daemon.api.token(account).ok())[0] == 200
    assert not plain.ledger.lines("refresh", outcome="refused")


@pytest.fixture
def granted(broker, plain):
    for account in ACCOUNTS[:3]:
        broker.grant(plain, account)
    return broker


def _credential(daemon, folder):
    directory = folder / "credentials"
    directory.mkdir()
    key_file(directory / "seal", form=str)
    daemon.environment["CREDENTIALS_DIRECTORY"] = str(directory)
    return "credential:seal"


def _command(daemon, folder):
    return f"command:/bin/cat {key_file(folder / 'printed', form=str)}"


def _file(daemon, folder):
    return f"file:{key_file(folder / 'raw')}"


SOURCES = pytest.mark.parametrize("source", [_file, _credential, _command])


@SOURCES
def test_a_key_from_outside(daemon, folder, plain, source):
    """It seals from the first start on; no key of the broker's own is made."""
    daemon.config.broker["key"] = source(daemon, folder)
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, ACCOUNTS[0])
    daemon.restart()
    assert_all_open(daemon, plain, ACCOUNTS[:1])
    assert not [path for path in daemon.state.iterdir() if "key" in path.name]


@SOURCES
def test_from_auto_to_a_key_from_outside(granted, folder, plain, cli, source):
    """key_next, reload, rekey; then it is made key."""
    granted.config.broker["key_next"] = source(granted, folder)
    if source is _credential:
        granted.restart()  # systemd gives credentials at the start alone
    else:
        granted.reload()
    assert "rows sealed anew: 3" in rekey(cli)
    assert not (granted.state / "key").exists()
    granted.restart()
    granted.config.broker["key"] = granted.config.broker.pop("key_next")
    granted.restart()
    assert_all_open(granted, plain, ACCOUNTS[:3])
    granted.stop()
    assert len(key_ids(granted)) == 1


def test_back_to_auto(daemon, folder, plain, cli):
    daemon.config.broker["key"] = _file(daemon, folder)
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, ACCOUNTS[0])
    assert "key_next" in cli.run("rekey").stderr
    daemon.config.broker["key_next"] = "auto"
    daemon.reload()
    rekey(cli)
    del daemon.config.broker["key"], daemon.config.broker["key_next"]
    daemon.restart()
    assert_all_open(daemon, plain, ACCOUNTS[:1])
    assert (folder / "raw").exists()  # the admin's, not ours to remove


def test_a_new_key_of_its_own(granted, plain, cli):
    """The old key opens nothing any more, and is gone from its file."""
    old = (granted.state / "key").read_bytes()
    granted.stop()
    [old_id] = key_ids(granted)
    granted.start()
    rekey(cli)
    assert (granted.state / "key").read_bytes() != old
    assert not (granted.state / "key.next").exists()
    assert_all_open(granted, plain, ACCOUNTS[:3])
    granted.stop()
    assert old_id not in key_ids(granted)
    now = (granted.state / "key").read_bytes()
    (granted.state / "key").write_bytes(old)
    assert "does not fit" in granted.refuses_to_start()
    (granted.state / "key").write_bytes(now)
    granted.start()


def test_old_sealed_bytes_leave_the_disk(granted, cli):
    """Neither the store nor its log holds what the old key sealed."""
    granted.stop()
    [old_id] = key_ids(granted)
    granted.start()
    rekey(cli)
    for path in granted.state.iterdir():
        assert b"\x02" + old_id not in path.read_bytes(), path


@pytest.fixture
def own_disk(daemon, folder):
    """The state folder on an ext4 of its own; the file that it is in."""
    image = folder / "disk"
    image.write_bytes(b"\0" * 32 * 1024 * 1024)
    subprocess.run([shutil.which("mkfs.ext4", path=SBIN), "-q", image], check=True)
    daemon.state.mkdir(mode=0o700)
    subprocess.run(["mount", "-o", "loop", image, daemon.state], check=True)
    try:
        daemon.state.chmod(0o700)
        yield image
        daemon.close()
    finally:
        if os.path.ismount(daemon.state):
            subprocess.run(["umount", "-l", daemon.state], check=True)


def all_bytes(own_disk, daemon):
    """Of the disk that is taken out."""
    daemon.stop()
    subprocess.run(["umount", daemon.state], check=True)
    return own_disk.read_bytes()


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("mkfs.ext4", path=SBIN),
                    reason="needs mount and mkfs.ext4")
@pytest.mark.parametrize("outside", [False, True])
def test_the_old_key_leaves_the_disk(own_disk, daemon, plain, cli, folder, outside):
    """Its bytes are overwritten where they lie, not only in the file's name."""
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, ACCOUNTS[0])
    old = (daemon.state / "key").read_bytes()
    os.sync()
    assert old in own_disk.read_bytes()
    if outside:
        daemon.config.broker["key_next"] = _file(daemon, folder)
        daemon.reload()
    rekey(cli)
    assert_all_open(daemon, plain, ACCOUNTS[:1])
    assert old not in all_bytes(own_disk, daemon)


def test_a_bad_next_key_changes_nothing(granted, folder, cli, plain):
    """A reload with it is refused; a start is not."""
    (folder / "bad").write_text("no key")
    (folder / "bad").chmod(0o600)
    granted.config.broker["key_next"] = f"file:{folder / 'bad'}"
    granted.reload()
    granted.wait_log("the configuration stays as it was")
    granted.restart()
    granted.wait_log("key_next cannot be used yet")
    assert cli.run("rekey").returncode == 2
    assert_all_open(granted, plain, ACCOUNTS[:3])


def test_what_the_first_release_sealed_opens(granted, plain, cli):
    """Before keys had ids, the head of what was sealed did not name one."""
    granted.stop()
    store = sqlite3.connect(granted.state / "store.sqlite")
    store.execute("UPDATE accounts"
                  " SET sealed = CAST(x'01' || substr(sealed, 10) AS BLOB)")
    store.commit()
    store.close()
    granted.start()
    assert "rows sealed anew: 3" in rekey(cli)
    assert_all_open(granted, plain, ACCOUNTS[:3])


def test_only_an_admin_may(granted):
    """And nobody without a rule, of course."""
    granted.config.access["few"] = {"accounts": ["plain/*"], "who": [f"user:{os.getuid()}"],
                                    "may": ["token", "list", "monitor"]}
    granted.reload()
    assert granted.api.rekey().status == 403
    assert granted.api.rekey_progress().status == 403


class Askers:
    """Ask for tokens all the while: the broker serves on."""

    def __init__(self, api, accounts):
        self._api, self._accounts = api, accounts
        self.failures, self._over = [], threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._over.is_set():
            account = random.choice(self._accounts)
            reply = self._api.token(account)
            if reply.status != 200:
                self.failures.append(reply.text)

    def stop(self):
        self._over.set()
        self._thread.join()


@pytest.mark.slow
def test_it_serves_on(broker, plain, cli):
    for account in ACCOUNTS:
        broker.grant(plain, account)
    askers = Askers(broker.api, ACCOUNTS)
    for _ in range(3):
        rekey(cli)
    askers.stop()
    assert not askers.failures
    assert_all_open(broker, plain, ACCOUNTS)


@pytest.mark.slow
def test_killed_at_any_moment(broker, plain, cli):
    """kill -9 in the midst of it, again and again: no row is lost, and it always goes on."""
    for account in ACCOUNTS:
        broker.grant(plain, account)
    chance = random.Random(KILLS)
    for _ in range(KILLS):
        assert broker.api.rekey().ok()["running"]
        threading.Event().wait(chance.uniform(0, 0.12))
        broker.kill()
        broker.start()
    rekey(cli)
    while broker.api.rekey_progress().ok()["running"]:
        threading.Event().wait(0.05)
    assert_all_open(broker, plain, ACCOUNTS)
    # The moments were in the midst of it.
    assert broker.log().count("sealing the store anew goes on") >= KILLS // 4
    broker.restart()
    broker.stop()
    assert len(key_ids(broker)) == 1
    assert not (broker.state / "key.next").exists()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("nth", range(1, 21))
def test_killed_at_the_nth_sync(broker, plain, nth):
    """Right at a sync, of the store or of a key's file."""
    for account in ACCOUNTS[:5]:
        broker.grant(plain, account)
    broker.stop()
    broker.wrapper = ["strace", "-f", "-qq", "-o", "/dev/null",
                      "-e", "trace=fsync,fdatasync",
                      "-e", f"inject=fsync,fdatasync:signal=KILL:when={nth}"]
    broker.spawn()
    deadline = time.monotonic() + 30
    while broker.process.poll() is None:
        assert time.monotonic() < deadline
        try:
            broker.api.rekey()
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)  # it is not up yet, or dead
    broker.wrapper = []
    broker.start()
    assert_all_open(broker, plain, ACCOUNTS[:5])

"""Copies of the store that are made while it serves, restored elsewhere, judged by the provider's
ledger."""

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.binaries import DAEMON
from harness.daemon import Daemon

ACCOUNTS = [f"plain/u{number}" for number in range(50)]
FEW = ACCOUNTS[:4]
NOBODY = 65534


def key_file(folder, name="seal"):
    path = folder / name
    path.write_bytes(os.urandom(32))
    path.chmod(0o600)
    return path


def grant_all(daemon, provider, accounts):
    tokens = provider.seed(*(account.partition("/")[2] for account in accounts))
    for account in accounts:
        daemon.api.import_grant(account,
                                refresh_token=tokens[account.partition("/")[2]]).ok()
        daemon.api.token(account).ok()


@pytest.fixture
def provider(daemon, emulator, folder):
    """Watches for reuse; the key is an admin's file."""
    one = emulator("plain")
    one.configure(rotation="revoke-on-first-use", lifetime=600)
    daemon.config.broker["key"] = f"file:{key_file(folder)}"
    daemon.with_provider("plain", one).start()
    grant_all(daemon, one, FEW)
    return one


@pytest.fixture
def elsewhere(daemon, folder, schema):
    """Another broker with the same configuration, on what could be another machine: it has no
    state, and no note of how far any store had come."""
    place = folder / "elsewhere"
    place.mkdir()
    one = Daemon(place, schema)
    one.config.broker, one.config.providers = daemon.config.broker, daemon.config.providers
    yield one
    one.close()


def restore(daemon, file):
    """What `tokenbrokerd --restore` says, and how it ended."""
    daemon.config.write()
    done = subprocess.run([*daemon.command_line(), "--restore", str(file)], text=True,
                          env=daemon._environment(), capture_output=True, check=False)
    assert "Sanitizer" not in done.stderr
    return done


def restored(daemon, file):
    done = restore(daemon, file)
    assert done.returncode == 0, done.stderr
    assert "tokenbroker resume" in done.stdout
    return daemon.start()


def back_up(cli, file, *flags):
    done = cli.run("backup", str(file), *flags)
    assert done.returncode == 0, done.stderr
    return done


def all_requests(provider):
    return len(provider.ledger.token_requests())


def assert_waits(daemon, provider, accounts):
    """Live tokens are served, and nothing is sent."""
    before = all_requests(provider)
    assert "backup" in daemon.api.health().ok()["store"]["copied"]
    for account in accounts:
        assert provider.call(daemon.api.token(account).ok())[0] == 200
    assert daemon.api.refresh_allowed(accounts[0]).status == 503
    time.sleep(0.5)
    assert all_requests(provider) == before


def assert_works_after_resume(daemon, provider, accounts):
    assert daemon.api.resume().ok()["resumed"]
    daemon.api.refresh_allowed(accounts[0])
    daemon.api.wait_unpaused("plain")
    for account in accounts:
        daemon.api.refresh_allowed(account).ok()
        assert provider.call(daemon.api.token(account).ok())[0] == 200
    assert not provider.ledger.lines("refresh", outcome="refused")


@pytest.mark.slow
def test_restored_elsewhere(daemon, cli, provider, elsewhere, folder):
    """It opens, serves what still lives, waits, and after a resume every account goes on."""
    file = folder / "kept"
    said = back_up(cli, file).stderr
    assert str(folder / "seal") in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert daemon.api.health().ok()["status"] == "ok", "the store itself goes on"
    daemon.stop()
    restored(elsewhere, file)
    assert_waits(elsewhere, provider, FEW)
    elsewhere.restart()
    assert_waits(elsewhere, provider, FEW)
    assert_works_after_resume(elsewhere, provider, FEW)
    elsewhere.restart()
    assert "copied" not in elsewhere.api.health().ok()["store"]


class Load:
    """Every account is asked for and refreshed as often as the broker lets it, all the while."""

    def __init__(self, daemon, accounts):
        self._daemon, self._over, self.failures = daemon, threading.Event(), []
        self._threads = [threading.Thread(target=self._run, args=(accounts[n::4],))
                         for n in range(4)]
        for thread in self._threads:
            thread.start()

    def _run(self, accounts):
        api = self._daemon.api
        while not self._over.is_set():
            for account in accounts:
                replies = [api.token(account), api.refresh(account)]
                self.failures += [one.text for one in replies if one.status not in (200, 429)]

    def stop(self):
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.slow
def test_while_all_rotate(daemon, cli, emulator, elsewhere, folder):
    """50 accounts rotate under load meanwhile: each backup is whole; and the last one, of when the
    load is over, works where the old tokens of a grant end with the first use of the new."""
    provider = emulator("plain")
    provider.configure(rotation="revoke-on-first-use", lifetime=600)
    daemon.config.broker["key"] = f"file:{key_file(folder)}"
    daemon.with_provider("plain", provider).start()
    grant_all(daemon, provider, ACCOUNTS)
    load = Load(daemon, ACCOUNTS)
    for number in range(5):
        rotated = len(provider.ledger.refreshes())
        back_up(cli, folder / f"kept{number}")
        assert_sound(folder / f"kept{number}", len(ACCOUNTS))
        assert not load.failures
        provider.ledger.wait_for("refresh", rotated + 1)
    load.stop()
    assert not load.failures
    back_up(cli, folder / "last")
    daemon.stop()
    restored(elsewhere, folder / "last")
    assert_works_after_resume(elsewhere, provider, ACCOUNTS)


def assert_sound(file, accounts):
    copy = file.with_suffix(".look")
    shutil.copy(file, copy)
    store = sqlite3.connect(copy)
    assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert store.execute("SELECT count(*) FROM accounts").fetchone() == (accounts,)
    store.close()


@pytest.mark.slow
def test_by_hand(daemon, cli, provider, elsewhere, folder):
    """Put into an empty state folder it starts paused as well."""
    back_up(cli, folder / "kept")
    daemon.stop()
    elsewhere.state.mkdir(mode=0o700)
    shutil.copy(folder / "kept", elsewhere.state / "store.sqlite")
    elsewhere.start()
    assert_waits(elsewhere, provider, FEW)
    assert_works_after_resume(elsewhere, provider, FEW)


def test_an_own_key_has_to_be_kept(daemon, cli, plain, elsewhere, folder):
    """The key that the broker made lies in its state folder, and is in no backup."""
    daemon.with_provider("plain", plain).start()
    grant_all(daemon, plain, FEW)
    refused = cli.run("backup", str(folder / "kept"))
    assert refused.returncode == 2
    assert "--key-kept" in refused.stderr and "key_next" in refused.stderr
    assert str(daemon.state / "key") in refused.stderr
    assert not list(folder.glob("kept*"))
    back_up(cli, folder / "kept", "--key-kept")
    key = (daemon.state / "key").read_bytes()
    assert key not in (folder / "kept").read_bytes()
    daemon.stop()
    failed = restore(elsewhere, folder / "kept")
    assert failed.returncode == 1 and "key" in failed.stderr
    assert not list(elsewhere.state.iterdir()), "nothing of it is left"
    shutil.copy2(daemon.state / "key", elsewhere.state / "key")
    restored(elsewhere, folder / "kept")
    assert_waits(elsewhere, plain, FEW)


def test_a_kept_key_that_is_the_older_one(daemon, cli, plain, elsewhere, folder):
    """After a rekey a nightly job would make backups that nobody can open."""
    daemon.with_provider("plain", plain).start()
    grant_all(daemon, plain, FEW)
    older = json.loads(back_up(cli, folder / "one", "--key-kept", "--json").stdout)["key_id"]
    said = back_up(cli, folder / "two", f"--key-kept={older}").stderr
    assert f"the id of that key is {older}" in said
    rekeyed = cli.run("rekey").stderr
    newer = json.loads(back_up(cli, folder / "three", "--key-kept", "--json").stdout)["key_id"]
    assert newer != older and f"whose id is {newer}" in rekeyed
    assert "opens the backups from before alone" in rekeyed
    for command in ("backup", "move"):
        refused = cli.run(command, str(folder / "four"), f"--key-kept={older}")
        assert refused.returncode == 2 and f"--key-kept={newer}" in refused.stderr
        assert str(daemon.state / "key") in refused.stderr
    assert not list(folder.glob("four*"))
    assert "moved_at" not in daemon.api.health().ok()["store"]
    back_up(cli, folder / "five", f"--key-kept={newer}")
    daemon.stop()
    elsewhere.state.mkdir(mode=0o700)
    shutil.copy2(daemon.state / "key", elsewhere.state / "key")
    restored(elsewhere, folder / "five")


def test_what_is_no_key_id(daemon, cli, provider, folder):
    for flag in ("--key-kept=nonsense", "--key-kept=" + "A" * 16, "--key-kept=" + "a" * 17,
                 "--key-kept=" + "a" * 9000, "--key-kept="):
        refused = cli.run("backup", str(folder / "kept"), flag)
        assert refused.returncode == 2 and not list(folder.glob("kept*")), flag
    assert daemon.api.backup(key_id=1).error == "bad_request"
    assert daemon.api.backup(key_id="a" * 16).error == "bad_request", "a key from outside too"


@pytest.fixture
def service(schema):
    """A broker whose state is another user's, in a place that this one can enter."""
    place = Path(tempfile.mkdtemp(prefix="tb-service-"))
    place.chmod(0o755)
    one = Daemon(place, schema)
    one.environment["ASAN_OPTIONS"] = "detect_leaks=0"  # the look for them needs root's rights back
    one.state.mkdir(mode=0o700)
    os.chown(one.state, NOBODY, NOBODY)
    yield one
    one.close()
    shutil.rmtree(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to restore another user's store")
def test_root_restores_for_the_service(daemon, cli, plain, service, folder):
    """With the key that is the service's own, and only with one that the service can read."""
    daemon.with_provider("plain", plain).start()
    grant_all(daemon, plain, FEW)
    back_up(cli, folder / "kept", "--key-kept")
    daemon.stop()
    service.config.providers = daemon.config.providers
    key = service.state / "key"
    shutil.copy2(daemon.state / "key", key)
    refused = restore(service, folder / "kept")
    assert refused.returncode == 1 and f"{key}: Permission denied" in refused.stderr
    os.chown(key, NOBODY, NOBODY)
    done = restore(service, folder / "kept")
    assert done.returncode == 0, done.stderr
    assert (service.state / "store.sqlite").stat().st_uid == NOBODY
    assert {path.name for path in service.state.iterdir()} == {"key", "store.sqlite"}


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("strace"),
                    reason="it takes root to restore another user's store, and strace")
def test_the_service_cannot_mislead_root(daemon, cli, plain, service, folder):
    """Whose folder it is, may exchange what lies in it: root does nothing elsewhere for that."""
    daemon.with_provider("plain", plain).start()
    grant_all(daemon, plain, FEW)
    back_up(cli, folder / "kept", "--key-kept")
    service.config.providers = daemon.config.providers
    shutil.copy2(daemon.state / "key", service.state / "key")
    os.chown(service.state / "key", NOBODY, NOBODY)
    victim = folder / "victim"
    victim.mkdir(mode=0o700)
    (victim / "store.sqlite").write_text("root's")
    service.wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=lchown,chown,link",
                       "-e", "inject=lchown,chown,link:delay_enter=3000000"]
    with ThreadPoolExecutor() as pool:
        done = pool.submit(restore, service, folder / "kept")
        deadline = time.monotonic() + 20
        while not list(service.state.glob("restoring*/store.sqlite")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(1.5)  # it stands before the call by now
        [trial] = service.state.glob("restoring*")
        trial.rename(service.state / "aside")
        trial.symlink_to(victim)
        assert done.result().returncode != 0
    assert (victim / "store.sqlite").stat().st_uid == 0
    assert (victim / "store.sqlite").read_text() == "root's"


def test_the_key_that_is_in_use_counts(daemon, cli, plain, folder):
    """Not what the configuration says by now."""
    daemon.with_provider("plain", plain).start()
    grant_all(daemon, plain, FEW)
    daemon.config.broker["key_next"] = f"file:{key_file(folder)}"
    daemon.reload()
    assert cli.run("backup", str(folder / "one")).returncode == 2
    assert cli.run("rekey").returncode == 0
    assert str(folder / "seal") in back_up(cli, folder / "two").stderr


@pytest.mark.parametrize("other", [True, False])
def test_a_key_that_is_not_in_use_is_not_named(daemon, cli, provider, folder, other):
    """What key says counts from the next start on: whoever kept that one alone had lost all."""
    mine = daemon.config.broker.pop("key")
    if other:
        daemon.config.broker["key"] = f"file:{key_file(folder, 'other')}"
    daemon.reload()
    for flags in ([], ["--key-kept"]):
        refused = cli.run("backup", str(folder / "kept"), *flags)
        assert refused.returncode == 2 and "set that right" in refused.stderr
    daemon.config.broker["key"] = mine
    daemon.reload()
    assert str(folder / "seal") in back_up(cli, folder / "kept").stderr


@pytest.mark.parametrize("source", ["credential", "command"])
def test_which_key_is_needed(daemon, cli, plain, folder, source):
    seal = folder / "seal"
    seal.write_text(os.urandom(32).hex())
    seal.chmod(0o600)
    daemon.environment["CREDENTIALS_DIRECTORY"] = str(folder)
    daemon.config.broker["key"] = ("credential:seal" if source == "credential"
                                   else f"command:/bin/cat {seal}")
    daemon.with_provider("plain", plain).start()
    report = json.loads(back_up(cli, folder / "kept", "--json").stdout)
    assert report["key"] == {"credential": "credential:seal", "command": "command"}[source]
    assert report["bytes"] == (folder / "kept").stat().st_size and not report["moved"]


def test_nothing_is_overwritten(daemon, cli, provider, elsewhere, folder):
    """Neither a file by the command, nor a store by --restore."""
    (folder / "kept").write_text("precious")
    refused = cli.run("backup", str(folder / "kept"))
    assert refused.returncode == 1 and "already" in refused.stderr
    assert (folder / "kept").read_text() == "precious"
    back_up(cli, folder / "other")
    failed = restore(daemon, folder / "other")
    assert failed.returncode == 1 and "already" in failed.stderr
    daemon.stop()
    before = (daemon.state / "store.sqlite").read_bytes()
    failed = restore(daemon, folder / "other")
    assert failed.returncode == 1 and "already" in failed.stderr
    assert before == (daemon.state / "store.sqlite").read_bytes()
    assert not list(daemon.state.glob("restoring*"))


def _cut(data):
    return data[:len(data) // 2]


def _damaged(data):
    middle = len(data) // 2
    return data[:middle] + b"damage" * 3000 + data[middle + 18000:]


def _foreign(data):
    return b"something else"


@pytest.mark.parametrize("spoil", [_cut, _damaged, _foreign])
def test_a_bad_file_is_refused(daemon, cli, provider, elsewhere, folder, spoil):
    back_up(cli, folder / "kept")
    (folder / "bad").write_bytes(spoil((folder / "kept").read_bytes()))
    failed = restore(elsewhere, folder / "bad")
    assert failed.returncode == 1 and "cannot be restored" in failed.stderr
    assert not list(elsewhere.state.iterdir())


def test_another_key_is_refused(daemon, cli, provider, elsewhere, folder):
    back_up(cli, folder / "kept")
    (folder / "other").mkdir()
    elsewhere.config.broker = {"key": f"file:{key_file(folder / 'other')}"}
    failed = restore(elsewhere, folder / "kept")
    assert failed.returncode == 1 and "does not fit" in failed.stderr
    assert not list(elsewhere.state.iterdir())


WRITES_MAX = 40  # of a restore, at most


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("call, error, words", [("pwrite64", "ENOSPC", "free some space"),
                                                ("fdatasync", "EIO", "disk I/O error")])
def test_a_disk_that_fails_from_some_moment_on(  # pylint: disable=too-many-arguments
        daemon, cli, provider, elsewhere, folder, call, error, words):
    """Either it is refused and leaves nothing, or the store is whole and knows that it is a copy."""
    back_up(cli, folder / "kept")
    trace = folder / "trace"
    elsewhere.environment["ASAN_OPTIONS"] = "detect_leaks=0"  # it and strace exclude each other
    for first in range(1, WRITES_MAX):
        elsewhere.wrapper = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={call}",
                             "-e", f"inject={call}:error={error}:when={first}+"]
        done = restore(elsewhere, folder / "kept")
        left = [path.name for path in elsewhere.state.iterdir()]
        if done.returncode == 0:
            break
        assert not left and words in done.stderr, done.stderr
    assert "INJECTED" not in trace.read_text() and left == ["store.sqlite"] and first > 2
    elsewhere.wrapper = []
    elsewhere.start()
    assert_waits(elsewhere, provider, FEW)


def test_one_at_a_time(daemon, api, provider):
    first = api.backup().ok()["backup_id"]
    assert api.backup().error == "busy"
    deadline = time.monotonic() + 10
    while not (about := api.look_at_backup(first).ok())["whole"]:
        assert time.monotonic() < deadline
    assert api.look_at_backup(first, offset=about["bytes"] + 1).error == "bad_request"
    assert api.look_at_backup(first, offset=about["bytes"]).ok()["data"] == ""
    assert api.end_backup(first).ok() == {"deleted": True}
    assert api.end_backup(first).status == api.look_at_backup(first).status == 404
    second = api.backup().ok()["backup_id"]
    assert second != first
    api.end_backup(second).ok()
    assert api.audit().ok()


def test_the_unfetched_leaves_nothing(daemon, api, provider):
    """kill -9 while a copy is there: its file had no name."""
    names = {path.name for path in daemon.state.iterdir()}
    api.backup().ok()
    assert {path.name for path in daemon.state.iterdir()} == names
    daemon.kill()
    daemon.start()
    assert {path.name for path in daemon.state.iterdir()} <= names
    api.token(FEW[0]).ok()


def test_a_bad_request(daemon, api, provider):
    assert api.backup(move="yes").error == "bad_request"
    assert api.backup(more=True).error == "bad_request"
    assert api.resume(moved_back=1).error == "bad_request"


def test_an_unwritable_file_begins_nothing(daemon, cli, provider, folder):
    failed = cli.run("backup", str(folder / "missing" / "kept"))
    assert failed.returncode == 1 and "cannot write" in failed.stderr
    assert daemon.log().count("the store was copied") == 0


def test_ended_by_a_signal(daemon, cli, provider, folder):
    """What was begun is removed."""
    daemon.process.send_signal(signal.SIGSTOP)
    one = cli.spawn("backup", str(folder / "kept"))
    deadline = time.monotonic() + 20
    while not list(folder.glob("kept*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    one.terminate()
    one.communicate(timeout=30)
    assert one.returncode == -signal.SIGTERM
    assert not list(folder.glob("kept*"))
    daemon.process.send_signal(signal.SIGCONT)
    daemon.api.token(FEW[0]).ok()


def test_daemon_alone(tmp_path):
    """--restore without a file, or with one that is not there."""
    for arguments in (["--restore"], ["--restore", ""]):
        done = subprocess.run([str(DAEMON), *arguments], capture_output=True, check=False)
        assert done.returncode == 2
    (tmp_path / "conf").touch(mode=0o600)
    done = subprocess.run([str(DAEMON), "--state-dir", str(tmp_path / "s"), "--config",
                           str(tmp_path / "conf"), "--restore", str(tmp_path / "none")],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "cannot be read" in done.stderr



"""Where the user's broker keeps its things when nothing says so, and how the command finds it there."""

import json
import os
import signal
import stat
import subprocess

import pytest

from harness.binaries import DAEMON, command
from harness.daemon import Daemon

UID = 61237

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs another user")


@pytest.fixture
def home(folder):
    """A home of a user who is not root."""
    folder.chmod(0o711)
    path = folder / "home"
    path.mkdir(mode=0o700)
    os.chown(path, UID, UID)
    return path


def as_user(*arguments, **environment):
    return subprocess.run(
        [str(argument) for argument in arguments], user=UID, group=UID, extra_groups=[], cwd="/",
        env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True, timeout=30,
        check=False)


def put(path, text):
    """A file of the user's, with its folders."""
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir(mode=0o700)
            os.chown(folder, UID, UID)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    os.chown(path, UID, UID)


@pytest.mark.parametrize("environment, words", [
    ({}, ["configuration", "set HOME", "--config"]),
    ({"CONFIGURATION_DIRECTORY": "/etc"}, ["store", "set HOME", "--state-dir"]),
    ({"HOME": "/nowhere"}, ["socket", "set XDG_RUNTIME_DIR", "--socket"]),
], ids=["no home", "no state", "no runtime"])
def test_no_place(environment, words):
    done = as_user(DAEMON, **environment)
    assert done.returncode not in (0, -6, -11)
    assert not [word for word in words if word not in done.stderr], done.stderr


@pytest.mark.parametrize("place, environment", [
    (".config/tokenbroker", {}),
    ("elsewhere/tokenbroker", {"XDG_CONFIG_HOME": "{home}/elsewhere"}),
    (".config/tokenbroker", {"XDG_CONFIG_HOME": "relative"}),
    ("given", {"CONFIGURATION_DIRECTORY": "{home}/given:{home}/another"}),
])
def test_place_of_the_configuration(home, place, environment):
    environment = {name: value.format(home=home) for name, value in environment.items()}
    environment |= {"HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    put(home / place / "tokenbroker.conf", "nonsense = 1\n")
    done = as_user(DAEMON, "--check-config", **environment)
    assert done.returncode != 0
    assert f"{home / place}/tokenbroker.conf:1" in done.stderr


def test_a_configuration_that_is_not_there(home):
    """The daemon starts without one; nobody is told that a file is fine which nobody wrote."""
    environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    done = as_user(DAEMON, "--check-config", **environment)
    assert done.returncode == 0 and done.stdout == (
        f"{home}/.config/tokenbroker/tokenbroker.conf: there is no such file, 0 providers, "
        "0 access rules\n")
    put(home / ".config/tokenbroker/tokenbroker.conf", "broker { }\n")
    assert ": fine, 0 providers" in as_user(DAEMON, "--check-config", **environment).stdout


@pytest.fixture
def users_broker(folder, schema, home):
    """A broker of that user's, started with nothing but what a login session sets."""
    one = Daemon(folder, schema)
    one.wrapper = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
    one.command_line = lambda: [*one.wrapper, str(DAEMON)]
    os.chmod(one.notices.path, 0o666)
    one.log_path.touch()
    environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run"),
                   "XDG_STATE_HOME": str(home / "state"), "CACHE_DIRECTORY": ""}
    one.environment = environment
    put(home / ".config/tokenbroker/tokenbroker.conf", "")
    (home / "run").mkdir(mode=0o700)
    os.chown(home / "run", UID, UID)
    yield one.start()
    one.close()


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_users_own_broker(users_broker, home):
    """Its places are the user's alone, and the command finds it without being told."""
    assert users_broker.running
    assert mode(home / "state/tokenbroker") == 0o700
    assert mode(home / "run/tokenbroker/api.sock") == 0o600
    assert (home / "state/tokenbroker/store.sqlite").stat().st_uid == UID
    done = as_user(command(), "health", XDG_RUNTIME_DIR=str(home / "run"))
    assert done.returncode == 0 and str(home / "run/tokenbroker/api.sock") in done.stdout
    other = as_user(command(), "--socket", home / "run/none.sock", "health")
    assert other.returncode == 7


def test_a_configuration_that_vanishes_is_not_an_empty_one(users_broker, home):
    path = home / ".config/tokenbroker/tokenbroker.conf"
    provider = ('provider p { issuer = "http://127.0.0.1:1" client_id = "x"'
                ' client_secret = "y" }\n')

    def reload():
        users_broker.notices.drain()
        users_broker.process.send_signal(signal.SIGHUP)
        users_broker.notices.wait_for("READY=1", users_broker.process, 10)

    def providers():
        done = as_user(command(), "health", "--json", XDG_RUNTIME_DIR=str(home / "run"))
        return [one["name"] for one in json.loads(done.stdout)["providers"]]

    put(path, provider)
    reload()
    assert providers() == ["p"]
    path.unlink()
    reload()
    users_broker.wait_log(f"the configuration stays as it was: {path} cannot be opened")
    assert providers() == ["p"]
    put(path, "")
    reload()
    assert providers() == []


@pytest.fixture
def doctor(home):
    """doctor(): what it finds on this user's machine, by what it is about."""
    def look(*options, **environment):
        done = as_user(command(), *options, "doctor", HOME=str(home), **environment)
        found = {}
        for line in done.stdout.splitlines():
            verdict, _, rest = line.partition(" ")
            found.setdefault(rest.strip().partition(":")[0], []).append((verdict, line))
        return found
    return look


def test_doctor_looks_at_the_users_places(home, doctor):
    found = doctor()
    assert "start the broker once" in str(found["state"]) or ".local/state" in str(found["state"])
    state = home / ".local/state/tokenbroker"
    put(state / "store.sqlite", "")
    state.chmod(0o755)
    assert "can be entered by others (mode 0755)" in str(doctor()["state"])
    state.chmod(0o700)
    assert f"{state}, mode 0700, uid {UID}" in str(doctor()["state"])
    put(home / "x/tokenbroker/store.sqlite", "")
    assert str(home / "x/tokenbroker") in str(doctor(XDG_STATE_HOME=str(home / "x"))["state"])


def test_doctor_may_not_use_the_socket(folder, schema, home, doctor):
    daemon = Daemon(folder, schema).start()
    daemon.socket.chmod(0o600)
    try:
        found = doctor("--socket", daemon.socket)
        assert "we may not use it" in str(found["socket"])
    finally:
        daemon.close()

"""scripts/demo: shows a consent, a refresh and a restart, and leaves nothing behind."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "scripts" / "demo"
TIME_MAX = 120
OTHER_UID = 61234
FIRST_PORT = 8765

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def build():
    """Built once for all tests here, by the demo's own hand."""
    path = Path(tempfile.mkdtemp(prefix="tb-demo-build-"))
    path.chmod(0o755)
    yield path / "build"
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def demo(folder, build):
    """Starts the demo with a TMPDIR of its own."""
    started = []
    temporary = folder / "tmp"
    temporary.mkdir()
    temporary.chmod(0o1777)
    folder.chmod(0o755)

    def start(*arguments, user=None, **environment):
        home = folder / f"home-{user}"
        home.mkdir(exist_ok=True)
        if user:
            os.chown(home, user, user)
        env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(temporary),
               "TOKENBROKER_DEMO_BUILD": str(build), "LANG": "C.UTF-8", **environment}
        process = subprocess.Popen(
            [str(DEMO), *arguments], env=env, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, user=user, group=user,
            extra_groups=[] if user else None,
            # An ignored signal would stay ignored in the shell.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
        process.temporary = temporary
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        process.stdout.close()


def _nothing_is_left(process):
    assert list(process.temporary.iterdir()) == []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert str(process.temporary).encode() not in entry.read_bytes(), entry
        except (FileNotFoundError, ProcessLookupError):
            pass


def _read_until(process, text):
    """What it said up to a line with `text`."""
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(f"it ended without {text!r}:\n{said}")


def _tokens(said):
    return re.findall(r"(?m)^\$ tokenbroker token \S+\n(\S+)$", said)


def _ends_well(process):
    said = process.communicate(timeout=TIME_MAX * 3)[0]
    assert process.returncode == 0, said
    return said


def test_it_shows_everything(demo, build):
    _ends_well(demo())  # builds
    begun = time.monotonic()
    process = demo()
    said = _ends_well(process)
    assert time.monotonic() - begun < TIME_MAX
    first, second, third = _tokens(said)
    assert first != second and third
    assert "demo/acme  active" in said and (build / "build.ninja").exists()
    _nothing_is_left(process)


def test_taken_port(demo):
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("127.0.0.1", FIRST_PORT))
            holder.listen()
        except OSError:
            pass  # somebody else holds it: as good
        said = _ends_well(demo())
    assert f":{FIRST_PORT}/" not in said
    assert re.search(r"http://127\.0\.0\.1:\d+/start/", said)


def test_port_taken_in_between(demo):
    """Somebody takes the port after the demo looked at it."""
    process = demo()
    said = _read_until(process, "== An emulated provider")
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("127.0.0.1", FIRST_PORT))
            holder.listen()
        except OSError:
            pytest.skip("somebody else was faster")
        said += _ends_well(process)
    assert "another callback port" in said and len(_tokens(said)) == 3


@pytest.mark.parametrize("moment", ["== The broker starts", "$ tokenbroker token", "== Now nobody"])
def test_interrupted(demo, moment):
    process = demo()
    _read_until(process, moment)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    _nothing_is_left(process)


def test_keep(demo):
    """It stays up, and what it tells one to type works."""
    process = demo("--keep")
    said = _read_until(process, "Its configuration is")
    lines = said.partition("In another shell:\n")[2].strip().splitlines()
    commands = [line for line in lines if line and "Its configuration" not in line]
    assert len(commands) >= 6 and "login" in commands[-1]
    done = subprocess.run(["/bin/bash", "-euo", "pipefail", "-c", "\n".join(commands[:-1])],
                          env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
                          check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert '"user"' in done.stdout and "demo/acme" in done.stdout
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    _nothing_is_left(process)


def _can_read_tree():
    return all(parent.stat().st_mode & 0o5 == 0o5 for parent in [ROOT, *ROOT.parents])


another_user = pytest.mark.skipif(os.getuid() != 0 or not _can_read_tree(),
                                  reason="needs root, and a tree that others can read")


@another_user
def test_ordinary_user(demo):
    """The build that root made is of no use to it, and what it needs it can do."""
    _ends_well(demo())
    process = demo(user=OTHER_UID)
    said = _ends_well(process)
    assert len(_tokens(said)) == 3
    _nothing_is_left(process)


@another_user
def test_browser(demo, folder):
    """With a display the browser is opened; here a program of the same user that consents."""
    programs, link = folder / "bin", folder / "tmp" / "link"
    programs.mkdir()
    programs.chmod(0o755)
    browser = programs / "xdg-open"
    browser.write_text(f'#!/bin/sh\necho "$1" >{link}\n'
                       f'exec /usr/bin/python3 -B "{ROOT}/scripts/lib/demo_person.py" "$1"\n')
    browser.chmod(0o755)
    process = demo(user=OTHER_UID, DISPLAY=":99", PATH=f"{programs}:/usr/bin:/bin")
    said = _ends_well(process)
    assert "/start/" in link.read_text()
    link.unlink()
    assert "scripted person" not in said and len(_tokens(said)) == 3
    _nothing_is_left(process)


def test_unknown_option(demo):
    process = demo("--nonsense")
    said = process.communicate(timeout=30)[0]
    assert process.returncode == 2 and "Usage" in said

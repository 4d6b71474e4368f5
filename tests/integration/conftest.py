"""Fixtures: each test has folders, a daemon and providers of its own."""

import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# pylint: disable=wrong-import-position
from harness import contract  # noqa: E402
from harness.cli import Cli  # noqa: E402
from harness.daemon import Daemon  # noqa: E402
from harness.lab import emulators, plain_broker  # noqa: E402
from harness.nginx import NAME, PROGRAM, Public  # noqa: E402
from harness.person import Person  # noqa: E402
from harness.schema import ApiSchema  # noqa: E402

SEEN_VARIABLE = "TOKENBROKER_TEST_SEEN"


def pytest_configure(config):
    """The folder of seen paths is made by the first process and inherited by its workers."""
    if SEEN_VARIABLE not in os.environ:
        os.environ[SEEN_VARIABLE] = tempfile.mkdtemp(prefix="tb-seen-")
        config.tokenbroker_owns_seen = True


def pytest_sessionfinish(session, exitstatus):
    """Runs last, when all workers are done: was all of the API's description seen?"""
    if not getattr(session.config, "tokenbroker_owns_seen", False):
        return
    folder = os.environ.pop(SEEN_VARIABLE)
    if contract.is_whole_run(session.config) and exitstatus == pytest.ExitCode.OK:
        problems = contract.check(ApiSchema(folder))
        if problems:
            print("\n" + "\n".join(problems), file=sys.stderr)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def schema():
    return ApiSchema(os.environ[SEEN_VARIABLE])


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets a fixture know whether its test failed."""
    outcome = yield
    if outcome.get_result().failed:
        item.tokenbroker_failed = True


@pytest.fixture
def folder(request):
    """A short path (it holds sockets); kept when the test fails."""
    path = Path(tempfile.mkdtemp(prefix="tb-"))
    yield path
    if getattr(request.node, "tokenbroker_failed", False):
        print(f"kept: {path}")
    else:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def emulator(folder):
    """Makes emulated providers: emulator("zenegy", "state-absent")."""
    with emulators(folder) as make:
        yield make


@pytest.fixture
def daemon(folder, schema, emulator):
    """A daemon that is not started yet. (It ends before its providers do.)"""
    one = Daemon(folder, schema)
    yield one
    one.close()


@pytest.fixture
def api(daemon):
    return daemon.api


@pytest.fixture
def person():
    return Person()


@pytest.fixture
def cli(daemon):
    return Cli(daemon.socket, daemon.folder)


@pytest.fixture
def public(folder, monkeypatch):
    """A public name with a proxy that is not started yet; for this test it leads to this computer."""
    if not PROGRAM:
        pytest.skip("needs nginx-light")
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **named: resolve(
        "127.0.0.1" if host == NAME else host, *more, **named))
    one = Public(folder)
    yield one
    one.nginx.close()


@pytest.fixture
def plain(emulator):
    """A provider without quirks."""
    return emulator("plain")


@pytest.fixture
def broker(daemon, plain):
    """A started daemon with the provider `plain`."""
    return daemon.with_provider("plain", plain).start()


@pytest.fixture(scope="module")
def shared(schema):
    """A started daemon with the provider `plain`, for all of a file's tests that change nothing
    there: what they ask is refused. Saves a start for each."""
    with plain_broker(schema) as one:
        yield one

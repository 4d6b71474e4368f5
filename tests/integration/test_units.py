"""The systemd units as they were built: systemd itself reads them without a complaint."""

import re
import shutil
import subprocess

import pytest

from harness.binaries import BUILD, DAEMON
from harness.daemon import STOP_TIMEOUT

ANALYZE = shutil.which("systemd-analyze")
EXPOSURE_MAX = 2.0
UNITS = BUILD / "systemd"

pytestmark = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is missing")


class _Unit:
    """A unit's settings, some of which stand several times."""

    def __init__(self, path):
        self.lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]

    def values(self, key):
        return [line.split("=", 1)[1] for line in self.lines if line.startswith(key + "=")]

    def value(self, key):
        values = self.values(key)
        assert len(values) == 1, f"{key}: {values}"
        return values[0]


@pytest.fixture(params=["system", "user"])
def manager(request):
    return request.param


@pytest.fixture
def units(manager, tmp_path):
    """Both units of a manager under the names they are installed with, over the built daemon."""
    for kind in ("service", "socket"):
        text = (UNITS / f"{manager}-tokenbroker.{kind}").read_text(encoding="utf-8")
        text = re.sub(r"(?m)^(Exec.*[= ])/\S+/tokenbrokerd", rf"\1{DAEMON}", text)
        (tmp_path / f"tokenbroker.{kind}").write_text(text, encoding="utf-8")
    return tmp_path


def _run(*arguments, **more):
    return subprocess.run([ANALYZE, *map(str, arguments)], capture_output=True, text=True,
                          check=False, timeout=60, **more)


def _security_is_offline():
    return "--offline" in _run("--help").stdout


def test_systemd_reads_them(manager, units, tmp_path):
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    result = _run("verify", f"--{manager}", "--man=no", "--recursive-errors=no",
                  units / "tokenbroker.service", units / "tokenbroker.socket",
                  env={"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(runtime),
                       "HOME": str(tmp_path)})
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""


def test_verify_would_complain(units):
    """The check above can fail."""
    path = units / "tokenbroker.service"
    path.write_text(path.read_text().replace("NoNewPrivileges=", "NoNewPrivilege="))
    result = _run("verify", "--man=no", "--recursive-errors=no", path)
    assert "NoNewPrivilege" in result.stderr


@pytest.mark.skipif(ANALYZE is None or not _security_is_offline(),
                    reason="this systemd-analyze has no security --offline")
def test_the_system_service_is_shut_in(tmp_path):
    shutil.copy(UNITS / "system-tokenbroker.service", tmp_path / "tokenbroker.service")
    result = _run("security", "--offline=true", f"--threshold={int(EXPOSURE_MAX * 10)}",
                  "--no-pager", tmp_path / "tokenbroker.service")
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", result.stdout)
    assert found, result.stdout + result.stderr
    assert float(found[1]) < EXPOSURE_MAX, result.stdout
    assert result.returncode == 0


def test_no_placeholder_is_left(manager):
    text = (UNITS / f"{manager}-tokenbroker.service").read_text(encoding="utf-8")
    assert not re.search(r"@\w+@", text)
    assert re.search(r"(?m)^ExecStart=/\S+/tokenbrokerd$", text)


def test_it_can_be_told_who_asks(manager):
    """What would blind the rules on who asks stays out."""
    unit = _Unit(UNITS / f"{manager}-tokenbroker.service")
    assert not unit.values("PrivateUsers")
    assert not unit.values("ProtectProc")
    assert not unit.values("ProcSubset")
    if manager == "user":
        namespaced = ("ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices",
                      "StateDirectory")
        assert not [key for key in namespaced if unit.values(key)]


def test_the_service_is_told_the_same_as_the_daemon(manager):
    unit = _Unit(UNITS / f"{manager}-tokenbroker.service")
    assert unit.value("Type") == "notify"
    check, signal = unit.values("ExecReload")
    assert check == (f"/usr/bin/env -u CREDENTIALS_DIRECTORY {unit.value('ExecStart')}"
                     " --check-config")
    assert signal == "/bin/kill -HUP $MAINPID"
    assert unit.value("LimitCORE") == "0"
    assert unit.value("MemoryDenyWriteExecute") == "yes"
    assert unit.values("WatchdogSec")
    assert unit.value("TimeoutStopSec") == f"{STOP_TIMEOUT}s"
    assert unit.value("StartLimitIntervalSec") == "0", "what keeps it from starting may last"


def test_the_sockets_are_where_clients_look():
    system = _Unit(UNITS / "system-tokenbroker.socket")
    assert system.value("ListenStream") == "/run/tokenbroker/api.sock"
    assert system.value("SocketMode") == "0666"
    user = _Unit(UNITS / "user-tokenbroker.socket")
    assert user.value("ListenStream") == "%t/tokenbroker/api.sock"
    assert user.value("SocketMode") == "0600"


def test_a_stop_leaves_the_socket():
    """The service's runtime folder is the socket's: removing it would cut everybody off."""
    unit = _Unit(UNITS / "system-tokenbroker.service")
    assert unit.value("RuntimeDirectory") == "tokenbroker"
    assert unit.value("RuntimeDirectoryPreserve") == "yes"
    assert unit.value("StateDirectoryMode") == "0700"
    assert unit.value("CacheDirectory") == "tokenbroker"

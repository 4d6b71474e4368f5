"""Rules with unit: which systemd unit asks, by the cgroup of the process that connected.

The cgroups are made by hand here, as systemd makes them."""

import os
import subprocess
import sys

import pytest

from harness import cgroups
from harness.churn import COUNT, churn
from harness.client import Api
from harness.other_user import as_user

OTHER, THIRD = 61234, 61235
ACCOUNT = "plain/acme"
pytestmark = pytest.mark.skipif(cgroups.missing() != "", reason=cgroups.missing())


@pytest.fixture
def cgroup():
    """Makes cgroups by their path below the root."""
    with cgroups.made() as make:
        yield lambda path: make(path.replace(SLICE, f"tbtest{os.getpid()}.slice"))  # side by side


@pytest.fixture
def asker(daemon, schema, cgroup):
    daemon.folder.chmod(0o711)
    return lambda path, uid=OTHER: as_user(
        Api, uid, cgroup=cgroup(path) if path else None)(daemon.socket, schema)


@pytest.fixture
def ruled(daemon, plain):
    def begin(who):
        daemon.with_provider("plain", plain)
        daemon.config.access["root"] = {"accounts": ["*/*"], "who": ["user:0"], "may": ["admin"]}
        daemon.config.access["rule"] = {"accounts": ["plain/*"], "who": [who], "may": ["token"]}
        daemon.start()
        daemon.socket.chmod(0o666)
        daemon.grant(plain, ACCOUNT)
    return begin


SLICE = "SLICE"
SYSTEM = f"{SLICE}/tbtest-sync.service"


@pytest.mark.parametrize("who, path, uid, allowed", [
    ("unit:tbtest-sync.service", SYSTEM, OTHER, True),
    ("unit:tbtest-*.service", SYSTEM, OTHER, True),
    ("unit:tbtest-sync.service", SYSTEM + "/inner", OTHER, True),
    ("unit:tbtest-sync.service", f"{SLICE}/tbtest-other.service", OTHER, False),
    ("unit:tbtest-sync.service", None, OTHER, False),
    # a unit of the same name that a user's own manager runs
    ("unit:tbtest-sync.service",
     f"{SLICE}/tbtest-61234.slice/user@61234.service/app.slice/tbtest-sync.service", OTHER,
     False),
    ("user:61234+unit:tbtest-sync.service", SYSTEM, OTHER, True),
    ("user:61234+unit:tbtest-sync.service", SYSTEM, THIRD, False),
    ("user:61234+unit:tbtest-sync.service", f"{SLICE}/tbtest-other.service", OTHER, False),
])
def test_units(ruled, asker, plain, who, path, uid, allowed):
    ruled(who)
    assert asker(path, uid).token(ACCOUNT).status == (200 if allowed else 403)
    assert len(plain.ledger.token_requests()) == (1 if allowed else 0)


def test_refusal_names_the_unit(ruled, asker):
    ruled("unit:tbtest-other.service")
    text = asker(SYSTEM).token(ACCOUNT).json["error_description"]
    assert "who = {'unit:tbtest-sync.service'}" in text


def test_audit_tells_units_apart(ruled, asker, daemon):
    ruled("user:61234")
    for path in (SYSTEM, SYSTEM, f"{SLICE}/tbtest-other.service"):
        asker(path).token(ACCOUNT).ok()
    counts = {row["unit"]: row["count"] for row in daemon.api.audit().ok()["audit"]
              if row["uid"] == OTHER}
    assert counts == {"tbtest-sync.service": 2, "tbtest-other.service": 1}


PASSES_ON = """
import os, socket, sys
os.seteuid(61234)
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
os.seteuid(0)
open(sys.argv[2] + "/cgroup.procs", "w").write(str(os.getpid()))
os.setuid(61234)
if os.fork() == 0:
    os.read(0, 1)  # until the one that connected has gone
    connection.sendall(b"GET /v1/token/plain/acme HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
    print(connection.recv(65536).split(b" ")[1].decode())
"""


def test_a_connection_that_was_passed_on(ruled, daemon, cgroup):
    """Who connected has ended; whoever holds its connection now is not known."""
    ruled("unit:tbtest-sync.service")
    daemon.folder.chmod(0o711)
    inside, outside = cgroup(SYSTEM), cgroup(f"{SLICE}/tbtest-rest.service")
    with subprocess.Popen(
            [sys.executable, "-c", PASSES_ON, str(daemon.socket), str(outside)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: (inside / "cgroup.procs").write_text(str(os.getpid()))) as process:
        process.wait(30)
        said = process.communicate("x", timeout=30)[0]
    assert said.strip() == "403"


@pytest.mark.slow
def test_numbers_of_processes_taken_over(ruled, daemon, cgroup):
    """Who connected has gone, and a process of the unit has its number: no token, ever."""
    ruled("unit:tbtest-sync.service")
    daemon.folder.chmod(0o711)
    done = churn(daemon.socket, ACCOUNT, OTHER, cgroup(SYSTEM))
    assert done["tokens"] == 0 and done["refused"] == done["asked"] == COUNT
    assert done["numbers"] > COUNT // 2, "the attack was not under way"

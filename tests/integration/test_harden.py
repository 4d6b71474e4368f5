"""The process itself: its environment, its memory, its descriptors, the programs it starts."""

import os
import shutil
import signal
import time

import pytest

from harness import https
from harness.drips import drips
from harness.logins import log_in, log_in_soon
from harness.person import Person

AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="needs other users")
HOSTILE, LIMIT = 61234, 512

HARMFUL = {
    "GNUTLS_DEBUG_LEVEL": "99",
    "GNUTLS_SYSTEM_PRIORITY_FILE": "/nonexistent",
    "OPENSSL_CONF": "/nonexistent",
    "OPENSSL_MODULES": "/nonexistent",
    "SSL_CERT_FILE": "/nonexistent",
    "CURL_CA_BUNDLE": "/nonexistent",
    "RES_OPTIONS": "debug",
    "https_proxy": "http://127.0.0.1:1",
    "http_proxy": "http://127.0.0.1:1",
    "ALL_PROXY": "http://127.0.0.1:1",
}


def test_harmful_environment(daemon, emulator, folder, api):
    """TLS keys are not written down, libraries stay silent, no proxy is asked."""
    keys = folder / "tls-keys"
    daemon.environment = {**HARMFUL, "SSLKEYLOGFILE": str(keys), "KEPT": "kept"}
    https.only_https(daemon, emulator)
    daemon.start()
    authority = folder / "authority.pem"
    authority.write_text(api.authority().ok()["certificate"], encoding="utf-8")
    log_in(api, Person(https.trust(authority)), "zenegy/acme")
    assert not keys.exists()
    assert "gnutls[" not in daemon.log().partition(" answers on ")[2]
    environment = open(f"/proc/{daemon.process.pid}/environ", "rb").read().split(b"\0")
    names = {line.partition(b"=")[0].decode() for line in environment}
    assert "KEPT" in names
    assert not names & (set(HARMFUL) - {"https_proxy", "http_proxy", "ALL_PROXY"})
    assert "SSLKEYLOGFILE" not in names


def test_no_core(daemon, folder):
    """Even where cores are asked for, and whoever sends the signal."""
    if not shutil.which("prlimit"):
        pytest.skip("needs prlimit")
    daemon.wrapper = ["prlimit", "--core=unlimited", "--"]
    daemon.environment["ASAN_OPTIONS"] = "disable_coredump=0:handle_abort=0"
    daemon.start()
    pid = daemon.process.pid
    for mapping in ("mem", "maps"):
        assert os.stat(f"/proc/{pid}/{mapping}").st_uid == 0
    daemon.process.send_signal(signal.SIGABRT)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    daemon.process.returncode = status
    assert status == -signal.SIGABRT
    assert not [path for path in (*folder.rglob("core*"), *os.scandir(".")) if
                os.path.basename(path).startswith("core")]


def limited(daemon, files):
    if not shutil.which("prlimit"):
        pytest.skip("needs prlimit")
    daemon.wrapper = ["prlimit", f"--nofile={files}:{files}", "--"]


@AS_ROOT
@pytest.mark.slow
def test_descriptors_that_clients_cannot_have(daemon, plain, api):
    """However many come: the store, calls to providers and the callback have theirs."""
    limited(daemon, LIMIT)
    daemon.with_provider("plain", plain).start()
    daemon.folder.chmod(0o711)
    daemon.socket.chmod(0o666)
    address = f"127.0.0.1:{daemon.port}"
    with drips(LIMIT, 60, daemon.socket, HOSTILE), drips(LIMIT, 60, daemon.socket, HOSTILE + 1), \
            drips(LIMIT, 60, address, HOSTILE):
        log_in_soon(api, Person(), "plain/acme")
        api.token("plain/acme").ok()
        api.refresh_allowed("plain/acme").ok()
        assert len(os.listdir(f"/proc/{daemon.process.pid}/fd")) < LIMIT - 50
    assert "clients are served at once" in daemon.log()


def test_too_few_descriptors(daemon):
    limited(daemon, 128)
    log = daemon.refuses_to_start()
    assert "LimitNOFILE" in log and "only 128 files" in log


C_LIBRARYS = 3 << 31  # signals 32 and 33, which posix_spawn() has ignored

FACTS = """#!/bin/sh
env >{folder}/env
ls -l /proc/$$/fd >{folder}/fds
(exec cat /proc/self/status /proc/self/stat) >{folder}/status
sleep 300 &
echo $! $$ >{folder}/pids.new
mv {folder}/pids.new {folder}/pids
wait
"""


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_files(daemon, plain, api, closed):
    """The log, and a hook's words, go into no file of the broker's."""
    daemon.wrapper = ["sh", "-c", f'exec "$@" {closed}', "sh"]
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, "plain/acme")
    api.token("plain/acme").ok()
    files = [os.readlink(f"/proc/{daemon.process.pid}/fd/{fd}") for fd in range(3)]
    assert set(files) <= {"/dev/null", str(daemon.log_path)}
    assert (daemon.state / "lock").read_text() == f"{daemon.process.pid}\n"


def wait_for(path, timeout=20):
    deadline = time.monotonic() + timeout
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path.name}"
        time.sleep(0.05)
    return path.read_text()


def lives(pid):
    try:
        return open(f"/proc/{pid}/stat", encoding="ascii").read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def hooked(daemon, plain, folder, api):
    """A hook that runs: the pids of its child and its own."""
    hook = folder / "hook"
    hook.write_text(FACTS.format(folder=folder))
    hook.chmod(0o700)
    daemon.config.broker["on_event"] = str(hook)
    daemon.environment["CANARY"] = "must-not-be-inherited"
    daemon.wrapper = ["sh", "-c", 'exec 9</dev/zero; exec "$@"', "sh"]
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, "plain/acme")
    plain.revoke("acme")
    assert api.token("plain/acme", wait=20).error == "consent_required"
    return [int(pid) for pid in wait_for(folder / "pids").split()]


@pytest.mark.slow
def test_what_a_hook_inherits(hooked, folder, daemon):
    _, pid = hooked
    names = {line.partition("=")[0] for line in (folder / "env").read_text().splitlines()}
    assert names <= {"PATH", "PWD", "_", "SHLVL", "OLDPWD"}
    files = {line.partition(" -> ")[2] for line in (folder / "fds").read_text().splitlines()[1:]}
    own = {str(folder / "hook"), str(folder / "fds")}
    assert files - own == {"/memfd:event (deleted)", "/dev/null", str(daemon.log_path)}
    lines = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines()
                 if line.startswith("Sig"))
    assert int(lines["SigBlk"], 16) == 0
    assert int(lines["SigIgn"], 16) & ~C_LIBRARYS == 0
    assert os.getpgid(pid) == pid != os.getpgid(daemon.process.pid)
    daemon.stop()
    deadline = time.monotonic() + 5
    while any(map(lives, hooked)):
        assert time.monotonic() < deadline, "it outlives the daemon"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_hook_has_a_time_limit(hooked):
    deadline = time.monotonic() + 40
    while any(map(lives, hooked)):
        assert time.monotonic() < deadline, "it and its child still run"
        time.sleep(0.2)


SLOW_FOR_ONE = """#!/bin/sh
case "$(cat)" in
*plain/slow*) echo $$ >{folder}/slow; sleep 600 ;;
esac
echo done >>{folder}/quick
"""


@pytest.mark.slow
def test_the_time_limit_holds_while_others_come(daemon, plain, folder, api):
    """Events every few seconds lengthen nothing."""
    hook = folder / "hook"
    hook.write_text(SLOW_FOR_ONE.format(folder=folder))
    hook.chmod(0o700)
    daemon.config.broker["on_event"] = str(hook)
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, "plain/well")
    others = iter(range(100))

    def die(label):
        api.refresh_allowed("plain/well").ok()  # so that it is not taken for the provider's matter
        daemon.grant(plain, f"plain/{label}")
        plain.revoke(label)
        assert api.token(f"plain/{label}", wait=20).error == "consent_required"

    die("slow")
    pid = int(wait_for(folder / "slow"))
    deadline = time.monotonic() + 38
    while lives(pid):
        assert time.monotonic() < deadline, "it still runs"
        die(f"u{next(others)}")
    assert len((folder / "quick").read_text().splitlines()) >= 3

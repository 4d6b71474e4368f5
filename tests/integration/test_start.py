"""Starting: what is refused, with words that help; what is not said twice."""

import fcntl
import os
import signal
import sqlite3
import stat
import subprocess

import pytest

from harness.binaries import DAEMON
from harness.daemon import Daemon, await_end


def check(daemon, *flags):
    """--check-config on what is configured: (status, everything it said)."""
    daemon.config.write()
    result = subprocess.run(
        [str(DAEMON), "--config", str(daemon.config.path), "--check-config", *flags],
        capture_output=True, text=True, timeout=30, check=False)
    return result.returncode, result.stdout + result.stderr


@pytest.fixture
def configured(daemon, plain):
    return daemon.with_provider("plain", plain)


def test_good_configuration(configured):
    assert check(configured)[0] == 0
    assert not configured.state.exists() and not configured.socket.exists()


def test_what_systemd_gives_the_service_alone(configured):
    """The check by hand says what it could not look at, and no more than that is forgiven."""
    configured.config.providers["plain"]["client_secret"] = "credential:plain"
    status, said = check(configured)
    assert status == 0 and "fine; its secrets are not looked at" in said
    configured.config.providers["plain"]["client_secret"] = "credential:"
    status, said = check(configured)
    assert status == 1 and "wants the name of a credential" in said
    configured.config.providers["plain"]["client_secret"] = "credential:plain"
    assert "no LoadCredential= line" in configured.refuses_to_start()


@pytest.mark.parametrize("text, words", [
    ("brokr {}\n", ["brokr", "broker"]),
    ("provider x { client_idd = \"a\" }\n", ["client_idd", "client_id"]),
    ("access x { acounts = {\"*\"} }\n", ["acounts", "accounts"]),
    ("access x { accounts = {\"*/*\"} who = {\"user:0\"} may = {\"tokens\"} }\n",
     ["tokens", "token"]),
    ("provider x { client_auth = \"basik\" }\n", ["basik", "basic"]),
    ("provider X { }\n", ["X"]),
    ("broker { key = \"unfinished\n", []),
], ids=lambda value: value.split()[0] if isinstance(value, str) else "")
def test_bad_configuration(configured, text, words):
    """File and line, and the nearest known name."""
    line = configured.config.text().count("\n") + 1
    configured.config.extra = text
    status, said = check(configured)
    assert status not in (0, -6, -11)
    assert f"{configured.config.path}:{line}" in said or str(configured.config.path) in said
    assert not [word for word in words if word not in said], said


SLIPS = {
    "a brace too few": ('broker {\n  key = "auto"\n', 1, "never closed"),
    "a semicolon": ('broker { key = "auto"; }\n', 1, "ends nothing here"),
    "a section as in ini": ("[broker]\nkey = auto\n", 1, "did you mean \"broker\""),
    "a section with =": ("broker = {\n}\n", 1, "missing opening brace"),
    "a colon": ('broker {\n key: "auto"\n}\n', 2, "did you mean \"key\""),
    "typographic quotes": ("broker {\n key = “auto”\n}\n", 2, "wants \"auto\""),
    "a key twice": ('broker {\n key = "auto"\n key = "auto"\n}\n', 3, "first in line 2"),
    "a section twice": ("broker {}\nbroker {}\n", 2, "first in line 1"),
    "no name": ('provider {\n client_id = "a"\n}\n', 1, "missing title"),
    "a list for one value": ('broker {\n key = {"a", "b"}\n}\n', 2, "unexpected"),
    "the key itself": ('broker {\n key = "c2VjcmV0"\n}\n', 2, "wants \"auto\""),
    "a program without a path": ('broker {\n on_event = "page-me"\n}\n', 2, "absolute path"),
    "one of two files": ('callback {\n certificate = {"/a.pem"}\n}\n', 2, "{certificate, key}"),
    "a path in listen": ('callback {\n listen = {"http://localhost:1/x"}\n}\n', 2, "such as"),
    "a name without a kind": ('access a {\n accounts = {"z/*"}\n who = {"root"}\n may = {"token"}\n}\n',
                              3, "user:NAME"),
    "nobody of that name": ('access a {\n accounts = {"z/*"}\n who = {"user:no-such-user"}\n'
                            ' may = {"token"}\n}\n', 3, "no-such-user"),
    "accounts by provider": ('access a {\n accounts = {"z"}\n who = {"user:root"}\n'
                             ' may = {"token"}\n}\n', 2, "provider/label"),
    "an environment variable": ('broker {\n key = "file:${HOME}/key"\n}\n', 2, "single quotes"),
    "another unit": ('provider z {\n client_id = "a"\n default_lifetime = "1 hour"\n}\n', 3,
                     "unknown unit"),
    "nothing in it": ("provider z {\n}\n", 1, "needs client_id"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_slips_of_a_person(daemon, slip):
    """Each is told with file and line, and how it is meant."""
    text, line, words = SLIPS[slip]
    path = daemon.folder / "own.conf"
    path.write_text(text)
    path.chmod(0o600)
    done = subprocess.run([str(DAEMON), "--config", str(path), "--check-config"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert f"{path}:{line}: " in done.stderr and words in done.stderr


@pytest.mark.parametrize("key, value", [
    ("token_endpoint", "http://provider.example/token"),
    ("token_endpoint", "ftp://127.0.0.1/"),
    ("token_endpoint", "https://user:pass@provider.example/"),
    ("redirect_uri", "http://192.0.2.1:80/callback"),
    ("preset", "no-such-preset"),
    ("preset", "/nonexistent/preset.conf"),
    ("client_secret", "file:/nonexistent/secret"),
    ("default_lifetime", "3 parsecs"),
    ("rate_limit", "many"),
])
def test_bad_values(configured, key, value):
    configured.config.providers["plain"][key] = value
    status, said = check(configured)
    assert status not in (0, -6, -11), said
    assert key in said or "preset" in said


@pytest.mark.parametrize("source", ["file:seal", "file:", "command:", "credential:"])
def test_sealing_key_from_nowhere(configured, source):
    """A relative path would depend on where the broker is started."""
    configured.config.broker["key"] = source
    status, said = check(configured)
    assert status not in (0, -6, -11), said
    assert f"{configured.config.path}:" in said and "key" in said


@pytest.mark.parametrize("program, why", [("/nonexistent/hook", "No such file"), ("/", "no file"),
                                          ("/etc/passwd", "Permission denied")])
@pytest.mark.parametrize("key", ["on_event", "on_caller"])
def test_programs_that_cannot_be_started(configured, key, program, why):
    """Said by the check; no reason not to start."""
    configured.config.broker[key] = program
    status, said = check(configured)
    assert status == 0 and f"{key} program {program} cannot be started: " in said and why in said


@pytest.mark.parametrize("listen", [
    "http://0.0.0.0:8765", "http://[::]:8765", "http://192.0.2.1:8765", "ftp://127.0.0.1:8765",
    "http://127.0.0.1:99999", "127.0.0.1:8765", "http://localhost.example:1"])
def test_callback_is_on_loopback_only(configured, listen):
    configured.config.callback["listen"] = [listen]
    status, said = check(configured)
    assert status not in (0, -6, -11)
    assert f"{configured.config.path}:2: listen" in said


def test_two_providers_on_one_redirect_path(configured, plain):
    configured.with_provider("second", plain, redirect_uri=configured.redirect_uri("plain"))
    status, said = check(configured)
    assert status != 0 and "second" in said and "plain" in said


@pytest.mark.parametrize("mode", [0o644, 0o604])
def test_literal_secret_that_others_can_read(configured, mode):
    configured.config.mode = mode
    status, said = check(configured)
    assert status != 0 and "secret" in said
    assert configured.config.providers["plain"]["client_secret"] not in said


def test_secret_in_a_file_of_its_own(configured, plain, api):
    secret = configured.folder / "secret"
    secret.write_text(plain.dialect.client_secret + "\n")
    secret.chmod(0o600)
    configured.config.providers["plain"]["client_secret"] = f"file:{secret}"
    configured.config.mode = 0o644
    configured.start()
    configured.grant(plain, "plain/acme")
    assert api.token("plain/acme").status == 200


def test_secret_from_a_command(configured, plain, api):
    script = configured.folder / "secret.sh"
    script.write_text(f"#!/bin/sh\nprintf '%s\\n' '{plain.dialect.client_secret}'\n")
    script.chmod(0o700)
    configured.config.providers["plain"]["client_secret"] = f"command:{script}"
    configured.start()
    configured.grant(plain, "plain/acme")
    assert api.token("plain/acme").status == 200


@pytest.mark.parametrize("obstacle", ["key", "store", "socket"])
def test_no_program_runs_for_a_start_that_fails(configured, schema, obstacle):
    """It is tried again and again: each time would be one more that a vault counts, or charges for."""
    ran, script = configured.folder / "ran", configured.folder / "secret.sh"
    script.write_text(f"#!/bin/sh\necho ran >>{ran}\necho {'s' * 20}\n")
    script.chmod(0o700)
    configured.config.providers["plain"]["client_secret"] = f"command:{script}"
    configured.start()
    second = Daemon(_sub(configured, "second"), schema)
    second.config.providers = configured.config.providers
    setattr(second, "socket" if obstacle == "socket" else "state",
            configured.socket if obstacle == "socket" else configured.state)
    if obstacle == "key":
        configured.stop()
        second.config.broker["key"] = f"command:/bin/echo {'11' * 32}"
    assert ran.read_text() == "ran\n"
    second.refuses_to_start()
    assert ran.read_text() == "ran\n"
    second.close()


def test_secret_from_credentials(configured, plain, api):
    folder = configured.folder / "credentials"
    folder.mkdir(mode=0o700)
    (folder / "plain-secret").write_text(plain.dialect.client_secret)
    configured.environment["CREDENTIALS_DIRECTORY"] = str(folder)
    configured.config.providers["plain"]["client_secret"] = "credential:plain-secret"
    configured.start()
    configured.grant(plain, "plain/acme")
    assert api.token("plain/acme").status == 200


def test_secret_file_that_others_can_read(configured, plain):
    secret = configured.folder / "secret"
    secret.write_text(plain.dialect.client_secret)
    secret.chmod(0o644)
    configured.config.providers["plain"]["client_secret"] = f"file:{secret}"
    assert check(configured)[0] != 0


def test_file_that_others_can_write(configured):
    configured.config.mode = 0o666
    assert check(configured)[0] != 0


def test_folder_of_providers(configured, plain, api):
    """providers.d/*.conf beside the main file, in the order of their names."""
    keys = configured.config.providers.pop("plain")
    folder = configured.folder / "providers.d"
    folder.mkdir()
    configured.config.write()
    text = "\n".join(f'{name} = "{value}"' for name, value in keys.items())
    (folder / "plain.conf").write_text("provider plain {\n" + text + "\n}\n")
    (folder / "plain.conf").chmod(0o600)
    (folder / "ignored.txt").write_text("nonsense")
    configured.start()
    configured.grant(plain, "plain/acme")
    assert api.token("plain/acme").status == 200


@pytest.mark.parametrize("flags", [
    ["--nonsense"], ["--config"], ["extra"], ["--state-dir", ""], ["--socket", "/" + "x" * 200]],
    ids=str)
def test_bad_flags(configured, flags):
    configured.config.write()
    result = subprocess.run([str(DAEMON), "--config", str(configured.config.path), *flags],
                            capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode not in (0, -6, -11) and result.stderr


def test_version():
    result = subprocess.run([str(DAEMON), "--version"], capture_output=True, text=True, timeout=30,
                            check=True)
    assert "tokenbrokerd" in result.stdout and not result.stderr


def test_help_fits_a_terminal():
    result = subprocess.run([str(DAEMON), "--help"], capture_output=True, text=True, timeout=30,
                            check=True)
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_places_are_private(configured):
    configured.start()
    assert stat.S_IMODE(configured.state.stat().st_mode) == 0o700
    for path in configured.state.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_ISSOCK(configured.socket.stat().st_mode)


def test_second_daemon_on_the_same_store(configured, schema, api, plain):
    configured.start()
    configured.grant(plain, "plain/acme")
    second = Daemon(_sub(configured, "second"), schema)
    second.state = configured.state
    assert str(configured.state) in second.refuses_to_start()
    assert api.token("plain/acme").status == 200
    second.close()


def test_taken_socket(configured, schema, api):
    """A living broker's socket is not taken away."""
    configured.start()
    second = Daemon(_sub(configured, "second"), schema)
    second.socket = configured.socket
    assert str(configured.socket) in second.refuses_to_start()
    assert api.health().status == 200
    second.close()


def test_socket_left_by_a_kill(configured, api):
    configured.start()
    configured.kill()
    assert configured.socket.exists()
    configured.start()
    assert api.health().status == 200
    configured.stop()
    assert not configured.socket.exists()


def test_newer_store(configured):
    configured.start()
    configured.stop()
    [file] = [path for path in configured.state.iterdir() if _is_store(path)]
    with sqlite3.connect(file) as store:
        store.execute("PRAGMA user_version = 9999")
    store.close()
    said = configured.refuses_to_start()
    assert "newer" in said


def test_store_that_is_none(configured):
    configured.start()
    configured.stop()
    [file] = [path for path in configured.state.iterdir() if _is_store(path)]
    file.write_bytes(b"not a store" * 1000)
    before = file.read_bytes()
    configured.refuses_to_start()
    assert file.read_bytes() == before, "it may not be overwritten"


def test_store_with_a_damaged_page(configured):
    configured.start()
    configured.stop()
    with open(configured.state / "store.sqlite", "r+b") as store:
        store.seek(8192)
        store.write(os.urandom(8192))
    assert "is damaged" in (said := configured.refuses_to_start()) and "restore a backup" in said


def test_lost_key(configured, plain, api):
    """Without the key the grants cannot be read: it says so and keeps them."""
    configured.start()
    configured.grant(plain, "plain/acme")
    configured.stop()
    [key] = [path for path in configured.state.iterdir() if "key" in path.name]
    kept = key.read_bytes()
    key.unlink()
    assert "key" in configured.refuses_to_start()
    key.write_bytes(kept)
    key.chmod(0o600)
    configured.start()
    assert api.token("plain/acme").status == 200


def test_check_authority_ends_when_it_is_told_to():
    """It reads what a person types, or pastes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(["env", f"--default-signal={signal.Signals(number).name}", DAEMON,
                               "--check-authority"], stdin=subprocess.PIPE, bufsize=0) as one:
            size = fcntl.fcntl(one.stdin, fcntl.F_SETPIPE_SZ, 4096)
            one.stdin.write(b"-" * (size + 1))  # there is room for this once it reads
            one.send_signal(number)
            assert await_end(one, 5) == -number


def _is_store(path):
    return path.is_file() and path.read_bytes()[:15] == b"SQLite format 3"


def _sub(daemon, name):
    path = daemon.folder / name
    path.mkdir()
    return path


def test_core_dumps_are_off(configured):
    configured.start()
    pid = configured.process.pid
    limits = open(f"/proc/{pid}/limits", encoding="ascii").read()
    line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert line.split()[4] == "0"
    assert os.stat(f"/proc/{pid}/environ").st_uid == 0, "not dumpable: /proc belongs to root"

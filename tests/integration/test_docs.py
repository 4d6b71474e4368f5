"""The documents tell the truth: what they show is run, or stands in NOT_RUN with its reason."""

import json
import os
import re
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from harness.binaries import DAEMON, command
from harness.emulator import Emulator
from harness.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
PYTHON, MESON = "/usr/bin/python3", "/usr/bin/meson"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
RUN_TIMEOUT = 60
BUILD_TIMEOUT = 600
PROVIDER, ACCOUNT = "gusto-demo", "gusto-demo/acme"

_OF_SYSTEMD = "changes the machine's services; test_units.py has systemd read the units"
_BUILDS = "builds a whole tree; test_install runs it against a folder of its own"
NOT_RUN = {
    "scripts/demo": "test_demo.py runs it",
    "scripts/test": "it is what runs this",
    "scripts/test --quick": "it is what runs this",
    "scripts/torture --count 1000": "tests/fault runs every kind of it",
    "scripts/fuzz --cpu-minutes 30 token_reply json": "scripts/test runs it for a minute each",
    "scripts/coverage": "it runs all tests, this one too",
    "tokenbrokerd --restore tokens.backup": "test_backup.py runs it",
    "tokenbroker move tokens.moved --key-kept": "test_move.py runs it; a broker that gave its store away is none",
    "scripts/check-house": "scripts/test runs it",
    "scripts/check-format": "scripts/test runs it",
    "sudo apt install gcc meson ninja-build pkg-config python3 libsystemd-dev libmicrohttpd-dev "
    "libcurl4-openssl-dev libsqlite3-dev libsodium-dev libgnutls28-dev":
        "installs packages; test_packages_are_the_scripts' compares the list",
    "meson setup build --buildtype=release -Dtests=false": _BUILDS,
    "meson compile -C build": _BUILDS,
    "sudo meson install -C build": _BUILDS,
    "systemctl --user daemon-reload": _OF_SYSTEMD,
    "systemctl --user enable --now tokenbroker.socket tokenbroker.service": _OF_SYSTEMD,
    "loginctl enable-linger": "changes how the machine treats a user",
    "sudo systemd-sysusers": _OF_SYSTEMD,
    "sudo systemd-tmpfiles --create": _OF_SYSTEMD,
    "sudo systemctl daemon-reload": _OF_SYSTEMD,
    "sudo systemctl enable --now tokenbroker.socket tokenbroker.service": _OF_SYSTEMD,
    "sudo systemctl reload tokenbroker": _OF_SYSTEMD,
    "meson setup build/asan -Db_sanitize=address,undefined -Dwerror=true": "scripts/test runs it",
    "meson compile -C build/asan": "scripts/test runs it",
    "meson test -C build/asan": "scripts/test runs it",
    "TOKENBROKER_BUILD=$PWD/build/asan python3 -m pytest tests/integration -k restart":
        "it is what runs this",
}


# ------------------------------------------------------------------------------ reading Markdown


class Block:
    """A fenced block: its language, its text, and where it stands."""

    def __init__(self, path, line, language, text):
        self.path, self.line, self.language, self.text = path, line, language, text

    def __repr__(self):
        return f"{self.path.name}:{self.line}"

    def commands(self):
        """A shell block's commands, one a line, continued lines joined."""
        joined = re.sub(r"\s*\\\n\s*", " ", self.text)
        return [line for line in joined.splitlines() if line and not line.startswith("#")]


def _blocks(path):
    blocks, language, start, lines = [], None, 0, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```") and language is None:
            language, start, lines = line[3:].strip(), number, []
        elif line.startswith("```"):
            blocks.append(Block(path, start, language, "\n".join(lines) + "\n"))
            language = None
        elif language is not None:
            lines.append(line)
    assert language is None, f"{path}:{start}: a fence is not closed"
    return blocks


ALL_BLOCKS = [block for path in DOCUMENTS for block in _blocks(path)]


def _in_readme(language):
    return [block for block in ALL_BLOCKS
            if block.path.name == "README.md" and block.language == language]


def _runnable(block):
    return [line for line in block.commands() if line not in NOT_RUN]


SHELL_BLOCKS = [block for block in ALL_BLOCKS if block.language == "sh" and _runnable(block)]
CONF_BLOCKS = [block for block in ALL_BLOCKS if block.language == "conf"]
CONF_BLOCKS.sort(key=lambda block: block.path.name != "README.md")  # its first one is the sandbox's


# -------------------------------------------------------------------------------------- a sandbox


class Sandbox:
    """A home of one's own with the README's first configuration, at an emulated provider."""

    def __init__(self, folder, emulator):
        self.folder, self.emulator, self.daemon = folder, emulator, None
        self.home, self.bin, self.cwd = folder / "home", folder / "bin", folder / "cwd"
        self.config = self.home / ".config" / "tokenbroker" / "tokenbroker.conf"
        for place in (self.config.parent, self.bin, self.cwd, folder / "run" / "tokenbroker"):
            place.mkdir(parents=True, mode=0o700)
        for name in ("docs", "scripts"):
            (self.cwd / name).symlink_to(ROOT / name)
        (self.bin / "tokenbrokerd").symlink_to(DAEMON)
        (self.bin / "tokenbroker").symlink_to(command())
        self._write("xdg-open", f'exec {PYTHON} "{ROOT}/scripts/lib/demo_person.py" "$1"\n')
        self.write_config(CONF_BLOCKS[0].text)

    def _write(self, name, text):
        path = self.bin / name
        path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
        path.chmod(0o755)

    def write_config(self, text):
        """The document's text; what leads out of the machine leads to the emulator."""
        emulator, port = self.emulator, free_port()
        here = {"authorization_endpoint": emulator.url + emulator.dialect.authorize_path,
                "token_endpoint": emulator.url + emulator.dialect.token_path,
                "revocation_endpoint": emulator.url + emulator.dialect.revocation_path,
                "api_base": emulator.api_base}
        keys = "".join(f'    {name} = "{value}"\n' for name, value in here.items())
        head, tail = text.rstrip().rsplit("}", 1)
        self.config.write_text(
            f'callback {{ listen = {{"http://127.0.0.1:{port}"}} }}\n{head}{keys}}}{tail}\n',
            encoding="utf-8")
        self.config.chmod(0o600)
        emulator.register(f"http://127.0.0.1:{port}/callback/{PROVIDER}")

    @property
    def environment(self):
        own = {"HOME": str(self.home), "PATH": f"{self.bin}:/usr/bin:/bin", "DISPLAY": ":99",
               "XDG_RUNTIME_DIR": str(self.folder / "run"), "LANG": "C.UTF-8",
               "PYTHONDONTWRITEBYTECODE": "1"}
        if os.geteuid() == 0:  # root's daemon is the system's; these are how systemd places it
            own |= {"CONFIGURATION_DIRECTORY": str(self.config.parent),
                    "STATE_DIRECTORY": str(self.folder / "state"),
                    "RUNTIME_DIRECTORY": str(self.folder / "run" / "tokenbroker")}
        return own

    def equivalent(self, text):
        """The same command, where it would leave the machine."""
        text = text.replace("https://api.gusto-demo.com/v1/me", self.emulator.api_base + "/whoami")
        return text.replace(" /v1/me", " /whoami")

    def run(self, *argv, **more):
        return subprocess.run(argv, env=self.environment, cwd=self.cwd, text=True, check=False,
                              capture_output=True, timeout=RUN_TIMEOUT, **more)

    def shell(self, text):
        done = self.run("/bin/bash", "-euo", "pipefail", "-c", self.equivalent(text))
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self):
        with open(self.folder / "daemon.log", "wb") as log:
            self.daemon = subprocess.Popen(["tokenbrokerd"], env=self.environment, stderr=log,
                                           executable=self.bin / "tokenbrokerd")
        deadline = time.monotonic() + 20
        while self.run("tokenbroker", "list").returncode != 0:
            assert self.daemon.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def log(self):
        return (self.folder / "daemon.log").read_text(errors="replace")

    def stop(self):
        if self.daemon:
            self.daemon.terminate()
            assert self.daemon.wait(20) == 0, self.log()


@pytest.fixture
def sandbox(folder):
    place = folder / "provider"
    place.mkdir()
    emulator = Emulator(place, "gusto")
    emulator.configure(client_id="the id of your app", client_secret="its secret")
    one = Sandbox(folder, emulator)
    try:
        yield one
        one.stop()
    finally:
        if one.daemon and one.daemon.poll() is None:
            one.daemon.kill()
            one.daemon.wait()
        emulator.stop()


@pytest.fixture
def connected(sandbox):
    sandbox.start()
    sandbox.shell(f"tokenbroker login {ACCOUNT}")
    return sandbox


def _token(sandbox):
    return sandbox.shell(f"tokenbroker token {ACCOUNT}").strip()


# ------------------------------------------------------------------------------------------ tests


def test_blocks_are_found():
    assert len(SHELL_BLOCKS) >= 7 and len(CONF_BLOCKS) >= 3
    assert {block.language for block in ALL_BLOCKS} <= {
        "sh", "conf", "json", "python", "js", "c", "sql", "text", "mermaid", "nginx",
        "powerquery-m"}


def test_not_run_is_up_to_date():
    """What stands in the list stands in a document, so that nothing hides behind it."""
    shown = {line for block in ALL_BLOCKS if block.language == "sh" for line in block.commands()}
    assert set(NOT_RUN) - shown == set()
    assert all(NOT_RUN.values())


@pytest.mark.parametrize("block", SHELL_BLOCKS, ids=repr)
def test_commands(block, request):
    """Each block is run whole; all but the login find an account that is connected."""
    lines = _runnable(block)
    needs_account = not any("tokenbroker login" in line or "--check-config" in line for line in lines)
    sandbox = request.getfixturevalue("connected" if needs_account else "sandbox")
    if not needs_account:
        sandbox.start()
    sandbox.shell("\n".join(lines))


def test_readme_from_top_to_bottom(sandbox):
    """One who types all of it, in its order, gets through."""
    sandbox.start()
    for block in SHELL_BLOCKS:
        if block.path.name == "README.md":
            sandbox.shell("\n".join(_runnable(block)))


def test_token_is_alone_on_stdout(connected):
    token = _token(connected)
    assert len(token) > 20 and token.split() == [token]


@pytest.mark.parametrize("block", CONF_BLOCKS, ids=repr)
def test_configuration(block, sandbox):
    """Each is accepted as it stands, alone or beside the first."""
    text = block.text.replace("/etc/tokenbroker/secrets/", f"{sandbox.config.parent}/")
    for secret in re.findall(r'"file:(.*)"', text):
        Path(secret).write_text("a-key-of-32-characters-and-more.", encoding="ascii")
        Path(secret).chmod(0o600)
    if block.text.startswith("access"):
        text = CONF_BLOCKS[0].text + text
    sandbox.config.write_text(text, encoding="utf-8")
    done = sandbox.run("tokenbrokerd", "--check-config")
    assert done.returncode == 0, done.stderr


def test_wrong_configuration_is_noticed(sandbox):
    """The check above can fail."""
    sandbox.config.write_text(CONF_BLOCKS[0].text.replace("client_id", "client_di"))
    assert sandbox.run("tokenbrokerd", "--check-config").returncode != 0


def test_answer(connected):
    shown = json.loads(_in_readme("json")[0].text)
    real = json.loads(connected.shell(f"tokenbroker token {ACCOUNT} --format json"))
    assert set(real) <= set(shown) <= set(real) | {"scope"}
    assert set(shown["present"]) == set(real["present"])
    assert set(shown["extra"]) <= set(real["extra"])


@pytest.mark.parametrize("language, argv", [
    ("python", [PYTHON, "-"]), ("js", ["/usr/bin/node", "--input-type=module", "-"])])
def test_snippets(language, argv, connected):
    if not Path(argv[0]).exists():
        pytest.skip(f"{argv[0]} is missing")
    done = connected.run(*argv, input=_in_readme(language)[0].text)
    assert (done.returncode, done.stdout) == (0, f"Bearer {_token(connected)}\n"), done.stderr


EXAMPLES = pytest.mark.parametrize("program", [
    f"{PYTHON} docs/examples/call_api.py", "/usr/bin/node docs/examples/call_api.mjs"])


def _example(sandbox, program, account=ACCOUNT):
    argv = shlex.split(program)
    if not Path(argv[0]).exists():
        pytest.skip(f"{argv[0]} is missing")
    return sandbox.run(*argv, account, "/whoami")


@EXAMPLES
def test_example(program, connected):
    done = _example(connected, program)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["user"] == "alice"


@EXAMPLES
def test_example_after_a_401(program, connected):
    """The API refuses the token: the next one is taken."""
    token = _token(connected)
    connected.emulator.fault("invalid_client", endpoint="api", times=1)  # 401
    done = _example(connected, program)
    assert done.returncode == 0, done.stderr
    assert _token(connected) != token


@EXAMPLES
def test_example_says_how_to_call_it(program, sandbox):
    argv = shlex.split(program)
    if not Path(argv[0]).exists():
        pytest.skip(f"{argv[0]} is missing")
    done = sandbox.run(*argv)
    assert done.returncode == 1 and done.stderr.startswith("usage: ") and "ACCOUNT PATH" in done.stderr


@EXAMPLES
def test_example_without_consent(program, sandbox):
    sandbox.start()
    done = _example(sandbox, program)
    assert done.returncode == 1 and "login" in done.stderr


@pytest.mark.slow
def test_install(folder):
    """The three commands of "Install", into a folder of their own."""
    build, target = folder / "build", folder / "target"
    for argv in (["setup", build, ROOT, "--buildtype=release", "-Dtests=false"],
                 ["compile", "-C", build], ["install", "-C", build, "--destdir", target]):
        done = subprocess.run([MESON, *map(str, argv)], capture_output=True, text=True,
                              check=False, timeout=BUILD_TIMEOUT)
        assert done.returncode == 0, done.stdout + done.stderr
    installed = target / "usr/local"
    for name in ("bin/tokenbroker", "bin/tokenbrokerd", "include/tokenbroker.h",
                 "lib/systemd/system/tokenbroker.service", "lib/systemd/user/tokenbroker.socket",
                 "lib/sysusers.d/tokenbroker.conf", "lib/tmpfiles.d/tokenbroker.conf"):
        assert (installed / name).exists(), name
    version = subprocess.run([installed / "bin/tokenbrokerd", "--version"], capture_output=True,
                             text=True, check=True).stdout
    assert version.split()[1] in (ROOT / "meson.build").read_text()


def test_packages_are_the_scripts():
    """README's list is that of scripts/lib/packages.sh."""
    listed = subprocess.run(
        ["/bin/bash", "-c", f'. {ROOT}/scripts/lib/packages.sh; echo $packages_build'],
        capture_output=True, text=True, check=True).stdout.split()
    assert any(line.split()[3:] == listed for block in _in_readme("sh")
               for line in block.commands() if line.startswith("sudo apt install"))


def test_readme_is_short():
    """What needs more than one step is for docs/RECIPES.md, and what needs no example for the man pages."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 400


def test_every_preset_is_listed():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for preset in ROOT.glob("config/providers/*.conf"):
        assert f"`{preset.stem}`" in text, preset.stem


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_paths_exist(path):
    """Every path of this tree that a document names is there."""
    words = re.findall(r"`([^`\s]+)`", path.read_text(encoding="utf-8"))
    paths = [word.rstrip("/") for word in words
             if re.match(r"(daemon|client|docs|scripts|schema|tests|config|systemd|man)/[^*{<]*$", word)]
    missing = [word for word in paths if not (ROOT / word).exists()]
    assert not missing, missing


def _anchors(path):
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", path.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        page = path.parent / name if name else path
        assert page.exists() and (not anchor or anchor in _anchors(page)), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_tables_are_whole(path):
    """Each row of a table has the cells of its head."""
    head = 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        cells = re.sub(r"`[^`]*`", "", line).count("|") if line.startswith("|") else 0
        head = (head or cells) if cells else 0
        assert cells == head, f"{path.name}:{number}"


_WORD = re.compile(r"`((?:tests/\S+/)?test_\w+\.(?:py|c))(?:::(\w+))?`")


def test_proofs_exist():
    """Each test that SECURITY.md names is there."""
    named = _WORD.findall((ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    assert named
    for name, function in named:
        found = list((ROOT / "tests").rglob(Path(name).name))
        assert found, name
        assert not function or any(f"{function}(" in path.read_text() for path in found), (
            f"{name}::{function}")



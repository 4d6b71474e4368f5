"""`tokenbroker login --device` as a person sees it: the code, the picture of it, and the end."""

import re
import shutil
import signal
import subprocess

import pytest

from harness.binaries import command
from harness.devices import enter_code, with_device
from harness.person import Person
from harness.terminal import Terminal

ACCOUNT = "plain/acme"
PICTURE = re.compile("^\x1b\\[38;5;16;48;5;231m([ ▀▄█]+)\x1b\\[0m$", re.M)
SCALE = 4


@pytest.fixture
def provider(emulator):
    return emulator("plain", "device")


@pytest.fixture
def device(daemon, provider):
    return with_device(daemon, provider).start()


def _shown(screen):
    """What the screen says, as a login's start says it."""
    [address] = re.findall(r"^    (http\S+/device)$", screen, re.M)
    [code] = re.findall(r"^    ([A-Z]{4}-[A-Z]{4})$", screen, re.M)
    return {"verification_uri": address, "user_code": code}


def _login(broker, *flags, **more):
    terminal = Terminal(broker, "login", ACCOUNT, "--device", *flags, **more)
    return terminal, _shown(terminal.wait_for("cancels."))


def _decode(screen, path):
    """Paints the half blocks as pixels and has another program read them."""
    rows = []
    for line in PICTURE.findall(screen):
        rows.append([c in "▀█" for c in line])
        rows.append([c in "▄█" for c in line])
    pixels = b"".join(bytes(0 if dark else 255 for dark in row for _ in range(SCALE)) * SCALE
                      for row in rows)
    path.write_bytes(b"P5 %d %d 255\n" % (len(rows[0]) * SCALE, len(rows) * SCALE) + pixels)
    done = subprocess.run(["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", path],
                          capture_output=True, text=True, check=True)
    return done.stdout.rstrip("\n")


def test_the_picture_is_the_address(device, provider, tmp_path):
    if not shutil.which("zbarimg"):
        pytest.skip("needs zbarimg (zbar-tools)")
    terminal, shown = _login(device)
    address = _decode(terminal.screen, tmp_path / "code.pgm")
    assert address == f"{provider.url}/device?user_code={shown['user_code']}"
    lines = PICTURE.findall(terminal.screen)
    assert all(len(line) == len(lines[0]) <= 80 for line in lines)
    assert not lines[0].strip() and not lines[-1].strip("▀ "), "light modules all around"
    assert all(line.startswith("    ") and line.endswith("    ") for line in lines)
    enter_code(shown)
    assert terminal.wait() == 0
    assert f"{ACCOUNT}: connected" in terminal.screen


def test_the_picture_without_a_complete_address(device, provider, tmp_path):
    if not shutil.which("zbarimg"):
        pytest.skip("needs zbarimg (zbar-tools)")
    provider.configure(device_complete=False)
    terminal, shown = _login(device)
    assert _decode(terminal.screen, tmp_path / "code.pgm") == shown["verification_uri"]
    enter_code(shown, "deny")
    assert terminal.wait() == 1 and "access was not granted" in terminal.screen


def _without_library(tmp_path):
    (tmp_path / "libqrencode.so.4").write_bytes(b"")
    return {"LD_LIBRARY_PATH": str(tmp_path)}


@pytest.mark.parametrize("how", ["narrow", "no library", "no UTF-8", "dumb", "no colours"])
def test_no_picture(device, how, tmp_path):
    more = {"narrow": {"columns": 36}, "no library": _without_library(tmp_path),
            "no UTF-8": {"LANG": "C"}, "dumb": {"TERM": "dumb"},
            "no colours": {"NO_COLOR": "1"}}[how]
    terminal, shown = _login(device, **more)
    assert not PICTURE.findall(terminal.screen)
    enter_code(shown)
    assert terminal.wait() == 0


def test_a_long_address_has_no_picture_that_would_not_fit(device, provider):
    provider.configure(device_members={
        "verification_uri_complete": provider.url + "/device?user_code=" + "x" * 900})
    terminal, shown = _login(device)
    assert not PICTURE.findall(terminal.screen)
    enter_code(shown)
    assert terminal.wait() == 0


def test_it_counts_down_in_one_line(device, provider):
    terminal, shown = _login(device)
    assert re.search("\r\x1b\\[K(10:00|9:5[0-9]) left$", terminal.wait_for(" left"))
    enter_code(shown)
    assert terminal.wait() == 0
    assert re.search(f"left\r\x1b\\[K.*{ACCOUNT}: connected", terminal.screen, re.S)


def _piped(broker, *flags):
    return subprocess.Popen(
        [str(command()), "login", ACCOUNT, *flags], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(broker.folder), "LANG": "C.UTF-8",
             "TERM": "xterm", "TOKENBROKER_SOCKET": str(broker.socket)})


def _read_until(stream, text):
    said = ""
    while text not in said:
        line = stream.readline()
        assert line, said
        said += line
    return said


def test_no_terminal_gets_plain_text(device):
    login = _piped(device, "--device", "--json")
    said = _read_until(login.stderr, "cancels.")
    assert "\x1b" not in said
    enter_code(_shown(said))
    out, err = login.communicate(timeout=30)
    assert login.returncode == 0 and '"status":"done"' in out and "\x1b" not in err + out


def test_it_ends_when_the_codes_do(device, provider):
    provider.configure(device_lifetime=2)
    terminal, _ = _login(device)
    assert terminal.wait() == 1
    assert "nobody entered the code in time" in terminal.screen


def test_it_ends_with_the_broker(device):
    terminal, _ = _login(device)
    device.stop()
    assert terminal.wait() in (1, 7)  # whether the login's end or the broker's is heard of first
    assert "broker" in terminal.screen


def test_paste_ends_with_the_login_too(device):
    """Whoever waits for an address is told when there is nothing to wait for any more."""
    terminal = Terminal(device, "login", ACCOUNT, "--paste")
    terminal.wait_for("(not shown): ")
    device.restart()
    assert terminal.wait() != 0
    assert "broker" in terminal.screen


@pytest.mark.parametrize("hangs", [False, True], ids=["a quick provider", "one that hangs"])
def test_interrupt_cancels(device, provider, hangs):
    terminal, _ = _login(device)
    if hangs:
        provider.fault("hold")
        provider.ledger.wait_for("fault")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.wait() != 0
    assert "the login is cancelled" in terminal.screen
    provider.clear_faults()  # a stop would wait for the poll


def test_a_provider_s_grant_needs_no_flag(daemon, emulator):
    provider = emulator("plain", "device")
    daemon.config.providers["plain"] = {
        "grant": "device_code", "issuer": provider.url, "api_base": provider.api_base,
        "client_id": provider.dialect.client_id, "client_secret": provider.dialect.client_secret}
    daemon.start()
    login = _piped(daemon)
    enter_code(_shown(_read_until(login.stderr, "cancels.")))
    assert login.wait(30) == 0


def test_the_hint_without_a_display(device):
    login = _piped(device)
    said = _read_until(login.stderr, "cancels.")
    assert f"tokenbroker login {ACCOUNT} --device" in said and "ssh -L" in said
    [link] = re.findall(r"^    (http\S+/start/\S+)$", said, re.M)
    Person().consent(link)
    assert login.wait(30) == 0


def test_no_hint_where_there_is_no_such_way(broker):
    login = _piped(broker)
    said = _read_until(login.stderr, "cancels.")
    assert "--device" not in said
    login.terminate()
    login.wait(10)


def test_two_ways_at_once(device, cli):
    done = cli.run("login", ACCOUNT, "--device", "--paste")
    assert done.returncode == 2 and "--device" in done.stderr

"""A real Firefox, driven through Marionette: JSON with its length before it, on a loopback port."""

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from .window import WAIT, Window

START_TIMEOUT = 60
# Newer ones keep their profiles in .config, older ones beside it.
_PROFILES = [f"{folder}/firefox/*.default-esr" for folder in (".config/mozilla", ".mozilla")]
_PORT_FILE = "MarionetteActivePort"
_FAILED = "return document.getFailedCertSecurityInfo().errorCodeString"


def missing():
    """Why it cannot run here, or ""."""
    return "" if shutil.which("firefox-esr") else "needs Firefox"


def profiles(home):
    """The folders of the profiles that it uses in that home."""
    return [folder for name in _PROFILES for folder in Path(home).glob(name)]


class MarionetteError(AssertionError):
    """What the browser said instead of an answer."""


class Marionette:
    """Commands one after the other, each with its answer."""

    def __init__(self, port):
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=START_TIMEOUT)
        self._stream = self._connection.makefile("rb")
        self._number = 0
        self._read()  # its greeting

    def close(self):
        self._stream.close()
        self._connection.close()

    def call(self, command, members):
        self._number += 1
        order = json.dumps([0, self._number, command, members]).encode()
        self._connection.sendall(b"%d:%s" % (len(order), order))
        _, number, error, result = self._read()
        assert number == self._number
        if error:
            raise MarionetteError(f"{error['error']}: {error['message']}")
        return result.get("value") if isinstance(result, dict) else result

    def _read(self):
        digits = b""
        while (byte := self._stream.read(1)) != b":":
            assert byte.isdigit(), "Firefox has closed the connection"
            digits += byte
        return json.loads(self._stream.read(int(digits)))


class Firefox(Window):
    """In a home without a profile it makes one by itself, as it does on a new computer; else it
    takes that. names: others than localhost that lead to this computer."""

    def __init__(self, home=None, names=()):
        super().__init__(home)
        for profile in profiles(self._home):
            (profile / _PORT_FILE).unlink(missing_ok=True)
        # Neither is about what it trusts: any free port, and names without a name server.
        preferences = {"marionette.port": 0, "network.dns.localDomains": ",".join(names)}
        self._process = subprocess.Popen(
            ["firefox-esr", "--headless", "--marionette"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": self._home,
                 "MOZ_MARIONETTE_PREF_STATE_ACROSS_RESTARTS": json.dumps(preferences)})
        self._marionette = Marionette(self._wait_port())
        self._do("NewSession")
        self._do("SetTimeouts", implicit=WAIT * 1000)

    def close(self):
        try:
            self._marionette.call("Marionette:Quit", {"flags": ["eForceQuit"]})
            self._process.wait(START_TIMEOUT)
        finally:
            self._process.kill()
            self._process.wait()
            self._marionette.close()
            super().close()

    def refusal(self, url):
        """Why it warns of the page's certificate, such as "SEC_ERROR_UNKNOWN_ISSUER"; "" when it
        shows the page."""
        try:
            self.open(url)
        except MarionetteError as error:
            assert "insecure certificate" in str(error), error
            return self._do("ExecuteScript", script=_FAILED, args=[])
        return ""

    def _do(self, command, **members):
        return self._marionette.call(f"WebDriver:{command}", members)

    def _wait_port(self):
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            for profile in profiles(self._home):
                file = profile / _PORT_FILE
                if file.exists() and (port := file.read_text()):
                    return int(port)
            assert time.monotonic() < deadline and self._process.poll() is None, "no Firefox"
            time.sleep(0.05)

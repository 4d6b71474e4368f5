"""A real Chromium, driven through chromedriver's HTTP interface (W3C WebDriver)."""

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from .ports import free_port

ARTEFACTS = Path(__file__).resolve().parents[2] / "artefacts"
WAIT = 15  # seconds that an element or an address is waited for
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name that the WebDriver standard gives it
_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
          "--disable-background-networking", "--disable-component-update", "--disable-sync",
          "--window-size=1000,800"]

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def missing():
    """Why it cannot run here, or ""."""
    return "" if shutil.which("chromedriver") and shutil.which("chromium") else "needs Chromium"


class Browser:
    """A new profile in a new home; close() leaves nothing behind. home: one that is kept, with
    what it trusts. names: others than localhost that lead to this computer. proxy: the address of
    one that knows all names (harness/outside.py)."""

    def __init__(self, home=None, names=(), proxy=None):
        self._folder = tempfile.mkdtemp(prefix="tb-browser-")
        self._home = str(home or self._folder)
        port = free_port()
        self._driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"],
            env={"PATH": os.environ["PATH"], "HOME": self._home},
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self._driver.stdout:
            if "started successfully" in line:
                break
        self._url = f"http://127.0.0.1:{port}"
        rules = ", ".join([*(f"MAP {name} 127.0.0.1" for name in names), "MAP * ~NOTFOUND",
                           "EXCLUDE localhost", "EXCLUDE 127.0.0.1"])
        flags = [*_FLAGS, f"--user-data-dir={self._folder}/profile",
                 f"--host-resolver-rules={rules}",
                 *([f"--proxy-server={proxy}"] if proxy else [])]
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": flags}}
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._url += "/session/" + made["sessionId"]
        self._call("POST", "/timeouts", {"implicit": WAIT * 1000, "script": WAIT * 1000})

    def close(self):
        try:
            self._call("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait()
            self._driver.stdout.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def refusal(self, url):
        """Why the browser warns of the page's certificate, such as "ERR_CERT_AUTHORITY_INVALID"; ""
        when it shows the page."""
        self.open(url)
        warning = re.search(r"NET::(ERR_CERT_\w+)", self.text())
        return warning[1] if warning else ""

    @property
    def address(self):
        return self._call("GET", "/url")

    @property
    def title(self):
        return self._call("GET", "/title")

    def text(self, selector="body"):
        return self._call("GET", f"/element/{self._find(selector)}/text")

    def click(self, selector):
        """Waits for the element, then clicks it."""
        self._call("POST", f"/element/{self._find(selector)}/click", {})

    def type(self, selector, text):
        self._call("POST", f"/element/{self._find(selector)}/value", {"text": text})

    def run(self, script, *arguments):
        """Runs a script as the page's own; its last argument is the function that ends it."""
        return self._call("POST", "/execute/async", {"script": script, "args": list(arguments)})

    def retype(self, selector, text):
        """In place of what stands there."""
        self._call("POST", f"/element/{self._find(selector)}/clear", {})
        self.type(selector, text)

    def value(self, selector):
        """What an input holds."""
        return self._call("GET", f"/element/{self._find(selector)}/property/value")

    def forget(self):
        """Loses all cookies, as a browser that never was here."""
        self._call("POST", "/goog/cdp/execute", {"cmd": "Network.clearBrowserCookies",
                                                 "params": {}})

    def wait_for(self, selector):
        """Waits until the page holds such an element."""
        self._find(selector)

    def wait_address(self, part):
        """Waits until the address holds the text; returns it."""
        deadline = time.monotonic() + WAIT
        while part not in (address := self.address):
            assert time.monotonic() < deadline, f"{part!r} never came, the address is {address}"
            time.sleep(0.05)
        return address

    def screenshot(self, name):
        """Keeps a picture of the page under tests/artefacts/."""
        ARTEFACTS.mkdir(exist_ok=True)
        path = ARTEFACTS / f"{name}.png"
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))
        return path

    def _find(self, selector):
        found = self._call("POST", "/element", {"using": "css selector", "value": selector})
        return found[_ELEMENT]

    def _call(self, method, path, members=None):
        body = json.dumps(members).encode() if members is not None else None
        request = urllib.request.Request(self._url + path, body, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with _direct.open(request, timeout=60) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()[:500]) from None

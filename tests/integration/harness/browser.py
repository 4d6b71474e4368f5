"""A real Chromium, driven through chromedriver's HTTP interface (W3C WebDriver)."""

import json
import os
import re
import shutil
import subprocess
import urllib.request

from .ports import free_port
from .window import WAIT, Window

_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
          "--disable-background-networking", "--disable-component-update", "--disable-sync",
          "--window-size=1000,800"]
_COMMANDS = {
    "Navigate": ("POST", "/url"), "GetCurrentURL": ("GET", "/url"), "GetTitle": ("GET", "/title"),
    "FindElement": ("POST", "/element"), "GetElementText": ("GET", "/element/{id}/text"),
    "GetElementProperty": ("GET", "/element/{id}/property/{name}"),
    "ElementClear": ("POST", "/element/{id}/clear"),
    "ElementClick": ("POST", "/element/{id}/click"),
    "ElementSendKeys": ("POST", "/element/{id}/value"), "TakeScreenshot": ("GET", "/screenshot"),
    "ExecuteAsyncScript": ("POST", "/execute/async"),
}

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def missing():
    """Why it cannot run here, or ""."""
    return "" if shutil.which("chromedriver") and shutil.which("chromium") else "needs Chromium"


class Browser(Window):
    """A new profile in a new home. names: others than localhost that lead to this computer. proxy:
    the address of one that knows all names (harness/outside.py)."""

    def __init__(self, home=None, names=(), proxy=None):
        super().__init__(home)
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
            super().close()

    def refusal(self, url):
        """Why the browser warns of the page's certificate, such as "ERR_CERT_AUTHORITY_INVALID"; ""
        when it shows the page."""
        self.open(url)
        warning = re.search(r"NET::(ERR_CERT_\w+)", self.text())
        return warning[1] if warning else ""

    def forget(self):
        """Loses all cookies, as a browser that never was here."""
        self._call("POST", "/goog/cdp/execute", {"cmd": "Network.clearBrowserCookies",
                                                 "params": {}})

    def _do(self, command, **members):
        method, path = _COMMANDS[command]
        path = path.format(**{name: members.pop(name) for name in ("id", "name") if name in members})
        return self._call(method, path, members if method == "POST" else None)

    def _call(self, method, path, members=None):
        body = json.dumps(members).encode() if members is not None else None
        request = urllib.request.Request(self._url + path, body, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with _direct.open(request, timeout=60) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()[:500]) from None

"""A provider of one's own: an emulated authorization server in a process beside the test."""

import json
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

from provider.dialects import dialect

from .ledger import Ledger

TESTS = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
CONTROL_TIMEOUT = 90

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Emulator:
    """Starts at once; `ledger` is its book, the other methods are orders to it."""

    def __init__(self, folder, name, *variants):
        self.dialect = dialect(name, *variants)
        self._redirect_uris = []
        path = Path(folder) / f"{name}-ledger.jsonl"
        self._process = subprocess.Popen(
            [PYTHON, "-m", "provider", "--dialect", name, "--variant", ",".join(variants),
             "--ledger", str(path)],
            cwd=TESTS, stdout=subprocess.PIPE, text=True)
        self.url = json.loads(self._process.stdout.readline())["url"]
        self.ledger = Ledger(path, self._order)

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    # Orders

    def configure(self, **changes):
        """Changes fields of the dialect: lifetime=3, rotation="grace", client_secret=…"""
        self._order("configure", changes=changes)

    def register(self, redirect_uri):
        self._redirect_uris.append(redirect_uri)
        self.configure(redirect_uris=self._redirect_uris)

    def fault(self, mode, endpoint="token", **details):
        """Details: seconds, times, users. See provider/faults.py."""
        self._order("fault", endpoint=endpoint, mode=mode, **details)

    def clear_faults(self):
        self._order("clear")

    def seed(self, *users):
        """Grants that were given earlier: a refresh token for each user."""
        return self._order("seed", users=users)["refresh_tokens"]

    def revoke(self, user):
        return self._order("revoke", user=user)["revoked"]

    def add_static(self, token):
        self._order("static", token=token)

    def secrets(self):
        return self._order("secrets")["secrets"]

    def _order(self, op, **details):
        body = json.dumps({"op": op, **details}).encode()
        request = urllib.request.Request(self.url + "/_control", body,
                                         {"Content-Type": "application/json"})
        with _direct.open(request, timeout=CONTROL_TIMEOUT) as reply:
            return json.load(reply)

    # Its API, as a client uses it

    @property
    def api_base(self):
        return self.url + self.dialect.api_prefix

    def call(self, token_reply, path="/whoami"):
        """Calls the API exactly as a token reply's `present` says; returns (status, members)."""
        present, url, headers = token_reply["present"], token_reply["api_base"] + path, {}
        if present["in"] == "header":
            headers[present["name"]] = present["value"]
        else:
            url += "?" + urllib.parse.urlencode({present["name"]: present["value"]})
        try:
            with _direct.open(urllib.request.Request(url, headers=headers), timeout=10) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

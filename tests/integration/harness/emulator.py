"""A provider of one's own: an emulated authorization server in a process beside the test."""

import json
import os
import select
import signal
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


class _Forks:
    """The process from which all emulators of a test run are forked; started when first needed."""

    process = None

    @classmethod
    def start(cls, arguments):
        """Starts an emulator: (its address, its pid)."""
        if cls.process is None:
            cls.process = subprocess.Popen(
                [PYTHON, "-m", "provider.forks"], cwd=TESTS, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True)
        cls.process.stdin.write(json.dumps(arguments) + "\n")
        cls.process.stdin.flush()
        said = json.loads(cls.process.stdout.readline())
        return said["url"], said["pid"]


class Emulator:
    """Starts at once; `ledger` is its book, the other methods are orders to it."""

    def __init__(self, folder, name, *variants, keys=None):
        """keys (harness/keys.py): it speaks https, and asks clients for a certificate."""
        self.dialect = dialect(name, *variants)
        self._open = keys.open if keys else _direct.open
        self._redirect_uris = []
        path = Path(folder) / f"{name}-ledger.jsonl"
        self.url, pid = _Forks.start(
            ["--dialect", name, "--variant", ",".join(variants), "--ledger", str(path),
             *(keys.server_arguments if keys else ())])
        self._pidfd = os.pidfd_open(pid)
        self.ledger = Ledger(path, self._order)

    def stop(self):
        """Ends it; its port is closed with the return. Again is fine."""
        if self._pidfd is not None:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            select.select([self._pidfd], [], [])
            os.close(self._pidfd)
            self._pidfd = None

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

    def skip(self, seconds):
        """Puts its clock forward; the ledger's times are by that clock."""
        self._order("skip", seconds=seconds)

    def add_static(self, token):
        self._order("static", token=token)

    def secrets(self):
        return self._order("secrets")["secrets"]

    def _order(self, op, **details):
        body = json.dumps({"op": op, **details}).encode()
        request = urllib.request.Request(self.url + "/_control", body,
                                         {"Content-Type": "application/json"})
        with self._open(request, timeout=CONTROL_TIMEOUT) as reply:
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
            with self._open(urllib.request.Request(url, headers=headers), timeout=10) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

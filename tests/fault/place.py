"""Where a fault is tried: folders, an emulated provider and a broker of one's own, and its clients."""

import contextlib
import http.client
import json
import os
import select
import shutil
import socket
import sqlite3
import tempfile
import time
from pathlib import Path

from harness.daemon import Daemon
from harness.emulator import Emulator
from provider.ledger import fingerprint

GRANT_WAIT_S = 60
ANSWER_MAX = 16 * 1024


def needs_root():
    """Why a kind that traces, or is another user too, cannot be done here, or ""."""
    return "" if os.getuid() == 0 else "needs root"


class Unchecked:
    """In place of the API's description: the integration tests hold the broker to that."""

    def check(self, *_):
        pass


class Lost(AssertionError):
    """A promise was broken."""


class Place:
    """A context: everything ends and goes with it, unless something was lost: then the folder stays."""

    def __init__(self, accounts, **dialect):
        self.accounts = [f"plain/u{number}" for number in range(accounts)]
        self._dialect = dialect

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="tb-fault-"))
        self.provider = Emulator(self.folder, "plain")
        self.provider.configure(**self._dialect)
        self.daemon = Daemon(self.folder, Unchecked())
        self.daemon.flags = []
        self.daemon.with_provider("plain", self.provider)
        self.lives = 0
        self.api = self.daemon.api
        return self

    def __exit__(self, kind, *_):
        with contextlib.suppress(AssertionError):
            self.daemon.close()
        self.provider.stop()
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def grant_all(self):
        """Each account gets its first refresh token."""
        tokens = self.provider.seed(*(user_of(account) for account in self.accounts))
        for account in self.accounts:
            self.api.import_grant(account, refresh_token=tokens[user_of(account)]).ok()

    def start(self):
        """A start that fails is a loss: the store is the only thing that a fault can have harmed."""
        self.lives += 1
        self.daemon.config.providers["plain"]["refresh_params"] = [f"life={self.life}"]
        try:
            self.daemon.start()
        except AssertionError as error:
            raise Lost(f"no start: {error}") from error

    @property
    def life(self):
        """What the provider's ledger calls the present life of the broker."""
        return str(self.lives)

    def look_into_store(self, query):
        """The rows; the broker is down, and a copy is looked at."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.daemon.state, copy)
        with contextlib.closing(sqlite3.connect(copy / "store.sqlite")) as store:
            return store.execute(query).fetchall()

    def assert_sound(self):
        """SQLite finds nothing wrong with the store; the broker is down."""
        said = self.look_into_store("PRAGMA integrity_check")
        if said != [("ok",)]:
            raise Lost(f"the store is damaged: {said}")

    def assert_whole(self, timeout=GRANT_WAIT_S, meanwhile=lambda: None, accounts=None):
        """Every account answers with a token that the API takes; nobody has to consent again."""
        for account in self.accounts if accounts is None else accounts:
            deadline = time.monotonic() + timeout
            while not self._answers(account):
                if time.monotonic() > deadline:
                    raise Lost(f"{account} has no token: {self.api.account(account).text}")
                meanwhile()
                time.sleep(0.1)

    def _answers(self, account):
        reply = self.api.token(account, wait=5)
        return reply.status == 200 and self.provider.call(reply.json)[0] == 200


def user_of(account):
    return account.partition("/")[2]


class Clients:
    """Programs that ask for tokens, all at once from one thread, and use what they get.

    `seen` holds the fingerprint of every access token that the broker let out."""

    def __init__(self, place, use=True):
        self._place, self._use = place, use
        self._api = None
        self._asking = {}
        self.seen = set()

    def ask(self, accounts, line="GET /v1/token/{}?wait=5 HTTP/1.1\r\n"):
        """Sends a request for each account; nobody waits for the answers here."""
        for account in accounts:
            with contextlib.suppress(OSError):
                one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                one.connect(str(self._place.daemon.socket))
                one.sendall((line.format(account) + "Host: localhost\r\n"
                             "Connection: close\r\n\r\n").encode())
                self._asking[one] = b""

    def listen(self, until):
        """Takes answers until that moment (of the monotonic clock); uses each token at once."""
        while (left := until - time.monotonic()) > 0:
            for one in select.select(list(self._asking), [], [], left)[0]:
                self._hear(one)

    def hang_up(self):
        """What the broker had sent before it died has reached the client: it counts."""
        while ready := select.select(list(self._asking), [], [], 0)[0]:
            for one in ready:
                self._hear(one)
        for one in self._asking:
            one.close()
        self._asking.clear()

    def _hear(self, one):
        try:
            got = one.recv(ANSWER_MAX)
        except OSError:
            got = b""
        self._asking[one] += got
        if got:
            return
        one.close()
        head, _, body = self._asking.pop(one).partition(b"\r\n\r\n")
        if b" 200 " in head.partition(b"\r\n")[0]:
            with contextlib.suppress(ValueError):  # cut off by the death of the broker
                self._take(json.loads(body).get("access_token"))

    def _take(self, token):
        if not token:  # the answer to something else
            return
        mark = fingerprint(token)
        if mark not in self.seen:
            self.seen.add(mark)
            if self._use:
                self._call(token)

    def _call(self, token):
        """The API, over a connection that stays."""
        host = self._place.provider.url.partition("//")[2]
        self._api = self._api or http.client.HTTPConnection(host, timeout=30)
        self._api.request("GET", self._place.provider.dialect.api_prefix + "/whoami",
                          headers={"Authorization": "Bearer " + token})
        self._api.getresponse().read()

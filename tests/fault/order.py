"""What a provider grants is on the disk before a client sees any of it: every refresh is traced."""

import contextlib
import re
import shutil
import sqlite3
import subprocess
import threading
from collections import Counter

from harness.binaries import BUILD
from harness.logins import log_in
from harness.person import Person
from harness.stream import Stream
from provider.ledger import fingerprint

from .place import Lost, Place, user_of

FOLLOW = BUILD / "tests" / "fault" / "follow"
ACCOUNTS = 40
POLL_S = 0.002
WAIT_S = 30

_TOKEN = re.compile(rb'"access_token": ?"([^"]+)"')
_SHOWN = re.compile(rb'"account":"([^"]+)"[^{}]*"generation":(\d+)')
_EVENT = re.compile(rb'"refreshed".*"account":"([^"]+)"|"account":"([^"]+)".*"refreshed"')


class Watch:
    """Reads what the tool says. At each sync the thread that has synced rests until the store was read
    as it lies on the disk: what was not synced before has no part in it, since nobody else writes."""

    def __init__(self, place):
        self._place = place
        self._durable = {}  # by account: its generation on the disk
        self._came = {}  # by token: its account, and that generation when the reply came
        self.sent, self.seen, self.losses = Counter(), Counter(), []
        self._tool = subprocess.Popen([FOLLOW, str(place.daemon.process.pid)], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self._tool.stdout.readline() != "ready\n":
            raise RuntimeError("follow cannot follow the broker")
        self._look()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def end(self):
        """After the broker's end."""
        self._thread.join(WAIT_S)
        self._tool.stdin.close()
        self._tool.wait()

    @property
    def tokens(self):
        return dict(self._came)

    def _read(self):
        takes = {"in": self._in, "out": self._out, "sync": self._sync}
        try:
            for line in self._tool.stdout:
                what, _, value = line.rstrip("\n").partition(" ")
                takes[what](value)
        except Exception as error:  # whatever it is, it is no pass
            self.losses.append(repr(error))
            self._tool.kill()

    def _sync(self, path):
        self.seen["syncs"] += 1
        if path.startswith(str(self._place.daemon.state)):
            self._look()
        self._tool.stdin.write(".")
        self._tool.stdin.flush()

    def _look(self):
        """Reads a copy of the store."""
        copy = self._place.folder / "synced"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._place.daemon.state, copy)
        with contextlib.closing(sqlite3.connect(copy / "store.sqlite")) as store:
            self._durable = {f"{provider}/{label}": generation for provider, label, generation in
                             store.execute("SELECT provider, label, generation FROM accounts")}

    def _in(self, value):
        data = bytes.fromhex(value)
        found = _TOKEN.search(data)
        if not found or not data.startswith(b"HTTP/1.1 200"):
            return
        token = found[1].decode()
        line = next(line for event in ("refresh", "exchange")
                    for line in self._place.provider.ledger.lines(event,
                                                                  access=fingerprint(token)))
        account = "plain/" + line["user"]
        self._came[token] = account, self._durable.get(account, 0)

    def _out(self, value):
        data = bytes.fromhex(value)
        for token in [token for token in self._came if token.encode() in data]:
            self.sent[token] += 1
            self._demand(token, "its token was sent")
        for name, generation in _SHOWN.findall(data):
            self.seen["generations shown"] += 1
            if self._durable.get(name.decode(), 0) < int(generation):
                self.losses.append(f"{name.decode()}: generation {int(generation)} was shown, "
                                   "and it is not on the disk yet")
        for names in _EVENT.findall(data):
            self._demand_all(max(names).decode(), "events told")
        if b" 303 " in data and b"/done/" in data:
            self._demand_all(self._last_account(), "pages told")

    def _last_account(self):
        return list(self._came.values())[-1][0]

    def _demand_all(self, account, what):
        self.seen[what] += 1
        for token, (owner, _) in self._came.items():
            if owner == account:
                self._demand(token, what)

    def _demand(self, token, what):
        account, before = self._came[token]
        if self._durable.get(account, 0) <= before:
            self.losses.append(f"{account}: {what}, and it is not on the disk yet")


class Steps:
    """The ways in which a grant comes."""

    def __init__(self, place):
        self._place, self._turn, self._had_rejected = place, 0, set()
        self.current = place.accounts[0]

    def take(self, chance):
        self._turn += 1
        self.current = self._place.accounts[self._turn % ACCOUNTS]
        chance.choice((self._by_hand, self._rejected, self._first, self._consent))()
        self._place.api.token(self.current, wait=WAIT_S).ok()

    def _by_hand(self):
        self._place.api.refresh_allowed(self.current).ok()

    def _rejected(self):
        if self.current in self._had_rejected:  # the one after it would come in a minute
            self._by_hand()
            return
        self._had_rejected.add(self.current)
        token = self._place.api.token(self.current).ok()["access_token"]
        self._place.api.reject(self.current, fingerprint=fingerprint(token)).ok()

    def _first(self):
        user = f"new{self._turn}"
        token = self._place.provider.seed(user)[user]
        self.current = f"plain/{user}"
        self._place.api.import_grant(self.current, refresh_token=token).ok()

    def _consent(self):
        self.current = f"plain/u{self._turn % ACCOUNTS}"
        log_in(self._place.api, Person(), self.current, user=user_of(self.current))


@contextlib.contextmanager
def _others(place, steps):
    """Clients that look at the account all the time: at its token, at its facts, at events."""
    over = threading.Event()

    def poll(ask):
        while not over.wait(POLL_S):
            ask(steps.current)

    asks = (lambda account: place.api.token(account, wait=5), place.api.account)
    threads = [threading.Thread(target=poll, args=(ask,), daemon=True) for ask in asks]
    with Stream(place.api, None):
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()


def _judge(place, watch, before):
    lines = [line for event in ("refresh", "exchange")
             for line in place.provider.ledger.lines(event, outcome="accepted")]
    if watch.losses:
        raise Lost(watch.losses[0])
    if len(watch.tokens) != len(lines) - before:
        raise Lost(f"{len(watch.tokens)} replies were traced, of {len(lines) - before}")
    if unseen := watch.tokens.keys() - watch.sent.keys():
        raise Lost(f"{len(unseen)} tokens were not seen on their way to a client")


def run(count, chance, progress):
    """`count` grants, each traced from the reply to its first byte on the way to anybody."""
    with Place(ACCOUNTS) as place:
        place.start()
        place.grant_all()
        place.assert_whole()
        before = place.provider.ledger.count("refresh", outcome="accepted")
        watch, steps = Watch(place), Steps(place)
        with _others(place, steps):
            for _ in range(count):
                steps.take(chance)
                if watch.losses:
                    raise Lost(watch.losses[0])
                progress(1)
        place.daemon.kill()  # what is traced cannot look for leaks at its end
        watch.end()
        _judge(place, watch, before)
        return dict(watch.seen) | {"tokens sent": sum(watch.sent.values())}

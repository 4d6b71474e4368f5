"""Every allocation and every I/O call of one thing that the broker does fails once."""

import contextlib
import http.client
import signal
import sqlite3
import subprocess
import time

from harness.binaries import command
from harness.person import Person

from .failing import Failing
from .place import Lost, Place
from .trial import ACCOUNT, ANSWER_S, Hang, Trial

MANNERS = 12  # a multiple of how many errors may befall any call
COUNTED = 5  # times that its calls are counted, once it is warm
TRIES = 12  # for a point that does not come each time: threads take turns as they like
OVER = 3  # so many times in a row it was over before the turn of the wanted one: that was all
QUIET_S = 0.03


class Walk:
    """begin() once; then, for each point, prepare(), act() while it fails, and judge()."""

    refusals = False  # whether the provider refuses on purpose

    def __init__(self, trial):
        self.trial = trial
        self.failing = trial.failing  # who is made to fail: the broker
        self._number = 0
        self.account = ACCOUNT
        self.said = None

    def begin(self):
        """What the thing needs once."""

    def prepare(self):
        """What it needs each time."""

    def act(self):
        raise NotImplementedError

    def judge(self):
        """The broker goes on, or a new one does; the account answers, no grant was lost."""
        self.trial.go_on()
        self.trial.assert_answers()
        if not self.refusals:
            self.trial.assert_nothing_refused()

    def await_quiet(self):
        """The broker has called nothing for a moment, so that it need not be asked how far it is."""
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < QUIET_S and self.trial.daemon.process.poll() is None:
            if (now := self.failing.point().seen) != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.002)

    def new_account(self):
        self._number += 1
        self.account = f"plain/n{self._number}"


class Start(Walk):
    """From the first instruction until it is ready."""

    def begin(self):
        self.trial.stop()

    def act(self):
        self.trial.daemon.notices.drain()
        self.trial.daemon.spawn()
        self.trial.await_ready()

    def judge(self):
        super().judge()
        self.trial.stop()


class Stop(Walk):
    """From SIGTERM to the end."""

    def act(self):
        self.trial.stop()

    def judge(self):
        self.trial.place.start()
        super().judge()


class Refresh(Walk):
    """A token that has to be fetched, and the same token again."""

    def prepare(self):
        self.new_account()
        self.trial.import_grant(self.account).ok()

    def act(self):
        self.trial.hasty.token(self.account, wait=1)
        self.trial.hasty.token(self.account, wait=1)

    def judge(self):
        super().judge()
        self.trial.assert_answers(self.account)


class Import(Walk):
    """A refresh token from elsewhere: it is there when that was said."""

    def prepare(self):
        self.new_account()

    def act(self):
        self.said = self.trial.import_grant(self.account)
        self.trial.hasty.account(self.account)

    def judge(self):
        super().judge()
        if self.said and self.said.status == 200:
            self.trial.assert_answers(self.account)


class Exchange(Walk):
    """A login, from the command to the page that says that it is done."""

    LOGINS = 25  # in one life: those that were cut off are pending for a while, and are bounded

    def prepare(self):
        self.new_account()
        if self._number % self.LOGINS == 0:
            self.trial.stop()
            self.trial.place.start()

    def act(self):
        self.said = None
        reply = self.trial.hasty.login(self.account)
        if not reply or reply.status != 200:
            return
        with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
            Person().consent(reply.json["start_url"])
        self.said = self.trial.hasty.follow(reply.json["login_id"])

    def judge(self):
        super().judge()
        if self.said and self.said.status == 200 and self.said.json["status"] == "done":
            self.trial.assert_answers(self.account)


class Rekey(Walk):
    """Everything is sealed anew; where it was cut off, again, and then it comes to its end."""

    def act(self):
        self.trial.hasty.rekey()
        self._await_end()

    def _await_end(self):
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline:
            self.await_quiet()
            found = self.trial.hasty.rekey_progress()
            if not found or found.status != 200 or not found.json["running"]:
                return
        raise Hang("the rekey does not end")

    def judge(self):
        super().judge()
        reply = self.trial.hasty.rekey()
        if not reply or reply.status != 200:
            raise Lost(f"no rekey any more: {reply and reply.text}")
        self._await_end()
        self.trial.stop()
        self.trial.place.start()
        self.trial.assert_answers()


class Backup(Walk):
    """A copy of the store: whole where that was said; and another one can be made."""

    def begin(self):
        self._file = self.trial.place.folder / "backup"

    def act(self):
        self.said = self._make()

    def _make(self):
        self._file.unlink(missing_ok=True)
        try:
            done = subprocess.run([command(), "--socket", self.trial.daemon.socket, "backup",
                                   self._file, "--key-kept"], capture_output=True, text=True,
                                  timeout=ANSWER_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise Hang("the backup does not end") from error
        if done.returncode == 0:
            self._assert_whole()
        return done

    def _assert_whole(self):
        with contextlib.closing(sqlite3.connect(self._file)) as store:
            said = store.execute("PRAGMA integrity_check").fetchall()
        if said != [("ok",)]:
            raise Lost(f"the backup is damaged: {said}")

    def judge(self):
        super().judge()
        deadline = time.monotonic() + ANSWER_S
        while (done := self._make()).returncode != 0:
            if time.monotonic() > deadline:
                raise Lost(f"no backup any more: {done.stderr}")
            time.sleep(0.1)


class Reload(Walk):
    """The configuration is read anew."""

    def act(self):
        self.trial.daemon.notices.drain()
        self.trial.daemon.process.send_signal(signal.SIGHUP)
        self.trial.await_ready()


class Requests(Walk):
    """What else is asked."""

    PATHS = ("/v1/accounts", "/v1/health", "/metrics", "/v1/audit", "/v1/held", "/v1/authority",
             "/v1/links", f"/v1/accounts/{ACCOUNT}")

    def act(self):
        for path in self.PATHS:
            self.trial.hasty.request("GET", path)


class Hook(Walk):
    """A grant that the provider has revoked, and the program that is called for it."""

    refusals = True

    def begin(self):
        folder = self.trial.place.folder
        hook = folder / "hook"
        hook.write_text(f"#!/bin/sh\ncat >>{folder}/events\n", encoding="utf-8")
        hook.chmod(0o700)
        self.trial.daemon.config.broker["on_event"] = str(hook)
        self.trial.daemon.reload()

    def prepare(self):
        self.new_account()
        self.trial.import_grant(self.account).ok()
        self.trial.hasty.token(self.account)
        self.trial.provider.revoke(self.account.partition("/")[2])

    def act(self):
        self.trial.hasty.refresh(self.account)
        self.trial.hasty.account(self.account)


class Command(Walk):
    """The command `token`: it says the token, or says why not."""

    def begin(self):
        self.failing = Failing(self.trial.place.folder, "failing-command")
        self._line = [command(), "--socket", self.trial.daemon.socket, "token", ACCOUNT]

    def act(self):
        try:
            self.said = subprocess.run(self._line, capture_output=True, text=True, timeout=ANSWER_S,
                                       env=self.failing.environment(), check=False)
        except subprocess.TimeoutExpired as error:
            raise Hang("the command does not end") from error

    def judge(self):
        super().judge()
        token = self.trial.hasty.token(ACCOUNT).ok()["access_token"]
        status, out = self.said.returncode, self.said.stdout.strip()
        if status < 0 or (status == 0) != (out == token) or (status != 0 and not self.said.stderr):
            raise Lost(f"the command ended with {status}: {self.said.stderr}")


WALKS = {"start": Start, "stop": Stop, "refresh": Refresh, "import": Import, "exchange": Exchange,
         "rekey": Rekey, "backup": Backup, "reload": Reload, "requests": Requests, "hook": Hook,
         "command": Command}


def try_one(walk, wanted, manner, kinds=3):
    """The wanted call fails; returns the Point."""
    walk.prepare()
    walk.failing.arm(wanted, manner, kinds)
    try:
        walk.act()
        point = walk.failing.disarm()
        walk.judge()
    except Exception as error:
        raise Lost(f"{type(error).__name__}: {error}\ncall {wanted}, manner {manner}: "
                   f"{walk.failing.disarm()}") from error
    return point


class Points:
    """Of the points of a walk, every so many-th: those that are there each time, and then on to the end."""

    def __init__(self, walk, chance, progress):
        self._walk, self._chance, self._progress = walk, chance, progress
        self._calls = set()
        counts = [try_one(walk, 0, 0).seen for _ in range(1 + COUNTED)][1:]
        self.total = sorted(counts)[COUNTED // 2]
        self._there, self._failed = 0, 0

    def _fails(self, wanted):
        point = try_one(self._walk, wanted, self._chance.randrange(MANNERS))
        if not point.what:
            return False
        self._calls.add(point.what)
        self._failed += 1
        self._progress(1)
        return True

    def go(self, count, part):
        """This part's of them, `count` at most, evenly."""
        number, parts = part
        own = range(1 + number, self.total + 1, parts)
        step = max(1, -(-len(own) // count))
        for wanted in own[self._chance.randrange(step)::step]:
            any(self._fails(wanted) for _ in range(TRIES))
        self._there = len(own)
        self._go_beyond(own.start + len(own) * parts, step * parts)

    def _go_beyond(self, wanted, stride):
        """Those that are not there each time."""
        over = 0
        while over < OVER:
            failed = self._fails(wanted)
            self._there += failed
            over = 0 if failed else over + 1
            wanted += stride

    def facts(self):
        """The share is rounded down."""
        return {"points": self._there,
                "least share of them failed, %": 100 * self._failed // max(self._there, 1),
                "most different calls": len(self._calls),
                "lives ended by a library's fault": self._walk.trial.broken}


def run(name, count, chance, progress, part=(0, 1)):
    """Each call in turn, or, where there are more than `count`, so many of them, evenly; of all that
    is walked in several parts, this one (its number, how many)."""
    with Place(1, rotation="revoke-on-first-use") as place:
        trial = Trial(place)
        trial.begin()
        walk = WALKS[name](trial)
        walk.begin()
        points = Points(walk, chance, progress)
        points.go(count, part)
        if trial.daemon.process.poll() is not None:
            place.start()
        trial.assert_all_kept()
        return points.facts()

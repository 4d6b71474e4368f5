"""What the broker does while one of its calls fails; walks.py goes from call to call."""

import contextlib
import http.client
import signal
import sqlite3
import subprocess
import time

from harness.binaries import command
from harness.clocks import Clocks
from harness.person import Person

from .failing import Failing
from .machine import Errand
from .place import Lost, user_of
from .trial import ACCOUNT, ANSWER_S, Hang

QUIET_S = 0.03
WAITS = 503


class Walk:
    """begin() once; then, for each point, prepare(), act() while it fails, and judge(). Where nothing
    failed, it is done()."""

    refusals = False  # whether the provider refuses a refresh token, and that is no loss by itself

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

    def done(self):
        return self.said and self.said.status == 200

    def judge(self):
        """The broker goes on, or a new one does; the account answers, no grant was lost."""
        self.trial.go_on()
        self.trial.assert_answers()
        if not self.refusals:
            self.trial.assert_nothing_refused()

    def facts(self):
        """What else was found."""
        return {"lives ended by a library's fault": self.trial.broken}

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

    def done(self):
        return self.trial.daemon.running

    def judge(self):
        super().judge()
        self.trial.stop()


class Stop(Walk):
    """From SIGTERM to the end."""

    def act(self):
        self.said = self.trial.stop()

    def done(self):
        return self.said == 0

    def judge(self):
        self.trial.place.start()
        super().judge()


class Refresh(Walk):
    """A token that has to be fetched, and the same token again."""

    def prepare(self):
        self.new_account()
        self.trial.import_grant(self.account).ok()

    def act(self):
        self.first = self.trial.hasty.token(self.account, wait=1)
        self.said = self.trial.hasty.token(self.account, wait=1)

    def judge(self):
        super().judge()
        self.trial.assert_answers(self.account)


class Strict(Refresh):
    """The same at a provider that takes each refresh token strictly once. What fails in the midst of
    receiving, before the broker has the one reply, loses the grant: that is counted."""

    refusals = True
    SETTLED_S = 30

    def begin(self):
        self.trial.provider.configure(rotation="strict")
        self._residue = {"residue in libcurl's receiving": 0, "residue in what libcurl calls then": 0}

    def judge(self):
        super(Refresh, self).judge()
        if self._is_refused():
            self._residue[self._excuse()] += 1
            self.trial.import_grant(self.account).ok()  # the person consents again
            self.trial.hasty.retry()
        self.trial.assert_answers(self.account)

    def _is_refused(self):
        """The account has a token that the API takes, or it will not have one any more."""
        deadline = time.monotonic() + self.SETTLED_S
        while time.monotonic() < deadline:
            reply = self.trial.hasty.token(self.account, wait=1)
            if reply and reply.status == 200:
                return False
            if self.trial.provider.ledger.count("refresh", outcome="refused",
                                                user=user_of(self.account)):
                return True
            self.trial.go_on()
        raise Lost(f"{self.account} has no token, and no refusal: {reply and reply.text}")

    def _excuse(self):
        """Which residue it is; a loss, where the reply was there, or anybody had the access token."""
        callers = [line for line in self.failing.point().trace.splitlines()
                   if not line.startswith("libc.so")]
        if not any(line.startswith("libcurl") for line in callers):
            raise Lost(f"{self.account} is lost, and not while its reply was received")
        if any(reply and reply.status == 200 for reply in (self.first, self.said)):
            raise Lost(f"{self.account} is lost, and its access token was given out")
        own, called = self._residue
        return own if callers[0].startswith("libcurl") else called

    def facts(self):
        return super().facts() | self._residue


class Import(Walk):
    """A refresh token from elsewhere: it is there when that was said."""

    def prepare(self):
        self.new_account()

    def act(self):
        self.said = self.trial.import_grant(self.account)
        self.trial.hasty.account(self.account)

    def judge(self):
        super().judge()
        if self.done():
            self.trial.assert_answers(self.account)


class Exchange(Walk):
    """A login, from the command to the page that says that it is done."""

    LOGINS = 25  # in one life: those that were cut off are pending for a while, and are bounded

    def prepare(self):
        self.new_account()
        if self._number % self.LOGINS == 0:
            self.trial.restart()

    def act(self):
        self.said = None
        reply = self.trial.hasty.login(self.account)
        if not reply or reply.status != 200:
            return
        with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
            Person().consent(reply.json["start_url"])
        self.said = self.trial.hasty.follow(reply.json["login_id"])

    def done(self):
        return super().done() and self.said.json["status"] == "done"

    def judge(self):
        super().judge()
        if self.done():
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
            self.said = self.trial.hasty.rekey_progress()
            if not self._goes_on():
                return
        raise Hang("the rekey does not end")

    def _goes_on(self):
        """Also where it says that it waits for another try of what has failed."""
        return self.said and (self.said.status == WAITS or
                              self.said.status == 200 and self.said.json["running"])

    def done(self):
        return super().done() and self.said.json["resealed"] > 0

    def judge(self):
        super().judge()
        self._await_end()
        reply = self.trial.hasty.rekey()
        if not reply or reply.status != 200:
            raise Lost(f"no rekey any more: {reply and reply.text}")
        self._await_end()
        self.trial.restart()
        self.trial.assert_answers()


class Backup(Walk):
    """A copy of the store: whole where that was said; and another one can be made."""

    def begin(self):
        self._file = self.trial.place.folder / "backup"

    def act(self):
        self.said = self._make()

    def done(self):
        return self.said.returncode == 0

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

    def done(self):
        return self.trial.daemon.running


class Requests(Walk):
    """What else is asked."""

    PATHS = ("/v1/accounts", "/v1/health", "/metrics", "/v1/audit", "/v1/held", "/v1/authority",
             "/v1/links", f"/v1/accounts/{ACCOUNT}")

    def act(self):
        self.said = [self.trial.hasty.request("GET", path) for path in self.PATHS]

    def done(self):
        return all(reply and reply.status < 500 for reply in self.said)


class Hook(Walk):
    """A grant that the provider has revoked, and the program that is called for it."""

    refusals = True
    PAUSE_S = 6  # between two refusals, and a bit
    REFUSED_S = 0.5
    HOOK_S, HOOK_FAILED_S = 10, 0.3  # until the program was called, which it need not be

    def begin(self):
        folder, trial = self.trial.place.folder, self.trial
        hook, self._events = folder / "hook", folder / "events"
        hook.write_text(f"#!/bin/sh\ncat >>{self._events}\n", encoding="utf-8")
        hook.chmod(0o700)
        self._events.touch()
        trial.daemon.config.broker["on_event"] = str(hook)
        trial.stop()
        self._clocks = Clocks(trial.daemon)
        trial.daemon.environment["ASAN_OPTIONS"] = trial.failing.environment()["ASAN_OPTIONS"]
        trial.place.start()

    def prepare(self):
        """No third refusal in a row of a provider that would be paused then."""
        self.new_account()
        self.trial.assert_answers()
        self.trial.import_grant(self.account).ok()
        while self.trial.hasty.token(self.account).status != 200:  # paused by what was still under way
            self.trial.hasty.retry()
            time.sleep(0.1)
        self.trial.provider.revoke(user_of(self.account))
        self._clocks.suspend(self.PAUSE_S)

    def act(self):
        asked = Errand(self.trial.place, "POST", f"/v1/refresh/{self.account}")
        with contextlib.suppress(AssertionError):
            self.trial.provider.ledger.wait_for("refresh", timeout=self.REFUSED_S, outcome="refused",
                                                user=user_of(self.account))
        self.await_quiet()
        self._clocks.suspend(self.PAUSE_S)
        self.said = self._await_hook()
        asked.hang_up()

    def _await_hook(self):
        """Whether it was called."""
        begun = time.monotonic()
        while not (called := f'"{self.account}"' in self._events.read_text(encoding="utf-8")):
            failed = self.failing.point().what
            if time.monotonic() - begun > (self.HOOK_FAILED_S if failed else self.HOOK_S):
                break
            time.sleep(0.005)
        return called

    def done(self):
        return self.said


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

    def done(self):
        return self.said.returncode == 0

    def judge(self):
        super().judge()
        token = self.trial.hasty.token(ACCOUNT).ok()["access_token"]
        status, out = self.said.returncode, self.said.stdout.strip()
        if status < 0 or (status == 0) != (out == token) or (status != 0 and not self.said.stderr):
            raise Lost(f"the command ended with {status}: {self.said.stderr}")


WALKS = {"start": Start, "stop": Stop, "refresh": Refresh, "strict": Strict, "import": Import, "exchange": Exchange,
         "rekey": Rekey, "backup": Backup, "reload": Reload, "requests": Requests, "hook": Hook,
         "command": Command}

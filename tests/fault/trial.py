"""A broker in which one allocation or one I/O call after the other fails."""

import contextlib
import http.client
import re
import signal
import subprocess
import time

from harness.client import Api, UnixConnection
from harness.daemon import START_TIMEOUT, STOP_TIMEOUT, await_end

from .failing import Failing
from .judge import Judge
from .place import Lost, Unchecked, user_of

ACCOUNT = "plain/u0"
ANSWER_S = 25  # the broker itself gives up after 30: an answer that is lost is one fault too many
WHOLE_S = 30
RECENT_LINES = 20  # of the log, in what is said of a loss
SANITIZERS = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:")

# Libraries that end the process or leave some behind where their own memory is short; why that is borne.
BREAKING = {
    "OPENSSL_init_crypto": "3.0 leaves what it had set up where the rest of that fails: once, in a start that ends so",
}
# AddressSanitizer ends a process in which it has no memory for the beginning of a thread.
NO_THREAD = "CHECK failed: .*pthread_getattr_np"


class Hang(Lost):
    """Nobody answered."""


class Hasty(Api):
    """Says None where the connection ended without an answer: a fault may have befallen it."""

    def __init__(self, socket_path):
        super().__init__(socket_path, Unchecked())

    def _transport(self, method, target, body, headers):
        connection = UnixConnection(self.socket_path, ANSWER_S)
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def request(self, method, target, body=None, headers=None):
        try:
            return super().request(method, target, body, headers)
        except TimeoutError as error:
            raise Hang(f"no answer within {ANSWER_S} s: {method} {target}") from error
        except (OSError, http.client.HTTPException):
            return None


class Trial:
    """A place whose broker runs with the module that makes calls fail."""

    def __init__(self, place):
        self.place, self.daemon, self.provider = place, place.daemon, place.provider
        self.failing = Failing(place.folder)
        self.daemon.environment |= self.failing.environment()
        self.hasty = Hasty(self.daemon.socket)
        self.judge = Judge(self.provider.ledger.path)
        self.broken = 0  # lives that a library has ended
        self._granted = {}  # accounts that were seen to have a token
        self._read_to = 0

    def begin(self):
        self.place.start()
        self.place.grant_all()
        self.assert_answers()

    # Its life

    def go_on(self):
        """The broker runs; a new one, where the old one has ended as it may."""
        if self.daemon.process.poll() is None:
            return
        self._ended()
        self.place.assert_sound()
        self.place.start()

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            self.daemon.process.send_signal(signal.SIGTERM)
        try:
            await_end(self.daemon.process, STOP_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise Hang(f"does not end:\n{self._log()}") from error
        return self._ended()

    def await_ready(self):
        """Until it says that it is ready, or has ended."""
        try:
            self.daemon.notices.wait_for("READY=1", self.daemon.process, START_TIMEOUT)
        except AssertionError as error:
            if self.daemon.process.poll() is None:
                raise Hang(f"{error}\n{self._log()}") from error

    def restart(self):
        self.stop()
        self.place.start()

    def _ended(self):
        """Returns the status of a life that ended in order, and with a reason if not with 0."""
        said, status = self._log(), self.daemon.process.returncode
        broken_by = [name for name in BREAKING if name in self.failing.point().trace]
        if status != 0 and (broken_by or re.search(NO_THREAD, said)):
            self.broken += 1
        elif SANITIZERS.search(said) or status < 0 or (status > 0 and not re.search("error: |memory|cannot", said)):
            raise Lost(f"ended with {status}:\n{said}")
        return status

    def _log(self):
        """What the broker has said since the last call; the newest of it."""
        with open(self.daemon.log_path, "rb") as file:
            file.seek(self._read_to)
            text = file.read()
        self._read_to += len(text)
        lines = text.decode(errors="replace").splitlines()
        return "\n".join(lines if SANITIZERS.search("\n".join(lines)) else lines[-RECENT_LINES:])

    # Its accounts

    def import_grant(self, account):
        token = self.provider.seed(user_of(account))[user_of(account)]
        return self.hasty.import_grant(account, refresh_token=token)

    def assert_answers(self, account=ACCOUNT):
        """The account has a token that the API takes, soon."""
        self._granted[account] = True
        deadline = time.monotonic() + WHOLE_S
        while True:
            reply = self.hasty.token(account, wait=5)
            if reply and reply.status == 200:
                if self.provider.call(reply.json)[0] != 200:
                    raise Lost(f"{account}: the API does not take the token")
                return
            if time.monotonic() > deadline:
                raise Lost(f"{account}: {reply and reply.text}\n{self._log()}")
            time.sleep(0.02)
            self.go_on()  # it may have been about to end

    def assert_nothing_refused(self):
        self.judge.read()
        if self.judge.losses:
            raise Lost(str(self.judge.losses[0]))

    def assert_all_kept(self, refusals=False):
        """What was visible was durable: after kill -9 every account that had a token is refreshed.
        refusals: the provider's were no losses."""
        self.daemon.kill()
        self.place.assert_sound()
        self.place.start()
        for account in self._granted:
            while (reply := self.hasty.refresh(account)) and reply.status == 429:
                time.sleep(reply.json["retry_after"])
            if not reply or reply.status != 200:
                raise Lost(f"{account}: {reply and reply.text}")
            self.assert_answers(account)
        if not refusals:
            self.assert_nothing_refused()
        if (status := self.stop()) != 0:
            raise Lost(f"ended with {status} at last")

"""Killed right before and right after every system call of a refresh, or of a code's exchange."""

import contextlib
import select
import socket
import subprocess
import time
from collections import Counter
from typing import NamedTuple

from harness.binaries import BUILD
from harness.person import Person

from .judge import Judge
from .place import Lost, Place

KILL_AT = BUILD / "tests" / "fault" / "kill-at"
ACCOUNT, ACCOUNTS = "plain/u0", 12
BY_HAND_S = 2.1  # so seldom an account is refreshed by hand; what is shown are whole seconds
TRIES, TRIES_PART = 12, 2  # for a moment that does not come in each life
WARM, COUNTED = 2, 12  # lives before the moments are counted, and in which they are, at most
ANSWER_MAX = 16 * 1024
PATIENCE_S = 60
SETTLE_S = 0.1  # after the answer the broker still has to put things in order


class Moment(NamedTuple):
    """Right before or right after a thread's nth call of that number."""

    thread: int  # by age
    call: int
    nth: int
    side: int  # 0: before, 1: after


class KillAt:
    """Follows the broker from moment to moment; kills it at the wanted one, if there is one."""

    def __init__(self, wanted, process):
        self._process = process
        command = [KILL_AT, process.pid, *(wanted or ())]
        self._tool = subprocess.Popen(list(map(str, command)), text=True, stdout=subprocess.PIPE)
        if self._tool.stdout.readline() != "ready\n":
            raise RuntimeError("kill-at cannot follow the broker")

    def wait(self, others):
        """Until it has killed, or one of the others has something to say."""
        if not select.select([self._tool.stdout, *others], [], [], PATIENCE_S)[0]:
            raise Lost("neither killed nor answered")
        select.select([self._tool.stdout], [], [], SETTLE_S)

    def end(self):
        """The broker is dead with the return: (whether by this, its moments in their order)."""
        self._process.kill()
        word, *lines = self._tool.stdout.read().splitlines()
        self._tool.wait()
        self._process.wait()
        return word == "killed", _moments(lines)


def _moments(lines):
    seen, moments = Counter(), []
    for line in lines:
        thread, call, side = map(int, line.split())
        moments.append(Moment(thread, call, seen[line], side))
        seen[line] += 1
    return moments


class Refresh:
    """A refresh; the next life has to go on from wherever it was cut off."""

    def __init__(self, place):
        self._place = place
        self._judge = Judge(place.provider.ledger.path)
        self._turn = 0

    def begin(self, number):
        """What stands before: the token of the life before counts, and its use kills older ones."""
        del number
        self._turn = (self._turn + 1) % ACCOUNTS
        account = self._place.accounts[self._turn]
        self._place.assert_whole()
        self._judge.read()
        if self._judge.losses:
            raise Lost(str(self._judge.losses[0]))
        since = time.time() - self._place.api.account(account).ok()["refreshed_at"]
        time.sleep(max(BY_HAND_S - since, 0))
        return f"POST /v1/refresh/{account} HTTP/1.1\r\n"

    def judge(self, answer):
        """Nothing more than begin() finds in the next life."""


class Exchange:
    """A login's end by paste, in turn of an account that has a grant, and of a new one."""

    def __init__(self, place):
        self._place = place
        self._account, self._login = ACCOUNT, None

    def begin(self, number):
        place = self._place
        place.assert_whole()
        self._account = f"plain/n{number}" if number % 2 else ACCOUNT
        self._login = place.api.login(self._account).ok()
        address = Person().decide(self._login["start_url"])
        body = '{"redirect": "%s"}' % address
        return (f"POST /v1/logins/{self._login['login_id']} HTTP/1.1\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n", body)

    def judge(self, answer):
        """In the life after: who was told that it is done has a grant; others may have one."""
        found = self._place.api.account(self._account)
        if b'"done"' in answer and found.status != 200:
            raise Lost(f"{self._account} was told to be done, and is not there")
        if found.status == 200:
            token = self._place.api.token(self._account, wait=30)
            if token.status != 200 or self._place.provider.call(token.json)[0] != 200:
                raise Lost(f"{self._account}: {token.text}")


WAYS = {"refresh": Refresh, "exchange": Exchange}


def _send(place, request):
    """Sends the request, made of its head and perhaps a body; returns the connection."""
    head, body = request if isinstance(request, tuple) else (request, "")
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(OSError):  # it may be dead by now: moments come before a request too
        one.connect(str(place.daemon.socket))
        one.sendall((head + "Host: localhost\r\nConnection: close\r\n\r\n" + body).encode())
    return one


def _one(place, way, number, wanted):
    """A life that ends at the wanted moment, or after the answer: (was it, its moments)."""
    place.start()
    request = way.begin(number)
    killer = KillAt(wanted, place.daemon.process)
    connection = _send(place, request)
    killer.wait([connection])
    killed, moments = killer.end()
    answer = b""
    with contextlib.suppress(OSError):
        answer = connection.recv(ANSWER_MAX)
    connection.close()
    if not killed and not answer:
        raise Lost("it hung up without an answer")
    place.assert_sound()
    place.start()
    way.judge(answer)
    place.daemon.kill()
    return killed, moments


class Walk:
    """From moment to moment: to each that every life has, or every second one (a new account's, and one
    that was there), however the threads take turns."""

    def __init__(self, place, way, lives, progress):
        self._place, self._way, self._progress = place, way, progress
        self._lives, self._killed = 0, set()
        counted = [self._live(None)[1] for _ in range(WARM + lives)][WARM:]
        common = set.union(*(set.intersection(*map(set, counted[i::2])) for i in range(2)))
        self.moments = [one for one in dict.fromkeys(counted[0] + counted[1]) if one in common]

    def _live(self, moment):
        self._lives += 1
        return _one(self._place, self._way, self._lives, moment)

    def go(self, moments, tries):
        """Kills at each of them; one that did not come is tried again."""
        for moment in moments:
            if any(self._live(moment)[0] for _ in range(tries)):
                self._killed.add(moment)
                self._progress(1)

    def facts(self):
        """The share of moments is rounded down."""
        return {"most moments": len(self.moments),
                "most of them killed at, %": 100 * len(self._killed) // len(self.moments),
                "most different system calls": len({moment.call for moment in self._killed})}


def run(name, count, chance, progress):
    """Kills at every moment, or, when there are more than `count`, at so many of them, evenly."""
    with Place(ACCOUNTS, rotation="revoke-on-first-use") as place:
        place.start()
        place.grant_all()
        place.daemon.kill()
        way = WAYS[name](place)
        walk = Walk(place, way, min(max(count // 2, 2), COUNTED), progress)
        step = -(-len(walk.moments) // count)
        begin = chance.randrange(step)
        walk.go(walk.moments[begin::step], TRIES if step == 1 else TRIES_PART)
        place.start()
        way.begin(0)
        done = len(place.provider.ledger.lines(name, outcome="accepted"))
        return walk.facts() | {"accepted by the provider": done}

"""A thousand connections that drip, on each server, while honest clients and browsers go on.

Those of another user keep nothing out. Those of the same user leave the socket and the callback by http
to it; of the callback by https it may have 12 connections, and there its own can crowd a browser out."""

import contextlib
import os
import subprocess
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from harness import https
from harness.binaries import BUILD
from harness.logins import log_in
from harness.person import Person
from harness.ports import free_port

from .place import Lost, Place

TOOLS = BUILD / "tests" / "fault"
DRIPS = 1000  # on each server
STRANGER = 61234
RATE = 200  # an honest client asks so often in a second
LOGIN_EVERY_S = 5
LARGE_S = 60  # only a run this long judges times and memory: the quick one shares its machine
P99_MAX_US = 10_000
FIRST, LAST = -10, 10  # niceness
DRIPS_MIN = 0.9  # of a byte a second from each, or it was no crowd
BESIDE_TIMES = 2  # where a broker without a crowd is as slow at that time, it is the machine
LOGIN_MAX_S = 5
# One uid may have 1,024 connections of the socket, and of the callback 48, and 12 with TLS, on each of
# its addresses; the rest is room for the daemon's own.
DESCRIPTORS_MAX = 1300
RSS_MAX_KIB = 128 * 1024


def _set_nice(leader, nice):
    """Brokers and honest clients go before whatever else this machine does, as far as one may: what they
    wait for is each other. Drippers come last, and are counted. The kernel weighs sessions."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PGRP, leader.pid, nice)
        Path(f"/proc/{leader.pid}/autogroup").write_text(str(nice), encoding="ascii")


@contextmanager
def _dripping(addresses, uid):
    with subprocess.Popen([TOOLS / "drip", str(DRIPS), *map(str, addresses)], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, user=uid, cwd="/",
                          start_new_session=True) as tool:
        try:
            if tool.stdout.readline() != "ready\n":
                raise RuntimeError("drip cannot begin")
            _set_nice(tool, LAST)
            yield tool
        finally:
            tool.stdin.close()


class Crowd:
    """A broker with a callback of both schemes, and what is measured of it meanwhile."""

    def __init__(self, place):
        self._place, self._daemon = place, place.daemon
        self._port = free_port()
        self._logins = 0
        self.facts = {"longest login, ms": 0, "most descriptors": 0, "most memory, KiB": 0,
                      "logins": 0}

    def begin(self):
        daemon = self._daemon
        daemon.config.callback["listen"].append(f"https://localhost:{self._port}")
        daemon.with_provider("secure", self._place.provider,
                             redirect_uri=f"https://localhost:{self._port}/callback/secure")
        daemon.folder.chmod(0o711)
        self._place.start()
        _set_nice(daemon.process, FIRST)
        daemon.socket.chmod(0o666)
        self._place.grant_all()
        self._place.assert_whole()
        authority = self._place.folder / "authority.pem"
        authority.write_text(self._place.api.authority().ok()["certificate"], encoding="utf-8")
        self._trust = https.trust(authority)

    def addresses(self):
        return [self._daemon.socket, self._daemon.port, f"tls:{self._port}"]

    def log_in(self, provider):
        """A person's whole login: link, consent, callback, page."""
        begun = time.monotonic()
        self._logins += 1
        login, page = log_in(self._place.api, Person(self._trust), f"{provider}/p{self._logins}")
        took = time.monotonic() - begun
        if login["status"] != "done" or page.status != 200:
            raise Lost(f"a login by {provider} came to {login}, page {page.status}")
        self.facts["logins"] += 1
        self._greatest("longest login, ms", round(1000 * took))

    def look(self):
        pid = self._daemon.process.pid
        self._greatest("most descriptors", len(os.listdir(f"/proc/{pid}/fd")))
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            lines = dict(line.split(":", 1) for line in status)
        self._greatest("most memory, KiB", int(lines["VmHWM"].split()[0]))

    def _greatest(self, name, value):
        self.facts[name] = max(self.facts[name], value)

    def take(self, said):
        """What the honest client's program said at its end."""
        asked, failed, hung_up, median, p99, longest = map(int, said.split())
        self.facts |= {"honest requests": asked, "failed": failed, "hung up on between": hung_up,
                       "longest median, µs": median, "longest p99, µs": p99,
                       "longest answer, µs": longest}

    def take_drips(self, said, seconds):
        """What the drippers said at their end."""
        made, sent = map(int, said.split())
        self.facts |= {"connections made by drippers": made, "bytes dripped": sent}
        wanted = DRIPS * len(self.addresses()) * seconds
        if seconds >= LARGE_S and sent < DRIPS_MIN * wanted:
            raise RuntimeError(f"only {sent} of {wanted} bytes were dripped: the machine is too busy")

    def judge(self, seconds):
        facts = self.facts
        if facts["failed"] or facts["most descriptors"] > DESCRIPTORS_MAX:
            raise Lost(f"{facts}")
        p99_max = max(P99_MAX_US, BESIDE_TIMES * facts["longest p99 beside, µs"])
        if seconds >= LARGE_S and (facts["longest p99, µs"] > p99_max or
                                   facts["longest login, ms"] > 1000 * LOGIN_MAX_S or
                                   facts["most memory, KiB"] > RSS_MAX_KIB):
            raise Lost(f"{facts}")


def _honest_client(place, seconds):
    """A program that asks for a token again and again."""
    target = f"/v1/token/{place.accounts[0]}"
    probe = subprocess.Popen([TOOLS / "probe", place.daemon.socket, target, str(seconds), str(RATE)],
                             text=True, stdout=subprocess.PIPE, start_new_session=True)
    _set_nice(probe, FIRST)
    return probe


def _go_on(crowd, seconds, progress, providers):
    """Time passes: logins now and then, a look each second."""
    begun = time.monotonic()
    for second in range(seconds):
        if second % LOGIN_EVERY_S == 0:
            for provider in providers:
                crowd.log_in(provider)
        crowd.look()
        time.sleep(max(0, begun + second + 1 - time.monotonic()))
        progress(1)


def _measure(place, crowd, beside, seconds, going_on):
    with _honest_client(place, seconds) as probe, _honest_client(beside, seconds) as other:
        going_on()
        crowd.take(probe.stdout.read())
        crowd.facts["longest p99 beside, µs"] = int(other.stdout.read().split()[4])


def run(uid, providers, count, chance, progress):
    """`count` seconds; who drips has that uid, None: that of the honest client."""
    with Place(1) as place, Place(1) as beside:
        crowd = Crowd(place)
        crowd.begin()
        beside.start()
        _set_nice(beside.daemon.process, FIRST)
        beside.grant_all()
        with _dripping(crowd.addresses(), uid) as drip:
            _measure(place, crowd, beside, count,
                     partial(_go_on, crowd, count, progress, providers))
            drip.stdin.close()
            crowd.take_drips(drip.stdout.read(), count)
        crowd.judge(count)
        return crowd.facts

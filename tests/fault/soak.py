"""Everything at once, in short lives and a long one; at the end all is there."""

import contextlib
import os
import time
from collections import Counter

from harness.binaries import sanitized

from .judge import Judge
from .machine import Machine
from .mishaps import MISHAPS, happen
from .place import Clients, Lost
from .world import World

ACCOUNTS = 16
LIFETIME_S = 3
ASKED_AT_ONCE = 6
LISTEN_MAX_S = 0.12
CALM_EVERY = 12
LONG_LIFE = 3  # one in so many rounds, the last, are of one life
DESCRIPTORS_MORE_MAX = 2
MEMORY_MORE_MAX_KIB = 16 * 1024
SETTLE_S = 20


class Soak:
    """A place where one thing after the other happens, whatever the last has left."""

    def __init__(self, place, chance):
        self.place, self.chance = place, chance
        self.world = World(place)
        self.strangers = []
        self.facts = Counter()
        self._clients = Clients(place)
        self._judge = Judge(place.provider.ledger.path)
        self._first_calm = None  # descriptors and memory of this life
        self._story = []

    def begin(self):
        self.place.start()
        self.place.grant_all()
        self.calm()

    def ask(self):
        self._clients.ask(self.chance.sample(self.place.accounts, ASKED_AT_ONCE))

    def listen(self, seconds):
        self._clients.listen(time.monotonic() + seconds)

    def expect(self, account):
        """A consent for this one was acknowledged: it has to be there from now on."""
        if account not in self.place.accounts:
            self.place.accounts.append(account)

    def round(self, mishap):
        self._story = [*self._story[-5:], mishap.name]
        self.ask()
        happen(self, mishap)
        self.facts[mishap.name] += 1
        if mishap.ends_life:
            self._clients.hang_up()
            self._live_again()
        elif not self.place.daemon.running:
            raise Lost(f"it is dead: {self._told()}\n{self.place.daemon.log()[-4000:]}")
        self.listen(self.chance.uniform(0, LISTEN_MAX_S))
        self._read()

    def _live_again(self):
        self.place.assert_sound()
        self.place.start()
        self._first_calm = None

    def _told(self):
        return f"{self.place.folder}: {', '.join(self._story)}; {self.world}"

    def _read(self):
        self._judge.read()
        if self._judge.losses:
            raise Lost(f"{self._told()}: {self._judge.losses[0]}")

    # Now and then nothing happens

    def calm(self):
        """No fault is left: every account answers, and the broker has let go of what it held."""
        self._no_consent_required()
        self.place.provider.clear_faults()
        for one in self.strangers:
            one.close()
        self.strangers.clear()
        self._clients.hang_up()
        self.place.api.retry()
        try:
            self.place.assert_whole(meanwhile=self.place.api.retry)
        except Lost as lost:
            raise Lost(f"{lost}: {self._told()}") from lost
        self._await_all_active()
        self._read()
        self._has_let_go()

    def _no_consent_required(self):
        """None was given up: nobody refused it for hours."""
        for one in self._odd_accounts():
            if one["state"] != "suspect":
                raise Lost(f"{self._told()}: {one}")

    def _await_all_active(self):
        """What was in the air when all became calm may still be refused, and rests longer than anybody
        waits here: it is tried again as a person would have it."""
        deadline = time.monotonic() + SETTLE_S
        while odd := self._odd_accounts():
            if time.monotonic() > deadline:
                raise Lost(f"{self._told()}: {odd[0]}")
            for one in odd:
                self.place.api.retry(one["account"])
            self.place.assert_whole(accounts=[one["account"] for one in odd])

    def _odd_accounts(self):
        return [one for one in self.place.api.accounts().ok()["accounts"]
                if one["state"] != "active"]

    def _has_let_go(self):
        """As many descriptors, and not much more memory, than when this life was first calm."""
        deadline = time.monotonic() + SETTLE_S
        while True:
            used = self._used()
            if not self._first_calm:
                self._first_calm = used
            more = [now - first for now, first in zip(used, self._first_calm)]
            if more[0] <= DESCRIPTORS_MORE_MAX and more[1] <= MEMORY_MORE_MAX_KIB:
                break
            if time.monotonic() > deadline:
                raise Lost(f"{more[0]} descriptors and {more[1]} KiB more: {self._told()}")
            time.sleep(0.2)
        for name, value in zip(("most descriptors gained", "most KiB gained"), more):
            self.facts[name] = max(self.facts[name], value)

    def _used(self):
        """(descriptors, resident KiB); a sanitizer keeps what was freed: its memory tells nothing."""
        folder = f"/proc/{self.place.daemon.process.pid}"
        with open(folder + "/status", encoding="ascii") as status:
            [line] = [line for line in status if line.startswith("VmRSS:")]
        return self._descriptors(folder), 0 if sanitized() else int(line.split()[1])

    def _descriptors(self, folder):
        """Without the connections to the provider, of which some are kept for the next time."""
        port = f":{int(self.place.provider.url.rpartition(':')[2]):04X}"
        with open(folder + "/net/tcp", encoding="ascii") as table:
            lines = [line.split() for line in table]
        kept = {f"socket:[{line[9]}]" for line in lines if line[2].endswith(port)}
        held = 0
        for one in os.listdir(folder + "/fd"):
            with contextlib.suppress(FileNotFoundError):
                held += os.readlink(f"{folder}/fd/{one}") not in kept
        return held

    def end(self):
        self.calm()
        self.place.daemon.stop()
        self.place.disk.check()
        self.place.assert_sound()
        self.facts.update(self.place.found)
        return dict(self.facts) | {"lives": self.place.lives, "rotations": self._judge.rotations,
                        "asked again": self._judge.again}


def run(count, chance, progress):
    """`count` mishaps; the last third does not end the broker's life."""
    possible = [mishap for mishap in MISHAPS if not mishap.missing()]
    outlasted = [mishap for mishap in possible if not mishap.ends_life]
    with Machine(ACCOUNTS, chance, lifetime=LIFETIME_S, rotation="revoke-on-first-use") as place:
        soak = Soak(place, chance)
        soak.begin()
        for number in range(1, count + 1):
            these = possible if number <= count - count // LONG_LIFE else outlasted
            [mishap] = chance.choices(these, [one.often for one in these])
            soak.round(mishap)
            if number % CALM_EVERY == 0:
                soak.calm()
            progress(1)
        return soak.end()

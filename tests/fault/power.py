"""The power is cut: what was acknowledged is there, whatever became of what was not synced."""

import contextlib
import http.client
import json
from collections import Counter

from harness.person import Person
from provider.ledger import fingerprint

from .beginnings import Beginning
from .kill9 import ACCOUNTS, LIFETIME_S, MODES, Killing
from .machine import Errand, Machine
from .place import user_of
from .restoring import Restoring
from .witness import Witness

OPERATIONS_MAX = 60  # of a life: within so many the fuse blows
SOON_MAX = 20  # of what was just asked
ENDING_MAX = 50  # of a clean end
ENDING_S = 1
CHECKPOINT_MAX = 10  # its operations: pages, their sync
SOFT, STOPPED = 0.15, 0.45  # shares of lives that end without a cut, or with one in their own end
REKEYED, LOGGED = 0.4, 0.2  # shares of lives with a rekey, with a login
IMPORTED, LOGGED_IN = 12, 6  # so many accounts come and go
REFRESHED = 4  # by hand, in each life
OBSERVED = ("revoke-on-first-use", "grace")  # the provider tells a token that was lost


class Serving:
    """Many accounts rotate; others come and go; now and then the store is sealed anew."""

    def __init__(self, place, chance):
        self._place, self._chance = place, chance
        self._witness = Witness(place)
        self._killing = Killing(place, False, chance, self._fall)
        self._errands, self._number = [], 0

    def run(self, count, progress):
        self._killing.begin()
        progress(self._place.cuts)
        for account in self._place.accounts:
            self._witness.expect(user_of(account))
        self._place.deeds = self._do
        while self._place.cuts < count:
            self._arm(OPERATIONS_MAX)
            before = self._place.cuts
            self._killing.kill()
            progress(self._place.cuts - before)
            self._learn()
        self._place.deeds = lambda: None
        facts = self._killing.end()
        self._place.assert_whole(accounts=self._witness.accounts)
        return facts

    def _arm(self, most):
        """Every other life ends at an operation, the others at a moment."""
        self._place.arm(self._chance.randrange(1, most) if self._chance.random() < 0.5 else 0)

    def _arm_soon(self):
        """So that the power is cut in the midst of what is asked now."""
        if self._chance.random() < 0.5:
            self._place.arm(self._chance.randrange(1, SOON_MAX))

    def _arm_checkpoint(self):
        """The first write of one is done."""
        self._place.arm(0, self._chance.randrange(2, CHECKPOINT_MAX))

    # What is done in a life

    def _do(self):
        self._errands = []
        with contextlib.suppress(OSError, http.client.HTTPException):  # it may die in the midst
            self._import()
            if self._chance.random() < 0.5:
                self._forget()
            if self._chance.random() < REKEYED:
                self._arm_soon()
                self._ask("POST", "/v1/rekey")
            if self._chance.random() < LOGGED:
                self._log_in()
            for account in self._chance.sample(self._place.accounts, REFRESHED):
                self._ask("POST", f"/v1/refresh/{account}")

    def _ask(self, *request, then=lambda: None):
        self._errands.append((Errand(self._place, *request), then))

    def _import(self):
        self._number += 1
        label = f"i{self._number % IMPORTED}"
        [token] = self._place.provider.seed(label).values()
        self._witness.forget(label)
        self._ask("PUT", f"/v1/accounts/plain/{label}", json.dumps({"refresh_token": token}),
                  then=lambda: self._witness.expect(label, fingerprint(token)))

    def _forget(self):
        label = f"i{self._chance.randrange(IMPORTED)}"
        if label == f"i{self._number % IMPORTED}":
            return  # it is being imported
        self._witness.forget(label)
        self._chance.choice((self._arm_soon, self._arm_checkpoint))()
        self._ask("DELETE", f"/v1/accounts/plain/{label}",
                  then=lambda: self._witness.forget(label, True))

    def _log_in(self):
        """By paste: the code's exchange is under way."""
        label = f"e{self._chance.randrange(LOGGED_IN)}"
        login = self._place.api.login(f"plain/{label}").ok()
        address = Person().decide(login["start_url"])
        self._arm_soon()
        self._ask("POST", f"/v1/logins/{login['login_id']}", json.dumps({"redirect": address}),
                  then=lambda: self._witness.expect(label))

    # Its end

    def _fall(self):
        """Most lives end with the power; the programs' own end may be what it cuts off."""
        way = self._chance.random()
        if way < SOFT and not self._place.armed:
            self._place.end_softly()
        elif way < SOFT + STOPPED:
            if self._chance.random() < 0.5:
                self._place.arm(self._chance.randrange(1, ENDING_MAX))
            else:
                self._arm_checkpoint()
            self._place.ask_to_stop()
            self._place.cut(ENDING_S)
        else:
            self._place.cut()

    def _learn(self):
        for errand, then in self._errands:
            if errand.done():
                self._place.found["acknowledged changes"] += 1
                then()
        self._errands = []
        contents = self._place.look()
        self._place.found["cut in a rekey"] += bool(contents.facts.get("rekey"))
        self._witness.judge(contents, self._killing.seen)


def begin(count, chance, progress, lie=""):
    """Cuts in, or soon after, a first start."""
    with Machine(0, chance, lie) as place:
        Beginning(place, chance).run(count, progress)
        return place.found


def restore(count, chance, progress, lie=""):
    """Cuts while a store is made of a backup."""
    with Machine(0, chance, lie) as place:
        Restoring(place, chance).run(count, progress)
        return place.found


def serve(count, chance, progress, lie=""):
    """Cuts in a life that is long over its first start."""
    dialect = MODES[chance.choice(OBSERVED)]
    with Machine(ACCOUNTS, chance, lie, lifetime=LIFETIME_S, **dialect) as place:
        facts = Serving(place, chance).run(count, progress)
        return place.found + Counter(facts)


def run(count, chance, progress):
    """`count` cuts: every fourth is in a beginning, every twelfth in a restore."""
    first, restored = 2 * (count // 8), count // 12  # the first come in pairs
    return dict(begin(first, chance, progress) + restore(restored, chance, progress)
                + serve(count - first - restored, chance, progress))

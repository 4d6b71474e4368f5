"""kill -9 at random moments while many accounts rotate."""

import time

from .judge import Judge
from .place import Clients, Lost, Place

ACCOUNTS = 32
LIFETIME_S = 1  # each token is refreshed after half of it
LIFE_MAX_S = 0.16
ASKED_AT_ONCE = 8
WHOLE_S = 60
GRACE_S = 10

MODES = {
    "revoke-on-first-use": {"rotation": "revoke-on-first-use"},
    "grace": {"rotation": "grace", "grace": GRACE_S},
    "strict": {"rotation": "strict"},
    "family": {"rotation": "grace", "grace": GRACE_S, "kill_family_on_reuse": True},
    "access": {"rotation": "revoke-on-first-use", "refresh_kills_access": True},
}


class Killing:
    """A place where one kill after the other falls; what falls is daemon.kill(), or more than that."""

    def __init__(self, place, strict, chance, fall=None):
        self.place, self._chance = place, chance
        self._fall = fall or place.daemon.kill
        self._clients = Clients(place)
        self.judge = Judge(place.provider.ledger.path, strict)
        self._killed_at = {}
        self._refused = set()

    @property
    def seen(self):
        """The access tokens that left the broker."""
        return self._clients.seen

    def begin(self):
        """Every account has a grant; the broker is down."""
        self.place.start()
        self.place.grant_all()
        self._die()

    def kill(self):
        """A start, a short life, a death."""
        self.place.start()
        self._consent_again()
        asked = self._chance.sample(self.place.accounts, ASKED_AT_ONCE)
        self._clients.ask(asked)
        self._clients.listen(time.monotonic() + self._chance.uniform(0, LIFE_MAX_S))
        self._die()
        self._clients.hang_up()
        self._read()

    def _die(self):
        self._killed_at[self.place.life] = time.time()
        self._fall()

    def end(self):
        """The broker lives on: every account is whole, or its loss is accounted for."""
        self.place.assert_sound()
        self.place.start()
        self.place.assert_whole(WHOLE_S, self._mend)
        self._read()
        facts = {"rotations": self.judge.rotations, "asked again": self.judge.again}
        exposed = [one["exposed_s"] for one in self.judge.residue]
        if exposed:
            facts |= {"residue": len(exposed), "longest exposure, ms": round(1000 * max(exposed))}
        return facts

    def _mend(self):
        self._read()
        self._consent_again()

    def _read(self):
        self._refused |= self.judge.read(self._clients.seen, self._killed_at)
        if self.judge.losses:
            raise Lost(f"{self.place.folder}: {self.judge.losses[0]}")

    def _consent_again(self):
        """What a strict provider had refused: the person comes and consents."""
        for user in self._refused:
            token = self.place.provider.seed(user)[user]
            self.place.api.import_grant(f"plain/{user}", refresh_token=token).ok()
        if self._refused:
            self.place.api.retry()  # several refused in a row let it pause the provider
            self._refused = set()


def run(mode, count, chance, progress):
    """`count` kills; returns the facts of the run."""
    with Place(ACCOUNTS, lifetime=LIFETIME_S, **MODES[mode]) as place:
        if mode == "access":
            place.daemon.config.providers["plain"]["refresh_kills_access"] = "yes"
        killing = Killing(place, mode == "strict", chance)
        killing.begin()
        for _ in range(count):
            killing.kill()
            progress(1)
        return killing.end()

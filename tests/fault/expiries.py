"""Many clients ask at the same moment for a token that has ended: one refresh, one token for all."""

import subprocess

from harness import later
from harness.binaries import BUILD
from harness.later import DAY, restart_later
from provider.ledger import fingerprint

from .place import Lost, Place

HERD = BUILD / "tests" / "fault" / "herd"
CLIENTS = 500
ACCOUNTS = 25
SLEEP_S = 2 * DAY  # whoever was not asked for is not refreshed before somebody asks
DELAYS_S = (0, 0, 0.02, 0.1)  # until the provider answers, one of them by chance

missing = later.missing


class Herd:
    """The clients of one life of the broker; a context."""

    def __init__(self, place):
        self._place = place
        self._tool = subprocess.Popen([HERD, place.daemon.socket, str(CLIENTS)], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._tool.stdin.close()
        self._tool.stdout.close()
        self._tool.wait()

    def ask(self, account):
        """All ask at once; returns the fingerprint of the one token that all of them got."""
        self._tool.stdin.write(account + "\n")
        self._tool.stdin.flush()
        said = self._tool.stdout.readline().split()
        if said[:2] != [str(CLIENTS), "1"]:
            raise Lost(f"{account}: of {CLIENTS} clients, answered, with different tokens: {said[:2]}")
        return fingerprint(said[2])


def _judge(place, before, account, mark):
    """One request since then, and its token is what everybody got."""
    lines = place.provider.ledger.token_requests()[before:]
    issued = place.provider.ledger.refreshes(access=mark)
    if len(lines) != 1 or len(issued) != 1:
        raise Lost(f"{account}: {len(lines)} token requests: {lines}; issued: {issued}")


def _expire(place, account, herd, chance):
    before = len(place.provider.ledger.token_requests())
    place.provider.clear_faults()
    if delay := chance.choice(DELAYS_S):
        place.provider.fault("delay", times=1, seconds=delay)
    _judge(place, before, account, herd.ask(account))


def _wake(place, number, accounts, chance, progress):
    """The machine has slept until every token had ended; then all come at once, for each account."""
    restart_later(place.daemon, SLEEP_S * number)
    with Herd(place) as herd:
        for account in accounts:
            _expire(place, account, herd, chance)
            progress(1)


def run(count, chance, progress):
    """`count` expiries, of many accounts one after the other, each seen by all clients."""
    with Place(min(ACCOUNTS, count)) as place:
        place.daemon.config.providers["plain"]["keep"] = "asked"
        place.start()
        place.grant_all()
        place.assert_whole()
        first = len(place.provider.ledger.token_requests())
        for number, done in enumerate(range(0, count, ACCOUNTS), 1):
            _wake(place, number, place.accounts[:count - done], chance, progress)
        total = len(place.provider.ledger.token_requests()) - first
        if total != count:
            raise Lost(f"{total} token requests for {count} expiries")
        return {"clients answered": count * CLIENTS, "token requests": total}

"""Replies that are lost or late on their way after the provider has spent the refresh token."""

import time

from .judge import Judge
from .place import Clients, Lost, Place, user_of

GRACE_S = 10
AT_ONCE = 10
PATIENCE_S = 120
BY_HAND_S = 1.1  # so seldom an account is refreshed by hand
DELAY_S = 3

# What becomes of the reply; each of a round's accounts has one of these, once.
QUICK = ("drop", "reset", "truncate", "delay-after")
WAYS = {"quick": QUICK, "drip": ("drip",), "hold": ("hold-after",)}


def _harm(place, modes, chance):
    """Orders a fault for each account; returns which."""
    place.provider.clear_faults()
    chosen = {user_of(account): chance.choice(modes) for account in place.accounts}
    for user, mode in chosen.items():
        place.provider.fault(mode, users=[user], times=1, seconds=DELAY_S)
    return chosen


def _recovered(place, before):
    """Waits until every account has a newer token than before; nobody does anything for that."""
    deadline = time.monotonic() + PATIENCE_S
    for account in place.accounts:
        while place.api.account(account).ok()["generation"] <= before[account]:
            if time.monotonic() > deadline:
                raise Lost(f"{account}: {place.api.account(account).text}")
            time.sleep(0.1)


def _generations(place):
    return {account: place.api.account(account).ok()["generation"] for account in place.accounts}


def run(way, count, chance, progress):
    """`count` lost replies, of many accounts at once; every account recovers unattended."""
    with Place(min(AT_ONCE, count), rotation="grace", grace=GRACE_S) as place:
        place.daemon.config.providers["plain"]["retry_grace"] = f"{GRACE_S}s"
        place.start()
        place.grant_all()
        place.assert_whole()
        judge, done = Judge(place.provider.ledger.path), 0
        while done < count:
            time.sleep(BY_HAND_S)
            before = _generations(place)
            _harm(place, WAYS[way], chance)
            clients = Clients(place)
            clients.ask(place.accounts, "POST /v1/refresh/{} HTTP/1.1\r\n")
            _recovered(place, before)
            clients.hang_up()
            done += len(place.accounts)
            progress(len(place.accounts))
            judge.read()
            if judge.losses:
                raise Lost(f"{place.folder}: {judge.losses[0]}")
        place.provider.clear_faults()
        place.assert_whole()
        return {"rotations": judge.rotations, "asked again": judge.again}

"""Requests of somebody who may not have a token, while the numbers of processes change hands."""

import os

from harness import cgroups
from harness.churn import churn

from .place import Lost, Place

STRANGER = 61234
AT_ONCE = 500  # then the bench hears of it

missing = cgroups.missing


def _rules(daemon):
    """A unit may, whoever runs it; root does the rest."""
    daemon.config.access["root"] = {"accounts": ["*/*"], "who": ["user:0"], "may": ["admin"]}
    daemon.config.access["unit"] = {"accounts": ["plain/*"], "who": ["unit:tbtest-sync.service"],
                                    "may": ["token"]}
    daemon.folder.chmod(0o711)


def _judge(done):
    if done["tokens"] or done["refused"] != done["asked"]:
        raise Lost(f"not all were refused: {done}")
    if not done["numbers"]:
        raise Lost("the attack was not under way: no number was taken over")


def run(count, chance, progress):
    """`count` requests. Who connects has gone when the request comes, and a process of the unit has its
    number."""
    with Place(1) as place, cgroups.made() as make:
        unit = make(f"tbtest{os.getpid()}.slice/tbtest-sync.service")
        _rules(place.daemon)
        place.start()
        place.daemon.socket.chmod(0o666)
        place.grant_all()
        place.assert_whole()
        taken = 0
        for begin in range(0, count, AT_ONCE):
            done = churn(place.daemon.socket, place.accounts[0], STRANGER, unit,
                         min(AT_ONCE, count - begin))
            _judge(done)
            taken += done["numbers"]
            progress(done["asked"])
        return {"tokens": 0, "numbers of processes taken over": taken}

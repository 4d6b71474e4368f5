"""The kinds of faults, what each promises, and how much of it a quick run does."""

from dataclasses import dataclass
from functools import partial
from typing import Callable

from . import (canaries, churn, clock, copies, crowd, drops, expiries, kill9, order, power, soak,
               syscalls, walks)
from .place import needs_root


@dataclass(frozen=True)
class Kind:
    name: str
    what: str  # one of its count
    promise: str
    run: Callable  # (count, chance, progress) → facts; raises where the promise is broken
    share: int  # how many of them one broker goes through
    quick: int  # the count of a run among the other tests
    wanted: int = 0  # so many, at least, before anybody is told to rely on it
    missing: Callable = lambda: ""  # why it cannot be done here, or ""
    parted: bool = False  # a share is told, as `part`, which of how many it is: what is done once in all is parted


ALL = 1_000_000  # more than there are: one broker goes through all of them, once
HOUR_S = 3600
PART = 2500  # points of a walk, at most, for one broker
_STRICT = "lost only where the kill cut off the one reply of a strict provider, never what anyone saw"

_ORDERLY = "goes on or ends in order: no crash, hang or leak, no grant lost"
_FAILS = {  # a walk of walks.py: in words, and so many calls of it in a quick run
    "start": ("a start", 8), "stop": ("a stop", 6), "refresh": ("a refresh", 20),
    "exchange": ("a login", 20), "import": ("an import", 20), "rekey": ("a rekey", 6),
    "backup": ("a backup", 12),
    "reload": ("a reload", 12), "requests": ("lists, health, metrics, audit", 20),
    "hook": ("a revoked grant and its hook", 20), "command": ("`tokenbroker token`", 12),
}

KINDS = {kind.name: kind for kind in (
    Kind("kill-revoke", "kill -9", "no grant lost", partial(kill9.run, "revoke-on-first-use"), 250, 40,
         10_000),
    Kind("kill-grace", "kill -9", "no grant lost", partial(kill9.run, "grace"), 250, 20, 10_000),
    Kind("kill-family", "kill -9, at a provider that revokes all of a grant when a spent refresh token "
         "is shown after 10 s", "no grant lost", partial(kill9.run, "family"), 250, 12, 1000),
    Kind("kill-access", "kill -9, at a provider where a refresh ends the old access token",
         "no grant lost", partial(kill9.run, "access"), 250, 12, 1000),
    Kind("kill-strict", "kill -9", _STRICT, partial(kill9.run, "strict"), 250, 20, 10_000),
    Kind("calls-refresh", "kill before and after every system call of a refresh",
         "no grant lost, the store sound", partial(syscalls.run, "refresh"), ALL, 6,
         missing=needs_root),
    Kind("calls-exchange", "kill before and after every system call of a code's exchange",
         "what was told to be done is there, no grant lost, the store sound",
         partial(syscalls.run, "exchange"), ALL, 8, missing=needs_root),
    Kind("power", "power cuts: what was not synced is lost, torn or out of order",
         "no acknowledged commit lost, the store sound", power.run, 60, 30, 1000),
    Kind("drops", "reply lost, cut, reset or late after the provider has spent the token",
         "recovered unattended within a grace of 10 s", partial(drops.run, "quick"), 100, 20, 1000),
    Kind("drips", "reply of one byte a second, the token spent",
         "recovered unattended within a grace of 10 s", partial(drops.run, "drip"), 40, 2),
    Kind("expiries", "a token's end, with 500 clients that ask at once",
         "one token request, and its token for all", expiries.run, 250, 10, 1000,
         expiries.missing),
    Kind("order", "traced grant, by refresh or code",
         "on the disk before the first byte of it is sent to anybody", order.run, 250, 12, 1000,
         missing=needs_root),
    Kind("churn", "request of a uid that may not, its process's number taken over by one that may",
         "no token", churn.run, 25_000, 500, 100_000, churn.missing),
    Kind("crowd", "second with 1,000 connections of another user dripping on each server",
         "honest clients' p99 under 10 ms, logins go through, descriptors and memory bounded",
         partial(crowd.run, crowd.STRANGER, ("plain", "secure")), HOUR_S, 5, 600,
         needs_root),
    Kind("crowd-own", "second with 1,000 connections of the same user dripping on each server",
         "honest clients' p99 under 10 ms, logins by http go through, all bounded",
         partial(crowd.run, None, ("plain",)), HOUR_S, 5, 600),
    Kind("canaries", "life of a broker, after which all its secrets are looked for: log at debug "
         "level, store, write-ahead log, backups, /proc of it and of what it starts",
         "none is found, encoded neither", canaries.run, 25, 2, 100),
    Kind("backup", "kill -9 while `tokenbroker backup` copies the store",
         "the file is whole or not there, no grant lost", copies.backups, 60, 6, 300),
    Kind("move", "kill -9 while `tokenbroker move` copies the store for another broker",
         "never two that refresh, no grant lost", copies.moves, 60, 6, 300),
    Kind("clock", "step of the wall clock, suspend, restart or reboot",
         "no ended or rejected token served, what is due refreshed soon and once, no grant lost",
         clock.run, 60, 24, 1000),
    Kind("soak", "fault of any kind, among all the others",
         "no grant lost, nobody asked to consent again, the store sound, descriptors and memory bounded",
         soak.run, 120, 24, 2000),
    *(Kind(f"fail-{name}", f"{what}, with one allocation or one call of the system failing",
           _ORDERLY, partial(walks.run, name), PART, quick, parted=True)
      for name, (what, quick) in _FAILS.items()),
    Kind("fail-strict", "a refresh at a strictly single-use provider, with one allocation or one call of "
         "the system failing", _ORDERLY + " but where receiving the one reply failed",
         partial(walks.run, "strict"), PART, 12, parted=True),
)}

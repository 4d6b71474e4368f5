"""Runs a kind of fault in several processes side by side and adds up what they found."""

import multiprocessing
import queue
import random
import time
import traceback
from dataclasses import dataclass, field

PATIENCE_S = 0.2
# A fact whose name begins so is the greatest, or the least, of all runs, not the sum.
MAXIMA, MINIMA = ("longest", "most"), ("least",)


@dataclass
class Outcome:
    """What became of a run. `count` is what was really done, of `wanted`."""

    kind: str
    wanted: int
    seed: int
    count: int = 0
    seconds: float = 0
    facts: dict = field(default_factory=dict)
    losses: list = field(default_factory=list)

    def add(self, facts):
        """Numbers add up; maxima and minima stay."""
        self.facts = together(self.facts, facts)


def together(facts, more):
    """The facts of runs, and of another one."""
    how = {name: max if name.startswith(MAXIMA) else min if name.startswith(MINIMA) else int.__add__
           for name in more}
    return facts | {name: how[name](facts[name], value) if name in facts else value
                    for name, value in more.items()}


class _Shares:
    """How many of each share, together `count`; processes take one after the other."""

    def __init__(self, context, count, size):
        self._sizes = [min(size, count - begin) for begin in range(0, count, size)]
        self._next = context.Value("q", 0)

    def __len__(self):
        return len(self._sizes)

    def take(self):
        """(number, how many), or None when none is left."""
        with self._next.get_lock():
            number = self._next.value
            self._next.value += 1
        return (number, self._sizes[number]) if number < len(self) else None

    def end(self):
        self._next.value = len(self)


def _work(kind, shares, seed, said):
    """One process: share after share until none is left."""
    while taken := shares.take():
        number, share = taken
        try:
            facts = kind.run(share, random.Random(f"{seed}/{number}"),
                             lambda count: said.put(("progress", count)),
                             **({"part": (number, len(shares))} if kind.parted else {}))
            said.put(("facts", facts))
        except Exception as error:  # whatever it is, it is no pass
            said.put(("lost", f"share {number}: {error or repr(error)}\n{traceback.format_exc()}"))
    said.put(("over", None))


def run_kind(kind, count, jobs, seed, tell=lambda outcome: None, until=None):
    """`tell` is called as it goes on; no share is begun after `until` (of the monotonic clock)."""
    context = multiprocessing.get_context("fork")
    shares, said = _Shares(context, count, kind.share), context.Queue()
    outcome, begun = Outcome(kind.name, count, seed), time.monotonic()
    jobs = min(jobs, len(shares))
    workers = [context.Process(target=_work, args=(kind, shares, seed, said))
               for _ in range(jobs)]
    for worker in workers:
        worker.start()
    over = 0
    while over < jobs:
        if until and time.monotonic() > until:
            shares.end()
        over += _hear(said, workers, outcome)
        outcome.seconds = time.monotonic() - begun
        tell(outcome)
    for worker in workers:
        worker.join()
    return outcome


def _hear(said, workers, outcome):
    """Takes one thing that a worker said; returns how many have come to their end with it."""
    try:
        what, value = said.get(timeout=PATIENCE_S)
    except queue.Empty:
        if not any(worker.is_alive() for worker in workers):
            raise RuntimeError("the workers are gone") from None
        return 0
    if what == "progress":
        outcome.count += value
    elif what == "facts":
        outcome.add(value)
    elif what == "lost":
        outcome.losses.append(value)
    return what == "over"

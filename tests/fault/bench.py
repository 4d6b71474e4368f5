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


def _work(kind, shares, parts, seed, said):
    """One process: share after share until none is left."""
    while True:
        try:
            number, share = shares.get_nowait()
        except queue.Empty:
            said.put(("over", None))
            return
        try:
            facts = kind.run(share, random.Random(f"{seed}/{number}"),
                             lambda count: said.put(("progress", count)),
                             **({"part": (number, parts)} if kind.parted else {}))
            said.put(("facts", facts))
        except Exception as error:  # whatever it is, it is no pass
            said.put(("lost", f"share {number}: {error or repr(error)}\n{traceback.format_exc()}"))


def _shares(count, size):
    """(number, how many) for each, together `count`."""
    return [(number, min(size, count - begin))
            for number, begin in enumerate(range(0, count, size))]


def run_kind(kind, count, jobs, seed, tell=lambda outcome: None, until=None):
    """`tell` is called as it goes on; no share is begun after `until` (of the monotonic clock)."""
    context = multiprocessing.get_context("fork")
    shares, said = context.Queue(), context.Queue()
    waiting = _shares(count, kind.share)
    outcome, begun = Outcome(kind.name, count, seed), time.monotonic()
    jobs = min(jobs, len(waiting))
    for share in waiting:
        shares.put(share)
    time.sleep(PATIENCE_S)  # a queue is filled by a thread
    workers = [context.Process(target=_work, args=(kind, shares, len(waiting), seed, said))
               for _ in range(jobs)]
    for worker in workers:
        worker.start()
    over = 0
    while over < jobs:
        if until and time.monotonic() > until:
            _empty(shares)
        over += _hear(said, workers, outcome)
        outcome.seconds = time.monotonic() - begun
        tell(outcome)
    for worker in workers:
        worker.join()
    return outcome


def _empty(shares):
    try:
        while True:
            shares.get_nowait()
    except queue.Empty:
        pass


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

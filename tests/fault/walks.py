"""Every allocation and every I/O call of one thing that the broker does fails once."""

from harness.binaries import sanitized

from .place import Lost, Place
from .trial import Trial
from .walked import WALKS

MANNERS = 12  # a multiple of how many errors may befall any call
COUNTED = 5  # times that its calls are counted, once it is warm
TRIES = 12  # for a point that does not come each time: threads take turns as they like


def try_one(walk, wanted, manner, kinds=3):
    """The wanted call fails; returns the Point."""
    walk.prepare()
    walk.failing.arm(wanted, manner, kinds)
    try:
        walk.act()
        point = walk.failing.disarm()
        if wanted == 0 and not walk.done():
            raise RuntimeError("it does not even go right where nothing fails")
        walk.judge()
    except Exception as error:
        raise Lost(f"{type(error).__name__}: {error}\ncall {wanted}, manner {manner}: "
                   f"{walk.failing.disarm()}") from error
    return point


class Points:
    """Of the points of a walk, every so many-th, to the end. Where that is depends on how threads take
    turns, and on how long a broker has run: it is counted at the beginning, and where a point is missed."""

    def __init__(self, walk, chance, progress):
        self._walk, self._chance, self._progress = walk, chance, progress
        self._calls = set()
        try_one(walk, 0, 0)
        self._total = self._counted()
        self._there, self._failed = 0, 0

    def _counted(self):
        return sorted(try_one(self._walk, 0, 0).seen for _ in range(COUNTED))[COUNTED // 2]

    def _fails(self, wanted):
        point = try_one(self._walk, wanted, self._chance.randrange(MANNERS))
        if not point.what:
            return False
        self._calls.add(point.what)
        self._failed += 1
        self._progress(1)
        return True

    def go(self, count, part):
        """This part's of them, about `count`, evenly."""
        number, parts = part
        own = range(1 + number, self._total + 1, parts)
        step = max(1, -(-len(own) // count))
        wanted, end = own.start + parts * self._chance.randrange(step), 0
        while True:
            if any(self._fails(wanted) for _ in range(TRIES)):
                end = wanted
            elif wanted > (total := self._counted()):
                break
            wanted += parts * step
        self._there = len(range(own.start, max(end, total) + 1, parts))

    def facts(self, leaks=False):
        """The share is rounded down; a part without points has missed none. Points that failed where
        `leaks` are looked for are told apart: such a build is slower and calls other things."""
        if leaks:
            return {"points where leaks were looked for": self._failed}
        return {"points": self._there,
                "least share of them failed, %": 100 * self._failed // self._there if self._there else 100,
                "most different calls": len(self._calls)}


def run(name, count, chance, progress, part=(0, 1)):
    """Each call in turn, or, where there are more than `count`, so many of them, evenly; of all that
    is walked in several parts, this one (its number, how many)."""
    with Place(1, rotation="revoke-on-first-use") as place:
        trial = Trial(place)
        trial.begin()
        walk = WALKS[name](trial)
        walk.begin()
        points = Points(walk, chance, progress)
        points.go(count, part)
        if trial.daemon.process.poll() is not None:
            place.start()
        if sanitized():
            trial.restart()  # only an end in order tells what was left behind
        trial.assert_all_kept(walk.refusals)
        return points.facts(sanitized()) | walk.facts()

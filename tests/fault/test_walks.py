"""A walk reaches every point that there is, alone or in parts, and tells how many it has not."""

import random

import pytest
from harness.binaries import sanitized

from fault.failing import Failing, Point
from fault.place import Lost
from fault.walks import COUNTED, Points, run

CALLS = 50


class Thing:
    """A walk of so many calls, in which some are never there and some only now and then."""

    def __init__(self, calls=CALLS, never=(), seldom=()):
        self.failing = self
        self._calls, self._never, self._seldom = calls, never, seldom
        self._wanted, self._tries, self.failed = 0, 0, []
        self.counts = []

    def arm(self, wanted, _manner, _kinds):
        self._tries = self._tries + 1 if wanted == self._wanted else 1
        self._wanted = wanted

    def disarm(self):
        comes = 0 < self._wanted <= self._calls and self._wanted not in self._never and \
            (self._wanted not in self._seldom or self._tries > 2)
        if comes:
            self.failed.append(self._wanted)
        seen = self.counts.pop() if self.counts else self._calls
        return Point(seen, "malloc" if comes else None, 0, "")

    def prepare(self):
        pass

    def act(self):
        pass

    def done(self):
        return True

    def judge(self):
        pass


def walked(thing, count=10_000, parts=1):
    facts = []
    for number in range(parts):
        points = Points(thing, random.Random(number), lambda _: None)
        points.go(count, (number, parts))
        facts.append(points.facts())
    return facts


@pytest.mark.parametrize("parts", [1, 3, CALLS + 2])
def test_every_point_is_reached_once(parts):
    thing = Thing()
    facts = walked(thing, parts=parts)
    assert sorted(thing.failed) == list(range(1, CALLS + 1))
    assert sum(one["points"] for one in facts) == CALLS
    assert all(one["least share of them failed, %"] == 100 for one in facts)


def test_what_is_seldom_there_is_tried_again():
    thing = Thing(seldom=range(1, CALLS + 1, 3))
    assert walked(thing)[0]["least share of them failed, %"] == 100
    assert len(thing.failed) == CALLS


def test_what_is_never_there_is_told():
    assert walked(Thing(never=range(10, 15)))[0]["least share of them failed, %"] == \
        100 * (CALLS - 5) // CALLS


def test_the_walk_goes_on_behind_what_was_counted():
    thing = Thing()
    points = Points(thing, random.Random(0), lambda _: None)
    thing._calls += COUNTED
    points.go(CALLS, (0, 1))
    assert points.facts()["points"] == CALLS + COUNTED == len(thing.failed)


def test_the_end_is_where_it_is_when_the_walk_comes_there():
    thing = Thing()
    thing.counts = (1 + COUNTED) * [CALLS + 20]
    facts = walked(thing)[0]
    assert facts["least share of them failed, %"] == 100
    assert facts["points"] == CALLS == len(thing.failed)


def test_a_small_count_is_spread_and_told():
    thing = Thing()
    facts = walked(thing, count=5)[0]
    assert facts["points"] == CALLS and facts["least share of them failed, %"] == 10
    assert max(thing.failed) - min(thing.failed) == 40


def test_points_where_leaks_are_looked_for_are_told_apart():
    points = Points(Thing(), random.Random(0), lambda _: None)
    points.go(CALLS, (0, 1))
    assert points.facts(leaks=True) == {"points where leaks were looked for": CALLS}


@pytest.mark.skipif(not sanitized(), reason="it wants a build with sanitizers")
def test_what_is_left_behind_where_a_call_fails_is_a_loss(monkeypatch):
    told = Failing.environment
    monkeypatch.setattr(Failing, "environment", lambda self: told(self) | {"FAILING_LEAKS": "1"})
    with pytest.raises(Lost, match="LeakSanitizer"):
        run("requests", 3, random.Random(1), lambda _: None)

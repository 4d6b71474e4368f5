"""The time as it is, which the provider has, and what a machine with odd clocks makes of it."""

import time
from collections import deque

from harness.clocks import Clocks

HOUR = 3600
DAY = 24 * HOUR
STORED_S = 60  # so often the broker stores its time
SURE_S = 5


class World:
    """Of a place whose broker is not started yet. All times are seconds of the true time.

    `ahead` is by how much broker time has to be ahead: as the wall clock was at the boot's start. Where
    that was behind what the store knew, broker time begins at twice STORED_S after that."""

    def __init__(self, place):
        self._place, self.clocks = place, Clocks(place.daemon)
        self._skipped = 0.0
        self.wrong = 0  # by how much the wall clock is ahead
        self.ahead = 0.0
        self.boots = 0
        self.doubted = 0  # the last boot at whose start the clock was evidently wrong
        self.stepped_at = self.now()
        self.slept = 0  # the longest that it was suspended for in this boot
        self.story = deque(maxlen=6)  # what happened last, for who reads of a loss

    def now(self):
        return time.time() + self._skipped

    def broker(self):
        return self.now() + self.ahead

    def step(self, wrong):
        """The wall clock is ahead by so much now."""
        self.story.append(f"step from {self.wrong} to {wrong} s")
        self.clocks.step(wrong - self.wrong)
        self.wrong = wrong
        self.stepped_at = self.now()

    def suspend(self, seconds):
        """The provider first: the broker is never ahead of it."""
        self.story.append(f"suspend for {seconds} s")
        self._skip(seconds)
        self.clocks.suspend(seconds)
        self.slept = max(self.slept, seconds)

    def boot(self, off, wrong):
        """The machine was off for so long, and comes up with that wall clock; the broker is down."""
        self.story.append(f"off for {off} s")
        stored = self._stored()
        self._skip(off)
        self.clocks.boot(off)
        self.step(wrong)
        self.boots += 1
        self.slept = 0
        if self.now() + wrong < stored:
            self.doubted = self.boots
            self.ahead = stored + 2 * STORED_S - self.now()
        else:
            self.ahead = wrong

    def is_plain(self, off, wrong):
        """Whether such a boot is clearly right or wrong. A clock that is behind, but not behind what
        the store knows, looks like a right one: nothing could tell."""
        right = wrong == self.ahead or wrong > self.ahead + SURE_S
        return right or self.now() + off + wrong < self._stored() - SURE_S

    def _stored(self):
        """Broker time as the store has it; the broker is down."""
        [[text]] = self._place.look_into_store(
            "SELECT value FROM facts WHERE name = 'clock_last'")
        return int(text) / 1000

    def __str__(self):
        return (f"after {', '.join(self.story)}, in boot {self.boots}: the wall clock is ahead by "
                f"{self.wrong} s, broker time by {self.ahead:.1f} s")

    def _skip(self, seconds):
        self._place.provider.skip(seconds)
        self._skipped += seconds

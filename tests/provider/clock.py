"""The server's own clock, which a test can put forward: the world goes on while a machine sleeps."""

import time

_skipped = 0.0


def now():
    return time.time() + _skipped


def skip(seconds):
    global _skipped  # pylint: disable=global-statement
    _skipped += seconds

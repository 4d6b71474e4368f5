"""One allocation, or one call that reaches a file or a socket, fails: failing.c is told from here."""

import mmap
import struct
from dataclasses import dataclass

from harness.binaries import BUILD

MODULE = BUILD / "tests" / "fault" / "failing.so"

# struct failing, in failing.h
_KINDS, _WANTED, _MANNER, _SEEN, _FAILED = range(0, 40, 8)
_WHAT, _TRACE, _SIZE = 40, 72, 72 + 4096

MEMORY, IO = 1, 2


@dataclass(frozen=True)
class Point:
    """What was seen, and what has failed: `what` is None where it was over before its turn."""

    seen: int
    what: str | None
    error: int
    trace: str

    def __str__(self):
        return f"{self.what} failed with {self.error}, called by:\n{self.trace}"


class Failing:
    """The file by which a program with the module in it is told. One for each program's environment."""

    def __init__(self, folder, name="failing"):
        self._path = folder / name
        self._path.write_bytes(bytes(_SIZE))
        with open(self._path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)

    def environment(self):
        """For a build with sanitizers too: their library need not come first."""
        return {"LD_PRELOAD": str(MODULE), "FAILING": str(self._path),
                "ASAN_OPTIONS": "detect_leaks=1:verify_asan_link_order=0:allocator_may_return_null=1"}

    def arm(self, wanted, manner=0, kinds=MEMORY | IO):
        """Counts from now on; the wanted one fails. With 0 it only counts."""
        self._map[:_SIZE] = bytes(_SIZE)
        self._put(_WANTED, wanted)
        self._put(_MANNER, manner)
        self._put(_KINDS, kinds)

    def disarm(self):
        """Nothing is counted from now on; returns the Point that this was."""
        self._put(_KINDS, 0)
        return self.point()

    def point(self):
        failed = self._get(_FAILED)
        return Point(self._get(_SEEN), self._text(_WHAT, _TRACE) if failed else None,
                     max(failed - 1, 0), self._text(_TRACE, _SIZE))

    def _put(self, at, value):
        self._map[at:at + 8] = struct.pack("=Q", value)

    def _get(self, at):
        return struct.unpack("=Q", self._map[at:at + 8])[0]

    def _text(self, begin, end):
        return self._map[begin:end].partition(b"\0")[0].decode()

"""The clocks of a daemon's machine, moved while it runs: steps, suspends, boots."""

import mmap
import struct
import time
import uuid

from .binaries import BUILD

LIBRARY = BUILD / "tests" / "moved-clocks.so"
FORM = struct.Struct("=qq")  # struct moved in moved_clocks.c
BOOTS_FOR_S = 5  # how old a boot is when the daemon starts


class Clocks:
    """Of a daemon that is not started yet. Seconds may be negative; nothing else moves them."""

    def __init__(self, daemon):
        assert LIBRARY.exists(), f"{LIBRARY} is not built: nothing would be moved"
        path = daemon.folder / "clocks"
        path.write_bytes(bytes(FORM.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), FORM.size)
        self._boot_id = daemon.folder / "clocks.boot_id"
        self._wall_s = self._boot_s = 0
        loaded = daemon.environment.get("LD_PRELOAD")
        daemon.environment |= {
            "LD_PRELOAD": ":".join(filter(None, (str(LIBRARY), loaded))), "MOVED_CLOCKS": str(path),
            "ASAN_OPTIONS": "detect_leaks=1:verify_asan_link_order=0"}

    def wall(self):
        """What the machine's wall clock shows."""
        return time.time() + self._wall_s

    def step(self, seconds):
        """The wall clock alone."""
        self._move(seconds, 0)

    def suspend(self, seconds):
        """The machine slept so long; what was due meanwhile is due now."""
        self._move(seconds, seconds)

    def boot(self, seconds):
        """The machine was off so long; the daemon must be down."""
        now = time.clock_gettime(time.CLOCK_BOOTTIME) + self._boot_s
        self._boot_id.write_text(f"{uuid.uuid4()}\n")
        self._move(seconds, BOOTS_FOR_S - now)

    def _move(self, wall_s, boot_s):
        self._wall_s += wall_s
        self._boot_s += boot_s
        FORM.pack_into(self._map, 0, round(1000 * self._wall_s), round(1000 * self._boot_s))

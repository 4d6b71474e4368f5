"""A place whose power may be cut: its state and cache folders are on a disk that forgets."""

import contextlib
import mmap
import select
import signal
import socket
from collections import Counter

from harness.binaries import BUILD

from .disk import Disk
from .place import Lost, Place
from .witness import Contents, contents_of

SHIM = BUILD / "tests" / "fault" / "power.so"
NUMBER, FUSE = 8, 16  # bytes of a number of the fuse, and of both
ANSWER_MAX = 16 * 1024
PATIENCE_S = 30


class Machine(Place):
    """lie: of which syncs, of "files" or "folders", nothing is true."""

    def __init__(self, accounts, chance, lie="", **dialect):
        super().__init__(accounts, **dialect)
        self._chance, self._lie = chance, lie
        self.armed = False
        self.deeds = lambda: None  # what is done as soon as it is up
        self.cuts, self.found = 0, Counter()

    def __enter__(self):
        super().__enter__()
        root, journal, fuse = (self.folder / name for name in ("disk", "journal", "fuse"))
        self.disk = Disk(root, journal)
        fuse.write_bytes(bytes(FUSE))
        with open(fuse, "r+b") as file:
            self._fuse = mmap.mmap(file.fileno(), FUSE)
        self.daemon.state, self.daemon.cache = root / "state", root / "cache"
        self.daemon.environment |= {
            "LD_PRELOAD": str(SHIM), "POWER_ROOT": str(root), "POWER_JOURNAL": str(journal),
            "POWER_FUSE": str(fuse), "POWER_LIE": self._lie,
            "ASAN_OPTIONS": "verify_asan_link_order=0"}
        del self.daemon.config.providers["plain"]["revocation_endpoint"]  # a dead token is a loss
        return self

    # The fuse

    def arm(self, count, checkpoint=0):
        """The power is cut right before the operation of this number from now on, or that of a
        checkpoint; 0: it is not."""
        self._fuse[:] = b"".join(one.to_bytes(NUMBER, "little") for one in (count, checkpoint))
        self.armed = count > 0 or checkpoint > 0

    def left(self):
        """Of the operations."""
        return int.from_bytes(self._fuse[:NUMBER], "little")

    @property
    def blown(self):
        return self.armed and not any(self._fuse[:])

    # Its life

    def start(self):
        """True when it is up; False when the power was cut before that."""
        try:
            super().start()
        except Lost:
            if not self.blown:
                raise
            self.found["cut in a start"] += 1
            return False
        self.deeds()
        return True

    def cut(self, patience_s=0):
        """Cuts the power after the operation of the fuse, or when the patience is over."""
        with contextlib.suppress(Exception):
            self.daemon.process.wait(patience_s)
        self.found["cut at an operation"] += self.blown
        exactly = self.blown or not self.daemon.running
        self._kill()
        if self.daemon.process.returncode not in (0, -signal.SIGKILL):
            raise Lost(f"ended with {self.daemon.process.returncode}\n{self.daemon.log()}")
        self.arm(0)
        self.found["cut in a checkpoint"] += "store.sqlite" in self.disk.unsynced()
        self.found += self.disk.cut(self._chance, exactly)
        self.cuts += 1

    def end_softly(self):
        """The program ends, the power stays."""
        if not self.daemon.running:
            self.disk.check()
        elif self._chance.random() < 0.5:
            self.arm(0)
            self.daemon.stop()
            self.disk.check()
        else:
            self._kill()
            self.disk.go_on()
        self.arm(0)

    def ask_to_stop(self):
        with contextlib.suppress(ProcessLookupError):
            self.daemon.process.send_signal(signal.SIGTERM)

    def _kill(self):
        if self.daemon.running:
            self.daemon.kill()

    # What is in the store

    def look(self):
        """The contents of the store, of which a copy was found sound."""
        if not (self.daemon.state / "store.sqlite").exists():
            return Contents()
        self.assert_sound()
        return contents_of(self.folder / "copy" / "store.sqlite")


class Errand:
    """One request, whose answer is read when the broker is dead or has answered."""

    def __init__(self, place, method, target, body=""):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        kind = "Content-Type: application/json\r\n" if body else ""
        with contextlib.suppress(OSError):  # it may be dead by now
            self._socket.connect(str(place.daemon.socket))
            self._socket.sendall(
                (f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{kind}"
                 f"Content-Length: {len(body)}\r\n\r\n{body}").encode())

    def wait(self):
        """Until it is answered, or nobody will."""
        select.select([self._socket], [], [], PATIENCE_S)

    def done(self):
        """Whether a success was answered."""
        got = b""
        with contextlib.suppress(OSError):
            got = self._socket.recv(ANSWER_MAX)
        self.hang_up()
        return got.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201"))

    def hang_up(self):
        self._socket.close()

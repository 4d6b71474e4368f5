"""cgroups made by hand, as systemd makes them for its units."""

import os
import socket
import time
from contextlib import contextmanager
from pathlib import Path

_MOUNTS = [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")]
_SO_PEERPIDFD = 77


def _writable_mount():
    for mount in _MOUNTS:
        if os.getuid() == 0 and (mount / "cgroup.procs").exists() and os.access(mount, os.W_OK):
            return mount
    return None


def _knows_peers():
    one, other = socket.socketpair()
    with one, other:
        try:
            os.close(one.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD))
        except OSError:
            return False
        return True


def missing():
    """Why rules with unit: cannot be tried here, or ""."""
    if _writable_mount() is None:
        return "needs root and cgroups to write in"
    return "" if _knows_peers() else "needs Linux 6.5"


def _remove(path):
    """A process that is ending leaves its cgroup a moment later."""
    deadline = time.monotonic() + 10
    while True:
        try:
            path.rmdir()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@contextmanager
def made():
    """A function that makes cgroups by their path below the root; they go with the context."""
    new = []

    def make(path):
        at = _writable_mount()
        for part in path.split("/"):
            at = at / part
            if not at.exists():
                at.mkdir()
                new.append(at)
        return at

    try:
        yield make
    finally:
        for path in reversed(new):
            _remove(path)

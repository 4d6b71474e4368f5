"""Free loopback ports that no other test, in this or another process, is given at the same time."""

import fcntl
import os
import random
import socket

FIRST, LAST = 12000, 32000  # below the kernel's own range for port 0
_FOLDER = "/tmp/tokenbroker-test-ports"
_held = []


def _lock(port):
    handle = os.open(f"{_FOLDER}/{port}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    _held.append(handle)  # held as long as this process lives
    return True


def _is_free(port):
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def free_port():
    os.makedirs(_FOLDER, exist_ok=True)
    while True:
        port = random.randint(FIRST, LAST)
        if _lock(port) and _is_free(port):
            return port

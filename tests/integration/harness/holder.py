"""Another user of the machine, with a socket at a port."""

import subprocess

from .other_user import PYTHON

STRANGER = 12345

_HOLDER = """
import socket, sys
family, address, port = sys.argv[1:]
holder = socket.socket(getattr(socket, family))
holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
holder.bind((address, int(port)))
print("bound", flush=True)
for order in sys.stdin:
    try:
        holder.listen()
        print("listens", flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""


class Holder:
    """A program of another user, with its socket at that port."""

    def __init__(self, family, address, port):
        self._process = subprocess.Popen(
            [PYTHON, "-I", "-c", _HOLDER, family, address, str(port)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, cwd="/", env={}, user=STRANGER, group=STRANGER,
            extra_groups=[])
        assert self._read() == "bound"

    def _read(self):
        return self._process.stdout.readline().strip()

    def listen(self):
        self._process.stdin.write("listen\n")
        self._process.stdin.flush()
        return self._read()

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

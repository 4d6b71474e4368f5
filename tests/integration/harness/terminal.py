"""The command on a terminal of its own."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

from .binaries import command


class Terminal:
    """Starts at once; `screen` is all that was written to it so far."""

    def __init__(self, broker, *arguments, columns=80, **environment):
        self._controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        env = {"PATH": "/usr/bin:/bin", "HOME": str(broker.folder), "TERM": "xterm",
               "LANG": "C.UTF-8", "TOKENBROKER_SOCKET": str(broker.socket)} | environment
        self.process = subprocess.Popen([str(command()), *arguments], env=env, stdin=terminal,
                                        stdout=terminal, stderr=terminal, start_new_session=True)
        os.close(terminal)
        self._bytes = b""

    @property
    def screen(self):
        return self._bytes.decode(errors="replace").replace("\r\n", "\n")

    def _read(self):
        """False at the end."""
        if select.select([self._controller], [], [], 0.1)[0]:
            try:
                self._bytes += os.read(self._controller, 65536)
            except OSError:
                return False
        return True

    def wait_for(self, text, timeout=20):
        deadline = time.monotonic() + timeout
        while text not in self.screen:
            assert self._read() and time.monotonic() < deadline, self.screen
        return self.screen

    def type(self, text):
        os.write(self._controller, text.encode())

    def wait(self, timeout=30):
        """Its exit code, once it has ended by itself."""
        deadline = time.monotonic() + timeout
        while self._read():
            assert time.monotonic() < deadline, self.screen
        os.close(self._controller)
        return self.process.wait(timeout)

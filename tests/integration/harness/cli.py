"""Runs the command as a person or a script does."""

import subprocess

from .binaries import command


class Cli:
    def __init__(self, socket_path, home):
        self._socket, self._home = str(socket_path), str(home)

    def run(self, *arguments, environment=None, timeout=60, **more):
        """Returns the finished process, with stdout and stderr as text."""
        env = {"PATH": "/usr/bin:/bin", "HOME": self._home, "XDG_RUNTIME_DIR": self._home,
               "TOKENBROKER_SOCKET": self._socket, **(environment or {})}
        return subprocess.run([str(command()), *arguments], env=env, text=True,
                              capture_output=True, timeout=timeout, check=False, **more)

"""Runs the command as a person or a script does."""

import subprocess

from .binaries import command


class Cli:
    def __init__(self, socket_path, home):
        self._socket, self._home = str(socket_path), str(home)

    def run(self, *arguments, timeout=60, **more):
        """Returns the finished process, with stdout and stderr as text."""
        return subprocess.run(**self._process(*arguments, **more), capture_output=True,
                              timeout=timeout, check=False)

    def spawn(self, *arguments, **more):
        """The process, at work."""
        return subprocess.Popen(**self._process(*arguments, **more), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def _process(self, *arguments, environment=None, **more):
        env = {"PATH": "/usr/bin:/bin", "HOME": self._home, "XDG_RUNTIME_DIR": self._home,
               "TOKENBROKER_SOCKET": self._socket, **(environment or {})}
        return {"args": [str(command()), *arguments], "env": env, "text": True, **more}

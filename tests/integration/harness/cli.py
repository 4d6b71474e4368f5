"""Runs the command as a person or a script does."""

import subprocess
import threading

from .binaries import DAEMON, command

LOGIN_MAX = 60  # seconds until a login that hangs is ended


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
        # Where it is installed the daemon is beside it.
        env = {"PATH": f"{DAEMON.parent}:/usr/bin:/bin", "HOME": self._home, "XDG_RUNTIME_DIR": self._home,
               "TOKENBROKER_SOCKET": self._socket, **(environment or {})}
        return {"args": [str(command()), *arguments], "env": env, "text": True, **more}


def begin_login(broker, account, *flags):
    """The command, started and waiting; its stdout and stderr are one text."""
    return subprocess.Popen(
        [str(command()), "login", account, "--no-browser", *flags], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(broker.folder),
             "TOKENBROKER_SOCKET": str(broker.socket)})


def follow_login(login, link_part, act):
    """Reads what it says; act(link) for the first link; returns (exit code, everything said)."""
    said, link = "", None
    killer = threading.Timer(LOGIN_MAX, login.kill)
    killer.start()
    for line in login.stdout:
        said += line
        if link is None:
            link = next((word for word in line.split() if link_part in word), None)
            if link:
                threading.Thread(target=act, args=(link,)).start()
    killer.cancel()
    return login.wait(LOGIN_MAX), said

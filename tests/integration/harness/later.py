"""A daemon that wakes up later: its boot clock is put forward, as after a machine's long sleep."""

import shutil
import subprocess

DAY = 24 * 3600


def missing():
    """Why it cannot be done here, or ""."""
    if not shutil.which("unshare"):
        return "needs unshare"
    probe = subprocess.run([*_wrapper(DAY), "true"], capture_output=True, check=False)
    return "" if probe.returncode == 0 else "needs root and time namespaces"


def _wrapper(seconds):
    return ["unshare", "--time", "--boottime", str(int(seconds)), "--"]


def restart_later(daemon, seconds):
    """Stops the daemon; starts it so many seconds after the real time (not after the last start)."""
    daemon.stop()
    daemon.wrapper = _wrapper(seconds)
    return daemon.start()

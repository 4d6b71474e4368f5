"""A machine of one's own: systemd booted over a copy of this one's file system that is forgotten
at the end. It shares the network, so that emulated providers of the test are reached."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from .binaries import BUILD

NSPAWN = shutil.which("systemd-nspawn")
BOOT_TIMEOUT = 60
RUN_TIMEOUT = 120

# The mount of / is the script's own, so that it goes with it. --capability and the rest: as strict
# services need it. basic.target: this machine's own services stay off.
_BOOT = """
set -e
mount --bind / "$1"
exec systemd-nspawn --quiet --boot --register=no --keep-unit --volatile=overlay --link-journal=no \\
    --system-call-filter=bpf --capability=all --console=pipe --bind="$2:/mnt" \\
    --directory="$1" systemd.unit=basic.target
"""


class Machine:
    """A context. `folder` is /mnt inside: what is below /tmp is cleaned with a boot. `leader` is the
    number, out here, of its first process."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self._process = self.leader = None

    def __enter__(self):
        self._root = tempfile.mkdtemp(prefix="tb-machine-")
        self._log = open(self.folder / "machine.log", "wb")
        self._process = subprocess.Popen(
            ["unshare", "--mount", "--propagation=private", "bash", "-c", _BOOT, "boot",
             self._root, self.folder],
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        try:
            self._wait_booted()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        os.rmdir(self._root)

    def _wait_booted(self):
        deadline = time.monotonic() + BOOT_TIMEOUT
        while not (self._find_leader() and self._is_running()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "machine.log").read_text(errors="replace"))
            time.sleep(0.05)

    def _find_leader(self):
        """systemd is the only child of systemd-nspawn, by its number out here."""
        pid = self._process.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            names = {Path(f"/proc/{child}/comm").read_text().strip(): child for child in children}
        except OSError:
            return None
        self.leader = names.get("systemd")
        return self.leader

    def _is_running(self):
        said = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return said in ("running", "degraded")

    def run(self, *command, check=True, **more):
        """A command as root in the machine, in no unit of it."""
        done = subprocess.run(["nsenter", "--all", "--target", self.leader, "--",
                               *map(str, command)], capture_output=True, text=True,
                              check=False, timeout=RUN_TIMEOUT, **more)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def run_as(self, unit, user, *command):
        """A command of a system service of that name, started for it."""
        return self.run("systemd-run", "--quiet", "--pipe", "--wait", "--collect",
                        f"--unit={unit}", f"--uid={user}", *command, check=False)

    def write(self, path, text, mode=0o644):
        """A file of the machine."""
        self.run("install", "-D", "-m", f"{mode:o}", "/dev/stdin", path, input=text)

    def journal(self, *options):
        """Everything in the journal, every field of it."""
        return self.run("journalctl", "--no-pager", "--output=export", *options).stdout

    def install(self):
        """What `meson install` puts down, and what a package does after that."""
        tree = self.folder / "installed"
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet",
                        "--destdir", tree], check=True, timeout=RUN_TIMEOUT)
        self.run("cp", "-a", "/mnt/installed/.", "/")
        self.run("ldconfig")
        self.run("systemd-sysusers")
        self.run("systemd-tmpfiles", "--create")
        self.run("systemctl", "daemon-reload")


def unable():
    """Why there can be no such machine here, or is none wanted; None: it can."""
    if not os.environ.get("TOKENBROKER_BOOTED"):
        return "it wants TOKENBROKER_BOOTED and a build without sanitizers"
    if NSPAWN is None:
        return "systemd-nspawn is missing"
    if os.geteuid() != 0:
        return "it takes root to boot a machine"
    with tempfile.TemporaryDirectory(prefix="tb-machine-") as folder:
        tried = subprocess.run(["unshare", "--mount", "--propagation=private", "mount", "--bind",
                                "/", folder], capture_output=True, text=True, check=False)
    return f"mounts are not allowed here: {tried.stderr}" if tried.returncode else None

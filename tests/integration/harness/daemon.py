"""A tokenbrokerd of one's own: its folders, its configuration, its life."""

import os
import select
import signal
import socket
import subprocess
import time

from .binaries import DAEMON
from .client import Api
from .config import Config
from .ports import free_port

START_TIMEOUT = 20
STOP_TIMEOUT = 60  # as the units' TimeoutStopSec=


class Notices:
    """The other end of NOTIFY_SOCKET: what the daemon tells its service manager."""

    def __init__(self, path):
        self.path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(self.path)

    def wait_for(self, word, process, timeout):
        """Waits for a message with the line `word`; fails when the process ends before."""
        deadline = time.monotonic() + timeout
        exited = os.pidfd_open(process.pid)
        try:
            while True:
                left = deadline - time.monotonic()
                ready = select.select([self._socket, exited], [], [], max(left, 0))[0]
                assert ready, f"no {word} within {timeout} s"
                if self._socket not in ready:
                    raise DaemonEnded(f"the daemon ended with {process.wait()}")
                if word in self._socket.recv(4096).decode().splitlines():
                    return
        finally:
            os.close(exited)

    def drain(self):
        while select.select([self._socket], [], [], 0)[0]:
            self._socket.recv(4096)

    def close(self):
        self._socket.close()


def await_end(process, timeout):
    """The status that it ends with, at once: Popen.wait() with a timeout naps between its looks."""
    if process.poll() is None:
        exited = os.pidfd_open(process.pid)
        try:
            select.select([exited], [], [], timeout)
        finally:
            os.close(exited)
    return process.wait(0)


class DaemonEnded(AssertionError):
    """It ended where it should have lived; its log is part of the text."""


class Daemon:
    """Not started yet: configure first. `api` speaks to its socket."""

    def __init__(self, folder, schema):
        self.folder = folder
        self.state, self.socket = folder / "state", folder / "api.sock"
        self.cache = folder / "cache"
        self.log_path = folder / "daemon.log"
        self.config = Config(folder / "tokenbroker.conf")
        self.port = free_port()
        self.config.callback["listen"] = [f"http://127.0.0.1:{self.port}"]
        self.api = Api(self.socket, schema)
        self.wrapper, self.flags, self.environment = [], ["--verbose"], {}
        self.process = None
        self.notices = Notices(folder / "notify")

    # Configuration

    def redirect_uri(self, name):
        return f"http://127.0.0.1:{self.port}/callback/{name}"

    def with_provider(self, name, emulator, **overrides):
        """Adds a provider section for an emulator: its preset, with every address its own."""
        redirect = overrides.get("redirect_uri", self.redirect_uri(name))
        emulator.register(redirect)
        dialect, url = emulator.dialect, emulator.url
        keys = {} if dialect.name == "plain" else {"preset": dialect.name}
        keys |= {
            "authorization_endpoint": url + dialect.authorize_path,
            "token_endpoint": url + dialect.token_path,
            "revocation_endpoint": url + dialect.revocation_path,
            "client_id": dialect.client_id,
            "client_secret": dialect.client_secret,
            "redirect_uri": redirect,
            "api_base": emulator.api_base,
        }
        self.config.providers[name] = keys | overrides
        return self

    # Life

    def command_line(self):
        return [*self.wrapper, str(DAEMON), "--config", str(self.config.path), "--state-dir",
                str(self.state), "--socket", str(self.socket), *self.flags]

    def _environment(self):
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        sanitizers = {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
        own = {"HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder),
               "NOTIFY_SOCKET": self.notices.path, "CACHE_DIRECTORY": str(self.cache)}
        return kept | sanitizers | own | self.environment

    def spawn(self):
        """Starts the process without waiting for anything."""
        self.config.write()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command_line(), env=self._environment(),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        return self.process

    def start(self):
        self.notices.drain()
        self.spawn()
        try:
            self.notices.wait_for("READY=1", self.process, START_TIMEOUT)
        except DaemonEnded as ended:
            raise DaemonEnded(f"{ended}\n{self.log()}") from None
        return self

    def refuses_to_start(self):
        """Starts it and expects it to end by itself with a failure; returns its log."""
        assert self.spawn().wait(START_TIMEOUT) not in (0, -signal.SIGSEGV, -signal.SIGABRT)
        return self.log()

    def stop(self):
        """SIGTERM; a clean end is demanded."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = await_end(self.process, STOP_TIMEOUT)
        assert status == 0, f"ended with {status}\n{self.log()}"

    def kill(self):
        """SIGKILL, also for what a wrapper has started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def restart(self):
        self.stop()
        return self.start()

    def reload(self):
        """Writes the configuration and has it read anew; returns when that is done."""
        self.config.write()
        self.notices.drain()
        self.process.send_signal(signal.SIGHUP)
        self.notices.wait_for("READY=1", self.process, START_TIMEOUT)

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, text, timeout=10):
        """Waits until the log holds the text."""
        deadline = time.monotonic() + timeout
        while text not in self.log():
            assert time.monotonic() < deadline, f"{text!r} is not in the log:\n{self.log()}"
            time.sleep(0.05)

    def close(self):
        """At the end of a test: ends it, and looks for what sanitizers said."""
        try:
            if self.running:
                self.stop()
            for sign in ("AddressSanitizer", "LeakSanitizer", "runtime error:"):
                assert sign not in self.log(), self.log()
        finally:
            if self.running:
                self.kill()
            self.notices.close()

    # What most tests do first

    def grant(self, emulator, account, user=None):
        """An account that consented earlier: imports a seeded refresh token."""
        user = user or account.partition("/")[2]
        token = emulator.seed(user)[user]
        self.api.import_grant(account, refresh_token=token).ok()
        return token

"""What may happen to a broker, as a table: another row is another fault of the soak."""

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from harness.person import Person

from .drops import QUICK as REPLIES
from .place import Lost, user_of
from .world import DAY, HOUR

OUTAGES = ("http500", "http503", "too-many", "invalid_client", "not-json", "hang", "delay")
ODDITIES = ("empty400", "unknown-error", "server_error", "http500")
NAPS = (1, 60, HOUR, DAY)
WRONGS = (0, HOUR, -HOUR, 30 * DAY, -30 * DAY)
OFF = (20, 300)
FULL_S = 0.2  # how long the disk is full
CUT_WITHIN = 60  # operations of the disk
STRANGERS = 20
# Nothing that a client would send, or not all of it.
RUBBISH = (b"", b"\0" * 100, b"GET /v1/token/plain/u0 HTTP/1.1\r\nHost: localhost\r\n",
           b"PUT /v1/accounts/plain/u0 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n{",
           b"GET " + b"/" * 20000, b"\r\n" * 50, b"GET / HTTP/9.9\r\n\r\n",
           b"POST /v1/reject/plain/u0 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff")


@dataclass(frozen=True)
class Mishap:
    name: str
    often: int  # among all
    happen: Callable  # (soak)
    ends_life: bool = False
    missing: Callable = lambda: ""  # why it cannot be tried here, or ""


# --- ends of a life ---


def _kill(soak):
    soak.place.daemon.kill()
    soak.place.disk.go_on()


def _restart(soak):
    soak.place.daemon.stop()
    soak.place.disk.check()


def _cut(soak):
    if soak.chance.random() < 0.5:
        soak.place.arm(soak.chance.randrange(1, CUT_WITHIN))
        soak.ask()
    soak.place.cut(0.05)


def _reboot(soak):
    soak.chance.choice((_kill, _restart, _cut))(soak)
    plain = [(off, wrong) for off in OFF for wrong in WRONGS if soak.world.is_plain(off, wrong)]
    soak.world.boot(*soak.chance.choice(plain))


# --- what a life outlasts ---


def _reload(soak):
    """Another configuration, now and then a bad one, which changes nothing."""
    config = soak.place.daemon.config
    config.providers["plain"]["concurrency"] = soak.chance.choice(("1", "2", "8"))
    config.extra = soak.chance.choice(("", "", "provider other { nonsense = 1 }\n"))
    soak.place.daemon.reload()
    config.extra = ""


def _replies(soak):
    soak.place.provider.fault(soak.chance.choice(REPLIES), times=soak.chance.randrange(1, 5),
                              seconds=1)


def _outage(soak):
    """For everyone, until all is calm again or another comes."""
    soak.place.provider.fault(soak.chance.choice(OUTAGES), times=soak.chance.randrange(1, 30),
                              seconds=1)


def _oddity(soak):
    """For some alone, until all is calm again: they are suspected, and no verdict falls so soon."""
    accounts = soak.chance.sample(soak.place.accounts, 3)
    soak.place.provider.fault(soak.chance.choice(ODDITIES), users=list(map(user_of, accounts)))


def _step(soak):
    soak.world.step(soak.chance.choice(WRONGS))


def _suspend(soak):
    soak.world.suspend(soak.chance.choice(NAPS))


def _full_disk(soak):
    """Every write fails for a moment."""
    pid = soak.place.daemon.process.pid
    calls = "pwrite64,write,ftruncate"
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(pid), "-P",
         str(soak.place.daemon.state / "store.sqlite-wal"), "-P",
         str(soak.place.daemon.state / "store.sqlite"),
         "-e", f"trace={calls}", "-e", f"inject={calls}:error=ENOSPC"],
        stderr=subprocess.DEVNULL)
    try:
        _wait_traced(pid)
        soak.ask()
        soak.listen(FULL_S)
    finally:
        tracer.terminate()
        tracer.wait()


def _wait_traced(pid):
    deadline = time.monotonic() + 10
    while any("TracerPid:\t0\n" in (task / "status").read_text()
              for task in Path(f"/proc/{pid}/task").iterdir()):
        if time.monotonic() > deadline:
            raise RuntimeError("strace cannot follow the broker")
        time.sleep(0.01)


def _rekey(soak):
    soak.place.api.rekey()


def _log_in(soak):
    """By paste, with a person at the provider; a new account, or one that was there."""
    account = f"plain/e{soak.chance.randrange(6)}"
    begun = soak.place.api.login(account)
    if begun.status != 200:
        return
    address = Person().decide(begun.json["start_url"])
    ended = soak.place.api.finish(begun.json["login_id"], address)
    if ended.status == 200 and ended.json["status"] == "done":
        soak.expect(account)


def _link(soak):
    """Made, opened, and taken back."""
    account = f"plain/{soak.chance.choice(('e0', 'x'))}"
    made = soak.place.api.request("POST", f"/v1/links/{account}", {})
    if made.status == 200:
        Person().fetch(made.json["url"])
        soak.place.api.request("DELETE", f"/v1/links/{account}")


def _move_in(soak):
    account = f"plain/i{soak.chance.randrange(6)}"
    user = account.partition("/")[2]
    token = soak.place.provider.seed(user)[user]
    if soak.place.api.import_grant(account, refresh_token=token).status == 200:
        soak.expect(account)


def _strangers(soak):
    """They stay until all is calm again."""
    for _ in range(STRANGERS):
        one = socket.socket(socket.AF_UNIX if soak.chance.random() < 0.5 else socket.AF_INET)
        soak.strangers.append(one)
        one.setblocking(False)
        with contextlib.suppress(OSError):
            one.connect(str(soak.place.daemon.socket) if one.family == socket.AF_UNIX
                        else ("127.0.0.1", soak.place.daemon.port))
        with contextlib.suppress(OSError):
            one.send(soak.chance.choice(RUBBISH))


def _reject(soak):
    account = soak.chance.choice(soak.place.accounts)
    reply = soak.place.api.token(account, wait=0)
    if reply.status == 200:
        soak.place.api.reject(account, access_token=reply.json["access_token"])


def _needs_strace():
    return "" if shutil.which("strace") and os.getuid() == 0 else "needs strace, as root"


MISHAPS = (
    Mishap("kill -9", 3, _kill, True),
    Mishap("restarts", 2, _restart, True),
    Mishap("power cuts", 3, _cut, True),
    Mishap("reboots", 2, _reboot, True),
    Mishap("reloads", 3, _reload),
    Mishap("lost replies", 4, _replies),
    Mishap("outages", 4, _outage),
    Mishap("odd refusals", 3, _oddity),
    Mishap("clock steps", 4, _step),
    Mishap("suspends", 4, _suspend),
    Mishap("full disks", 3, _full_disk, missing=_needs_strace),
    Mishap("rekeys", 2, _rekey),
    Mishap("logins", 3, _log_in),
    Mishap("links", 2, _link),
    Mishap("imports", 2, _move_in),
    Mishap("crowds of strangers", 3, _strangers),
    Mishap("rejections", 3, _reject),
)


def happen(soak, mishap):
    """Whoever talks to the broker meanwhile may be cut off, where its life ends."""
    try:
        mishap.happen(soak)
    except (OSError, http.client.HTTPException) as error:
        raise Lost(f"{mishap.name}: {error!r}\n{soak.place.daemon.log()[-2000:]}") from error

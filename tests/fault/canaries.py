"""Secrets, looked for wherever the broker may have left them."""

import base64
import contextlib
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path

from harness.binaries import command
from harness.logins import log_in, start
from harness.person import Person

from .place import Lost, Place, user_of

ACCOUNTS = 6
LOOK_EVERY_S = 0.02
MODES = ("not-json", "http500", "truncate", "drop", "invalid_grant", "unknown-error", "html200")
SHORT = 12  # a secret of fewer characters would be found by chance

HOOK = """#!/bin/sh
sleep 0.05 # so that it is seen
cat >/dev/null
"""


def _in_base64(raw):
    """Its characters within a longer text, which it may begin at any of three places of."""
    for before, skipped in ((0, 0), (1, 2), (2, 3)):
        text = base64.b64encode(bytes(before) + raw)[skipped:(before + len(raw)) * 8 // 6]
        yield text
        yield text.replace(b"+", b"-").replace(b"/", b"_")


def _forms(secret):
    """A secret as it is, and as it could have been written."""
    raw = secret.encode()
    return {raw, raw.hex().encode(), raw.hex().upper().encode(), *_in_base64(raw),
            urllib.parse.quote(secret, safe="").encode()}


class Watch:
    """Reads what /proc tells of the broker and of all that it starts, while it lives."""

    def __init__(self, daemon):
        self._daemon = daemon
        self._over = threading.Event()
        self.seen, self.processes = set(), set()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _run(self):
        while not self._over.wait(LOOK_EVERY_S):
            if self._daemon.process:
                self._look(self._daemon.process.pid)

    def _look(self, pid):
        with contextlib.suppress(OSError):
            for name in ("cmdline", "environ", "comm"):
                self.seen.add(Path("/proc", str(pid), name).read_bytes())
            self.processes.add(pid)
            for task in Path("/proc", str(pid), "task").iterdir():
                for child in (task / "children").read_text().split():
                    self._look(int(child))


class Round:
    """One life of a broker in which everything that handles a secret happens, some of it badly."""

    def __init__(self, place, chance):
        self._place, self._chance, self._api = place, chance, place.api
        self.more = []  # secrets that are not the provider's

    def live(self):
        place, api = self._place, self._api
        place.start()
        for account in place.accounts:
            self._misfortune(account)
        self._log_in()
        login = start(api, "plain/left")
        self.more += [part for part in login["start_url"].split("/") if len(part) > SHORT]
        token = api.token(place.accounts[0], wait=5)
        if token.status == 200:
            api.reject(place.accounts[0], access_token=token.json["access_token"])
        self._bad_body()
        self._copy()
        api.forget(place.accounts[-1])
        place.daemon.reload()
        place.grant_all()

    def _misfortune(self, account):
        place = self._place
        token = place.provider.seed(user_of(account))[user_of(account)]
        self._api.import_grant(account, refresh_token=token).ok()
        place.provider.fault(self._chance.choice(MODES), times=1, users=[user_of(account)])
        self._api.token(account, wait=1)

    def _log_in(self):
        person = Person()
        log_in(self._api, person, "plain/person")
        for hop in person.hops:
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(hop).query)
            self.more += [value for name in ("state", "code") for value in query.get(name, ())]
        self.more += [cookie.value for cookie in person.cookies]
        self._place.provider.fault("invalid_grant", times=1)
        log_in(self._api, Person(), "plain/failed")

    def _bad_body(self):
        canary = f"canary-{self._chance.getrandbits(64):016x}"
        self._api.import_grant("plain/bad", refresh_token=[canary])
        self._api.request("POST", "/v1/reject/plain/bad", {"access_token": canary, "x": 1})
        self.more.append(canary)

    def _copy(self):
        """A backup is a place too."""
        target = self._place.folder / f"backup-{self._place.life}"
        done = subprocess.run([command(), "--socket", self._place.daemon.socket, "backup", target,
                               "--key-kept"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Lost(f"no backup: {done.stderr}")


def _places(place, watch):
    """(name, bytes) of everything that is looked into."""
    folders = (place.daemon.state, place.daemon.cache)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    files += [place.daemon.log_path, *place.folder.glob("backup-*"), *place.folder.rglob("core*")]
    found = [(str(path), path.read_bytes()) for path in files if path.is_file()]
    return found + [("/proc", data) for data in watch.seen]


def _search(place, watch, more):
    """Looks for every secret in every place; returns how many of each there were."""
    secrets = {*place.provider.secrets(), place.provider.dialect.client_secret, *more}
    secrets = {secret for secret in secrets if len(secret) >= SHORT}
    places = _places(place, watch)
    for name, data in places:
        for secret in secrets:
            if any(form in data for form in _forms(secret)):
                raise Lost(f"{place.folder}: a secret of {len(secret)} characters is in {name}")
    return len(secrets), len(places)


def _configure(place):
    hook, secret = place.folder / "hook", place.folder / "secret"
    hook.write_text(HOOK)
    secret.write_text(f"#!/bin/sh\nsleep 0.05\necho '{place.provider.dialect.client_secret}'\n")
    for script in (hook, secret):
        script.chmod(0o700)
    place.daemon.flags = ["--verbose"]
    place.daemon.config.broker["on_event"] = str(hook)
    place.daemon.config.providers["plain"]["client_secret"] = f"command:{secret}"


def run(count, chance, progress):
    """`count` lives of a broker, each followed by a search; the write-ahead log is still there."""
    facts = {"secrets": 0, "places": 0, "processes": 0}
    with Place(ACCOUNTS, rotation="grace", grace=60) as place:
        _configure(place)
        for _ in range(count):
            with Watch(place.daemon) as watch:
                one = Round(place, chance)
                one.live()
                time.sleep(LOOK_EVERY_S)
                place.daemon.kill()
            secrets, places = _search(place, watch, one.more)
            facts = {"secrets": facts["secrets"] + secrets, "places": facts["places"] + places,
                     "processes": facts["processes"] + len(watch.processes)}
            progress(1)
    return facts

"""The power is cut in a first start, or while a newer version takes a store over."""

import contextlib
import functools
import json
import secrets
import sqlite3
import tempfile
from pathlib import Path

from .machine import Errand
from .place import Lost
from .witness import contents_of

SCHEMA = sorted((Path(__file__).resolve().parents[2] / "schema").glob("[0-9]*.sql"))
APPLICATION_ID = 0x746F6B62
FIRST, ENDLESS = "first", 1 << 32
ROWS, SEALED_SIZE, CONSENT_REQUIRED = 60, 700, 2  # of a store of old


class Beginning:
    """The first start in an empty folder, or with the store of an older version, and what follows."""

    def __init__(self, place, chance):
        self._place, self._chance = place, chance
        self._operations = {}  # that the start and an import take, by the version of the store

    def run(self, count, progress):
        while self._place.cuts < count:
            self._one(self._chance.randrange(len(SCHEMA)) if self._chance.random() < 0.5 else 0)
            progress(2)

    def _one(self, version):
        """Two cuts: somewhere in the first start or in the import after it; and at the end of one."""
        place = self._place
        token = place.provider.seed(FIRST)[FIRST]
        place.disk.put("state", {"store.sqlite": old_store(version)[0]} if version else None)
        total = self._operations.get(version)
        place.arm(self._chance.randrange(1, total) if total else ENDLESS)
        done = place.start() and self._import(token)
        self._operations.setdefault(version, ENDLESS - place.left())
        place.cut()
        self._check(version, done)
        if not self._place.start() or not self._import(token):
            raise Lost(f"{place.folder}: no import after a cut in the first start")
        place.cut()
        self._check(version, True)
        place.start()
        place.assert_whole(accounts=[f"plain/{FIRST}"])
        place.daemon.kill()

    def _import(self, token):
        errand = Errand(self._place, "PUT", f"/v1/accounts/plain/{FIRST}",
                        json.dumps({"refresh_token": token}))
        errand.wait()
        return errand.done()

    def _check(self, version, imported):
        sealed = self._place.look().sealed
        if imported and FIRST not in sealed:
            raise Lost(f"{self._place.folder}: an import after the first start is lost")
        if version and not old_store(version)[1].items() <= sealed.items():
            raise Lost(f"{self._place.folder}: rows of a store of version {version} are lost")


@functools.cache
def old_store(version):
    """A store as an older version has left it, with accounts in it: (its bytes, what is sealed)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "store.sqlite")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as store:
            store.execute("PRAGMA page_size = 8192")
            store.execute("PRAGMA journal_mode = WAL")
            for step in SCHEMA[:version]:
                store.executescript(step.read_text(encoding="utf-8"))
            store.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            store.execute(f"PRAGMA user_version = {version}")
            _fill(store)
        return path.read_bytes(), contents_of(path).sealed


def _fill(store):
    """Accounts that nobody will ask a provider for."""
    columns = [row[1] for row in store.execute("PRAGMA table_info(accounts)") if row[3]]
    for number in range(ROWS):
        values = dict.fromkeys(columns, 0) | {
            "provider": "plain", "label": f"old{number}", "state": CONSENT_REQUIRED,
            "sealed": secrets.token_bytes(SEALED_SIZE)}
        store.execute(f"INSERT INTO accounts ({', '.join(values)})"
                      f" VALUES ({', '.join('?' * len(values))})", list(values.values()))

"""What the broker has acknowledged, held against what its store holds."""

import contextlib
import json
import sqlite3
from dataclasses import dataclass, field

from .place import Lost


@dataclass
class Contents:
    """Of a store, by the labels of its accounts; empty where there is none yet."""

    tokens: dict = field(default_factory=dict)  # fingerprints of the refresh tokens
    sealed: dict = field(default_factory=dict)
    facts: dict = field(default_factory=dict)


def contents_of(path):
    with contextlib.closing(sqlite3.connect(path)) as store:
        if store.execute("PRAGMA user_version").fetchone() == (0,):
            return Contents()
        return Contents(*(dict(store.execute(query)) for query in (
            "SELECT label, fingerprint FROM token_owners", "SELECT label, sealed FROM accounts",
            "SELECT name, value FROM facts")))


class Witness:
    """What has to be in the store, by what the broker has acknowledged."""

    def __init__(self, place):
        self._place, self._offset = place, 0
        self._issued, self._access = {}, {}  # refresh token → its line; access token → (user, line)
        self._judged = set()
        self._there, self._gone = {}, set()  # label → the line of its refresh token, or an older one

    def _read(self):
        with open(self._place.provider.ledger.path, "rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[:text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in map(json.loads, whole.splitlines()):
            if line.get("outcome", "accepted") == "accepted" and "refresh" in line:
                self._issued[line["refresh"]] = line["n"]
                self._access[line.get("access")] = (line.get("user"), line["n"])

    def expect(self, label, refresh=None):
        """The broker has said that the account is there, perhaps with this refresh token."""
        self._read()
        self._gone.discard(label)
        self._there[label] = self._issued[refresh] if refresh else 0

    def forget(self, label, for_certain=False):
        """Whether it is there, and with what, is open."""
        self._there.pop(label, None)
        self._gone.discard(label)
        if for_certain:
            self._gone.add(label)

    @property
    def accounts(self):
        """Those that have to be there."""
        return [f"plain/{label}" for label in self._there]

    def judge(self, contents, seen):
        """The contents of the store, and the access tokens that left the broker, ever."""
        self._read()
        for token in seen - self._judged:
            user, line = self._access[token]
            self._there[user] = max(self._there.get(user, 0), line)
        self._judged |= seen
        if why := contents.facts.get("restored"):
            raise Lost(f"{self._place.folder}: the store looks like a copy: {why}")
        for label, line in self._there.items():
            if self._issued.get(contents.tokens.get(label), -1) < line:
                raise Lost(f"{self._place.folder}: plain/{label} was acknowledged with the token"
                           f" of line {line}; the store has {contents.tokens.get(label)}")
        if left := self._gone & contents.sealed.keys():
            raise Lost(f"{self._place.folder}: forgotten, and still there: {left}")

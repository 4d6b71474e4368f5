"""kill -9 while the store is copied, and while it is moved to where another broker goes on."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import time

from harness.cli import Cli

from .judge import Judge
from .place import Clients, Lost, Place

ACCOUNTS = 16
LIFETIME_S = 2  # each token is refreshed after half of it
ASKED_AT_ONCE = 4
COMMAND_MAX_S = 0.2  # so long after the command began the kill falls, at most
FENCED_S = 0.3  # so long a fenced broker is looked at; tokens become due meanwhile


class Copying:
    """A place whose broker is killed in the midst of copies, again and again."""

    def __init__(self, place, chance):
        self.place, self._chance = place, chance
        self._clients = Clients(place)
        self._judge = Judge(place.provider.ledger.path)
        self._files = 0
        self.facts = {"whole copies": 0}

    def begin(self):
        key = self.place.folder / "seal"
        key.write_bytes(os.urandom(32))
        key.chmod(0o600)
        self.place.daemon.config.broker["key"] = f"file:{key}"
        self.place.start()
        self.place.grant_all()

    def copy(self, what):
        """The command begins, the broker dies under it; the path of its file, and whether that came
        to be."""
        place = self.place
        self._files += 1
        file = place.folder / f"copy{self._files}"
        self._clients.ask(self._chance.sample(place.accounts, ASKED_AT_ONCE))
        command = Cli(place.daemon.socket, place.folder).spawn(what, str(file))
        self._clients.listen(time.monotonic() + self._chance.uniform(0, COMMAND_MAX_S))
        place.daemon.kill()
        self._clients.hang_up()
        command.communicate(timeout=60)
        self._look_at(file)
        place.start()
        self.read()
        return file

    def _look_at(self, file):
        """Under its name there is all of it or nothing, and beside it nothing either."""
        if list(file.parent.glob(file.name + ".*")):
            raise Lost(f"{file}: half of a copy was left")
        if file.exists():
            self.facts["whole copies"] += 1
            look = self.place.folder / "look"
            shutil.copy(file, look)
            with contextlib.closing(sqlite3.connect(look)) as store:
                said = store.execute("PRAGMA integrity_check").fetchall()
                said += store.execute("SELECT count(*) FROM accounts").fetchall()
            if said != [("ok",), (ACCOUNTS,)]:
                raise Lost(f"{file}: {said}")

    def read(self):
        self._judge.read(self._clients.seen)
        if self._judge.losses:
            raise Lost(f"{self.place.folder}: {self._judge.losses[0]}")

    def restore(self, file):
        """Another broker takes over: of this one nothing is left."""
        daemon = self.place.daemon
        if daemon.running:
            daemon.kill()
        daemon.state = self.place.folder / f"state{self._files}"
        done = subprocess.run([*daemon.command_line(), "--restore", str(file)], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode != 0:
            raise Lost(f"{file}: {done.stderr}")
        self.place.start()
        if not self.place.api.resume().ok()["resumed"]:
            raise Lost(f"{file}: it did not start paused")

    def end(self):
        self.place.assert_whole()
        self.read()
        self.place.daemon.stop()
        self.place.assert_sound()
        return self.facts | {"rotations": self._judge.rotations}


class Moving(Copying):
    """Either nothing has happened, or the store is fenced and the copy complete."""

    def __init__(self, place, chance):
        super().__init__(place, chance)
        self.facts |= {"fenced": 0, "taken over": 0}

    def move(self):
        file = self.copy("move")
        if self._is_fenced():
            self.facts["fenced"] += 1
            self._go_on(file)
        elif file.exists():
            raise Lost(f"{file}: a copy, and no fence")

    def _is_fenced(self):
        return "moved_at" in self.place.api.health().ok()["store"]

    def _go_on(self, file):
        """Where the copy is used now; where it was lost, by another one; or here again."""
        place = self.place
        self._clients.ask(place.accounts)
        self._clients.listen(time.monotonic() + FENCED_S)
        self._clients.hang_up()
        sent = place.provider.ledger.lines("refresh", life=place.life)
        if sent:
            raise Lost(f"{place.folder}: sent by a broker that gave its store away: {sent[0]}")
        if self._chance.random() < 0.3:
            place.api.resume(moved_back=True).ok()
            return
        if not file.exists():
            done = Cli(place.daemon.socket, place.folder).run("move", str(file))
            if done.returncode != 0:
                raise Lost(f"{file}: {done.stderr}")
        self.restore(file)
        self.facts["taken over"] += 1


def _place():
    return Place(ACCOUNTS, lifetime=LIFETIME_S, rotation="revoke-on-first-use")


def backups(count, chance, progress):
    """`count` kills; the broker that was copied has lost nothing by it."""
    with _place() as place:
        copying = Copying(place, chance)
        copying.begin()
        for _ in range(count):
            copying.copy("backup")
            progress(1)
        return copying.end()


def moves(count, chance, progress):
    """`count` kills; whoever has the store at the end has every grant."""
    with _place() as place:
        moving = Moving(place, chance)
        moving.begin()
        for _ in range(count):
            moving.move()
            progress(1)
        return moving.end()

"""The power is cut after a backup, while a store is made of one, and while a store is moved."""

import secrets

from harness.cli import Cli

from .machine import FUSE
from .place import Lost

ACCOUNTS = 5
MOVING_MAX = 60  # of the broker's operations in a move, at most
ENDLESS = 1 << 32
KEY_SIZE = 32


class Restoring:
    """A backup that was told written is there; a restored store is there whole, or not at all; of a
    store that was not fenced there is no file to use elsewhere."""

    def __init__(self, place, chance):
        self._place, self._chance = place, chance
        self._file = place.folder / "kept"
        self._operations = 0  # that a whole restore takes
        place.accounts = [f"plain/u{number}" for number in range(ACCOUNTS)]

    def run(self, count, progress):
        self._back_up()
        progress(self._place.cuts)
        while self._place.cuts < count:
            self._chance.choice((self._cut_restore, self._cut_move))()
            progress(1)

    def _back_up(self):
        place, key = self._place, self._place.folder / "seal"
        key.write_bytes(secrets.token_bytes(KEY_SIZE))
        key.chmod(0o600)
        place.daemon.config.broker["key"] = f"file:{key}"
        place.start()
        place.grant_all()
        file = place.disk.root / "kept"
        if not self._command("backup", file):
            raise Lost(f"{place.folder}: no backup")
        self._file.write_bytes(file.read_bytes())
        place.cut()
        self._check_file(file, self._file.read_bytes())

    def _command(self, verb, file):
        """Whether it was told done. What it writes is on the same disk; the fuse is the broker's."""
        place, endless = self._place, self._place.folder / "endless"
        endless.write_bytes(bytes(FUSE))
        done = Cli(place.daemon.socket, place.folder).run(
            verb, str(file), environment=place.daemon.environment | {"POWER_FUSE": str(endless)})
        return done.returncode == 0

    def _check_file(self, file, content):
        if not file.exists() or file.read_bytes() != content:
            raise Lost(f"{self._place.folder}: {file.name} was told written, and is lost")

    def _restore(self):
        """Whether it was told done."""
        daemon = self._place.daemon
        daemon.flags = ["--restore", str(self._file)]
        status = daemon.spawn().wait()
        daemon.flags = []
        if status != 0 and not self._place.blown:
            raise Lost(f"{self._place.folder}: not restored: {daemon.log()}")
        return status == 0

    def _cut_move(self):
        place, file = self._place, self._place.disk.root / "moved"
        place.disk.put("state", None)
        place.start()
        place.grant_all()
        place.arm(self._chance.randrange(1, MOVING_MAX))
        done = self._command("move", file)
        content = file.read_bytes() if done else b""
        place.cut()
        if done:
            self._check_file(file, content)
        place.start()
        if (done or file.exists()) and "moved_at" not in place.api.health().ok()["store"]:
            raise Lost(f"{place.folder}: a store that was moved goes on")
        place.daemon.kill()

    def _cut_restore(self):
        place = self._place
        place.disk.put("state", None)
        place.arm(self._chance.randrange(1, self._operations) if self._operations else ENDLESS)
        done = self._restore()
        self._operations = self._operations or ENDLESS - place.left()
        place.cut()
        if not (place.daemon.state / "store.sqlite").exists():
            if done:
                raise Lost(f"{place.folder}: the restored store is gone")
            self._restore()
        place.start()
        if "copied" not in place.api.health().ok()["store"]:
            raise Lost(f"{place.folder}: the restored store is not known as a copy")
        for account in place.accounts:
            place.api.account(account).ok()
        place.daemon.kill()

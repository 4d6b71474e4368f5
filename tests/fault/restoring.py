"""The power is cut after a backup, and while a store is made of one."""

import secrets

from harness.cli import Cli

from .place import Lost

ACCOUNTS = 5
ENDLESS = 1 << 32
KEY_SIZE = 32


class Restoring:
    """A backup that was told written is there; a restored store is there whole, or not at all."""

    def __init__(self, place, chance):
        self._place, self._chance = place, chance
        self._file = place.folder / "kept"
        self._operations = 0  # that a whole restore takes
        place.accounts = [f"plain/u{number}" for number in range(ACCOUNTS)]

    def run(self, count, progress):
        self._back_up()
        progress(self._place.cuts)
        while self._place.cuts < count:
            self._one()
            progress(1)

    def _back_up(self):
        place, key = self._place, self._place.folder / "seal"
        key.write_bytes(secrets.token_bytes(KEY_SIZE))
        key.chmod(0o600)
        place.daemon.config.broker["key"] = f"file:{key}"
        place.start()
        place.grant_all()
        file = place.disk.root / "kept"
        done = Cli(place.daemon.socket, place.folder).run(
            "backup", str(file), environment=place.daemon.environment)
        written = file.read_bytes() if done.returncode == 0 else b""
        place.cut()
        if not written or not file.exists() or file.read_bytes() != written:
            raise Lost(f"{place.folder}: the backup is lost: {done.stderr}")
        self._file.write_bytes(written)

    def _restore(self):
        """Whether it was told done."""
        daemon = self._place.daemon
        daemon.flags = ["--restore", str(self._file)]
        status = daemon.spawn().wait()
        daemon.flags = []
        if status != 0 and not self._place.blown:
            raise Lost(f"{self._place.folder}: not restored: {daemon.log()}")
        return status == 0

    def _one(self):
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

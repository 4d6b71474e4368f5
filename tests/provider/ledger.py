"""The provider's book: one JSON line for each thing that was issued, accepted or refused.

It holds fingerprints, never a secret, so that a test can judge by it and keep it.
"""

import base64
import hashlib
import json
import os
import threading

from . import clock


def fingerprint(secret):
    """base64url(SHA-256(secret)) without padding: the same form as the broker's own API uses."""
    digest = hashlib.sha256(secret.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Ledger:
    """Append-only; every line has its number `n`, the time `at` and the `event`."""

    def __init__(self, path, fsync=False):
        self._file = open(path, "a", encoding="utf-8", buffering=1)
        self._fsync = fsync
        self._grown = threading.Condition()
        self._lines = []

    def write(self, event, **facts):
        """Adds a line; facts that are None are left out."""
        with self._grown:
            line = {"n": len(self._lines), "at": clock.now(), "event": event}
            line.update((key, value) for key, value in facts.items() if value is not None)
            self._lines.append(line)
            self._file.write(json.dumps(line) + "\n")
            if self._fsync:
                os.fsync(self._file.fileno())
            self._grown.notify_all()

    def after(self, number, wait):
        """The lines from `number` on; waits up to `wait` seconds for the first of them."""
        with self._grown:
            self._grown.wait_for(lambda: len(self._lines) > number, timeout=wait)
            return self._lines[number:]

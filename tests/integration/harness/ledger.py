"""Reads a provider's ledger: what it issued, accepted and refused is what the tests judge by."""

import json
import time

from provider.ledger import fingerprint

__all__ = ["Ledger", "fingerprint"]


def _fits(line, event, facts):
    return line["event"] == event and all(line.get(key) == want for key, want in facts.items())


class Ledger:
    def __init__(self, path, order):
        self.path = path
        self._order = order

    def lines(self, event, **facts):
        """All lines of that event whose facts are so."""
        text = self.path.read_text(encoding="utf-8")
        whole = text[:text.rfind("\n") + 1]  # the next line may be half written
        return [line for line in map(json.loads, whole.splitlines()) if _fits(line, event, facts)]

    def count(self, event, **facts):
        return len(self.lines(event, **facts))

    def token_requests(self, **facts):
        return self.lines("token_request", **facts)

    def refreshes(self, **facts):
        return self.lines("refresh", outcome="accepted", **facts)

    def wait_for(self, event, count=1, timeout=15, **facts):
        """The first `count` such lines, waiting until there are so many."""
        deadline, found, number = time.monotonic() + timeout, [], 0
        while len(found) < count:
            left = deadline - time.monotonic()
            assert left > 0, f"{len(found)} of {count} lines {event} {facts} after {timeout} s"
            lines = self._order("ledger", after=number, wait=left)["lines"]
            number += len(lines)
            found += [line for line in lines if _fits(line, event, facts)]
        return found[:count]

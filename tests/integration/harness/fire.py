"""A broker with many accounts at a provider that goes wrong, on clocks that a test moves."""

import time

from .clocks import Clocks

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
STEP = 5 * MINUTE
QUIET_S = 0.06  # nothing in the air and nothing new in the ledger for so long: the step is over
SETTLE_TIMEOUT = 30
PAGE = 500


class Fire:
    """Time passes in steps, each as when the machine slept for so long. `hours` is how much passed,
    `ends` when each account came to consent_required, in hours."""

    def __init__(self, daemon, provider):
        self.api, self.provider = daemon.api, provider
        self._daemon, self._clocks = daemon, Clocks(daemon)
        self._seconds, self.ends = 0, {}
        daemon.with_provider("plain", provider).start()

    @property
    def hours(self):
        return self._seconds / HOUR

    def grants(self, *users):
        """Accounts plain/USER, each with an access token that is valid for an hour."""
        for user in users:
            self._daemon.grant(self.provider, f"plain/{user}")
            self.api.token(f"plain/{user}").ok()
        self.settle()

    def states(self):
        rows = self.api.accounts(limit=PAGE).ok()["accounts"]
        return {row["account"].partition("/")[2]: row["state"] for row in rows}

    def paused(self):
        return self.api.health().ok()["providers"][0]["paused"]

    def requests(self, **facts):
        """How many token requests the provider had so far."""
        return len(self.provider.ledger.token_requests(**facts))

    def asked(self):
        """The users whose refresh tokens were sent, in order."""
        return [line["user"] for line in self.provider.ledger.token_requests()]

    def accepted(self):
        """How many refreshes of each user the provider has granted."""
        counts = {}
        for line in self.provider.ledger.refreshes():
            counts[line["user"]] = counts.get(line["user"], 0) + 1
        return counts

    def pass_time(self, seconds, step=STEP, until=lambda: False, awake_for=None):
        """Lets time pass, to its end or until that is so. The tries for a user awake_for are made when
        they are due: the time by which one comes late counts towards no verdict."""
        end = self._seconds + seconds
        while self._seconds < end and not until():
            moved = min(step, end - self._seconds)
            if awake_for:
                moved = min(moved, self._until_due(awake_for))
            self._clocks.suspend(moved)
            self._seconds += moved
            self.settle()
            self._note_ends()

    def _until_due(self, user):
        due_at = self.api.account(f"plain/{user}").ok().get("next_refresh_at", 0)
        left = due_at + 1 - self._clocks.wall()
        return left if left > 0 else STEP

    def settle(self):
        """Until what is due has been sent and answered."""
        deadline, before, since = time.monotonic() + SETTLE_TIMEOUT, None, 0
        while before is None or self._in_air() or time.monotonic() - since < QUIET_S:
            assert time.monotonic() < deadline, "it never comes to rest"
            now = self.requests()
            if now != before or self._in_air():
                before, since = now, time.monotonic()
            time.sleep(0.01)

    def _in_air(self):
        text = self.api.request("GET", "/metrics").text
        return any(line.startswith("tokenbroker_refreshes_in_air") and not line.endswith(" 0")
                   for line in text.splitlines())

    def _note_ends(self):
        for user, state in self.states().items():
            if state == "consent_required":
                self.ends.setdefault(user, self.hours)
            else:
                self.ends.pop(user, None)

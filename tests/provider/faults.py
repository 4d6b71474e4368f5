"""Faults that a test orders: how an endpoint misbehaves, for whom, and how often."""

import json
import threading
from dataclasses import dataclass, field

HOLD_MAX = 60.0

_HTML = "<!doctype html><title>Error</title><h1>Something went wrong</h1>"


def _oauth_error(code):
    return json.dumps({"error": code, "error_description": f"emulated {code}"})


# mode: status, content type, body, further headers
CANNED = {
    "http500": (500, "text/html", _HTML, {}),
    "http503": (503, "text/html", _HTML, {"Retry-After": "2"}),
    "empty400": (400, "text/plain", "", {}),
    "not-json": (200, "text/plain", "OK, here you are", {}),
    "html200": (200, "text/html", _HTML, {}),
    "too-many": (429, "application/json", "{}", {"Retry-After": "2"}),
    "redirect": (307, "text/plain", "", {"Location": "/_elsewhere"}),
    "huge": (200, "application/json", '{"a": "' + "x" * 200_000 + '"}', {}),
    "invalid_grant": (400, "application/json", _oauth_error("invalid_grant"), {}),
    "invalid_request": (400, "application/json", _oauth_error("invalid_request"), {}),
    "invalid_grant403": (403, "application/json", _oauth_error("invalid_grant"), {}),
    "html403": (403, "text/html", _HTML, {}),
    "broken400": (400, "application/json", '{"error": "invalid_grant"', {}),
    "http403": (403, "application/json", _oauth_error("forbidden"), {}),
    "invalid_client": (401, "application/json", _oauth_error("invalid_client"), {}),
    "invalid_scope": (400, "application/json", _oauth_error("invalid_scope"), {}),
    "slow_down": (400, "application/json", _oauth_error("slow_down"), {}),
    "unknown-error": (400, "application/json", _oauth_error("out_of_cheese"), {}),
    "server_error": (400, "application/json", _oauth_error("server_error"), {}),
}

# The request has no effect yet; after hang and the canned answers it never has one.
BEFORE = {"hang", "delay", "hold", *CANNED}
# The effect is done; the reply is harmed or late.
AFTER = {"drop", "reset", "truncate", "drip", "hold-after", "delay-after"}


@dataclass
class Fault:
    endpoint: str  # token, api, authorize, revoke, device
    mode: str
    seconds: float = 0
    times: int = -1  # -1: until cleared
    users: tuple = ()  # empty: everyone
    over: threading.Event = field(default_factory=threading.Event)

    def fits(self, endpoint, user):
        anyone = not self.users or user in self.users
        return self.endpoint == endpoint and self.times != 0 and anyone

    def wait(self):
        """Waits as ordered; ends at once when the fault is cleared."""
        self.over.wait(self.seconds if self.mode in ("hang", "delay", "delay-after") else HOLD_MAX)


class Faults:
    """The faults of one server; the newest that fits is used."""

    def __init__(self):
        self._lock = threading.Lock()
        self._faults = []

    def order(self, endpoint, mode, seconds=0, times=-1, users=()):
        if mode not in BEFORE | AFTER:
            raise ValueError(f"unknown mode {mode}")
        with self._lock:
            self._faults.insert(0, Fault(endpoint, mode, seconds, times, tuple(users)))

    def take(self, endpoint, user):
        """The fault for this request, counted as used, or None."""
        with self._lock:
            for fault in self._faults:
                if fault.fits(endpoint, user):
                    fault.times -= fault.times > 0
                    return fault
        return None

    def clear(self):
        """Ends all faults; whatever they hold goes on."""
        with self._lock:
            for fault in self._faults:
                fault.over.set()
            self._faults.clear()

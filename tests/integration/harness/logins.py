"""A login from the start to its end, as a client and a person do it together."""

import time
from urllib.parse import urlsplit


def start(api, account, **members):
    """The members of the login's start."""
    return api.login(account, **members).ok()


def log_in(api, person, account, decision="allow", **changes):
    """The whole login; returns (the login's last object, the page the person sees at the end)."""
    started = start(api, account)
    page = person.consent(started["start_url"], decision, **changes)
    return wait_ended(api, started["login_id"]), page


def wait_ended(api, login_id, timeout=20):
    """The login's object when it is neither pending nor exchanging."""
    deadline = time.monotonic() + timeout
    while True:
        login = api.follow(login_id, wait=5).ok()
        if login["status"] not in ("pending", "exchanging"):
            return login
        assert time.monotonic() < deadline, login


def path_of(url):
    return urlsplit(url).path


def log_in_soon(api, person, account, seconds=5):
    """The same within that time."""
    begun = time.monotonic()
    log_in(api, person, account)
    took = time.monotonic() - begun
    assert took < seconds, f"{took:.1f} s"

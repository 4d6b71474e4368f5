"""A daemon's life from start to stop, to be watched by tools: valgrind, the thread sanitizer."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.logins import log_in

ACCOUNTS, ROUNDS = 10, 5
VALGRIND = ["valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite,possible",
            "--errors-for-leak-kinds=definite,possible", "--error-exitcode=99"]


def live(daemon, plain, person):
    """A login by browser, then fifty refreshes, with clients that ask all the time."""
    api = daemon.api
    assert log_in(api, person, "plain/person")[0]["status"] == "done"
    names = [f"plain/a{number}" for number in range(ACCOUNTS)]
    for name in names:
        daemon.grant(plain, name)
    for _ in range(ROUNDS):
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(api.refresh_allowed, names))
            tokens = list(pool.map(api.token, names * 3))
        assert all(reply.status == 200 for reply in replies + tokens)
    daemon.reload()
    api.reject(names[0], fingerprint="A" * 43).ok()
    api.retry("").ok()
    api.forget(names[1]).ok()
    assert api.health().ok()["status"] == "ok"
    assert plain.ledger.count("refresh", outcome="accepted") >= ACCOUNTS * ROUNDS


@pytest.mark.threads
@pytest.mark.slow
def test_life(broker, plain, person):
    live(broker, plain, person)
    broker.stop()
    assert "ThreadSanitizer" not in broker.log(), broker.log()


@pytest.mark.valgrind
@pytest.mark.slow
@pytest.mark.skipif("TOKENBROKER_VALGRIND" not in os.environ, reason="a run of its own, without sanitizers")
def test_life_under_valgrind(daemon, plain, person):
    daemon.wrapper = VALGRIND
    daemon.with_provider("plain", plain).start()
    live(daemon, plain, person)
    daemon.stop()
    assert "== " not in daemon.log(), daemon.log()

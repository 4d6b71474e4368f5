"""A store of 100 MB: who asks for tokens does not notice that it is copied."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.large import enlarge

ROWS, BYTES = 40_000, 100 * 1000 * 1000
BEFORE_S = 3
ENOUGH = 50
RATIO_MAX = 20  # of the 99th of 100 answers while it is copied to that of before
NOISE_S = 0.03  # so long a step of the scheduler may last on a busy machine
WORST_S = 0.2  # far less than the copying takes as a whole
WORST_RATIO_MAX = 3  # to the worst of all before, or of the front, which only the machine delays


class Asker:
    """Asks one thing after the other and takes the times."""

    def __init__(self, ask):
        self._ask, self._over = ask, threading.Event()
        self.times, self.failures = [], []

    def run(self):
        while not self._over.is_set():
            begun = time.monotonic()
            reply = self._ask()
            self.times.append(time.monotonic() - begun)
            if reply.status != 200:
                self.failures.append(reply.text)

    def stop(self):
        self._over.set()

    def has_enough(self):
        return len(self.times) > ENOUGH

    def take(self):
        """The times since the last look, sorted."""
        taken, self.times = sorted(self.times), []
        return taken


def p99(times):
    return times[int(len(times) * 0.99)]


def _import_next(api, labels):
    time.sleep(0.02)  # it is not the imports that are to be slow
    return api.import_grant(f"plain/{next(labels)}", refresh_token=f"rt-{time.monotonic_ns()}")


@pytest.mark.slow
def test_a_backup_stalls_nobody(daemon, api, cli, plain, folder):
    """Neither the front (a cached token), nor the back (an account's row), nor what is written."""
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, "plain/acme")
    api.token("plain/acme").ok()
    enlarge(daemon, "plain/acme", ROWS)
    assert (daemon.state / "store.sqlite").stat().st_size > BYTES
    os.sync()  # what the test itself has written is no matter of the broker
    api.token("plain/acme").ok()
    labels = (f"n{number}" for number in range(10_000))
    askers = [Asker(lambda: api.token("plain/acme")), Asker(lambda: api.account("plain/acme")),
              Asker(lambda: _import_next(api, labels))]
    with ThreadPoolExecutor() as pool:
        try:
            work = [pool.submit(asker.run) for asker in askers]
            begun = time.monotonic()
            while time.monotonic() < begun + BEFORE_S or not all(map(Asker.has_enough, askers)):
                assert time.monotonic() < begun + 60
                time.sleep(0.1)
            before = [asker.take() for asker in askers]
            done = cli.run("backup", str(folder / "kept"), "--key-kept", timeout=300)
            assert all(map(Asker.has_enough, askers))
            during = [asker.take() for asker in askers]
        finally:
            for asker in askers:
                asker.stop()
        assert [one.result() for one in work] == [None, None, None]
    assert done.returncode == 0 and not any(asker.failures for asker in askers), done.stderr
    for old, new in zip(before, during):
        print(f"p99 {p99(old) * 1000:.1f} -> {p99(new) * 1000:.1f} ms,"
              f" ratio {p99(new) / p99(old):.1f};"
              f" worst {old[-1] * 1000:.0f} -> {new[-1] * 1000:.0f} ms")
    machine = max(during[0][-1], *(old[-1] for old in before))  # a disk that stalls one stalls all behind it
    for old, new in zip(before, during):
        assert p99(new) <= RATIO_MAX * p99(old) + NOISE_S
        assert new[-1] <= max(WORST_S, WORST_RATIO_MAX * machine)

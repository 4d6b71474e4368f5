"""One flight for each account, and a provider that is slow delays nobody else."""

import contextlib
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from harness.ledger import fingerprint

CLIENTS = 200
LONG = 10_000  # bytes of a token, twice as many digits: two hundred fill the memory
CACHED_MAX = 0.25  # seconds; a cached answer on a busy machine


def test_200_clients_at_the_end_of_a_token(broker, api, plain):
    """All ask when the token has ended: exactly one request goes out, all get its answer."""
    plain.configure(lifetime=2)
    broker.grant(plain, "plain/acme")
    first = api.token("plain/acme").ok()
    plain.fault("hold")
    plain.ledger.wait_for("fault")  # the proactive refresh is in the air
    time.sleep(max(0, first["expires_at"] + 1 - time.time()))
    requests = len(plain.ledger.token_requests())
    gate = Barrier(CLIENTS + 1)

    def ask(_):
        gate.wait()
        return api.token("plain/acme", wait=30)

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = pool.map(ask, range(CLIENTS))
        gate.wait()
        plain.configure(lifetime=3600)
        time.sleep(0.3)  # lets all of them arrive; nothing tells when they wait
        plain.clear_faults()
        tokens = {answer.ok()["access_token"] for answer in answers}
    assert len(tokens) == 1
    assert len(plain.ledger.token_requests()) == requests
    assert fingerprint(tokens.pop()) == plain.ledger.refreshes()[-1]["access"]


def test_first_token_for_200_clients(broker, api, plain):
    broker.grant(plain, "plain/acme")
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(lambda _: api.token("plain/acme", wait=30), range(CLIENTS)))
    assert len({answer.ok()["access_token"] for answer in answers}) == 1
    assert len(plain.ledger.token_requests()) == 1


def test_refresh_joins_the_flight(broker, api, plain):
    broker.grant(plain, "plain/acme")
    plain.fault("hold")
    with ThreadPoolExecutor() as pool:
        answers = [pool.submit(api.refresh, "plain/acme") for _ in range(3)]
        plain.ledger.wait_for("fault")
        plain.clear_faults()
        statuses = sorted(answer.result().status for answer in answers)
    assert set(statuses) <= {200, 429} and statuses[0] == 200
    assert len(plain.ledger.token_requests()) == 1


def test_the_spent_token_imported_again_gets_its_successor(broker, api, plain):
    """A program that sets accounts up says the same again while the refresh is in the air."""
    token = broker.grant(plain, "plain/acme")
    plain.fault("hold-after", times=1)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(api.token, "plain/acme", wait=30)
        plain.ledger.wait_for("fault")
        api.import_grant("plain/acme", refresh_token=token).ok()
        plain.clear_faults()
        waiting.result()
    assert plain.call(api.patient_token("plain/acme"))[0] == 200
    assert {line["outcome"] for line in plain.ledger.lines("refresh")} == {"accepted"}


@pytest.mark.slow
def test_the_spent_token_imported_later_changes_nothing(broker, api, plain):
    """A script that brings the token of the first day at every start."""
    token = broker.grant(plain, "plain/acme")
    for _ in range(3):
        assert plain.call(api.patient_token("plain/acme"))[0] == 200
        generation = api.account("plain/acme").ok()["generation"]
        again = api.import_grant("plain/acme", refresh_token=token).ok()
        assert again["generation"] == generation
        api.refresh_allowed("plain/acme").ok()
    assert {line["outcome"] for line in plain.ledger.lines("refresh")} == {"accepted"}


def test_nor_after_a_person_brought_another_one(broker, api, plain):
    """The script's is as spent as before, and the person's good."""
    scripts = broker.grant(plain, "plain/acme")
    assert plain.call(api.patient_token("plain/acme"))[0] == 200
    api.import_grant("plain/acme", refresh_token=plain.seed("acme")["acme"]).ok()
    assert plain.call(api.patient_token("plain/acme"))[0] == 200
    api.import_grant("plain/acme", refresh_token=scripts).ok()
    api.refresh_allowed("plain/acme").ok()
    assert plain.call(api.patient_token("plain/acme"))[0] == 200
    assert {line["outcome"] for line in plain.ledger.lines("refresh")} == {"accepted"}


def test_what_comes_after_a_logout_is_revoked(broker, api, plain):
    broker.grant(plain, "plain/acme")
    plain.fault("hold-after", times=1)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(api.token, "plain/acme", wait=30)
        plain.ledger.wait_for("fault")
        api.forget("plain/acme").ok()
        plain.clear_faults()
        assert waiting.result().status != 200
    plain.ledger.wait_for("revocation", token=plain.ledger.refreshes()[-1]["refresh"])


@pytest.mark.slow
def test_hanging_provider_delays_nobody_else(daemon, api, emulator):
    slow, good = emulator("plain"), emulator("plain")
    daemon.with_provider("slow", slow).with_provider("good", good).start()
    for name, provider in (("slow", slow), ("good", good)):
        daemon.grant(provider, f"{name}/a")
        daemon.grant(provider, f"{name}/b")
    api.token("slow/a").ok()
    api.token("good/a").ok()
    slow.fault("hang", seconds=10)
    with ThreadPoolExecutor() as pool:
        hanging = pool.submit(api.token, "slow/b", wait=30)
        slow.ledger.wait_for("fault")
        worst = 0.0
        while not hanging.done() and worst < CACHED_MAX and not slow.ledger.count("fault") > 1:
            begun = time.monotonic()
            api.token("good/a").ok()
            api.token("slow/a").ok()
            worst = max(worst, (time.monotonic() - begun) / 2)
        assert worst < CACHED_MAX
        assert api.token("good/b").status == 200
        slow.clear_faults()
        assert hanging.result().status == 200


def test_wait_bounds_the_request(broker, api, plain):
    broker.grant(plain, "plain/acme")
    plain.fault("hold")
    begun = time.monotonic()
    reply = api.token("plain/acme", wait=1)
    assert (reply.status, reply.error) == (504, "timeout")
    assert 0.9 < time.monotonic() - begun < 4
    plain.clear_faults()
    assert api.token("plain/acme").status == 200
    assert len(plain.ledger.token_requests()) == 1, "the flight went on without its client"


@pytest.mark.slow
def test_old_token_is_served_while_it_is_valid(broker, api, plain):
    plain.configure(lifetime=6)
    broker.grant(plain, "plain/acme")
    token = api.token("plain/acme").ok()
    plain.fault("http500")
    plain.ledger.wait_for("fault")
    assert api.token("plain/acme").ok()["access_token"] == token["access_token"]


def _connect(api, provider, emulator, users):
    """Each has an access token, a refresh token and the one before it."""
    emulator.configure(token_bytes=LONG)
    for user, token in emulator.seed(*users).items():
        api.import_grant(f"{provider}/{user}", refresh_token=token).ok()
        api.token(f"{provider}/{user}").ok()


def _make_due(daemon, *accounts):
    """Accounts, by a pattern, and in how many seconds."""
    with contextlib.closing(sqlite3.connect(daemon.state / "store.sqlite")) as store, store:
        for account, seconds in accounts:
            provider, _, label = account.partition("/")
            store.execute("UPDATE accounts SET refresh_at = ? WHERE provider = ? AND label GLOB ?",
                          (int((time.time() + seconds) * 1000), provider, label))


@pytest.mark.slow
def test_an_outage_elsewhere_costs_no_grant(daemon, api, plain, emulator):
    """Many accounts with long tokens try in vain for a while: a reply finds its place all the same,
    and tokens that live are served."""
    dead, live = emulator("plain"), [f"live{number}" for number in range(4)]
    daemon.with_provider("plain", plain).with_provider("dead", dead).start()
    _connect(api, "plain", plain, ["acme", *live])
    _connect(api, "dead", dead, [f"a{number}" for number in range(130)])
    dead.stop()
    daemon.stop()
    _make_due(daemon, ("plain/acme", 0), ("dead/*", 1))
    requests = len(plain.ledger.token_requests())
    plain.fault("delay-after", seconds=9, times=1)
    daemon.start()
    plain.ledger.wait_for("refresh", requests + 1)
    time.sleep(4)
    for user in live:
        time.sleep(1)
        assert api.token(f"plain/{user}").status == 200
    assert api.refresh("plain/acme").status == 200  # joins what is under way
    assert len(plain.ledger.token_requests()) == requests + 1
    assert {line["outcome"] for line in plain.ledger.lines("refresh")} == {"accepted"}

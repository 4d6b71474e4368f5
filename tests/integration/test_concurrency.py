"""`concurrency`: never more requests at a provider at once, whoever asks and for what."""

from concurrent.futures import ThreadPoolExecutor

from harness.logins import start, wait_ended
from harness.person import Person

ACCOUNTS = 12


def _seed(api, plain):
    users = [f"a{number:02}" for number in range(ACCOUNTS)]
    for user, token in plain.seed(*users).items():
        api.import_grant(f"plain/{user}", refresh_token=token).ok()
    return users


def _most(plain):
    return max(line["count"] for line in plain.ledger.lines("under_way"))


def _storm(api, person, plain):
    """Refreshes, a code and revocations at the same time."""
    users = _seed(api, plain)
    for user in users[:5]:  # success opens the window
        api.token(f"plain/{user}").ok()
    started = start(api, "plain/new")
    redirect = person.decide(started["start_url"])
    plain.fault("delay", seconds=0.2)
    plain.fault("delay", endpoint="revoke", seconds=0.2)
    with ThreadPoolExecutor(ACCOUNTS) as pool:
        answers = [pool.submit(api.token, f"plain/{user}", wait=50) for user in users[5:]]
        gone = [pool.submit(api.forget, f"plain/{user}") for user in users[:3]]
        assert pool.submit(person.open, redirect).result().status == 200
        assert all(answer.result().status == 200 for answer in answers + gone)
    assert wait_ended(api, started["login_id"])["status"] == "done"
    plain.ledger.wait_for("under_way", 2 * 3, path=plain.dialect.revocation_path)


def test_never_more_at_once(daemon, api, person, plain):
    daemon.with_provider("plain", plain, concurrency="2").start()
    _storm(api, person, plain)
    assert _most(plain) == 2


def test_without_it_there_are_more(broker, api, person, plain):
    """The test above can fail."""
    _storm(api, person, plain)
    assert _most(plain) > 2


def test_a_code_goes_before_refreshes(daemon, api, plain):
    """A person waits for it."""
    daemon.with_provider("plain", plain, concurrency="1").start()
    person, users = Person(), _seed(api, plain)
    redirect = person.decide(start(api, "plain/new")["start_url"])
    plain.fault("delay", seconds=1.5, times=1)
    with ThreadPoolExecutor(ACCOUNTS + 1) as pool:
        answers = [pool.submit(api.token, f"plain/{user}", wait=50) for user in users]
        plain.ledger.wait_for("token_request")
        assert pool.submit(person.open, redirect).result().status == 200
        assert all(answer.result().status == 200 for answer in answers)
    kinds = [line["grant_type"] for line in plain.ledger.token_requests()]
    assert kinds.index("authorization_code") == 1 and _most(plain) == 1

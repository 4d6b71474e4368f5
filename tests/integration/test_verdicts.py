"""What a refusal or a useless answer means: for an account, for a provider, for nobody."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.logins import log_in

ACCOUNTS = 500
CANARIES = 3  # different accounts refused in a row pause a provider


@pytest.mark.parametrize("mode", [
    "http500", "http503", "too-many", "not-json", "html200", "html403", "broken400", "redirect",
    "huge", "drop", "truncate", "server_error"])
def test_no_usable_answer_is_tried_again(broker, api, plain, mode):
    """The same refresh token, soon; the account stays active."""
    plain.configure(rotation="grace", grace=60)
    broker.grant(plain, "plain/acme")
    plain.fault(mode, times=1)
    reply = api.token("plain/acme", wait=20)
    assert reply.status in (200, 503), reply.text
    plain.ledger.wait_for("token_request", 2)
    api.patient_token("plain/acme")
    presented = {line["presented"] for line in plain.ledger.lines("refresh")}
    assert len(presented) == 1
    assert api.account("plain/acme").ok()["state"] == "active"
    assert not plain.ledger.count("unknown_path"), "a redirect of a token request was followed"


@pytest.mark.slow
def test_unreachable_provider(broker, api, plain):
    broker.grant(plain, "plain/acme")
    plain.stop()
    assert api.token("plain/acme", wait=30).error == "provider_unavailable"
    account = api.account("plain/acme").ok()
    assert account["state"] == "active" and account["last_error"]["error"]


def test_retry_after_is_honoured(broker, api, plain):
    broker.grant(plain, "plain/acme")
    plain.fault("too-many", times=1)
    api.token("plain/acme", wait=20)
    first, second = plain.ledger.wait_for("token_request", 2)
    assert second["at"] - first["at"] >= 1.9


@pytest.mark.slow
def test_refused_account(broker, api, plain):
    """invalid_grant: once more after 5 s, then the verdict; the others live on."""
    broker.grant(plain, "plain/good")
    api.token("plain/good").ok()
    token = broker.grant(plain, "plain/bad")
    plain.fault("invalid_grant", users=["bad"])
    api.token("plain/bad", wait=1)
    account = api.wait_state("plain/bad", "consent_required", timeout=30)
    assert account["last_error"]["error"] == "invalid_grant"
    requests = plain.ledger.token_requests(user="bad")
    assert len(requests) == 2 and requests[1]["at"] - requests[0]["at"] >= 4.5
    assert api.token("plain/bad").error == "consent_required"
    assert api.token("plain/good").status == 200
    assert token not in broker.log()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["retry", "reload"])
def test_a_verdict_under_a_wrong_set_up(broker, api, plain, how):
    """One more try of the same token once the set-up is another, or a person says so; no second one."""
    for user in ("acme", "dead"):
        broker.grant(plain, f"plain/{user}")
    plain.fault("invalid_grant")
    for user in ("acme", "dead"):
        api.token(f"plain/{user}", wait=1)
        api.wait_state(f"plain/{user}", "consent_required", timeout=30)
    plain.clear_faults()
    plain.fault("invalid_grant", users=["dead"])
    if how == "retry":
        api.retry("plain").ok()
    else:
        broker.config.providers["plain"]["refresh_params"] = ["mended=yes"]
        broker.reload()
    api.wait_state("plain/acme", "active")
    plain.ledger.wait_for("token_request", 6)
    assert [len(plain.ledger.token_requests(user=user)) for user in ("acme", "dead")] == [3, 3]
    assert [line["user"] for line in plain.ledger.refreshes()] == ["acme"]
    assert api.account("plain/dead").ok()["state"] == "consent_required"
    if how == "reload":
        broker.restart()
        assert len(plain.ledger.token_requests(user="dead")) == 3


@pytest.mark.slow
def test_predecessor_is_tried_once(broker, api, plain):
    """The current token is refused for good, the one before it is alive: it saves the grant."""
    plain.configure(rotation="new-old-alive")
    broker.grant(plain, "plain/acme")
    api.token("plain/acme").ok()
    plain.fault("invalid_grant", times=2)
    before = api.account("plain/acme").ok()
    api.refresh_allowed("plain/acme")
    plain.ledger.wait_for("refresh", 2, outcome="accepted", timeout=30)
    refreshes = plain.ledger.refreshes()
    assert refreshes[1]["presented"] == refreshes[0]["presented"]
    assert api.wait_newer("plain/acme", before)["state"] == "active"


@pytest.mark.parametrize("mode", ["empty400", "unknown-error"])
def test_odd_refusal_makes_suspect(broker, api, plain, mode):
    broker.grant(plain, "plain/other")
    api.token("plain/other").ok()
    broker.grant(plain, "plain/acme")
    plain.fault(mode, users=["acme"])
    api.token("plain/acme", wait=1)
    assert api.wait_state("plain/acme", "suspect")["last_error"]
    plain.clear_faults()
    api.retry("plain/acme").ok()
    api.patient_token("plain/acme")
    assert api.account("plain/acme").ok()["state"] == "active"


def _import_many(api, plain):
    tokens = plain.seed(*(f"u{number}" for number in range(ACCOUNTS)))

    def import_one(user):
        api.import_grant(f"plain/{user}", refresh_token=tokens[user]).ok()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(import_one, tokens))
    return list(tokens)


def _ask_all(api, users):
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda user: api.token(f"plain/{user}", wait=1), users))


def _tried(plain):
    return {line["user"] for line in plain.ledger.token_requests()}


def _assert_paused(api, plain, reason, tried_max):
    health = api.health().ok()
    provider = health["providers"][0]
    assert provider["paused"] and reason in provider["reason"], health
    assert health["accounts"]["consent_required"] == 0
    assert health["accounts"]["suspect"] <= tried_max
    assert len(_tried(plain)) <= tried_max


@pytest.mark.slow
@pytest.mark.parametrize("mode, reason, tried_max", [
    ("invalid_grant", "refused", CANARIES),
    ("invalid_client", "invalid_client", 1),
    ("invalid_scope", "invalid_scope", 1),
    ("wrong secret", "invalid_client", 1),
])
def test_provider_that_refuses_everyone(broker, api, plain, mode, reason, tried_max):
    """500 accounts: a few canaries are tried, nobody is asked to consent again, all comes back."""
    if mode == "wrong secret":
        plain.configure(client_secret="another", bad_client_consumes=True)
    else:
        plain.fault(mode)
    users = _import_many(api, plain)
    answers = _ask_all(api, users)
    assert {answer.status for answer in answers} <= {502, 503, 504}
    _assert_paused(api, plain, reason, tried_max)

    plain.clear_faults()
    plain.configure(client_secret=plain.dialect.client_secret, bad_client_consumes=False)
    api.retry("plain").ok()
    survivors = [user for user in users if mode != "wrong secret" or user not in _tried(plain)]
    api.wait_unpaused("plain", timeout=30)
    answers = [api.token(f"plain/{user}", wait=30).status for user in survivors[-5:]]
    assert answers == [200] * 5


@pytest.mark.slow
def test_new_credentials_end_the_pause(broker, api, plain):
    plain.configure(client_secret="another")
    broker.grant(plain, "plain/acme")
    assert api.token("plain/acme", wait=2).status in (502, 503)
    assert api.health().ok()["providers"][0]["paused"]
    broker.config.providers["plain"]["client_secret"] = "another"
    broker.reload()
    api.patient_token("plain/acme")
    api.wait_unpaused("plain")


def test_canary_only_on_retry_while_refused(broker, api, plain):
    plain.configure(client_secret="another")
    for user in ("a", "b", "c"):
        broker.grant(plain, f"plain/{user}")
    _ask_all(api, "abc")
    before = len(plain.ledger.token_requests())
    api.retry("plain").ok()
    plain.ledger.wait_for("token_request", before + 1)
    _ask_all(api, "abc")
    assert len(plain.ledger.token_requests()) == before + 1


@pytest.mark.slow
def test_a_login_says_nothing_of_refresh_tokens(broker, api, plain, person):
    """Codes work while each refresh is refused: the pause stays, and nobody is condemned by it."""
    for user in "abc":
        broker.grant(plain, f"plain/{user}")
    plain.configure(refresh_lifetime=0.001)
    _ask_all(api, "abc")
    _assert_paused(api, plain, "refused", CANARIES)
    assert log_in(api, person, "plain/d")[0]["status"] == "done"
    _assert_paused(api, plain, "refused", CANARIES + 1)  # and a code
    time.sleep(6)  # those that were refused would be tried again
    _assert_paused(api, plain, "refused", CANARIES + 1)
    assert len(plain.ledger.lines("refresh")) == CANARIES

    plain.configure(refresh_lifetime=0)
    api.retry("plain").ok()
    api.wait_unpaused("plain")
    assert [api.patient_token(f"plain/{user}")["account"] for user in "abcd"]
    assert api.health().ok()["accounts"]["consent_required"] == 0


@pytest.mark.slow
def test_a_login_shows_that_the_credentials_are_taken(broker, api, plain, person):
    plain.configure(client_secret="another")
    broker.grant(plain, "plain/acme")
    assert api.token("plain/acme", wait=2).status in (502, 503)
    _assert_paused(api, plain, "invalid_client", 1)
    plain.configure(client_secret=plain.dialect.client_secret)
    log_in(api, person, "plain/other")
    api.wait_unpaused("plain")
    api.patient_token("plain/acme")

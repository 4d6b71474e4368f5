"""Import, list, forget, retry, audit, health."""

import time

import pytest

from harness.ledger import fingerprint
from harness.logins import log_in, start, wait_ended

ACCOUNT = "plain/acme"


def test_import_spends_nothing(broker, api, plain):
    token = plain.seed("acme")["acme"]
    account = api.import_grant(ACCOUNT, refresh_token=token, scope="read:a").ok()
    assert (account["state"], account["has_refresh_token"]) == ("active", True)
    assert not plain.ledger.token_requests()
    assert api.token(ACCOUNT).status == 200
    assert plain.ledger.refreshes()[0]["presented"] == fingerprint(token)


def test_import_replaces(broker, api, plain):
    broker.grant(plain, ACCOUNT)
    api.token(ACCOUNT).ok()
    other = plain.seed("beta")["beta"]
    api.import_grant(ACCOUNT, refresh_token=other).ok()
    assert plain.call(api.token(ACCOUNT).ok())[1]["user"] == "beta"


def test_refresh_token_of_another_account_is_refused(broker, api, plain):
    token = broker.grant(plain, ACCOUNT)
    reply = api.import_grant("plain/second", refresh_token=token)
    assert (reply.status, reply.error) == (400, "bad_request")
    assert api.account("plain/second").status == 404


def assert_grant_lives(api, account):
    assert api.refresh_allowed(account).ok()["state"] == "active"


@pytest.mark.slow
def test_a_script_brings_a_spent_token_after_a_provider_went_wrong(broker, api, plain):
    plain.configure(kill_family_on_reuse=True)
    broker.grant(plain, "plain/good")
    api.token("plain/good").ok()
    token = broker.grant(plain, ACCOUNT)
    api.token(ACCOUNT).ok()
    plain.fault("invalid_grant", users=["acme"])
    api.refresh_allowed(ACCOUNT)
    api.wait_state(ACCOUNT, "consent_required", timeout=40)
    plain.clear_faults()
    api.import_grant(ACCOUNT, refresh_token=token).ok()
    api.retry(ACCOUNT).ok()
    api.wait_state(ACCOUNT, "active", timeout=20)
    assert_grant_lives(api, ACCOUNT)


@pytest.mark.slow
def test_a_rename_into_another_section_is_kept_as_that_one_says(daemon, api, plain):
    daemon.with_provider("plain", plain)
    daemon.with_provider("other", plain, refresh_token_idle_lifetime="4s",
                         redirect_uri=daemon.redirect_uri("other")).start()
    daemon.grant(plain, ACCOUNT)
    api.rename(ACCOUNT, "other/acme").ok()
    plain.ledger.wait_for("refresh", 2, outcome="accepted")


def test_a_script_brings_a_spent_token_after_a_rename(broker, api, plain):
    plain.configure(kill_family_on_reuse=True)
    token = broker.grant(plain, ACCOUNT)
    api.token(ACCOUNT).ok()
    api.rename(ACCOUNT, "plain/better").ok()
    assert api.import_grant(ACCOUNT, refresh_token=token).error == "bad_request"
    assert api.token(ACCOUNT).error == "unknown_account"
    assert_grant_lives(api, "plain/better")


@pytest.mark.parametrize("members", [
    {}, {"refresh_token": ""}, {"refresh_token": 5}, {"refresh_token": "a", "access_token": "b"},
    {"refresh_token": "a", "more": "b"}, {"scope": "a"}, {"refresh_token": "a\u0000b"},
    {"access_token": "a"}], ids=str)
def test_bad_imports(shared, members):
    assert shared.api.import_grant(ACCOUNT, **members).error == "bad_request"
    assert shared.api.account(ACCOUNT).status == 404


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[1]", b'{"refresh_token": "a"} x',
                                  b'{"refresh_token":"a","refresh_token":"b"}', b"\xff"])
def test_broken_bodies(shared, body):
    reply = shared.api.request("PUT", f"/v1/accounts/{ACCOUNT}", body,
                               {"Content-Type": "application/json"})
    assert (reply.status, reply.error) == (400, "bad_request")


def test_import_for_unknown_provider(shared):
    assert shared.api.import_grant("nowhere/acme", refresh_token="a").error == "unknown_provider"


def test_list_in_pages(broker, api, plain):
    names = sorted(f"plain/u{number:02}" for number in range(7))
    for name in reversed(names):
        broker.grant(plain, name)
    found, after = [], None
    while True:
        page = api.accounts(limit=3, after=after).ok()
        found += [account["account"] for account in page["accounts"]]
        after = page.get("next")
        if after is None:
            break
    assert found == names


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "after=x", "more=1"])
def test_bad_list_queries(shared, query):
    assert shared.api.request("GET", f"/v1/accounts?{query}").error == "bad_request"


def test_account_times(broker, api, plain):
    broker.grant(plain, ACCOUNT)
    api.token(ACCOUNT).ok()
    account = api.account(ACCOUNT).ok()
    assert account["refreshed_at"] < account["next_refresh_at"] < account["expires_at"]
    assert account["expires_at"] - account["refreshed_at"] in (3599, 3600, 3601)


def test_forget_revokes(broker, api, plain):
    broker.grant(plain, ACCOUNT)
    token = api.token(ACCOUNT).ok()
    assert api.forget(ACCOUNT).ok() == {"account": ACCOUNT, "forgotten": True}
    line = plain.ledger.wait_for("revocation")[0]
    assert (line["outcome"], line["kind"]) == ("accepted", "refresh")
    assert line["token"] == plain.ledger.refreshes()[-1]["refresh"]
    assert api.token(ACCOUNT).status == 404
    assert plain.call(token)[0] == 401


@pytest.mark.slow
def test_forget_during_an_outage(broker, api, plain):
    broker.grant(plain, ACCOUNT)
    plain.fault("http503", endpoint="revoke", times=1)
    api.forget(ACCOUNT).ok()
    assert api.account(ACCOUNT).status == 404
    plain.ledger.wait_for("revocation", outcome="accepted", timeout=30)


@pytest.mark.slow
def test_forget_outlives_a_kill(broker, api, plain):
    broker.grant(plain, ACCOUNT)
    plain.fault("http503", endpoint="revoke")
    api.forget(ACCOUNT).ok()
    plain.ledger.wait_for("fault", endpoint="revoke")
    broker.kill()
    plain.clear_faults()
    broker.start()
    assert api.account(ACCOUNT).status == 404
    plain.ledger.wait_for("revocation", outcome="accepted", timeout=30)


def log_out_in_an_outage(api, plain):
    """Of a provider that ends all of a person's grants with one; the revocation waits."""
    plain.configure(revocation_ends_all=True)
    plain.fault("http503", endpoint="revoke", times=1)
    api.forget(ACCOUNT).ok()
    plain.ledger.wait_for("fault", endpoint="revoke")


def assert_lives_on(broker, api, plain, account=ACCOUNT):
    """What waited is not sent, though its time comes and another one's goes."""
    broker.grant(plain, "plain/nudge")
    time.sleep(2.5)  # it was asked to rest for 2 s
    api.forget("plain/nudge").ok()
    plain.ledger.wait_for("revocation", user="nudge")
    assert not plain.ledger.lines("revocation", user="alice")
    assert plain.call(api.refresh_allowed(account).ok() and api.token(account).ok())[0] == 200
    broker.wait_log("its older grant is not revoked any more")


@pytest.mark.slow
def test_a_login_after_a_logout_lives_on(broker, api, plain, person):
    log_in(api, person, ACCOUNT)
    log_out_in_an_outage(api, plain)
    log_in(api, person, ACCOUNT)
    broker.restart()
    assert_lives_on(broker, api, plain)


def test_a_revocation_that_was_sent_is_not_said_to_be_given_up(broker, api, plain, person):
    """Nobody knows what becomes of it: the log does not say that the older grant lives."""
    log_in(api, person, ACCOUNT)
    plain.fault("hold", endpoint="revoke", times=1)
    api.forget(ACCOUNT).ok()
    plain.ledger.wait_for("fault", endpoint="revoke")
    log_in(api, person, ACCOUNT)
    broker.wait_log("may have been revoked a moment ago")
    assert "is not revoked any more" not in broker.log()


@pytest.mark.slow
def test_an_import_after_a_logout_lives_on(broker, api, plain, person):
    log_in(api, person, ACCOUNT)
    log_out_in_an_outage(api, plain)
    api.import_grant(ACCOUNT, refresh_token=plain.seed("alice")["alice"]).ok()
    assert_lives_on(broker, api, plain)


@pytest.mark.slow
def test_what_is_renamed_after_a_logout_lives_on(broker, api, plain, person):
    log_in(api, person, ACCOUNT)
    log_out_in_an_outage(api, plain)
    log_in(api, person, "plain/for-now")
    api.rename("plain/for-now", ACCOUNT).ok()
    assert_lives_on(broker, api, plain)


@pytest.mark.slow
def test_the_same_person_under_another_name_lives_on(daemon, api, plain, person):
    plain.configure(fields=["company_id"])
    daemon.with_provider("plain", plain, identity="company_id").start()
    log_in(api, person, ACCOUNT)
    log_out_in_an_outage(api, plain)
    log_in(api, person, "plain/elsewhere")
    assert_lives_on(daemon, api, plain, "plain/elsewhere")


def test_a_logout_counts_for_a_login_that_was_begun(broker, api, plain, person):
    """Its person is at the provider's page, and comes back with a code."""
    log_in(api, person, ACCOUNT)
    started = start(api, ACCOUNT)
    redirect = person.decide(started["start_url"])
    api.forget(ACCOUNT).ok()
    page = person.open(redirect)
    assert page.status == 410 and "account has changed" in page.text
    assert wait_ended(api, started["login_id"])["status"] in ("cancelled", "failed")
    for given in plain.ledger.lines("exchange", outcome="accepted"):
        plain.ledger.wait_for("revocation", token=given["refresh"])
    assert api.account(ACCOUNT).status == 404


def test_forget_of_nothing(shared):
    assert shared.api.forget(ACCOUNT).error == "unknown_account"


@pytest.mark.slow
def test_retry_ends_a_back_off(broker, api, plain):
    broker.grant(plain, ACCOUNT)
    plain.fault("http500")
    api.token(ACCOUNT, wait=1)
    plain.ledger.wait_for("fault", 3)
    plain.clear_faults()
    for what in (ACCOUNT, "plain", ""):
        assert api.retry(what).ok() == {"retried": True}
    assert api.token(ACCOUNT, wait=5).status == 200


@pytest.mark.parametrize("what, error", [
    ("plain/nobody", "unknown_account"), ("nowhere", "unknown_provider"),
    ("nowhere/acme", "unknown_provider"), ("UPPER", "bad_request")])
def test_retry_of_nothing(shared, what, error):
    reply = shared.api.retry(what)
    assert reply.error == error


def test_audit_counts(broker, api, plain):
    broker.grant(plain, ACCOUNT)
    for _ in range(5):
        api.token(ACCOUNT).ok()
    rows = api.wait_audit( lambda rows: sum(_counts(rows, "token")) >= 5)
    [row] = [row for row in rows if row["verdict"] == "token"]
    generation = api.account(ACCOUNT).ok()["generation"]
    assert (row["count"], row["generation"], row["account"]) == (5, generation, ACCOUNT)
    assert row["first_at"] <= row["last_at"]


def test_audit_pages(broker, api, plain):
    for user in ("a", "b", "c"):
        broker.grant(plain, f"plain/{user}")
        api.token(f"plain/{user}").ok()
    api.wait_audit( lambda rows: len(_counts(rows, "token")) >= 3)
    everything, before = [], None
    while True:
        page = api.audit(limit=2, before=before).ok()
        everything += page["audit"]
        before = page.get("next")
        if before is None:
            break
    ids = [row["id"] for row in everything]
    assert ids == sorted(ids, reverse=True) and len(set(ids)) == len(ids)
    only = api.audit(account="plain/b").ok()["audit"]
    assert {row["account"] for row in only} == {"plain/b"}


def _counts(rows, verdict):
    return [row["count"] for row in rows if row["verdict"] == verdict]


def test_health(broker, api, plain):
    broker.grant(plain, ACCOUNT)
    health = api.health().ok()
    assert health["status"] == "ok" and health["store"]["ok"]
    assert health["accounts"] == {"active": 1, "suspect": 0, "consent_required": 0}
    assert health["providers"] == [{"name": "plain", "paused": False}]

"""The rules of a token request: min_ttl, wait, forms of the answer, rejection, manual refresh."""

import pytest

from harness.ledger import fingerprint

ACCOUNT = "plain/acme"


@pytest.fixture
def account(broker, plain):
    broker.grant(plain, ACCOUNT)
    return ACCOUNT


def test_reply(api, plain, account):
    token = api.token(account).ok()
    assert token["account"] == account
    assert token["present"] == {"in": "header", "name": "Authorization",
                                "value": "Bearer " + token["access_token"]}
    assert token["api_base"] == plain.api_base
    assert 3590 <= token["expires_in"] <= 3600


def test_bare_token(api, account):
    bare = api.request("GET", f"/v1/token/{account}", headers={"Accept": "text/plain"})
    assert bare.text == api.token(account).ok()["access_token"]
    assert bare.headers["Cache-Control"] == "no-store"


def test_without_an_end_given(broker, api, plain, account):
    plain.configure(expires_in="absent")
    assert 290 <= api.token(account).ok()["expires_in"] <= 300


def test_min_ttl_above_half_is_refused(api, plain, account):
    api.token(account).ok()
    reply = api.token(account, min_ttl=1801)
    assert (reply.status, reply.json["max_min_ttl"]) == (400, 1800)
    assert len(plain.ledger.token_requests()) == 1


def test_min_ttl_below_is_served_from_the_cache(api, plain, account):
    first = api.token(account).ok()
    assert api.token(account, min_ttl=1800).ok()["access_token"] == first["access_token"]
    assert len(plain.ledger.token_requests()) == 1


@pytest.mark.slow
def test_never_less_than_min_ttl(api, plain, account):
    """Asked again and again over several lifetimes: always enough left, always accepted."""
    plain.configure(lifetime=4)
    seen = set()
    while len(seen) < 3:
        token = api.token(account, min_ttl=2, wait=10).ok()
        assert token["expires_in"] >= 2
        assert plain.call(token)[0] == 200
        seen.add(token["access_token"])


@pytest.mark.parametrize("query", [
    "min_ttl=-1", "min_ttl=x", "min_ttl=", "min_ttl=1&min_ttl=1", "wait=61", "wait=1.5", "minttl=3",
    "min_ttl=99999999999999999999", "wait=%00", "=1"])
def test_bad_queries(shared, query):
    shared.grant(shared.plain, "plain/queried")
    reply = shared.api.request("GET", f"/v1/token/plain/queried?{query}")
    assert (reply.status, reply.error) == (400, "bad_request")
    assert not shared.plain.ledger.token_requests()


def test_reject_by_token(api, plain, account):
    first = api.token(account).ok()
    assert api.reject(account, access_token=first["access_token"]).ok()["rejected"] is True
    second = api.token(account).ok()
    assert second["access_token"] != first["access_token"]
    assert len(plain.ledger.token_requests()) == 2


def test_reject_by_fingerprint_refreshes_once(api, plain, account):
    first = api.token(account).ok()["access_token"]
    for _ in range(3):
        api.reject(account, fingerprint=fingerprint(first)).ok()
    assert api.token(account).ok()["access_token"] != first
    assert len(plain.ledger.token_requests()) == 2


def test_reject_of_an_older_token_spends_nothing(api, plain, account):
    first = api.token(account).ok()["access_token"]
    api.reject(account, access_token=first).ok()
    current = api.token(account).ok()["access_token"]
    api.reject(account, access_token=first).ok()
    api.reject(account, access_token="never seen").ok()
    assert api.token(account).ok()["access_token"] == current
    assert len(plain.ledger.token_requests()) == 2


def test_rejected_token_is_never_served(api, plain, account):
    first = api.token(account).ok()["access_token"]
    plain.fault("http500")
    api.reject(account, access_token=first).ok()
    reply = api.token(account, wait=1)
    assert reply.status in (503, 504) and first not in reply.text
    assert api.account(account).ok()["rejected"] is True


@pytest.mark.parametrize("members", [
    {}, {"access_token": ""}, {"fingerprint": "short"}, {"access_token": 5},
    {"access_token": "a", "fingerprint": "A" * 43}, {"token": "x"}, [], "x"], ids=str)
def test_bad_rejections(shared, members):
    reply = shared.api.request("POST", f"/v1/reject/{ACCOUNT}", members)
    assert (reply.status, reply.error) == (400, "bad_request")


def test_manual_refresh(api, plain, account):
    first, before = api.token(account).ok()["access_token"], api.account(account).ok()
    refreshed = api.refresh_allowed(account).ok()
    assert refreshed["generation"] == before["generation"] + 1 and "access_token" not in refreshed
    assert api.token(account).ok()["access_token"] != first


def test_manual_refresh_is_limited(api, plain, account):
    statuses = [api.refresh(account).status for _ in range(20)]
    assert statuses[0] == 200 and 429 in statuses
    assert len(plain.ledger.token_requests()) < 20


@pytest.mark.parametrize("account, error", [
    ("plain/nobody", "unknown_account"), ("nowhere/acme", "unknown_provider")])
def test_refresh_and_reject_of_nothing(shared, account, error):
    assert shared.api.refresh(account).error == error
    assert shared.api.reject(account, access_token="x").error == error


def test_manual_refresh_with_wrong_credentials(api, plain, account):
    plain.fault("invalid_client")
    assert api.refresh(account).error == "provider_rejected"


@pytest.mark.slow
def test_manual_refresh_of_a_refused_account(api, plain, account):
    plain.revoke("acme")
    assert api.refresh(account).error == "consent_required"
    requests = len(plain.ledger.token_requests())
    assert api.refresh(account).status == 409
    assert len(plain.ledger.token_requests()) == requests


def test_token_of_nothing(broker, api):
    assert api.token("plain/nobody").error == "unknown_account"
    assert api.token("nowhere/acme").error == "unknown_provider"

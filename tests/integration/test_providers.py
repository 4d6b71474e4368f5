"""Each provider in each variant: consent, tokens, refreshes, the way back after a revoked grant."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.cases import CASES, Case, each_case, one_of_each
from harness.ledger import fingerprint
from harness.logins import log_in, path_of, start, wait_ended

SHORT = 2  # seconds an access token lives; refreshed after one
SAMPLE = Case("enablehr", ("sample-json",), CASES[7].overrides)


@each_case
def test_login_then_call(case, daemon, api, emulator, person):
    provider = case.set_up(daemon, emulator)
    account = f"{case.provider}/acme"
    login, page = log_in(api, person, account, user="alice", company="acme")
    assert (login["status"], page.status) == ("done", 200), (login, page.text)
    assert path_of(page.url).startswith("/done/")

    token = api.token(account).ok()
    assert provider.call(token)[0] == 200
    assert provider.ledger.lines("exchange")[0]["access"] == fingerprint(token["access_token"])
    assert token["expires_in"] <= provider.dialect.lifetime
    assert not provider.ledger.refreshes(), "the first token comes from the exchange"


@each_case
def test_refreshes_before_the_end(case, daemon, api, emulator, person):
    provider = case.set_up(daemon, emulator, lifetime=SHORT)
    account = f"{case.provider}/acme"
    assert log_in(api, person, account)[0]["status"] == "done"
    line = provider.ledger.wait_for("refresh", outcome="accepted")[-1]
    assert provider.call(api.wait_token(account, line["access"]))[0] == 200
    exchange = provider.ledger.lines("exchange")[0]
    assert SHORT / 2 - 0.1 <= provider.ledger.refreshes()[0]["at"] - exchange["at"] < SHORT
    assert not provider.ledger.lines("refresh", outcome="refused")


@each_case
def test_denial(case, daemon, api, emulator, person):
    provider = case.set_up(daemon, emulator)
    login, page = log_in(api, person, f"{case.provider}/acme", "deny")
    assert login["status"] == "failed"
    assert "not granted" in page.text.lower()
    assert api.token(f"{case.provider}/acme").status == 404
    assert not provider.ledger.token_requests()


@pytest.mark.slow
@one_of_each
def test_revoked_grant_needs_consent_again(case, daemon, api, emulator, person):
    provider = case.set_up(daemon, emulator, lifetime=SHORT)
    account = f"{case.provider}/acme"
    log_in(api, person, account)
    provider.revoke("alice")

    api.wait_state(account, "consent_required", timeout=30)
    requests = len(provider.ledger.token_requests())
    reply = api.token(account)
    assert (reply.status, reply.error) == (409, "consent_required")
    assert len(provider.ledger.token_requests()) == requests, "no more sending"

    assert log_in(api, person, account)[0]["status"] == "done"
    assert provider.call(api.token(account).ok())[0] == 200
    assert api.account(account).ok()["state"] == "active"


@pytest.mark.parametrize("name", ["zenegy", "zenpayroll"])
def test_revoked_grant_that_still_refreshes(name, daemon, api, emulator, person):
    """The API alone says 401: a client rejects, gets a fresh token, and a person logs in again."""
    variants = ("http-redirect",) if name == "zenegy" else ()
    provider = Case(name, (*variants, "revoked-refresh-succeeds")).set_up(daemon, emulator)
    account = f"{name}/acme"
    log_in(api, person, account)
    provider.revoke("alice")
    token = api.token(account).ok()
    assert provider.call(token)[0] == 401
    api.reject(account, access_token=token["access_token"]).ok()
    fresh = api.token(account).ok()
    assert fresh["access_token"] != token["access_token"]
    assert provider.call(fresh)[0] == 401
    log_in(api, person, account)
    assert provider.call(api.token(account).ok())[0] == 200


def test_broken_sample_reply(daemon, api, emulator):
    """A reply that is no JSON: said clearly, the refresh token kept, and tried again."""
    provider = SAMPLE.set_up(daemon, emulator)
    daemon.grant(provider, "enablehr/acme")
    assert api.token("enablehr/acme", wait=1).status in (502, 503, 504)
    error = api.account("enablehr/acme").ok()["last_error"]
    assert "json" in (error["error"] + error["error_description"]).lower()
    provider.configure(broken_json=False)
    assert provider.call(api.patient_token("enablehr/acme"))[0] == 200
    presented = {line["presented"] for line in provider.ledger.lines("refresh")}
    assert len(presented) == 1, "the same refresh token again"


def test_extra_members_keep_their_types(daemon, api, emulator, person):
    Case("enablehr", (), CASES[7].overrides).set_up(daemon, emulator)
    log_in(api, person, "enablehr/acme")
    token = api.token("enablehr/acme").ok()
    assert token["extra"]["accountIds"] == []
    assert isinstance(token["extra"]["userId"], str)
    assert not set(token["extra"]) & {"access_token", "refresh_token", "id_token"}


def test_fewer_scopes_than_asked(daemon, api, emulator, person):
    Case("enablehr", (), CASES[7].overrides).set_up(daemon, emulator)
    login, _ = log_in(api, person, "enablehr/acme", granted=["manage:employees"])
    assert login["scope"] == "manage:employees" and login["warning"]
    assert api.token("enablehr/acme").ok()["scope"] == "manage:employees"


def test_company_is_preselected(daemon, api, emulator, person):
    CASES[4].set_up(daemon, emulator)
    started = start(api, "zenegy/acme", params={"company_id": "beta"})
    person.consent(started["start_url"])
    wait_ended(api, started["login_id"])
    assert api.account("zenegy/acme").ok()["identity"] == api.token("zenegy/acme").ok()["extra"][
        "company_id"]


def test_consent_for_another_company_is_held(daemon, api, emulator, person):
    provider = CASES[4].set_up(daemon, emulator)
    log_in(api, person, "zenegy/acme", company="acme")
    before = api.token("zenegy/acme").ok()
    login, _ = log_in(api, person, "zenegy/acme", company="other")
    assert (login["status"], login["error"]) == ("failed", "identity_mismatch")
    after = api.token("zenegy/acme").ok()
    assert after["access_token"] == before["access_token"]
    assert provider.call(after)[1]["company"] == "acme"


def test_wrong_path_of_the_prose_fails(daemon, api, emulator, person):
    provider = CASES[4].set_up(daemon, emulator)
    daemon.config.providers["zenegy"]["token_endpoint"] = provider.url + "/auth/authentication/"
    daemon.reload()
    login, _ = log_in(api, person, "zenegy/acme")
    assert login["status"] == "failed"
    assert provider.ledger.count("broken_path") >= 1


def test_secret_in_the_url_is_refused_by_gusto(daemon, api, emulator, person):
    case = Case("gusto", (), {"token_request": "query"})
    case.set_up(daemon, emulator)
    assert log_in(api, person, "gusto/acme")[0]["status"] == "failed"


def test_api_token_of_the_application(daemon, api, emulator):
    case = Case("zenpayroll", (), {"grant": "static", "present": "header Authorization Token"})
    provider = case.set_up(daemon, emulator)
    provider.add_static("application-token")
    api.import_grant("zenpayroll/app", access_token="application-token").ok()
    token = api.token("zenpayroll/app").ok()
    assert "expires_in" not in token
    assert token["present"]["value"] == "Token application-token"
    assert provider.call(token)[0] == 200


@pytest.mark.slow
def test_rate_limit_is_kept(daemon, api, emulator):
    """15 requests in 4 s: never one too many, and all accounts get their token in the end."""
    provider = Case("zenhr").set_up(daemon, emulator)
    users = [f"u{number}" for number in range(40)]
    for user in users:
        daemon.grant(provider, f"zenhr/{user}")
    with ThreadPoolExecutor(len(users)) as pool:
        answers = pool.map(lambda user: api.token(f"zenhr/{user}", wait=50), users)
        assert {answer.status for answer in answers} == {200}
    assert not provider.ledger.count("rate_limited")

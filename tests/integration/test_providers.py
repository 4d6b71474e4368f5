"""Each provider in each variant: consent, tokens, refreshes. (test_columns.py goes on from here, with
a real browser.)"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.cases import CASES, Case, each_case
from harness.ledger import fingerprint
from harness.logins import log_in, path_of

SHORT = 2  # seconds an access token lives; refreshed after one


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


def test_wrong_path_of_the_prose_fails(daemon, api, emulator, person):
    provider = CASES[4].set_up(daemon, emulator)
    daemon.config.providers["zenegy"]["token_endpoint"] = provider.url + "/auth/authentication/"
    daemon.reload()
    login, _ = log_in(api, person, "zenegy/acme")
    assert login["status"] == "failed"
    assert provider.ledger.count("broken_path") >= 1


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

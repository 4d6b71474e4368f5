"""A provider's keys, each against a server that takes nothing else. (docs/PROVIDERS.md says where
the others are shown.)"""

import threading
from urllib.parse import parse_qs, urlsplit

import pytest

from harness.logins import log_in, start, wait_ended

ACCOUNT = "plain/acme"
SHORT = 4


@pytest.fixture
def provided(daemon, plain):
    """A started daemon: provided(what the server is like, **keys); returns the server."""
    def begin(server, **keys):
        plain.configure(**server)
        daemon.with_provider("plain", plain, **keys).start()
        return plain
    return begin


@pytest.fixture
def lives(api, person):
    """Checks a whole life: consent, call, refresh, call, revocation."""
    def check(provider):
        login, page = log_in(api, person, ACCOUNT)
        assert login["status"] == "done", (login, page.text)
        assert provider.call(api.token(ACCOUNT).ok())[0] == 200
        api.refresh_allowed(ACCOUNT).ok()
        token = api.token(ACCOUNT).ok()
        assert provider.call(token)[0] == 200
        for event in ("exchange", "refresh"):
            assert [line["outcome"] for line in provider.ledger.lines(event)] == ["accepted"]
        api.forget(ACCOUNT).ok()
        provider.ledger.wait_for("revocation", outcome="accepted")
        return token
    return check


@pytest.mark.parametrize("way", ["basic", "basic_raw", "post", "none"])
def test_client_auth(provided, lives, plain, way):
    """basic is form-encoded (RFC 6749 2.3.1), basic_raw is not: the secret shows the difference."""
    assert any(sign in plain.dialect.client_secret for sign in " /+%")
    lives(provided({"client_auth": [way]}, client_auth=way,
                   client_secret=None if way == "none" else plain.dialect.client_secret))


@pytest.mark.parametrize("place", ["form", "query", "json"])
@pytest.mark.parametrize("auth", ["basic", "post"])
def test_token_request(provided, lives, place, auth):
    lives(provided({"parameters_in": [place], "client_auth": [auth]}, token_request=place,
                   client_auth=auth))


@pytest.mark.parametrize("method, server", [
    ("S256", {"pkce": True, "pkce_required": True}),
    ("plain", {"pkce": True, "pkce_required": True, "pkce_plain": True}),
    ("off", {"pkce": False, "pkce_required": False, "pkce_refused": True})],
    ids=["S256", "plain", "off"])
def test_pkce(provided, lives, method, server):
    lives(provided(server, pkce=method))


def test_refresh_endpoint(provided, lives, plain):
    lives(provided({"refresh_path": "/renew"}, refresh_endpoint=plain.url + "/renew"))


def test_scope_separator(provided, api, person):
    """A comma on the way, a space for clients; what is missing is still noticed."""
    provider = provided({"scope_separator": ","}, scope="read:a read:b", scope_separator=",")
    login, _ = log_in(api, person, ACCOUNT)
    assert (login["scope"], login.get("warning")) == ("read:a read:b", None)
    assert provider.call(api.token(ACCOUNT).ok())[1]["scope"] == "read:a,read:b"
    login, _ = log_in(api, person, ACCOUNT, granted=["read:b"])
    assert login["scope"] == "read:b" and login["warning"]


@pytest.mark.parametrize("server, keys", [
    ({"expires_in": "absent", "lifetime": 1200}, {"default_lifetime": "20min"}),
    ({"expires_in": "milliseconds", "lifetime": 1200}, {"lifetime_unit": "milliseconds"}),
    ({"expires_in": "string", "lifetime": 1200}, {}),
    ({"expires_in": "absent"}, {"default_lifetime": None, "lifetime": 300})],
    ids=["fixed", "milliseconds", "text", "unknown"])
def test_lifetimes(provided, lives, server, keys):
    wanted = keys.pop("lifetime", 1200)
    assert wanted - 30 < lives(provided(server, **keys))["expires_in"] <= wanted


def test_a_corrected_default_lifetime_reaches_tokens_that_are_there(provided, daemon, api):
    provider = provided({"expires_in": "absent"}, default_lifetime="1d")
    daemon.grant(provider, ACCOUNT)
    assert api.token(ACCOUNT).ok()["expires_in"] > 3600
    daemon.config.providers["plain"]["default_lifetime"] = "20min"
    daemon.reload()
    api.wait_account(ACCOUNT, lambda found: found["expires_in"] <= 1200)
    assert api.token(ACCOUNT).ok()["expires_in"] <= 1200
    assert provider.ledger.count("refresh", outcome="accepted") == 1
    daemon.config.providers["plain"]["default_lifetime"] = "2s"
    daemon.reload()
    provider.ledger.wait_for("refresh", 2, outcome="accepted")


def test_params(provided, lives, api, plain):
    """Of each of the three requests, and the bare redirect_uri in the refresh."""
    provider = provided(
        {"refresh_needs_redirect_uri": True}, authorize_params=["prompt=consent"],
        token_params=["audience=payroll"], refresh_params=["redirect_uri", "hint=again"])
    query = parse_qs(urlsplit(start(api, ACCOUNT)["authorize_url"]).query)
    assert query["prompt"] == ["consent"]
    lives(provider)
    exchange, refresh = provider.ledger.token_requests()
    assert "audience" in exchange["parameters"] and "hint" not in exchange["parameters"]
    assert {"hint", "redirect_uri"} <= set(refresh["parameters"])
    assert "audience" not in refresh["parameters"]


@pytest.mark.parametrize("said, shown", [
    ("header Authorization Bearer", ("header", "Authorization", "Bearer {}")),
    ("header Authorization Token", ("header", "Authorization", "Token {}")),
    ("header X-Api-Key", ("header", "X-Api-Key", "{}")),
    ("query access_token", ("query", "access_token", "{}"))])
def test_present(provided, daemon, api, said, shown):
    daemon.grant(provided({}, present=said), ACCOUNT)
    token = api.token(ACCOUNT).ok()
    where, name, value = shown
    assert token["present"] == {"in": where, "name": name,
                                "value": value.format(token["access_token"])}


@pytest.mark.parametrize("kills", ["yes", "no"])
def test_refresh_kills_access(provided, daemon, api, plain, kills):
    """While a refresh may end it, the token before is not handed out; else it is."""
    provided({"refresh_kills_access": kills == "yes"}, refresh_kills_access=kills)
    daemon.grant(plain, ACCOUNT)
    before = api.token(ACCOUNT).ok()["access_token"]
    plain.fault("hold-after", times=1)
    refresher = threading.Thread(target=api.refresh_allowed, args=[ACCOUNT])
    refresher.start()
    plain.ledger.wait_for("refresh", 2, outcome="accepted")
    reply = api.token(ACCOUNT, wait=1)
    plain.clear_faults()
    refresher.join()
    if kills == "no":
        assert reply.ok()["access_token"] == before
    else:
        assert reply.error == "timeout", reply.text
    assert plain.call(api.patient_token(ACCOUNT))[0] == 200


@pytest.mark.parametrize("scope", ["openid", "read:a"])
def test_nonce(provided, api, person, scope):
    """Sent where openid is asked for; an id_token for another login is refused."""
    provider = provided({"fields": ["scope", "id_token"]}, scope=scope, identity="id_token.sub")
    query = parse_qs(urlsplit(start(api, ACCOUNT)["authorize_url"]).query)
    assert ("nonce" in query) == (scope == "openid")
    login, _ = log_in(api, person, ACCOUNT)
    assert login["status"] == "done" and login["identity"]
    provider.configure(nonce="of another login")
    started = start(api, ACCOUNT)
    person.consent(started["start_url"])
    login = wait_ended(api, started["login_id"])
    if scope == "openid":
        assert login["status"] == "failed" and "nonce" in login["error_description"]
    else:
        assert login["status"] == "done"


@pytest.mark.slow
def test_endpoints_that_moved(daemon, plain, api, person):
    """Metadata are read when they are first needed, and anew after a reload."""
    daemon.config.providers["plain"] = {
        "issuer": plain.url, "client_id": plain.dialect.client_id,
        "client_secret": plain.dialect.client_secret,
        "redirect_uri": daemon.redirect_uri("plain"), "api_base": plain.api_base}
    plain.register(daemon.redirect_uri("plain"))
    daemon.start()
    assert log_in(api, person, ACCOUNT)[0]["status"] == "done"
    plain.configure(token_path="/moved/token", authorize_path="/moved/authorize")
    assert not api.refresh_allowed(ACCOUNT).json.get("access_token")
    assert len(plain.ledger.token_requests()) == 1
    daemon.reload()
    api.retry(ACCOUNT).ok()
    plain.ledger.wait_for("refresh", outcome="accepted")
    assert log_in(api, person, ACCOUNT)[0]["status"] == "done"
    assert plain.ledger.count("exchange", outcome="accepted") == 2
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200

"""Each column of docs/PROVIDERS.md in each variant, from the consent to the next one, which is
given elsewhere through a link: the preset with its own addresses, a real Chromium where a person
is involved, and nginx before the public name."""

import pytest

from harness import browser as browsers
from harness import outside as outsides
from harness import https
from harness.cli import begin_login, follow_login
from harness.column import (ENVIRONMENTS, HTTPS, POSTMAN, SCOPE, WAYS, Column, Gate, Way,
                            all_hosts, different_denials, preset_text)
from harness.ledger import fingerprint
from harness.nginx import PROGRAM as NGINX
from provider.tokens import company_id, user_id

pytestmark = [pytest.mark.slow,
              pytest.mark.skipif(bool(browsers.missing()), reason=browsers.missing()),
              pytest.mark.skipif(bool(outsides.missing()), reason=outsides.missing()),
              pytest.mark.skipif(not NGINX, reason="needs nginx-light")]

SHORT = 4  # seconds an access token lives; refreshed after two

DENIALS = different_denials()
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)


@pytest.fixture(scope="module")
def outside():
    one = outsides.Outside(all_hosts())
    yield one
    one.close()


@pytest.fixture(scope="module")
def gate(outside):
    one = Gate(outside)
    yield one
    one.close()


@pytest.fixture(scope="module")
def the_browser(outside):
    one = browsers.Browser(home=outside.home, proxy=outside.proxy)
    yield one
    one.close()


@pytest.fixture
def browser(the_browser):
    the_browser.forget()
    return the_browser


@pytest.fixture
def column(way, daemon, emulator, outside, gate, browser):  # pylint: disable=too-many-arguments
    return Column(way, daemon, emulator, outside, gate, browser)


# ------------------------------------------------------------------------------------ every column


@each_way
def test_column(column):
    """Consent, call, proactive refresh, revoked grant, consent again by somebody elsewhere."""
    column.provider.configure(lifetime=SHORT)
    login = column.connect()
    assert login["status"] == "done", login
    assert "is connected" in column.browser.text()
    check_first_token(column)
    check_refreshes(column)
    column.go_public()
    column.provider.revoke("alice")
    check_mended(column, check_revoked(column))


def check_first_token(column):
    """It comes from the exchange, and the API takes it as `present` says."""
    ledger = column.provider.ledger
    [exchange] = ledger.lines("exchange", outcome="accepted")
    token = column.api.wait_token(column.account, exchange["access"])
    assert token["token_type"] == "Bearer" and 0 < token["expires_in"] <= SHORT
    assert column.call(token)[0] == 200
    kinds = {"number": int, "iso": str, "": type(None)}
    created_at = token["extra"].get("created_at")
    assert isinstance(created_at, kinds[column.provider.dialect.created_at])


def check_refreshes(column):
    """Before the end, and always with the refresh token that came last."""
    ledger = column.provider.ledger
    exchange = ledger.lines("exchange")[0]
    first, second = ledger.wait_for("refresh", 2, outcome="accepted")
    assert SHORT / 2 - 0.5 <= first["at"] - exchange["at"] < SHORT
    assert [first["presented"], second["presented"]] == [exchange["refresh"], first["refresh"]]
    assert column.call(column.api.wait_token(column.account, second["access"]))[0] == 200
    assert not ledger.lines("refresh", outcome="refused")


def check_revoked(column):
    """The API says 401, the client rejects: no token, or one that the API refuses as well. The link
    that is offered for a new consent, or where nothing tells the broker, one that was asked for."""
    column.provider.configure(lifetime=3600)
    token = column.token()
    assert column.call(token)[0] == 401
    column.api.reject(column.account, access_token=token["access_token"])
    if column.provider.dialect.revoked_refresh_succeeds:
        fresh = column.api.patient_token(column.account)
        assert fresh["access_token"] != token["access_token"] and column.call(fresh)[0] == 401
        return column.api.request("POST", f"/v1/links/{column.account}", {}).ok()["url"]
    column.api.wait_state(column.account, "consent_required", timeout=30)
    requests = len(column.provider.ledger.token_requests())
    reply = column.api.token(column.account)
    assert (reply.status, reply.error) == (409, "consent_required")
    assert len(column.provider.ledger.token_requests()) == requests, "no more sending"
    return reply.json["start_url"]


def check_mended(column, link):
    """At once where the provider tells that it is the same company or user as before; else when
    somebody here has said so."""
    if column.api.account(column.account).ok().get("identity"):
        assert "is connected" in column.mend(link)
    else:
        assert "one check is left" in column.mend(link)
        column.api.decide(column.account, "accept").ok()
    assert column.call()[0] == 200
    assert column.api.account(column.account).ok()["state"] == "active"
    assert column.provider.ledger.lines("code_issued")[1]["redirect_uri"].startswith(
        column.gate.url)


@pytest.mark.parametrize("way", DENIALS, ids=lambda way: way.name)
def test_denial(column):
    """In the provider's own way; nothing was asked of it, and nothing is there."""
    login = column.connect("deny")
    silent = column.provider.dialect.denial == "neither"
    assert login["status"] == "failed"
    assert login["error"] == ("not_granted" if silent else "access_denied")
    assert "not granted" in column.browser.text().lower()
    assert column.api.token(column.account).status == 404
    assert not column.provider.ledger.token_requests()


@pytest.mark.parametrize("way", ENVIRONMENTS, ids=lambda way: way.name)
def test_environment(column):
    """Each environment's own addresses, of the authorization server and of the API."""
    assert column.connect()["status"] == "done"
    token = column.token()
    assert f'api_base = "{token["api_base"]}"' in preset_text(column.way.preset)
    assert column.call(token)[0] == 200
    column.api.refresh_allowed(column.account).ok()
    [line] = column.provider.ledger.refreshes()
    assert line["access"] == fingerprint(column.token()["access_token"])


# ------------------------------------------------------------------------------- single providers

ZENEGY = Way("zenegy", redirect=HTTPS)
ENABLEHR = Way("enablehr", keys={"scope": SCOPE})


@pytest.mark.parametrize("way", [Way("zenhr", redirect=POSTMAN)], ids=lambda way: way.name)
def test_redirect_to_a_page_elsewhere(column, postman):
    """The browser lands on the page that is registered; its address is pasted into the command. So
    it is with a dead grant as well: no link would lead back to the broker."""
    paste_login(column)
    assert column.call()[0] == 200
    column.provider.revoke("alice")
    reply = column.api.refresh_allowed(column.account)
    assert reply.error == "consent_required" and "start_url" not in reply.json
    refused = column.api.request("POST", f"/v1/links/{column.account}", {})
    assert refused.status == 400 and "redirect_uri" in refused.json["error_description"]
    paste_login(column)
    assert column.call()[0] == 200


@pytest.fixture
def postman(outside):
    page = https.Server((outside.certificate, outside.key))
    outside.lead("oauth.pstmn.io", f"https://127.0.0.1:{page.port}")
    yield page
    page.close()


def paste_login(column):
    login = begin_login(column.daemon, column.account, "--paste")

    def consent(link):
        column.decide(link)
        login.stdin.write(column.browser.wait_address(POSTMAN) + "\n")
        login.stdin.close()

    status, said = follow_login(login, "https://app.zenhr.com/", consent)
    assert status == 0, said
    assert column.browser.text() == "hello"


@pytest.mark.parametrize("way", [ZENEGY], ids=lambda way: way.name)
def test_another_company_than_preselected(column):
    """company_id comes from the command line and only preselects: the person's choice counts."""
    shown = []

    def consent(link):
        column.browser.open(link)
        shown.append(column.browser.value("input[name=company]"))
        column.browser.retype("input[name=company]", "other")
        column.browser.click("#allow")

    login = begin_login(column.daemon, column.account, "--param", "company_id=beta")
    status, said = follow_login(login, "https://localhost:", consent)
    assert (status, shown) == (0, ["beta"]), said
    token = column.token()
    assert token["extra"]["company_id"] == company_id("other")
    assert column.api.account(column.account).ok()["identity"] == company_id("other")
    assert column.call(token)[1]["company"] == "other"


@pytest.mark.parametrize("way", [ZENEGY, Way("gusto")], ids=lambda way: way.name)
def test_consent_for_another_company(column):
    """It is held, the page says so, and the first company's grant serves on."""
    assert column.connect(company="first")["status"] == "done"
    login = column.connect(company="second")
    assert (login["status"], login["error"]) == ("failed", "identity_mismatch")
    assert "Held" in column.browser.text("h1")
    assert column.call()[1]["company"] == "first"


@pytest.mark.parametrize("way", [ENABLEHR], ids=lambda way: way.name)
def test_fewer_scopes(column):
    """A person takes a tick away: said on the page and to the client, not refused."""
    login = column.connect(without=["read:accounts:referencedata"])
    assert login["status"] == "done" and login["warning"]
    assert login["scope"] == "manage:employees"
    assert "fewer rights" in column.browser.text("h1")
    assert column.token()["scope"] == "manage:employees"
    assert column.call()[1]["scope"] == "manage:employees"


@pytest.mark.parametrize("way", [way for way in WAYS if "userid-of-the-table" in way.variants],
                         ids=lambda way: way.name)
def test_extra_members(column):
    """Lists stay lists; a member's name is the reply's, and identity may name it."""
    column.connect()
    extra = column.token()["extra"]
    assert extra["accountIds"] == ["a-1", "a-2"]
    assert extra["userid"] == user_id("alice") and isinstance(extra["jti"], str)
    assert column.api.account(column.account).ok()["identity"] == user_id("alice")


@pytest.mark.parametrize("way", [ENABLEHR], ids=lambda way: way.name)
def test_sample_that_is_not_json(column):
    """The documents' own sample, to the letter: the person and the command hear what is wrong, and
    the refresh token before it is kept and tried again."""
    column.connect()
    [first] = column.provider.ledger.lines("exchange")
    column.provider.configure(broken_json=True)
    login = column.connect()
    assert login["status"] == "failed" and "not JSON" in login["error_description"], login
    assert "not JSON" in column.browser.text()
    assert fingerprint(column.token()["access_token"]) == first["access"]
    assert column.api.refresh_allowed(column.account).status in (502, 503, 504)
    account = column.api.account(column.account).ok()
    assert account["state"] == "active"
    assert "not JSON" in account["last_error"]["error_description"]
    column.provider.configure(broken_json=False)
    column.api.retry(column.account).ok()
    column.api.wait_newer(column.account, account)
    assert {line["presented"] for line in column.provider.ledger.lines("refresh")} == {
        first["refresh"]}
    assert column.call()[0] == 200


@pytest.mark.parametrize("way", [ENABLEHR], ids=lambda way: way.name)
def test_lost_reply_within_the_grace(column):
    """The refresh token that was spent for it is sent again, and taken."""
    column.connect()
    [first] = column.provider.ledger.lines("exchange")
    column.provider.fault("drop", times=1)
    column.api.refresh_allowed(column.account)
    lines = column.provider.ledger.wait_for("refresh", 2, outcome="accepted")
    assert {line["presented"] for line in lines} == {first["refresh"]}
    assert column.call(column.api.wait_token(column.account, lines[1]["access"]))[0] == 200


@pytest.mark.parametrize("way", [Way("gusto", keys={"token_request": "query"})],
                         ids=lambda way: way.name)
def test_secret_in_the_address(column):
    """Refused there with 400: the person reads it, and nothing is tried twice."""
    login = column.connect()
    assert login["status"] == "failed"
    assert "did not work" in column.browser.text("h1")
    [request] = column.provider.ledger.token_requests()
    assert (request["outcome"], request["why"]) == ("refused", "client_secret in the URL")


@pytest.mark.parametrize("way", [Way("zenhr")], ids=lambda way: way.name)
def test_year_counts_from_the_consent(column):
    """No document says that a refresh prolongs it."""
    column.connect()
    before = column.api.account(column.account).ok()["forecast"]
    column.api.refresh_allowed(column.account).ok()
    assert column.provider.ledger.count("refresh", outcome="accepted") == 1
    assert column.api.account(column.account).ok()["forecast"] == before
    assert before["reason"] == "absolute"


@pytest.mark.parametrize("way", [ZENEGY, *[way for way in WAYS if "lifetime-hour" in way.variants]],
                         ids=lambda way: way.name)
def test_lifetime_is_the_replys(column):
    """Whatever the documents and the token's own claims say."""
    column.connect()
    lifetime = column.provider.dialect.lifetime
    assert lifetime - 30 < column.token()["expires_in"] <= lifetime

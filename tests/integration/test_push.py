"""Authorization requests that the provider hears of before the browser comes (RFC 9126)."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest

from harness.ledger import fingerprint
from harness.logins import log_in, start, wait_ended
from harness.person import Person

ACCOUNT = "plain/acme"
ELSEWHERE = "https://oauth.pstmn.io/v1/callback"


@pytest.fixture
def pushing(emulator):
    """A provider that takes nothing but pushed requests."""
    return emulator("plain", "push")


@pytest.fixture
def broker(daemon, pushing):
    return daemon.with_provider(
        "plain", pushing, pushed_authorization_request_endpoint=pushing.url + "/par").start()


def _query(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def _leads_to(person, started):
    """Where the start address sends the browser."""
    page = person.fetch(started["start_url"])
    assert page.status == 303, page.text
    return page.headers["Location"]


def test_login(broker, api, person, pushing):
    """The browser takes nothing along but the name of what was pushed."""
    started = start(api, ACCOUNT, scope="read:a write", params={"login_hint": "x y"})
    assert "authorize_url" not in started
    assert not pushing.ledger.count("push"), "nothing is pushed before it is opened"
    page = person.consent(started["start_url"])
    assert page.status == 200 and "/done/" in page.url
    assert wait_ended(api, started["login_id"])["status"] == "done"
    [line] = pushing.ledger.lines("push")
    assert line["outcome"] == "accepted" and line["scope"] == "read:a write"
    assert line["code_challenge_method"] == "S256"
    assert set(line["parameters"]) == {
        "client_id", "code_challenge", "code_challenge_method", "login_hint", "redirect_uri",
        "response_type", "scope", "state"}
    [seen] = pushing.ledger.lines("authorize")
    assert seen["parameters"] == ["client_id", "request_uri"]
    assert pushing.call(api.token(ACCOUNT).ok())[0] == 200


def test_discovery_asks_for_it(daemon, api, person, pushing):
    """A server that requires pushing says so in its metadata; nothing has to be configured."""
    redirect = daemon.redirect_uri("plain")
    pushing.register(redirect)
    daemon.config.providers["plain"] = {
        "issuer": pushing.url, "client_id": pushing.dialect.client_id,
        "client_secret": pushing.dialect.client_secret, "redirect_uri": redirect}
    daemon.start()
    assert log_in(api, person, ACCOUNT)[0]["status"] == "done"
    assert pushing.ledger.count("push", outcome="accepted") == 1


def test_without_it_the_provider_refuses(daemon, api, person, pushing):
    """The emulated provider holds to it: what follows is not tested in vain."""
    daemon.with_provider("plain", pushing).start()
    assert person.open(start(api, ACCOUNT)["start_url"]).status == 400
    assert pushing.ledger.lines("authorize_refused")[0]["why"] == "requests have to be pushed"


def test_each_opening_pushes_anew(broker, api, person, pushing):
    """A request_uri is good once: the same browser may still open the login again."""
    started = start(api, ACCOUNT)
    first, second = (_leads_to(person, started) for _ in range(2))
    assert _query(first)["request_uri"] != _query(second)["request_uri"]
    redirect = person.decide(started["start_url"])
    assert person.open(redirect).status == 200
    assert wait_ended(api, started["login_id"])["status"] == "done"
    assert pushing.ledger.count("push", outcome="accepted") == 3
    assert pushing.ledger.count("redeemed") == 1


def test_request_uri_is_used_once(broker, api, person, pushing):
    """As the emulated provider sees it; the broker's page is where to start again."""
    url = _leads_to(person, start(api, ACCOUNT))
    assert person.open(url).status == 200
    assert person.open(url).status == 400
    assert "used" in pushing.ledger.lines("authorize_refused")[0]["why"]
    pushing.configure(request_uri_lifetime=1)
    url = _leads_to(person, start(api, ACCOUNT))
    time.sleep(1.1)
    assert person.open(url).status == 400


@pytest.mark.parametrize("fault, says", [
    ("http500", "HTTP status 500"), ("not-json", "not a JSON object"), ("hang", "did not answer"),
    ("too-many", "too busy")])
def test_failure_is_a_page_that_can_be_reloaded(broker, api, person, pushing, fault, says):
    started = start(api, ACCOUNT)
    pushing.fault(fault, endpoint="push", times=1, seconds=0.2)
    page = person.open(started["start_url"])
    assert page.status == 503 and says in page.text and "reload this page" in page.text
    assert "Location" not in page.headers
    assert api.follow(started["login_id"]).ok()["status"] == "pending"
    person.consent(started["start_url"])
    assert wait_ended(api, started["login_id"])["status"] == "done"


def _open_and_leave(started):
    """A browser that does not wait for the page."""
    parts = urlsplit(started["start_url"])
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        time.sleep(0.02)


@pytest.mark.slow
def test_who_has_left_keeps_nobody_out(daemon, broker, api, pushing, emulator):
    """A provider that hangs, and somebody who opens their logins again and again: the logins of
    another provider begin all the same, and their own too once it answers."""
    other = emulator("zenhr")
    other.configure(push_path="/par")
    daemon.with_provider("zenhr", other, pushed_authorization_request_endpoint=other.url + "/par")
    daemon.reload()
    pushing.fault("hang", endpoint="push", seconds=20)
    mine = [start(api, ACCOUNT) for _ in range(12)]
    for started in mine:
        for _ in range(30):
            _open_and_leave(started)
    assert log_in(api, Person(), "zenhr/acme")[0]["status"] == "done"
    pushing.clear_faults()
    assert Person().fetch(mine[0]["start_url"]).status == 303


def test_a_second_tab_takes_the_first_one_s_place(broker, api, pushing):
    started = start(api, ACCOUNT)
    pushing.fault("hang", endpoint="push", seconds=15, times=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(Person().fetch, started["start_url"])
        pushing.ledger.wait_for("fault", 1)
        assert _leads_to(Person(), started)
        page = first.result()
    assert page.status == 503 and "opened again" in page.text


def test_wrong_secret_is_the_configurations_fault(broker, api, person, pushing):
    pushing.configure(client_secret="another")
    page = person.open(start(api, ACCOUNT)["start_url"])
    assert page.status == 503 and "refused the broker itself, not you" in page.text
    assert "client_secret" in page.text
    [provider] = api.health().ok()["providers"]
    assert provider["paused"] and "invalid_client" in provider["reason"]
    pushing.configure(client_secret=pushing.dialect.client_secret)
    assert log_in(api, person, ACCOUNT)[0]["status"] == "done"
    assert not api.health().ok()["providers"][0]["paused"]


def test_paste(broker, api, pushing):
    """It is pushed before the answer, which says how long its address is good."""
    broker.config.providers["plain"]["redirect_uri"] = ELSEWHERE
    broker.reload()
    pushing.register(ELSEWHERE)
    started = start(api, ACCOUNT)
    assert set(_query(started["authorize_url"])) == {"client_id", "request_uri"}
    assert started["authorize_url_expires_in"] == 60
    assert fingerprint(_query(started["authorize_url"])["request_uri"]) == \
        pushing.ledger.lines("push")[0]["request"]
    person = Person()
    page = person.open(started["authorize_url"])
    redirect = person.fetch(*person.answer(page, "allow")).headers["Location"]
    api.finish(started["login_id"], redirect).ok()
    assert wait_ended(api, started["login_id"])["status"] == "done"


def test_paste_that_cannot_be_pushed(broker, api, pushing):
    pushing.fault("http500", endpoint="push")
    reply = api.login(ACCOUNT, mode="paste")
    assert (reply.status, reply.error) == (503, "provider_unavailable")
    assert "did not take the authorization request" in reply.json["error_description"]


@pytest.mark.parametrize("auth, dialect_auth", [
    ("post", "post"), ("basic", "basic"), ("basic_raw", "basic_raw")])
def test_each_style_of_proof(daemon, api, person, pushing, auth, dialect_auth):
    pushing.configure(client_auth=[dialect_auth])
    daemon.with_provider("plain", pushing, client_auth=auth, token_request="form",
                         pushed_authorization_request_endpoint=pushing.url + "/par").start()
    assert log_in(api, person, ACCOUNT)[0]["status"] == "done"

"""A login as its starter sees it: follow, finish by paste, cancel, bounds."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest

from harness.logins import log_in, start, wait_ended
from harness.person import Person

ACCOUNT = "plain/acme"
ELSEWHERE = "https://oauth.pstmn.io/v1/callback"


def test_start(broker, api, plain):
    started = start(api, ACCOUNT, scope="read:a read:b", params={"login_hint": "x y"})
    query = {k: v[0] for k, v in parse_qs(urlsplit(started["authorize_url"]).query).items()}
    assert query["scope"] == "read:a read:b" and query["login_hint"] == "x y"
    assert query["code_challenge_method"] == "S256" and len(query["code_challenge"]) == 43
    assert len(query["state"]) == 43 and query["redirect_uri"] == started["redirect_uri"]
    assert started["start_url"].startswith(f"http://127.0.0.1:{broker.port}/start/")
    assert started["account"] == ACCOUNT and 0 < started["expires_in"] <= 600


@pytest.mark.parametrize("key", ["client_id", "token_endpoint"])
def test_a_code_goes_to_nobody_else(broker, api, plain, emulator, person, key):
    """A reload while the person is at the provider names another client, or another server."""
    other = emulator("plain")
    started = start(api, ACCOUNT)
    address = person.decide(started["start_url"])
    section = broker.config.providers["plain"]
    section[key] = {"client_id": "other", "token_endpoint": other.url + "/token"}[key]
    broker.reload()
    assert "configuration has changed" in person.open(address).text
    login = wait_ended(api, started["login_id"])
    assert login["status"] == "failed"
    for provider in (plain, other):
        assert not provider.ledger.token_requests()
    assert api.token(ACCOUNT).error == "unknown_account"


def test_states_and_challenges_differ(broker, api):
    def secrets_of(started):
        query = parse_qs(urlsplit(started["authorize_url"]).query)
        return query["state"][0], query["code_challenge"][0], started["start_url"]
    assert not set(secrets_of(start(api, ACCOUNT))) & set(secrets_of(start(api, ACCOUNT)))


@pytest.mark.parametrize("members", [
    {"mode": "magic"}, {"scope": 5}, {"params": {"state": "x"}}, {"params": {"redirect_uri": "x"}},
    {"params": {"client_id": "x"}}, {"params": {"response_type": "token"}},
    {"params": {"code_challenge": "x"}}, {"params": {"a": 5}}, {"params": []}, {"more": 1}],
    ids=str)
def test_bad_starts(shared, members):
    assert shared.api.login(ACCOUNT, **members).error == "bad_request"


def test_start_with_empty_body(broker, api):
    assert api.request("POST", f"/v1/login/{ACCOUNT}").status == 200


def test_follow_waits_for_the_change(broker, api, person):
    started = start(api, ACCOUNT)
    assert api.follow(started["login_id"]).ok()["status"] == "pending"
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(wait_ended, api, started["login_id"])
        person.consent(started["start_url"])
        assert waiting.result()["status"] == "done"


def test_page_answers_when_it_is_durable(broker, api, person, plain):
    """The browser's answer waits for the exchange; a token is there at once."""
    started = start(api, ACCOUNT)
    page = person.consent(started["start_url"])
    assert page.status == 200 and page.url.rpartition("/")[0].endswith("/done")
    assert api.follow(started["login_id"]).ok()["status"] == "done"
    assert api.token(ACCOUNT, wait=0).status == 200
    assert not plain.ledger.refreshes()


def test_cancel(broker, api, person, plain):
    started = start(api, ACCOUNT)
    redirect = person.decide(started["start_url"])
    assert api.cancel(started["login_id"]).ok()["status"] == "cancelled"
    assert api.follow(started["login_id"]).ok()["status"] == "cancelled"
    assert person.open(redirect).status >= 400
    assert person.open(started["start_url"]).status >= 400
    assert not plain.ledger.token_requests()


def test_follow_of_nothing(shared):
    api = shared.api
    for reply in (api.follow("A" * 43), api.cancel("A" * 43), api.finish("A" * 43, "http://x/")):
        assert (reply.status, reply.error) == (404, "not_found")


def _decide_elsewhere(started):
    """The person opens the provider's page on another machine, so without the start link."""
    person = Person()
    page = person.open(started["authorize_url"])
    reply = person.fetch(*person.answer(page, "allow"))
    return reply.headers["Location"]


def test_paste(broker, api, plain):
    """The address of whatever page the redirect ended on; the page is not on this machine."""
    broker.config.providers["plain"]["redirect_uri"] = ELSEWHERE
    broker.reload()
    plain.register(ELSEWHERE)
    started = start(api, ACCOUNT)
    redirect = _decide_elsewhere(started)
    assert redirect.startswith(ELSEWHERE)
    api.finish(started["login_id"], redirect).ok()
    assert wait_ended(api, started["login_id"])["status"] == "done"
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200


@pytest.mark.parametrize("change", [
    ("state=", "state=x"), ("state=", "nostate="), ("code=", "code=1&code="),
    ("code=", "code=%00")], ids=str)
def test_paste_that_does_not_fit(broker, api, plain, change):
    started = start(api, ACCOUNT)
    redirect = _decide_elsewhere(started)
    reply = api.finish(started["login_id"], redirect.replace(*change))
    assert (reply.status, reply.error) == (400, "bad_request")
    assert api.follow(started["login_id"]).ok()["status"] == "pending"
    assert not plain.ledger.token_requests()
    api.finish(started["login_id"], redirect).ok()
    assert wait_ended(api, started["login_id"])["status"] == "done"


@pytest.mark.parametrize("body", [{}, {"redirect": 5}, {"redirect": "x", "more": 1}, []], ids=str)
def test_bad_finishes(shared, body):
    started = start(shared.api, ACCOUNT)
    reply = shared.api.request("POST", f"/v1/logins/{started['login_id']}", body)
    assert reply.error == "bad_request"


@pytest.mark.parametrize("mode, error", [
    ("invalid_grant", "provider_rejected"), ("invalid_client", "provider_rejected"),
    ("http500", "provider_unavailable"), ("server_error", "provider_unavailable"),
    ("html200", "provider_unavailable"), ("redirect", "provider_unavailable")])
def test_failed_exchange(broker, api, person, plain, mode, error):
    """Who refused is told from who failed: then nobody can tell whether it worked."""
    plain.fault(mode)
    login, page = log_in(api, person, ACCOUNT)
    assert (login["status"], login["error"]) == ("failed", error)
    failed = error == "provider_unavailable"
    assert ("refused" in login["error_description"]) != failed
    assert ("We cannot tell whether it worked" in page.text) == failed
    assert len(plain.ledger.token_requests()) == 1
    assert api.token(ACCOUNT).status == 404


def test_failed_login_leaves_the_old_grant(broker, api, person, plain):
    broker.grant(plain, ACCOUNT)
    token = api.token(ACCOUNT).ok()["access_token"]
    log_in(api, person, ACCOUNT, "deny")
    plain.fault("invalid_grant")
    log_in(api, Person(), ACCOUNT)
    assert api.token(ACCOUNT).ok()["access_token"] == token
    assert api.account(ACCOUNT).ok()["state"] == "active"


def test_second_login_replaces_the_grant(broker, api, person, plain):
    log_in(api, person, ACCOUNT, user="alice")
    log_in(api, Person(), ACCOUNT, user="bob")
    assert plain.call(api.token(ACCOUNT).ok())[1]["user"] == "bob"


def test_logins_are_bounded(broker, api):
    replies = [api.login(ACCOUNT) for _ in range(40)]
    assert replies[0].status == 200 and replies[-1].status == 429
    assert replies[-1].error == "too_many_requests"


def test_login_for_unknown_provider(shared):
    assert shared.api.login("nowhere/acme").error == "unknown_provider"


def test_two_people_at_once(broker, api, plain):
    """Two accounts, two browsers, callbacks crossed in time: each code goes to its account."""
    people = {name: Person() for name in ("alice", "bob")}
    started = {name: start(api, f"plain/{name}") for name in people}
    redirects = {name: person.decide(started[name]["start_url"], user=name)
                 for name, person in people.items()}
    for name in reversed(people):
        assert people[name].open(redirects[name]).status == 200
    for name in people:
        assert plain.call(api.token(f"plain/{name}").ok())[1]["user"] == name


def test_taken_port_stops_no_tokens(broker, api, plain):
    """Health says that the callback's address cannot be held; tokens go on; logins come back."""
    broker.grant(plain, ACCOUNT)
    broker.stop()
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", broker.port))
        holder.listen()
        broker.start()
        assert api.token(ACCOUNT).status == 200
        reply = api.login(ACCOUNT)
        assert reply.status == 503
        [callback] = api.health().ok()["callback"]
        assert not callback["bound"] and callback["problem"]
    deadline = time.monotonic() + 15
    while api.login(ACCOUNT).status != 200:
        assert time.monotonic() < deadline, "the address was not taken back"
        time.sleep(0.1)

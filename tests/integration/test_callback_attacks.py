"""Whatever comes to the callback and does not fit a pending login changes nothing."""

import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from harness.logins import start, wait_ended
from harness.person import Person
from harness.raw import get, send_raw

ACCOUNT = "plain/acme"


@pytest.fixture
def pending(broker, api, person):
    """A login at whose end the person stands: (its members, the redirect not yet visited)."""
    started = start(api, ACCOUNT)
    return started, person.decide(started["start_url"])


def assert_untouched(api, plain, started):
    assert api.follow(started["login_id"]).ok()["status"] == "pending"
    assert not plain.ledger.token_requests()


def assert_finishes(api, person, pending):
    """The honest person can still finish."""
    page = person.open(pending[1])
    assert page.status == 200, page.text
    assert wait_ended(api, pending[0]["login_id"])["status"] == "done"


def _query(redirect, **changes):
    parameters = {name: values[0] for name, values in parse_qs(urlsplit(redirect).query).items()}
    parameters = {k: v for k, v in (parameters | changes).items() if v is not None}
    return redirect.partition("?")[0] + "?" + urlencode(parameters)


def _target(redirect):
    parts = urlsplit(redirect)
    return parts.path + "?" + parts.query


def _cookie(person):
    return "Cookie: " + "; ".join(f"{c.name}={c.value}" for c in person.cookies)


def test_other_browser(api, plain, person, pending):
    page = Person().open(pending[1])
    assert 400 <= page.status < 500
    assert_untouched(api, plain, pending[0])
    assert_finishes(api, person, pending)


@pytest.mark.parametrize("changes", [
    {"code": "f" * 64, "state": "A" * 43},
    {"state": "A" * 43},
    {"state": ""},
    {"code": None, "error": "access_denied", "state": "A" * 43},
    {"error": "access_denied"},
    {"code": "c" * 5000},
    {"state": "s" * 5000},
], ids=str)
def test_forged_in_the_persons_browser(api, plain, person, pending, changes):
    """A page elsewhere makes the very browser open a callback: the state does not fit."""
    page = person.open(_query(pending[1], **changes))
    assert 400 <= page.status < 500
    assert_untouched(api, plain, pending[0])
    assert_finishes(api, person, pending)


@pytest.mark.parametrize("query", [
    "error=access_denied", "code=" + "f" * 64, "", "code=%00", "state=%zz"])
def test_forged_from_elsewhere(api, plain, person, pending, query):
    page = Person().open(pending[1].partition("?")[0] + "?" + query)
    assert 400 <= page.status < 500
    assert_untouched(api, plain, pending[0])
    assert_finishes(api, person, pending)


@pytest.mark.parametrize("more", [
    "&code=x", "&state=x", "&iss=a&iss=b", "&code=", "&error=access_denied",
    "&error_description=a&error_description=b", "%00", "&state%00=x"])
def test_doubled_and_nul(broker, api, plain, person, pending, more):
    reply = get(broker.port, _target(pending[1]) + more, _cookie(person))
    assert 400 <= reply.status < 500
    assert_untouched(api, plain, pending[0])
    assert_finishes(api, person, pending)


def test_unknown_parameters_are_ignored(api, person, pending):
    redirect = pending[1] + "&session_state=1&session_state=2&codex=3"
    assert_finishes(api, person, (pending[0], redirect))


def test_replayed_callback(api, plain, person, pending):
    assert_finishes(api, person, pending)
    again = person.open(pending[1])
    assert plain.ledger.count("exchange") == 1
    assert again.status in (200, 400, 404, 410)
    assert Person().open(pending[1]).status >= 400
    assert api.token(ACCOUNT).status == 200


def test_reload_shows_the_result_again(api, person, pending):
    page = person.open(pending[1])
    assert person.open(page.url).text == page.text


@pytest.mark.parametrize("host", [
    "evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example", ""])
def test_wrong_host(broker, api, plain, person, pending, host):
    request = f"GET {_target(pending[1])} HTTP/1.1\r\nHost: {host}\r\n{_cookie(person)}\r\n\r\n"
    reply = send_raw(broker.port, request.encode())
    assert reply is None or 400 <= reply.status < 500
    assert_untouched(api, plain, pending[0])


@pytest.mark.parametrize("lines", [
    ["Host: 127.0.0.1:{port}", "Host: 127.0.0.1:{port}"],
    ["Host: 127.0.0.1:{port}", "Host: evil.example"],
    ["Host: 127.0.0.1:{port}", "Content-Length: 0", "Content-Length: 5"],
    ["Host: 127.0.0.1:{port}", "Content-Length: 5", "Content-Length: 0"],
    ["Host: 127.0.0.1:{port}", "Content-Length: 0", "Content-Length: 0"],
    ["Host: 127.0.0.1:{port}", "Content-Length: 5", "Transfer-Encoding: chunked"],
    [],
], ids=["twice", "two", "lengths", "lengths-down", "equal-lengths", "length-and-chunked", "none"])
def test_ambiguous_headers(broker, api, plain, person, pending, lines):
    head = [f"GET {_target(pending[1])} HTTP/1.1",
            *(line.format(port=broker.port) for line in lines), _cookie(person), "", ""]
    reply = send_raw(broker.port, "\r\n".join(head).encode())
    assert reply is None or 400 <= reply.status < 500
    assert_untouched(api, plain, pending[0])


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "DELETE"])
def test_get_only_and_no_cors(broker, api, plain, person, pending, method):
    head = (f"{method} {_target(pending[1])} HTTP/1.1\r\nHost: 127.0.0.1:{broker.port}\r\n"
            f"Origin: https://evil.example\r\n{_cookie(person)}\r\nContent-Length: 0\r\n\r\n")
    reply = send_raw(broker.port, head.encode())
    assert reply is None or 400 <= reply.status < 500
    assert reply is None or not [h for h in reply.headers if h.lower().startswith("access-control")]
    assert_untouched(api, plain, pending[0])


def test_start_link_is_for_one_browser(api, person, broker):
    started = start(api, ACCOUNT)
    assert person.open(started["start_url"]).status == 200
    assert 400 <= Person().open(started["start_url"]).status < 500
    page = person.consent(started["start_url"])
    assert page.status == 200 and wait_ended(api, started["login_id"])["status"] == "done"


def test_denial_of_another_browser_ends_nothing(api, plain, person, broker):
    started = start(api, ACCOUNT)
    denied = person.decide(started["start_url"], "deny")
    assert Person().open(denied).status >= 400
    assert_untouched(api, plain, started)
    person.open(denied)
    assert wait_ended(api, started["login_id"])["status"] == "failed"


def test_nothing_is_reflected_unescaped(api, person, broker):
    started = start(api, ACCOUNT)
    denied = person.decide(started["start_url"], "deny")
    bad = "<script>alert(1)</script>\"'&"
    page = person.open(_query(denied, error=bad, error_description=bad))
    assert "<script" not in page.text
    assert wait_ended(api, started["login_id"])["status"] == "failed"


def test_page_headers(api, person, pending):
    page = person.open(pending[1])
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe-inline" not in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "<script" not in page.text


def test_cookie_flags(broker, person, api):
    started = start(api, ACCOUNT)
    page = person.fetch(started["start_url"])
    cookie = page.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert "Path=/callback/plain" in cookie and "Domain" not in cookie


def test_favicon_and_unknown_paths(broker, pending):
    assert get(broker.port, "/favicon.ico").status in (200, 204, 404)
    assert get(broker.port, "/").status == 404
    assert get(broker.port, "/v1/health").status == 404


def test_without_state_the_cookie_decides(daemon, api, emulator, person):
    """A provider that does not echo the state: the browser's cookie alone says whose code it is."""
    provider = emulator("zenpayroll", "state-absent")
    daemon.with_provider("zenpayroll", provider).start()
    started = start(api, "zenpayroll/acme")
    redirect = person.decide(started["start_url"])
    assert Person().open(redirect).status >= 400
    assert_untouched(api, provider, started)
    assert_finishes(api, person, (started, redirect))


def test_without_state_a_newer_start_replaces_the_older(daemon, api, emulator, person):
    provider = emulator("zenpayroll", "state-absent")
    daemon.with_provider("zenpayroll", provider).start()
    older, newer = start(api, "zenpayroll/a"), start(api, "zenpayroll/b")
    person.open(older["start_url"])
    redirect = person.decide(newer["start_url"])
    person.open(redirect)
    assert wait_ended(api, newer["login_id"])["status"] == "done"
    assert api.token("zenpayroll/a").status == 404


@pytest.mark.slow
def test_without_state_a_second_login_comes_back_during_the_first(daemon, api, emulator, person):
    """The first has its code already, so this one is the second's."""
    provider = emulator("zenpayroll", "state-absent")
    daemon.with_provider("zenpayroll", provider).start()
    first = start(api, "zenpayroll/a")
    redirect = person.decide(first["start_url"], company="acme")
    provider.fault("delay", seconds=3, times=1)
    with ThreadPoolExecutor(1) as tab:
        opened = tab.submit(person.open, redirect)
        while (status := api.follow(first["login_id"]).ok()["status"]) == "pending":
            time.sleep(0.02)
        assert status == "exchanging"
        second = start(api, "zenpayroll/b")
        page = person.open(person.decide(second["start_url"], company="beta"))
        assert page.status == 200 and "is connected" in page.text, page.text
        again = person.open(redirect)
        assert "zenpayroll/a" in again.text and "zenpayroll/a" in opened.result().text
    for account, company in (("zenpayroll/a", "acme"), ("zenpayroll/b", "beta")):
        assert provider.call(api.token(account).ok())[1]["company"] == company
    assert provider.ledger.count("exchange") == 2


def test_back_after_a_denial(broker, api, plain, person):
    """The person says no, goes back and says yes: the login is over, and its page says what to do."""
    started = start(api, ACCOUNT)
    page = person.open(started["start_url"])
    said_no = person.open(person.fetch(*person.answer(page, "deny")).headers["Location"])
    said_yes = person.open(person.fetch(*person.answer(page, "allow")).headers["Location"])
    assert said_no.url == said_yes.url and "not granted" in said_yes.text
    assert f"tokenbroker login {ACCOUNT}" in said_yes.text
    assert api.follow(started["login_id"]).ok()["status"] == "failed"
    assert not plain.ledger.token_requests()


def test_back_after_a_yes(broker, api, plain, person):
    """And again yes: the second code is not sent, as the first one's grant may end with it."""
    started = start(api, ACCOUNT)
    page = person.open(started["start_url"])
    first, second = (person.open(person.fetch(*person.answer(page, "allow")).headers["Location"])
                     for _ in range(2))
    assert first.url == second.url and "is connected" in second.text
    assert plain.ledger.count("exchange") == 1
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200


def test_code_of_before_a_kill(broker, api, plain, person):
    """The broker dies while it waits for the grant: a reload of the page sends the code to nobody."""
    plain.fault("hold-after", times=1)
    started = start(api, ACCOUNT)
    redirect = person.decide(started["start_url"])
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(person.fetch, redirect)
        plain.ledger.wait_for("exchange")
        broker.kill()
        assert waiting.exception() is not None
    plain.clear_faults()
    broker.start()
    start(api, "plain/other")  # a user service holds its callback while a login is pending
    page = person.open(redirect)
    assert page.status == 404 and "start the login again" in page.text
    assert plain.ledger.count("exchange") == 1
    assert api.token(ACCOUNT).status == 404


@pytest.mark.parametrize("change", ["missing", "other"])
def test_promised_iss_must_match(daemon, api, emulator, person, change):
    """RFC 9207: before anything else is believed."""
    provider = emulator("plain", "iss")
    daemon.with_provider("plain", provider, issuer=provider.url, iss="promised").start()
    started = start(api, ACCOUNT)
    redirect = person.decide(started["start_url"])
    iss = None if change == "missing" else "https://evil.example"
    assert person.open(_query(redirect, iss=iss)).status >= 400
    assert not provider.ledger.token_requests()
    assert_finishes(api, person, (started, redirect))

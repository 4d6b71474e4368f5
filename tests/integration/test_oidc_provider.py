"""Against a certified provider: discovery, PKCE, rotation with reuse detection, a real browser."""

import base64
import hashlib
import json
import threading
import urllib.request
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from harness import browser as browsers
from harness import oidc
from harness.ledger import fingerprint
from harness.logins import start, wait_ended

pytestmark = pytest.mark.skipif(bool(oidc.missing()), reason=oidc.missing())
real_browser = pytest.mark.skipif(bool(browsers.missing()), reason=browsers.missing())
pushed = pytest.mark.parametrize("server", ["push"], indirect=True)
each_client = pytest.mark.parametrize("client", ["basic", "post", "signed"])

LIFETIME = 6


@pytest.fixture
def server(folder, daemon, request):
    """The real server, and a started daemon that knows it by its issuer alone."""
    push = getattr(request, "param", None) == "push"
    one = oidc.OidcProvider(folder, daemon.redirect_uri("CLIENT"), LIFETIME, push)
    proofs = {"basic": {"client_auth": "basic", "client_secret": oidc.SECRET},
              "post": {"client_auth": "post", "client_secret": oidc.SECRET},
              "signed": {"client_auth": "private_key_jwt", "client_key_id": "key-1",
                         "client_secret": f"file:{one.client_key}"}}
    for client, proof in proofs.items():
        daemon.config.providers[client] = proof | {
            "issuer": one.url, "client_id": client, "scope": "openid offline_access",
            "authorize_params": ["prompt=consent"], "identity": "id_token.sub"}
    daemon.start()
    yield one
    daemon.close()
    one.stop()


@pytest.fixture
def browser():
    one = browsers.Browser()
    yield one
    one.close()


def walk(person, url, **login):
    """Through the server's own login and consent forms; returns the page at the end."""
    page = person.open(url)
    while "/interaction/" in page.url:
        page = person.open(*person.answer(page, "", login="alice", password="x", **login))
    return page


def log_in(api, person, account):
    started = start(api, account)
    page = walk(person, started["start_url"])
    assert page.status == 200, page.text
    return wait_ended(api, started["login_id"])


@each_client
def test_login(server, api, person, client):
    login = log_in(api, person, f"{client}/alice")
    assert (login["status"], login["identity"]) == ("done", "alice")
    token = api.token(f"{client}/alice").ok()
    [grant] = server.lines("grant", client=client)
    assert grant["access"] == fingerprint(token["access_token"])
    assert userinfo(server, token) == (200, "alice")


def userinfo(server, token):
    request = urllib.request.Request(server.url + "/me", headers={
        token["present"]["name"]: token["present"]["value"]})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, json.load(reply)["sub"]
    except urllib.error.HTTPError as error:
        return error.code, None


@pushed
@each_client
def test_pushed_login(server, api, person, client):
    """It requires pushed requests, and says so in its metadata (RFC 9126)."""
    started = start(api, f"{client}/alice")
    assert "authorize_url" not in started
    assert person.fetch(started["start_url"]).headers["Location"].count("=") == 2
    assert walk(person, started["start_url"]).status == 200
    assert wait_ended(api, started["login_id"])["identity"] == "alice"
    assert len(server.lines("push", outcome="accepted", client=client)) == 2
    assert not server.lines("push", outcome="refused")
    assert userinfo(server, api.token(f"{client}/alice").ok()) == (200, "alice")


def test_cancel_at_the_provider(server, api, person):
    started = start(api, "basic/alice")
    page = person.open(started["start_url"])
    abort = page.url + "/abort"
    assert "/abort" in page.text
    assert "not granted" in person.open(abort).text.lower()
    assert wait_ended(api, started["login_id"])["status"] == "failed"


@pytest.mark.slow
@each_client
def test_rotations_with_reuse_detection(server, api, person, client):
    """Each refresh token is used once: the server would end the whole family otherwise."""
    account = f"{client}/alice"
    log_in(api, person, account)
    over = threading.Event()
    failures = []

    def use():
        while not over.is_set():
            reply = api.token(account, wait=10)
            if reply.status != 200 or userinfo(server, reply.json)[0] != 200:
                failures.append(reply.text)

    users = [threading.Thread(target=use) for _ in range(4)]
    for user in users:
        user.start()
    server.wait_for("grant", 3, timeout=40, grant_type="refresh_token")
    over.set()
    for user in users:
        user.join()
    assert not failures
    assert not server.lines("grant_revoked") and not server.lines("grant", outcome="refused")


@pytest.mark.slow
def test_rotations_over_kills(server, api, daemon, person):
    """Killed after each rotation was durable; the family lives."""
    log_in(api, person, "basic/alice")
    for count in range(1, 4):
        server.wait_for("grant", count, grant_type="refresh_token")
        api.wait_account("basic/alice", lambda a, n=count: a["generation"] > n)
        daemon.kill()
        daemon.start()
    assert api.token("basic/alice").status == 200
    assert not server.lines("grant_revoked")


def own_grant(server, daemon, person, client):
    """A grant that a program other than the broker got: its refresh token."""
    verifier = "v" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    redirect = daemon.redirect_uri(client)
    query = urlencode({"response_type": "code", "client_id": client, "redirect_uri": redirect,
                       "scope": "openid offline_access", "prompt": "consent", "state": "s",
                       "code_challenge": challenge.decode(), "code_challenge_method": "S256"})
    page = walk(person, f"{server.url}/auth?{query}")
    code = parse_qs(urlsplit(page.url).query)["code"][0]
    return token_request(server, client, grant_type="authorization_code", code=code,
                         redirect_uri=redirect, code_verifier=verifier)["refresh_token"]


def token_request(server, client, **parameters):
    body = urlencode(parameters | {"client_id": client, "client_secret": oidc.SECRET}).encode()
    try:
        with urllib.request.urlopen(server.url + "/token", body, timeout=10) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        return json.load(error)


@pytest.mark.slow
def test_family_ended_by_somebody_else(server, api, daemon, person):
    """A stolen older token is used: the family dies, the broker asks for consent."""
    start(api, "post/other")  # so that the callback's address is held
    stolen = own_grant(server, daemon, person, "post")
    api.import_grant("post/alice", refresh_token=stolen).ok()
    assert api.token("post/alice").status == 200
    assert token_request(server, "post", grant_type="refresh_token",
                         refresh_token=stolen)["error"] == "invalid_grant"
    assert api.refresh_allowed("post/alice").status != 200
    api.wait_state("post/alice", "consent_required", timeout=40)
    log_in(api, person, "post/alice")
    assert api.token("post/alice").status == 200


@pytest.mark.slow
@real_browser
@pytest.mark.parametrize("server", ["plain", "push"], indirect=True)
def test_chromium_consents(server, api, browser):
    """A person with a real browser lands on our page, and the token is there."""
    started = start(api, "basic/alice")
    browser.open(started["start_url"])
    browser.type("input[name=login]", "alice")
    browser.type("input[name=password]", "x")
    browser.click("button[type=submit]")
    browser.wait_for("input[name=prompt][value=consent]")
    browser.click("button[type=submit]")
    browser.wait_address("/done/")
    assert "basic/alice" in browser.text()
    browser.screenshot("consent-done")
    assert wait_ended(api, started["login_id"])["status"] == "done"
    assert userinfo(server, api.token("basic/alice").ok()) == (200, "alice")


def _open_device_page(browser, started):
    browser.open(started["verification_uri"])
    browser.type("input[name=user_code]", started["user_code"])
    browser.click("button[type=submit]")
    browser.wait_for("button[autofocus]")  # is it the code that the device shows?


def _device_polls(server):
    return [line for line in server.lines("grant") if line["grant_type"].endswith(":device_code")]


@real_browser
@each_client
def test_chromium_enters_a_code(server, api, browser, client):
    """RFC 8628 against a certified server, found by its metadata: the interval is its default."""
    started = start(api, f"{client}/alice", mode="device")
    assert started["interval"] == 5
    assert started["user_code"] in started["verification_uri_complete"]
    _open_device_page(browser, started)
    browser.click("button[autofocus]")
    browser.type("input[name=login]", "alice")
    browser.type("input[name=password]", "x")
    browser.click("button[type=submit]")
    browser.wait_for("input[name=prompt][value=consent]")
    browser.click("button[type=submit]")
    login = wait_ended(api, started["login_id"], timeout=40)
    assert (login["status"], login["identity"]) == ("done", "alice")
    token = api.token(f"{client}/alice").ok()
    assert userinfo(server, token) == (200, "alice")
    *waited, granted = _device_polls(server)
    assert {line["error"] for line in waited} <= {"authorization_pending"}, waited
    assert granted["outcome"] == "accepted"
    assert granted["access"] == fingerprint(token["access_token"])
    api.refresh_allowed(f"{client}/alice").ok()


@pytest.mark.slow
@real_browser
def test_chromium_refuses_a_code(server, api, browser):
    started = start(api, "basic/alice", mode="device")
    _open_device_page(browser, started)
    browser.click("button[name=abort]")
    login = wait_ended(api, started["login_id"], timeout=40)
    assert (login["status"], login["error"]) == ("failed", "access_denied")


@pytest.mark.slow
@real_browser
def test_chromium_denies(broker, api, browser):
    started = start(api, "plain/acme")
    browser.open(started["start_url"])
    browser.click("#deny")
    browser.wait_address(f":{broker.port}/")
    assert "not granted" in browser.text().lower()
    browser.screenshot("consent-denied")
    assert wait_ended(api, started["login_id"])["status"] == "failed"

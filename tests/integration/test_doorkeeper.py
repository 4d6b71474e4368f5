"""Against Doorkeeper, whose ways ZenHR and Gusto are taken to have. What counts is what lies in
its database, not what the broker says."""

import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from harness import browser as browsers
from harness import doorkeeper
from harness.doorkeeper import CLIENTS, SECRET, Doorkeeper
from harness.logins import start, wait_ended
from harness.person import Person

pytestmark = [pytest.mark.slow,
              pytest.mark.skipif(bool(doorkeeper.missing()), reason=doorkeeper.missing())]
real_browser = pytest.mark.skipif(bool(browsers.missing()), reason=browsers.missing())

LIFETIME = 4
MODES = {"on-use": True, "at-once": False}
PROOFS = {"basic": {"client_auth": "basic_raw", "client_secret": SECRET},
          "post": {"client_auth": "post", "client_secret": SECRET},
          "public": {"client_auth": "none"}}
# An old access token ends with its refresh token: when that is spent, or when the next is used.
at_once = pytest.mark.parametrize("mode", ["at-once"])
each_mode = pytest.mark.parametrize("mode", list(MODES))
each_client = pytest.mark.parametrize("client", CLIENTS)


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """The servers by their mode, each started when first needed. Each test has its own person."""
    made = {}

    def find(mode):
        if mode not in made:
            made[mode] = Doorkeeper(tmp_path_factory.mktemp(mode), LIFETIME, MODES[mode])
        return made[mode]

    yield find
    for one in made.values():
        one.stop()


@pytest.fixture
def mode():
    return "on-use"


def section(server, daemon, client, **overrides):
    return PROOFS[client] | {
        "authorization_endpoint": server.url + "/oauth/authorize",
        "token_endpoint": server.url + "/oauth/token",
        "revocation_endpoint": server.url + "/oauth/revoke", "client_id": client,
        "redirect_uri": daemon.redirect_uri(client), "scope": "read write"} | overrides


@pytest.fixture
def server(servers, mode, daemon):
    """The server, and a started daemon that knows its clients."""
    one = servers(mode)
    one.register(daemon.redirect_uri("CLIENT"))
    for client in CLIENTS:
        kills = "no" if MODES[mode] else "yes"
        daemon.config.providers[client] = section(one, daemon, client, refresh_kills_access=kills)
    daemon.start()
    yield one
    daemon.close()


@pytest.fixture
def user(request):
    """A person whom no other test knows."""
    one = Person()
    one.name = request.node.name
    return one


@pytest.fixture
def browser():
    one = browsers.Browser()
    yield one
    one.close()


def log_in(api, server, user, account="post/acme", decision="allow"):
    started = start(api, account)
    page = server.walk(user, started["start_url"], decision)
    return wait_ended(api, started["login_id"]), page


def connect(api, server, user, account="post/acme"):
    login, page = log_in(api, server, user, account)
    assert (login["status"], page.status) == ("done", 200), (login, page.text)


def use(api, server, account="post/acme"):
    """What a client does: a token that ended a moment ago is rejected, then the next one works."""
    token = api.patient_token(account)["access_token"]
    status, who = server.who_am_i(token)
    if status == 401:
        api.reject(account, access_token=token).ok()
        status, who = server.who_am_i(api.patient_token(account)["access_token"])
    assert status == 200
    return who


def alive(rows):
    return [row["id"] for row in rows if row["revoked_at"] is None]


def refused(server, since):
    return [one for one in server.token_requests(since) if one["status"] != 200]


# ---------------------------------------------------------------------------------------- consent


@each_client
def test_login(server, api, user, client):
    account = f"{client}/acme"
    connect(api, server, user, account)
    [code] = server.codes(user.name)
    assert code["code_challenge_method"] == "S256" and len(code["code_challenge"]) == 43
    assert code["revoked_at"] is not None  # that is: used
    row = server.tokens(user.name)[0]
    token = api.token(account).ok()
    assert token["access_token"] == row["token"] and token["scope"] == row["scopes"] == "read write"
    assert server.who_am_i(row["token"]) == (200, {"user": user.name, "client": client})


@pytest.mark.parametrize("client", ["basic", "post"])
def test_what_is_served_is_active(server, api, user, client):
    connect(api, server, user, f"{client}/acme")
    served = api.token(f"{client}/acme").ok()["access_token"]
    found = server.introspect(served, client)
    assert (found["active"], found["client_id"]) == (True, client)
    assert api.forget(f"{client}/acme").status == 200
    wait_revoked(server, user)
    assert server.introspect(served, client) == {"active": False}


def wait_revoked(server, user, timeout=15):
    deadline = time.monotonic() + timeout
    while alive(rows := server.tokens(user.name)):
        assert time.monotonic() < deadline, rows
        time.sleep(0.05)


def test_the_verifier_is_looked_at(server, api, user):
    """With another challenge on the way the broker's verifier does not fit, and it is refused."""
    started = start(api, "post/acme")
    page = user.fetch(started["start_url"])
    address = urlsplit(page.headers["Location"])
    query = parse_qs(address.query) | {"code_challenge": ["x" * 43]}
    page = server.walk(user, address._replace(query=urlencode(query, doseq=True)).geturl())
    login = wait_ended(api, started["login_id"])
    assert login["status"] == "failed" and "invalid_grant" in page.text
    assert server.codes(user.name) and not server.tokens(user.name)


def test_denied(server, api, user):
    login, page = log_in(api, server, user, decision="deny")
    assert login["status"] == "failed" and "access_denied" in page.text
    assert not server.codes(user.name) and not server.tokens(user.name)


def test_a_secret_as_it_is(server, api, daemon, user):
    """Doorkeeper takes Basic credentials without decoding them: percent-encoded ones are others."""
    daemon.config.providers["basic"]["client_auth"] = "basic"
    daemon.reload()
    login, page = log_in(api, server, user, "basic/acme")
    assert login["status"] == "failed" and "invalid_client" in page.text
    daemon.config.providers["basic"]["client_auth"] = "basic_raw"
    daemon.reload()
    connect(api, server, user, "basic/acme")


@real_browser
def test_chromium_denies_and_consents(server, api, user, browser):
    started = start(api, "post/acme")
    browser.open(started["start_url"])
    browser.type("input[name=login]", user.name)
    browser.type("input[name=password]", "x")
    browser.click("#login")
    browser.click("input[value=Deny]")
    browser.wait_address("/done/")
    assert "not granted" in browser.text().lower()
    assert wait_ended(api, started["login_id"])["status"] == "failed"
    assert not server.codes(user.name)

    started = start(api, "post/acme")  # this browser is logged in there by now
    browser.open(started["start_url"])
    browser.click("input[value=Authorize]")
    browser.wait_address("/done/")
    assert "post/acme" in browser.text()
    assert wait_ended(api, started["login_id"])["status"] == "done"
    assert api.token("post/acme").ok()["access_token"] == server.tokens(user.name)[-1]["token"]


# -------------------------------------------------------------------------------------- refreshes


@each_mode
def test_refreshed_before_its_end(server, api, user):
    """Nobody asks: it is refreshed again and again, and each refresh token is spent once."""
    connect(api, server, user)
    since = server.last_visit()
    rows = server.wait_tokens(user.name, 3)
    assert len({row["refresh_token"] for row in rows}) == len(rows)
    use(api, server)
    assert not refused(server, since)


def test_the_old_one_ends_with_the_first_use(server, api, user):
    connect(api, server, user)
    old, new = server.wait_tokens(user.name, 2)[:2]
    assert new["previous_refresh_token"] == old["refresh_token"]
    assert alive([old, new]) == [old["id"], new["id"]]
    api.wait_account("post/acme", lambda found: found["generation"] > 1)
    token = api.token("post/acme").ok()["access_token"]
    assert token == server.tokens(user.name)[-1]["token"]
    assert server.who_am_i(token)[0] == 200
    assert old["id"] not in alive(server.tokens(user.name))
    assert server.who_am_i(old["token"])[0] == 401
    count = len(server.tokens(user.name))
    server.wait_tokens(user.name, count + 1)
    use(api, server)


@at_once
def test_the_old_one_ends_with_the_refresh(server, api, user):
    connect(api, server, user)
    old, new = server.wait_tokens(user.name, 2)[:2]
    assert old["revoked_at"] is not None and new["revoked_at"] is None
    assert server.who_am_i(old["token"])[0] == 401
    use(api, server)


@each_mode
def test_clients_over_refreshes(server, api, user):
    """Clients that use tokens all the time; none is refused twice."""
    connect(api, server, user)
    since = server.last_visit()
    while len(server.tokens(user.name)) < 4:
        use(api, server)
        time.sleep(0.1)
    assert not refused(server, since)


# ------------------------------------------------------------------------------------------ kills


@each_mode
def test_killed_between(server, api, daemon, user, mode):
    """Killed again and again after a rotation. With revocation on use that may be before the reply
    was durable; else only what is durable is kept. Nobody consents a second time."""
    connect(api, server, user)
    since, count = server.last_visit(), 1
    for _ in range(3):
        server.wait_tokens(user.name, count + 1)
        if not MODES[mode]:
            newest = server.tokens(user.name)[-1]["token"]
            api.wait_account("post/acme", lambda _, t=newest:
                             api.patient_token("post/acme")["access_token"] == t)
        daemon.kill()
        count = len(server.tokens(user.name))
        daemon.start()
        use(api, server)
    assert not refused(server, since) and len(server.codes(user.name)) == 1


def lose_a_reply(server, daemon, user):
    """The server has refreshed; the broker is killed before it hears of it."""
    count = len(server.tokens(user.name))
    with server.hold_answers():
        rows = server.wait_tokens(user.name, count + 1)
        daemon.kill()
    daemon.start()
    return rows


def test_a_lost_reply_loses_nothing(server, api, daemon, user):
    """The new access token was never used, so the old refresh token is still good."""
    connect(api, server, user)
    lost = lose_a_reply(server, daemon, user)
    rows = server.wait_tokens(user.name, len(lost) + 1)
    assert rows[-1]["previous_refresh_token"] == lost[-2]["refresh_token"]
    assert use(api, server) == {"user": user.name, "client": "post"}
    assert api.account("post/acme").ok()["state"] == "active"
    assert len(server.codes(user.name)) == 1


@at_once
def test_a_lost_reply_of_a_strict_server(server, api, daemon, user):
    """The one exception: it had spent the token. A person is asked, and then all is well."""
    connect(api, server, user)
    lose_a_reply(server, daemon, user)
    api.wait_state("post/acme", "consent_required", timeout=40)
    connect(api, server, user)
    use(api, server)


# ------------------------------------------------------------------------------------- the ends


def revoke_in_database(server, user):
    server.query("UPDATE oauth_access_tokens SET revoked_at = datetime('now')"
                 " WHERE resource_owner_id = (SELECT id FROM users WHERE name = ?)", user.name)


def revoke_on_the_page(server, user):
    """Doorkeeper's own page of the applications that a person has let in."""
    page = user.open(server.url + "/oauth/authorized_applications")
    assert "The post client" in page.text
    user.open(*user.answer(page, ""))


@pytest.mark.parametrize("revoke", [revoke_in_database, revoke_on_the_page])
def test_revoked_there(server, api, user, revoke):
    connect(api, server, user)
    revoke(server, user)
    assert not alive(server.tokens(user.name))
    api.refresh_allowed("post/acme")
    api.wait_state("post/acme", "consent_required", timeout=40)
    count = len(server.tokens(user.name))
    connect(api, server, user)
    assert alive(server.tokens(user.name)[count:])
    use(api, server)


def test_the_application_is_not_itself(server, api, user):
    """Its secret was changed there: that is nobody's consent. With the right one it goes on."""
    connect(api, server, user)
    change = "UPDATE oauth_applications SET secret = ? WHERE uid = 'post'"
    server.query(change, "another")
    try:
        since = server.last_visit()
        api.wait_health("degraded", timeout=30)
        assert api.account("post/acme").ok()["state"] != "consent_required"
        assert len(refused(server, since)) <= 2
    finally:
        server.query(change, SECRET)
    count = len(server.tokens(user.name))
    assert api.retry("post").status == 200
    server.wait_tokens(user.name, count + 1)
    use(api, server)
    assert len(server.codes(user.name)) == 1


@each_client
def test_logout_revokes_there(server, api, user, client):
    connect(api, server, user, f"{client}/acme")
    access = api.token(f"{client}/acme").ok()["access_token"]
    assert server.who_am_i(access)[0] == 200
    assert api.forget(f"{client}/acme").status == 200
    wait_revoked(server, user)
    assert server.who_am_i(access)[0] == 401


@pytest.mark.parametrize("client", ["basic", "post"])
def test_client_credentials(server, daemon, api, client):
    """No person, no refresh token: a new one is asked for before the old one ends."""
    daemon.config.providers["machine"] = section(
        server, daemon, client, grant="client_credentials", redirect_uri=None, scope="read")
    daemon.reload()
    first = api.token("machine/default").ok()
    assert server.who_am_i(first["access_token"]) == (200, {"user": None, "client": client})
    [row] = server.query("SELECT * FROM oauth_access_tokens WHERE token = ?", first["access_token"])
    assert (row["resource_owner_id"], row["refresh_token"], row["scopes"]) == (None, None, "read")
    api.wait_account("machine/default", lambda found: found["generation"] > 1)
    assert api.token("machine/default").ok()["access_token"] != first["access_token"]

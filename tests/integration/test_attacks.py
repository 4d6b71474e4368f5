"""Attacks on a login that need more than one party: two accounts, two providers, another user of the
machine, a page elsewhere in the very browser. (What one request alone can do: test_callback_attacks.)"""

import os
import subprocess
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from harness import browser as browsers
from harness import evil, https
from harness.holder import STRANGER, Holder
from harness.logins import log_in, start, wait_ended
from harness.other_user import PYTHON
from harness.person import Person
from harness.raw import get

ACCOUNT = "plain/acme"

needs_browser = pytest.mark.skipif(browsers.missing() != "", reason=browsers.missing())
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")


def assert_pending(api, started):
    assert api.follow(started["login_id"]).ok()["status"] == "pending"


def with_query(redirect, **changes):
    query = {name: values[0] for name, values in parse_qs(urlsplit(redirect).query).items()}
    return redirect.partition("?")[0] + "?" + urlencode(query | changes)


def query_of(redirect, name):
    return parse_qs(urlsplit(redirect).query)[name][0]


# ---------------------------------------------------------------------------------- two of one kind


@pytest.mark.parametrize("case", ["one browser", "two browsers"])
def test_code_of_another_login(broker, api, plain, person, case):
    """Somebody's code with one's own state (code injection, RFC 9700 4.5): PKCE binds the code to
    the login that asked for it, and no grant comes of it."""
    other = person if case == "one browser" else Person()
    victim, own = start(api, "plain/victim"), start(api, "plain/own")
    stolen = other.decide(victim["start_url"], user="alice")
    redirect = person.decide(own["start_url"], user="mallory")
    person.open(with_query(redirect, code=query_of(stolen, "code")))
    assert wait_ended(api, own["login_id"])["status"] == "failed"
    assert api.token("plain/own").status == 404
    assert plain.ledger.count("exchange", outcome="accepted") == 0


def test_without_state_an_older_page_is_no_code_for_the_newer(daemon, api, emulator, person):
    """Two logins of one browser where state does not come back: the page that was left open does
    not count for the newer login, since PKCE has the provider refuse its code."""
    provider = emulator("plain")
    provider.configure(state_echoed=False)
    daemon.with_provider("plain", provider, state="absent").start()
    older, newer = start(api, "plain/older"), start(api, "plain/newer")
    left_open = person.decide(older["start_url"], user="older")
    person.open(newer["start_url"])
    assert api.follow(older["login_id"]).ok()["error"] == "replaced"
    person.open(left_open)
    assert wait_ended(api, newer["login_id"])["status"] == "failed"
    assert provider.ledger.count("exchange", outcome="accepted") == 0
    assert {api.token(f"plain/{name}").status for name in ("older", "newer")} == {404}


def test_without_state_and_pkce_the_identity_is_looked_at(daemon, api, emulator, person):
    """Zenegy knows neither: the older page's company does not get into the newer login's account."""
    provider = emulator("zenegy", "state-absent", "http-redirect")
    daemon.with_provider("zenegy", provider).start()
    for name in ("older", "newer"):
        assert log_in(api, person, f"zenegy/{name}", company=name)[0]["status"] == "done"
    older, newer = start(api, "zenegy/older"), start(api, "zenegy/newer")
    left_open = person.decide(older["start_url"], company="older")
    person.open(newer["start_url"])
    person.open(left_open)
    assert wait_ended(api, newer["login_id"])["error"] == "identity_mismatch"
    for name in ("older", "newer"):
        assert provider.call(api.token(f"zenegy/{name}").ok())[1]["company"] == name


def test_pasted_address_of_another_login(broker, api, plain):
    one, other = start(api, "plain/one", mode="paste"), start(api, "plain/other", mode="paste")
    redirects = {}
    for started in (one, other):
        person = Person()
        reply = person.fetch(*person.answer(person.open(started["authorize_url"]), "allow"))
        redirects[started["login_id"]] = reply.headers["Location"]
    reply = api.finish(one["login_id"], redirects[other["login_id"]])
    assert (reply.status, reply.error) == (400, "bad_request")
    assert "another login" in reply.json["error_description"]
    assert not plain.ledger.token_requests()
    for started in (one, other):
        assert_pending(api, started)
        api.finish(started["login_id"], redirects[started["login_id"]]).ok()
        assert wait_ended(api, started["login_id"])["status"] == "done"


# ------------------------------------------------------------------------------------ two providers


def shared_path(daemon, emulator, redirect):
    """An honest provider and an evil one on one redirect path; both promise iss."""
    providers = {}
    for name in ("honest", "evil"):
        one = providers[name] = emulator("plain", "iss")
        daemon.with_provider(name, one, redirect_uri=redirect, issuer=one.url, iss="promised")
    return providers["honest"], providers["evil"]


def mixed_up(person, started, honest, evil):
    """The evil provider sends its visitor on to the honest one, with its own login's state: the
    address to which the honest one then redirects."""
    person.fetch(started["start_url"])
    page = person.open(started["authorize_url"].replace(evil.url, honest.url))
    return person.fetch(*person.answer(page, "allow")).headers["Location"]


@pytest.mark.parametrize("where", ["loopback", "public"])
def test_mix_up(daemon, api, emulator, person, request, where):
    """The honest provider's code must not be shown to the evil one (RFC 9207)."""
    redirect = f"http://127.0.0.1:{daemon.port}/callback/shared"
    if where == "public":
        public = request.getfixturevalue("public")
        person, redirect = public.person(), public.url + "/callback/shared"
        daemon.config.callback["public_url"] = public.url
        public.nginx.serve(daemon.port)
    honest, evil = shared_path(daemon, emulator, redirect)
    daemon.start()
    started = start(api, "evil/acme")
    answer = mixed_up(person, started, honest, evil)
    assert query_of(answer, "iss") == honest.url
    page = person.open(answer)
    assert page.status == 403 and "came from somewhere else" in page.text
    assert_pending(api, started)
    # Nor without iss, nor as a refusal.
    code, state = query_of(answer, "code"), query_of(answer, "state")
    for query in ({"code": code, "state": state}, {"error": "access_denied", "state": state}):
        assert person.open(f"{redirect}?{urlencode(query)}").status == 403
    assert_pending(api, started)
    assert not evil.ledger.token_requests() and not honest.ledger.token_requests()


def test_answer_at_another_providers_path(daemon, api, emulator, person):
    """Without iss the path tells whose answer it is."""
    for name in ("honest", "evil"):
        daemon.with_provider(name, emulator())
    daemon.start()
    started = start(api, "evil/acme")
    redirect = person.decide(started["start_url"])
    cookies = "Cookie: " + "; ".join(f"{one.name}={one.value}" for one in person.cookies)
    query = urlsplit(redirect).query
    assert get(daemon.port, f"/callback/honest?{query}", cookies).status == 404
    assert_pending(api, started)
    assert get(daemon.port, f"/callback/evil?{query}", cookies).status == 303
    assert wait_ended(api, started["login_id"])["status"] == "done"


# ------------------------------------------------------------------------------------- another user

@pytest.fixture
def hold():
    made = []

    def make(*place):
        made.append(Holder(*place))
        return made[-1]

    yield make
    for one in made:
        one.close()


@needs_root
@pytest.mark.parametrize("family, address", [
    ("AF_INET6", "::1"), ("AF_INET6", "::"), ("AF_INET", "127.0.0.1"), ("AF_INET", "0.0.0.0"),
    ("AF_INET6", "::ffff:127.0.0.1")], ids=str)
@pytest.mark.parametrize("where", ["loopback", "public"])
def test_another_user_holds_the_port(daemon, api, plain, hold, where, family, address):
    """"localhost" is two addresses, and a browser may take either: a login begins when the broker
    holds both. Behind a proxy just so."""
    daemon.config.callback["listen"] = [f"http://localhost:{daemon.port}"]
    redirect = f"http://localhost:{daemon.port}/callback/plain"
    if where == "public":
        daemon.config.callback["public_url"] = "https://hr.example.com/oauth"
        redirect = "https://hr.example.com/oauth/callback/plain"
    daemon.with_provider("plain", plain, redirect_uri=redirect)
    stranger = hold(family, address, daemon.port)
    assert stranger.listen() == "listens"
    daemon.start()
    reply = api.login(ACCOUNT)
    assert (reply.status, reply.error) == (503, "busy")
    assert f"uid {STRANGER}" in reply.json["error_description"]
    assert "start_url" not in reply.json
    [callback] = api.health().ok()["callback"]
    assert not callback["bound"] and f"uid {STRANGER}" in callback["problem"]
    stranger.close()
    assert api.login(ACCOUNT).status == 200


@needs_root
@pytest.mark.parametrize("family, address", [("AF_INET6", "::1"), ("AF_INET", "127.0.0.1")])
def test_another_user_lies_in_wait(daemon, api, plain, hold, family, address):
    """It has bound the port without listening, which stops nobody: then it comes too late."""
    daemon.config.callback["listen"] = [f"http://localhost:{daemon.port}"]
    stranger = hold(family, address, daemon.port)
    daemon.with_provider("plain", plain).start()
    api.login(ACCOUNT).ok()
    assert stranger.listen() == "Address already in use"


_SEEN_AND_OPENED = r"""
import glob, http.client, re, sys, time
deadline = time.monotonic() + 30
while time.monotonic() < deadline:
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            read = open(path, errors="replace").read()
        except OSError:
            continue
        found = re.search(rf"http://([^/]+:{sys.argv[1]})(/start/[\w-]+)", read)
        if found:
            visit = http.client.HTTPConnection(found[1], timeout=10)
            visit.request("GET", found[2])
            reply = visit.getresponse()
            print(reply.status, reply.getheader("Location"), reply.read().decode())
            sys.exit()
"""

_OPENED = r"""
import http.client, sys
visit = http.client.HTTPConnection("localhost", int(sys.argv[1]), timeout=10)
visit.request("GET", sys.argv[2], headers={"Host": sys.argv[3]})
print(visit.getresponse().status)
"""


def as_stranger(*arguments):
    return subprocess.Popen([PYTHON, "-I", "-c", *arguments], stdout=subprocess.PIPE, text=True,
                            cwd="/", env={}, user=STRANGER, group=STRANGER, extra_groups=[])


def status_for_stranger(link, port):
    """Of a visit by another user, by the host that the link names."""
    parts = urlsplit(link)
    return int(as_stranger(_OPENED, str(port), parts.path, parts.netloc).communicate(timeout=60)[0])


@needs_root
def test_another_user_reads_the_link_in_the_list_of_processes(broker, api, plain, person, cli):
    """The command opens a browser, and so names the link in that program's arguments. Who reads it
    there gets nothing and uses nothing up."""
    programs = broker.folder / "bin"
    programs.mkdir()
    opened = programs / "xdg-open"
    opened.write_text("#!/bin/sh\nwhile [ -e '%s' ]; do sleep 0.1; done\n" % opened)
    opened.chmod(0o755)
    thief = as_stranger(_SEEN_AND_OPENED, str(broker.port))
    environment = {"DISPLAY": ":99", "PATH": f"{programs}:/usr/bin:/bin"}
    login = cli.spawn("login", ACCOUNT, environment=environment)
    said = thief.communicate(timeout=60)[0]
    opened.unlink()
    assert said.startswith("403 None ") and f"uid {os.geteuid()}." in said, said
    assert "tokenbroker login --no-browser" in said and ACCOUNT not in said
    link = next(line for line in login.stderr if "/start/" in line).strip()
    assert person.consent(link).status == 200
    assert login.wait(60) == 0
    assert plain.ledger.count("code_issued") == 1
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200


@needs_root
def test_a_link_that_is_only_printed_is_for_any_user(broker, api, cli):
    """Somebody logs in for another user, or an ssh of another user brings the browser here."""
    login = cli.spawn("login", ACCOUNT, "--no-browser", environment={"DISPLAY": ":99"})
    link = next(line for line in login.stderr if "/start/" in line).strip()
    assert status_for_stranger(link, broker.port) == 303
    login.terminate()
    login.wait(60)


@needs_root
def test_behind_a_proxy_the_link_is_for_any_user(daemon, api, plain):
    """There the connection is the proxy's, whoever the browser belongs to."""
    daemon.config.callback["public_url"] = "https://hr.example.com/oauth"
    daemon.with_provider("plain", plain)
    del daemon.config.providers["plain"]["redirect_uri"]
    daemon.start()
    started = start(api, ACCOUNT, own_browser=True)
    assert started["start_url"].startswith("https://hr.example.com/oauth/start/")
    assert status_for_stranger(started["start_url"], daemon.port) == 303


@needs_root
def test_over_https_too_the_link_is_for_its_user(daemon, api, emulator):
    provider = https.only_https(daemon, emulator)
    daemon.start()
    started = start(api, "zenegy/acme", own_browser=True)
    visit = ["curl", "-s", "-k", "-o", "/dev/null", "-w", "%{http_code}", started["start_url"]]
    seen = [subprocess.run(visit, capture_output=True, text=True, check=True, cwd="/", **more).stdout
            for more in ({"user": STRANGER, "group": STRANGER, "extra_groups": []}, {})]
    assert seen == ["403", "303"]
    assert provider.ledger.count("code_issued") == 0


# --------------------------------------------------------------- a page elsewhere, in a real browser


@pytest.fixture(scope="module")
def evil_port():
    with evil.served() as port:
        yield port


@pytest.fixture(scope="module")
def chromium():
    one = browsers.Browser(names=["evil.example"])
    yield one
    one.close()


_POST_INTO_FRAME = """
const [url, done] = arguments;
const frame = document.createElement("iframe");
frame.name = "frame";
document.body.append(frame);
frame.onload = () => done("loaded");
const form = document.createElement("form");
Object.assign(form, {method: "post", action: url, target: "frame"});
document.body.append(form);
form.submit();
"""
_POST = """
const [url, done] = arguments;
const form = document.createElement("form");
Object.assign(form, {method: "post", action: url});
document.body.append(form);
form.submit();
done();
"""
WAYS = {
    "fetch": (evil.FETCH, "no-cors", "GET"), "cors": (evil.FETCH, "cors", "GET"),
    "head": (evil.FETCH, "no-cors", "HEAD"), "fetch-post": (evil.FETCH, "no-cors", "POST"),
    "image": (evil.ELEMENT, "img", "src"), "script": (evil.ELEMENT, "script", "src"),
    "iframe": (evil.ELEMENT, "iframe", "src"), "embed": (evil.ELEMENT, "embed", "src"),
    "object": (evil.ELEMENT, "object", "data"), "post-into-frame": (_POST_INTO_FRAME,),
}


@pytest.fixture
def attacked(daemon, api, plain, chromium):
    """A login that Chromium opened, and the whole address of its redirect: worse than what an
    attacker can know."""
    daemon.config.callback["listen"] = [f"http://localhost:{daemon.port}"]
    daemon.with_provider("plain", plain,
                         redirect_uri=f"http://localhost:{daemon.port}/callback/plain").start()
    started = start(api, ACCOUNT)
    chromium.open(started["start_url"])
    chromium.wait_for("button[value=allow]")
    person = Person()
    page = person.open(started["authorize_url"])
    return started, person.fetch(*person.answer(page, "allow")).headers["Location"]


@needs_browser
@pytest.mark.parametrize("way", [*WAYS, "post"])
@pytest.mark.parametrize("host", ["localhost", "evil.example"])  # the same site, and another
def test_page_elsewhere(attacked, api, plain, chromium, evil_port, host, way):
    """To a page on another port cookies are no obstacle: it is the same site."""
    started, redirect = attacked
    chromium.open(f"http://{host}:{evil_port}/")
    if way == "post":
        chromium.run(_POST, redirect)
        chromium.wait_address("/callback/plain")
        assert "can be opened in a browser, and nothing else" in chromium.text()
    else:
        script, *arguments = WAYS[way]
        said = chromium.run(script, redirect, *arguments)
        assert said in ("loaded", "failed", "opaque 0"), said  # nothing of ours is readable
        assert way != "cors" or said == "failed"
    assert_pending(api, started)
    assert not plain.ledger.token_requests()
    # The same address, opened by the person's browser itself.
    chromium.open(redirect)
    assert "is connected" in chromium.text()
    assert wait_ended(api, started["login_id"])["status"] == "done"


@needs_browser
def test_hostile_words_in_a_real_browser(attacked, api, chromium):
    started, redirect = attacked
    words = "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script>"
    chromium.open(redirect.partition("?")[0] + "?" + urlencode(
        {"state": query_of(redirect, "state"), "error": "x<b>y", "error_description": words}))
    assert words in chromium.text() and "x<b>y" in chromium.text()
    assert "pwned" not in chromium.title
    assert wait_ended(api, started["login_id"])["status"] == "failed"


def test_hostile_words_at_a_terminal(broker, api, cli, person):
    """The provider's words cannot move the cursor, colour the text or hide what came before."""
    login = cli.spawn("login", ACCOUNT)
    link = [login.stderr.readline() for _ in range(2)][1].strip()
    denied = person.decide(link, "deny")
    person.open(with_query(denied, error_description="\x1b[2J\x1b]0;owned\x07no\r\nok\u202e\u009b1m"))
    said = "".join(login.communicate(timeout=30))
    assert login.returncode == 1 and "not granted" in said
    assert not [c for c in said if ord(c) < 32 and c != "\n" or 127 <= ord(c) < 160 or c == "\u202e"]

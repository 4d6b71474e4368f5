"""Behind a reverse proxy: a real nginx, as docs/RECIPES.md sets it up, with a public name of its own."""

import os
import shutil
import socket
import subprocess
from urllib.parse import parse_qs, urlsplit

import pytest

from harness import browser as browsers
from harness.logins import log_in, start, wait_ended
from harness.nginx import NAME
from harness.person import Person
from harness.raw import get

ACCOUNT = "plain/acme"

needs_browser = pytest.mark.skipif(browsers.missing() != "" or not shutil.which("certutil"),
                                   reason=browsers.missing() or "needs libnss3-tools")


@pytest.fixture
def served(daemon, plain, public):
    """A started daemon behind the proxy; the redirect URI is the one that follows from public_url."""
    daemon.config.callback["public_url"] = public.url + "/"
    daemon.with_provider("plain", plain)
    del daemon.config.providers["plain"]["redirect_uri"]
    plain.register(public.url + "/callback/plain")
    daemon.start()
    public.nginx.serve(daemon.port)
    return daemon


def assert_public_redirect(plain, public):
    """The provider was asked to redirect there, and the exchange said the same."""
    [issued] = plain.ledger.lines("code_issued")
    assert issued["redirect_uri"] == public.url + "/callback/plain"
    assert plain.ledger.count("exchange", outcome="accepted") == 1


def test_login(served, api, plain, public):
    person = public.person()
    started = start(api, ACCOUNT)
    assert started["redirect_uri"] == public.url + "/callback/plain"
    assert started["start_url"].startswith(public.url + "/start/")
    page = person.consent(started["start_url"])
    assert page.status == 200 and page.url == f"{public.url}/done/{started['login_id']}"
    assert "is connected" in page.text and f"at {NAME}" in page.text
    assert "this computer" not in page.text
    assert wait_ended(api, started["login_id"])["status"] == "done"
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200
    assert_public_redirect(plain, public)


def test_cookies(served, api, public):
    person = public.person()
    person.fetch(start(api, ACCOUNT)["start_url"])
    cookies = {cookie.path: cookie for cookie in person.cookies}
    assert set(cookies) == {"/oauth/callback/plain", "/oauth/start/"}
    for cookie in cookies.values():
        assert cookie.secure and cookie.domain == NAME and not cookie.domain_specified
    assert cookies["/oauth/start/"].name == "__Secure-tb_browser"
    assert cookies["/oauth/callback/plain"].name.startswith("tb_login_")


def test_a_start_link_is_for_one_browser(served, api, public):
    link = start(api, ACCOUNT)["start_url"]
    one, other = public.person(), public.person()
    assert [one.fetch(link).status, one.fetch(link).status] == [303, 303]
    elsewhere = other.fetch(link)
    assert elsewhere.status == 409 and "this computer" not in elsewhere.text


def test_the_proxys_log_holds_no_code(served, api, public):
    person = public.person()
    redirect = person.decide(start(api, ACCOUNT)["start_url"])
    person.open(redirect)
    assert person.fetch(public.origin + "/elsewhere").status == 404
    log = public.nginx.log()
    assert "/elsewhere" in log
    assert parse_qs(urlsplit(redirect).query)["code"][0] not in log


def test_always_held(served, daemon, api, public):
    """Without a login under way, so that a late browser is told something."""
    assert public.person().fetch(public.url + "/x").status == 404
    health = api.health().ok()
    assert health["public_url"] == public.url
    assert health["callback"] == [{"listen": f"http://127.0.0.1:{daemon.port}", "bound": True}]


def test_health_of_the_command(served, cli, public):
    assert public.url in cli.run("health").stdout


# ------------------------------------------------------------------------------------- who is let in


@pytest.fixture
def pending(served, api, public):
    """A login at whose end the person stands: (its members, the person, the redirect's target)."""
    person = public.person()
    started = start(api, ACCOUNT)
    parts = urlsplit(person.decide(started["start_url"]))
    return started, person, f"{parts.path}?{parts.query}"


def cookie_line(person):
    return "Cookie: " + "; ".join(f"{one.name}={one.value}" for one in person.cookies)


def assert_untouched(api, plain, started):
    assert api.follow(started["login_id"]).ok()["status"] == "pending"
    assert not plain.ledger.token_requests()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "{name}.evil.example"])
def test_foreign_host_through_the_proxy(pending, api, plain, public, host):
    started, person, target = pending
    reply = public.raw([f"GET {target} HTTP/1.1", f"Host: {host.format(name=NAME)}",
                        cookie_line(person)])
    assert reply.status == 421
    assert_untouched(api, plain, started)
    assert person.open(public.origin + target).status == 200


def test_public_host_without_its_port(pending, daemon, api, plain):
    """The name alone is another origin than the name with a port."""
    started, person, target = pending
    assert get(daemon.port, target, cookie_line(person), host=NAME).status == 421
    assert_untouched(api, plain, started)


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host",
                                  "Forwarded"])
def test_forwarded_headers_are_not_believed(pending, daemon, api, plain, public, name):
    started, person, target = pending
    ours, foreign = f"{NAME}:{public.nginx.port}", "evil.example"
    value = "host={}" if name == "Forwarded" else "{}"
    # The public name in such a header opens nothing at the loopback address.
    reply = get(daemon.port, target, cookie_line(person), f"{name}: {value.format(ours)}")
    assert reply.status == 404
    assert_untouched(api, plain, started)
    # A foreign one changes nothing for who comes by the public name.
    path = urlsplit(started["start_url"]).path
    reply = public.raw([f"GET {path} HTTP/1.1", f"Host: {ours}", cookie_line(person),
                        f"{name}: {value.format(foreign)}"])
    assert reply.status == 303 and foreign not in str(reply.headers)
    reply = public.raw([f"GET {target} HTTP/1.1", f"Host: {ours}", cookie_line(person),
                        f"{name}: {value.format(foreign)}"])
    assert reply.status == 303
    assert reply.headers["Location"] == f"/oauth/done/{started['login_id']}"


def test_loopback_does_not_serve_public_logins(pending, daemon, api, plain, public):
    started, person, target = pending
    start_path, done = urlsplit(started["start_url"]).path, f"/oauth/done/{started['login_id']}"
    cookies = cookie_line(person)
    for path in (start_path, target, done):
        for spelling in (path, path.removeprefix("/oauth")):
            assert get(daemon.port, spelling, cookies).status == 404, spelling
    assert_untouched(api, plain, started)
    assert person.open(public.url + f"/done/{started['login_id']}").status == 200


def test_public_name_does_not_serve_loopback_logins(served, daemon, api, plain, public):
    redirect = daemon.redirect_uri("local")
    daemon.with_provider("local", plain, redirect_uri=redirect)
    daemon.reload()
    person, started = Person(), start(api, "local/acme")
    assert started["start_url"].startswith(f"http://127.0.0.1:{daemon.port}/start/")
    target = person.decide(started["start_url"]).removeprefix(f"http://127.0.0.1:{daemon.port}")
    host, cookies = f"{NAME}:{public.nginx.port}", cookie_line(person)
    done = f"/done/{started['login_id']}"
    for path in (urlsplit(started["start_url"]).path, target, done):
        for spelling in (path, "/oauth" + path):
            assert get(daemon.port, spelling, cookies, host=host).status == 404, spelling
    assert_untouched(api, plain, started)
    # At its own address it goes on working.
    assert person.open(f"http://127.0.0.1:{daemon.port}{target}").status == 200
    assert wait_ended(api, started["login_id"])["status"] == "done"


def test_only_below_its_path(pending, daemon, public):
    """What another location of the proxy might hand on."""
    started, person, _ = pending
    path = urlsplit(started["start_url"]).path
    host = f"{NAME}:{public.nginx.port}"
    for other in (path.removeprefix("/oauth"), "/oauth2" + path.removeprefix("/oauth"),
                  "/oauth" + path, path.replace("/oauth", "/OAUTH")):
        assert get(daemon.port, other, cookie_line(person), host=host).status == 404, other


def test_who_holds_the_port(served, daemon, api, public):
    """Somebody else behind the proxy would be given the codes: then no login begins."""
    daemon.stop()
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", daemon.port))
        holder.listen()
        daemon.start()
        reply = api.login(ACCOUNT)
        assert reply.status == 503 and f"uid {os.geteuid()}" in reply.json["error_description"]


def test_reload_takes_it_over(daemon, plain, api, public):
    daemon.with_provider("plain", plain)
    del daemon.config.providers["plain"]["redirect_uri"]
    plain.register(public.url + "/callback/plain")
    daemon.start()
    public.nginx.serve(daemon.port)
    daemon.config.callback["public_url"] = public.url
    daemon.reload()
    login, page = log_in(api, public.person(), ACCOUNT)
    assert (login["status"], page.status) == ("done", 200)


# ---------------------------------------------------------------------------------------- the command


def test_command_without_display(served, cli, api, public):
    """The link works from anywhere, so that nobody is told to make a tunnel."""
    process = cli.spawn("login", ACCOUNT)
    lines = [process.stderr.readline() for _ in range(3)]
    page = public.person().consent(lines[1].strip())
    rest = process.communicate(timeout=30)[1]
    assert "open this in a browser, anywhere:" in lines[0]
    assert lines[1].strip().startswith(public.url + "/start/")
    assert "ssh" not in "".join(lines) + rest
    assert page.status == 200 and process.returncode == 0, rest


# ------------------------------------------------------------------------------------ a real browser


@pytest.mark.slow
@needs_browser
def test_chromium(served, api, plain, public, folder):
    database = folder / ".pki" / "nssdb"
    database.mkdir(parents=True)
    for arguments in (["-N", "--empty-password"],
                      ["-A", "-t", "P,,", "-n", "public", "-i", str(public.pair[0])]):
        subprocess.run(["certutil", "-d", f"sql:{database}", *arguments], check=True)
    browser = browsers.Browser(home=folder, names=[NAME])
    try:
        started = start(api, ACCOUNT)
        browser.open(started["start_url"])
        browser.click("button[value=allow]")
        browser.wait_address("/done/")
        assert browser.address == f"{public.url}/done/{started['login_id']}"
        assert "is connected" in browser.text()
        browser.open(started["start_url"])  # again, by its cookie
        assert browser.address == f"{public.url}/done/{started['login_id']}"
    finally:
        browser.close()
    assert wait_ended(api, started["login_id"])["status"] == "done"
    assert_public_redirect(plain, public)

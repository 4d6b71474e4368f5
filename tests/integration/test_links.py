"""Links by which people elsewhere consent, through a real reverse proxy."""

import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import uuid

import pytest

from harness import browser as browsers
from harness import later
from harness.background import in_background
from harness.logins import start, wait_ended
from harness.nginx import NAME
from harness.other_user import as_user
from harness.raw import get

ACCOUNT = "plain/acme"
# What the provider calls the companies.
ACME, OTHER = (str(uuid.uuid5(uuid.NAMESPACE_DNS, name)) for name in ("acme", "other"))

needs_browser = pytest.mark.skipif(browsers.missing() != "" or not shutil.which("certutil"),
                                   reason=browsers.missing() or "needs libnss3-tools")

needs_time = pytest.mark.skipif(bool(later.missing()), reason=later.missing())


@pytest.fixture
def served(daemon, plain, public):
    """A started daemon behind the proxy; a consent's identity is the company."""
    daemon.config.callback["public_url"] = public.url
    daemon.with_provider("plain", plain, redirect_uri=public.url + "/callback/plain",
                         identity="company_id")
    plain.configure(fields=["company_id"])
    daemon.start()
    public.nginx.serve(daemon.port)
    return daemon


def make(api, account=ACCOUNT, **body):
    return api.request("POST", f"/v1/links/{account}", body).ok()


def link_of(api, account=ACCOUNT):
    return api.request("GET", f"/v1/links/{account}")


def go(person, url, **changes):
    """From the link's page over its plain link to the end; the page there."""
    page = person.fetch(url)
    assert page.status == 200, page.text
    return person.consent(re.search(r'href="([^"]+)"', page.text)[1], **changes)


def test_expected_identity(served, api, plain, public):
    made = make(api, expires_in=3600, expect={"company_id": ACME})
    assert made["url"].startswith(public.url + "/link/") and made["expected_identity"] == ACME
    assert abs(made["expires_at"] - time.time() - 3600) < 60
    person = public.person()
    page = person.fetch(made["url"])
    for word in ("Connect plain", ACCOUNT, NAME, ACME, "Works until"):
        assert word in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "no-referrer" and "<script" not in page.text
    page = go(person, made["url"])
    assert page.status == 200 and "is connected" in page.text and NAME in page.text
    assert "tokenbroker login" not in page.text and "on this computer" not in page.text
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200
    assert api.account(ACCOUNT).ok()["identity"] == ACME
    used = public.person().fetch(made["url"])
    assert used.status == 410 and "was used" in used.text
    assert public.person().fetch(made["url"] + "/go").status == 410
    assert link_of(api).status == 404
    assert plain.ledger.count("exchange") == 1


def test_a_request_that_cannot_be_pushed(served, daemon, api, plain, public):
    """Who came by the link is told what they can do about it."""
    daemon.config.providers["plain"]["pushed_authorization_request_endpoint"] = plain.url + "/none"
    daemon.reload()
    person = public.person()
    link = person.fetch(make(api, expect={"company_id": ACME})["url"])
    page = person.open(re.search(r'href="([^"]+)"', link.text)[1])
    assert page.status == 503 and "whoever sent you the link" in page.text
    assert NAME in page.text and "this computer" not in page.text


def test_a_port_that_somebody_else_holds(served, daemon, api, plain, public):
    """The proxy may hand the code on to them: no attempt begins, as no login does."""
    url = make(api, expect={"company_id": ACME})["url"]
    daemon.stop()
    daemon.config.callback["listen"] = [f"http://localhost:{daemon.port}"]
    with socket.socket(socket.AF_INET6) as holder:
        holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("::1", daemon.port))
        holder.listen()
        daemon.start()
        assert api.login(ACCOUNT).error == "busy"
        assert public.person().fetch(url).status == 200
        page = public.person().fetch(url + "/go")
        assert page.status == 503 and "The link is fine" in page.text
    page = go(public.person(), url)
    assert page.status == 200 and "is connected" in page.text
    assert plain.ledger.count("code_issued") == 1


def test_a_scanner_burns_nothing(served, api, plain, public):
    url = make(api, expect={"company_id": ACME})["url"]
    for _ in range(20):
        assert public.person().fetch(url).status == 200
    assert link_of(api).ok()["attempts"] == 0
    # One that follows what the page links to makes attempts, the oldest of which give way.
    starts = []
    for _ in range(10):
        page = public.person().fetch(url + "/go")
        assert page.status == 303
        starts.append(page.headers["Location"])
    assert len(set(starts)) == 10 and link_of(api).ok()["attempts"] == 10
    assert "is connected" in go(public.person(), url).text
    assert plain.ledger.count("exchange", outcome="accepted") == 1


def test_each_click_is_an_attempt_of_its_own(served, api, public):
    url = make(api, expect={"company_id": ACME})["url"]
    one, other = public.person(), public.person()
    first = one.decide(url + "/go")
    second = other.decide(url + "/go")
    state = [re.search(r"state=([^&]+)", address)[1] for address in (first, second)]
    assert state[0] != state[1]
    assert "is connected" in other.open(second).text
    late = one.open(first)
    assert late.status == 410 and "another attempt" in late.text


def test_expired_replaced_withdrawn_unknown(served, daemon, api, public):
    first, second = make(api)["url"], make(api)["url"]
    look = public.person().fetch
    assert (look(first).status, look(second).status) == (410, 200)
    assert "newer link" in look(first).text
    assert api.request("DELETE", f"/v1/links/{ACCOUNT}").ok() == {"account": ACCOUNT,
                                                                 "revoked": True}
    assert "withdrawn" in look(second).text and look(second + "/go").status == 410
    assert api.request("DELETE", f"/v1/links/{ACCOUNT}").status == 404
    for unknown in (first[:-1] + "_", first + "x", first + "/", first + "/go/x"):
        assert look(unknown).status == 404
    # At the loopback address there is nothing to be found.
    third = make(api)["url"]
    path = third.removeprefix(public.origin)
    for spelling in (path, path.removeprefix("/oauth")):
        assert get(daemon.port, spelling).status == 404


def test_first_consent_is_held_until_accepted(served, api, cli, plain, public):
    url = make(api)["url"]
    page = go(public.person(), url)
    assert page.status == 200 and "one check is left" in page.text
    assert public.person().fetch(url).status == 410
    account = api.account(ACCOUNT).ok()
    assert (account["state"], account["generation"]) == ("consent_required", 0)
    assert account["held_identity"] == ACME
    refused = api.token(ACCOUNT)
    assert refused.error == "consent_required" and "start_url" not in refused.json
    assert "tokenbroker accept" in refused.json["error_description"]
    assert ACME in cli.run("held").stdout
    accepted = cli.run("accept", ACCOUNT, "--id", str(api.held_id(ACCOUNT)))
    assert accepted.returncode == 0 and f"the consent of {ACME} is its grant" in accepted.stderr
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200
    assert plain.ledger.count("exchange") == 1


@pytest.mark.parametrize("decision", ["accept", "discard"])
def test_a_decided_renewal_ends_no_grant(served, daemon, api, plain, public, decision):
    """Nobody says whose consents are, and the provider ends all of a person's grants with one."""
    del daemon.config.providers["plain"]["identity"]
    daemon.reload()
    plain.configure(revocation_ends_all=True)
    login = start(api, ACCOUNT)
    public.person().consent(login["start_url"])
    assert wait_ended(api, login["login_id"])["status"] == "done"
    assert "one check is left" in go(public.person(), make(api)["url"]).text
    api.decide(ACCOUNT, decision).ok()
    daemon.grant(plain, "plain/other")
    api.forget("plain/other").ok()
    plain.ledger.wait_for("revocation", user="other")
    assert not plain.ledger.lines("grant_revoked", user="alice")
    api.refresh_allowed(ACCOUNT).ok()
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200
    daemon.wait_log("as it may be the same person's")


def release_and_wait(daemon, api, plain):
    """What is held back lands; then what waits to be revoked, if anything does, has its turn."""
    plain.clear_faults()
    plain.ledger.wait_for("exchange")
    daemon.grant(plain, "plain/nudge")
    api.forget("plain/nudge").ok()
    plain.ledger.wait_for("revocation", user="nudge")


def test_two_tabs_on_one_link_end_no_grant(served, daemon, api, plain, public):
    """Both codes were sent; the consent that is held lives, though the other's came too late."""
    plain.configure(revocation_ends_all=True)
    url = make(api)["url"]
    people = [public.person(), public.person()]
    addresses = [person.decide(url + "/go") for person in people]
    plain.fault("hold-after", times=2)
    pages = [in_background(lambda who=who, where=where: who.open(where))
             for who, where in zip(people, addresses)]
    plain.ledger.wait_for("exchange", 2)
    release_and_wait(daemon, api, plain)
    texts = [page.join().text for page in pages]
    assert sorted("one check is left" in text for text in texts) == [False, True]
    api.decide(ACCOUNT, "accept").ok()
    assert not plain.ledger.lines("revocation", user="alice")
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200


def test_a_withdrawn_link_ends_nobodys_grant(served, daemon, api, plain, public):
    """The person has connected another account: the late grant of the wrong one is left alone."""
    plain.configure(revocation_ends_all=True)
    go(public.person(), make(api, expect={"company_id": ACME})["url"])
    person = public.person()
    address = person.decide(make(api, "plain/wrong")["url"] + "/go")
    plain.fault("hold-after", times=1)
    page = in_background(lambda: person.open(address))
    plain.ledger.wait_for("exchange", 2)
    api.request("DELETE", "/v1/links/plain/wrong").ok()
    release_and_wait(daemon, api, plain)
    assert "withdrawn" in page.join().text
    assert not plain.ledger.lines("revocation", user="alice")
    assert plain.call(api.refresh_allowed(ACCOUNT).ok() and api.token(ACCOUNT).ok())[0] == 200
    daemon.wait_log("as it may be the same person's")


def test_discarded_it_leaves_nothing(served, api, public):
    go(public.person(), make(api)["url"])
    api.decide(ACCOUNT, "discard").ok()
    assert api.account(ACCOUNT).status == 404 and api.held().ok() == {"held": []}


def test_two_browsers_at_once_by_one_link(served, api, plain, public):
    """The code of each is sent while the link is open: it connects one, and the other is told so."""
    url = make(api, expect={"company_id": ACME})["url"]
    people = [public.person(), public.person()]
    addresses = [person.decide(url + "/go") for person in people]
    plain.fault("delay", seconds=2, times=2)
    pages = []
    threads = [threading.Thread(target=lambda who=who, where=where: pages.append(who.open(where)))
               for who, where in zip(people, addresses)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    plain.ledger.wait_for("exchange", 2)
    assert sorted("is connected" in page.text for page in pages) == [False, True]
    assert plain.call(api.token(ACCOUNT).ok())[0] == 200
    assert not plain.ledger.lines("revocation"), "both may be one person's"


def test_mismatch_leaves_the_link_open(served, api, plain, public):
    url = make(api, expect={"company_id": OTHER})["url"]
    assert "someone else than" in go(public.person(), url).text
    assert link_of(api).ok()["state"] == "open"
    assert api.token(ACCOUNT).error == "consent_required"
    assert "is connected" in go(public.person(), url, company="other").text
    assert api.account(ACCOUNT).ok()["identity"] == OTHER


def test_a_restart_keeps_it(served, daemon, api, public):
    url = make(api, expect={"company_id": ACME})["url"]
    daemon.restart()
    assert link_of(api).ok()["url"] == url
    assert "is connected" in go(public.person(), url).text


@pytest.mark.slow
def test_revoked_grant_offers_its_link(served, daemon, api, schema, plain, public,
                                       folder):
    hook = folder / "hook"
    hook.write_text(f"#!/bin/sh\ncat >> {folder}/events\n", encoding="utf-8")
    hook.chmod(0o755)
    (folder / "events").touch()
    daemon.config.broker["on_event"] = str(hook)
    daemon.config.access = {
        "all": {"accounts": ["*/*"], "who": ["user:0"], "may": ["admin"]},
        "reader": {"accounts": ["*/*"], "who": ["user:65534"], "may": ["token", "list"]}}
    daemon.restart()
    daemon.socket.chmod(0o666)
    daemon.folder.chmod(0o755)
    go(public.person(), make(api, expect={"company_id": ACME})["url"])
    plain.revoke("alice")
    deadline = time.monotonic() + 30
    while (reply := api.request("POST", f"/v1/refresh/{ACCOUNT}")).error != "consent_required":
        assert time.monotonic() < deadline, reply.json
        time.sleep(0.5)
    url = reply.json["start_url"]
    assert url.startswith(public.url + "/link/")
    assert api.account(ACCOUNT).ok()["link"] == url == link_of(api).ok()["url"]
    while not (told := (folder / "events").read_text(encoding="utf-8")).endswith("\n"):
        assert time.monotonic() < deadline, "the hook was not run"
        time.sleep(0.05)
    event = json.loads(told.splitlines()[0])
    assert (event["event"], event["start_url"]) == ("consent_required", url)
    other = as_user(type(api), 65534)(daemon.socket, schema)
    assert "start_url" not in other.request("POST", f"/v1/refresh/{ACCOUNT}").json
    assert "link" not in other.account(ACCOUNT).ok()
    assert "is connected" in go(public.person(), url).text
    assert api.account(ACCOUNT).ok()["state"] == "active"


def test_where_no_link_can_lead(broker, api, cli):
    reply = api.request("POST", f"/v1/links/{ACCOUNT}", {})
    assert reply.status == 400 and "public_url" in reply.json["error_description"]
    process = cli.run("link", ACCOUNT)
    assert process.returncode == 2 and "public_url" in process.stderr
    assert api.request("POST", "/v1/links/nobody/acme", {}).error == "unknown_provider"


@pytest.mark.skipif(os.getuid() != 0, reason="needs other users")
def test_who_may_not(served, daemon, api, schema):
    """Neither for who may log in nor for who may list."""
    daemon.config.access = {
        "all": {"accounts": ["*/*"], "who": ["user:0"], "may": ["admin"]},
        "other": {"accounts": ["*/*"], "who": ["user:65534"], "may": ["login", "list", "logout"]}}
    daemon.restart()
    daemon.socket.chmod(0o666)
    daemon.folder.chmod(0o755)
    url = make(api)["url"]
    other = as_user(type(api), 65534)(daemon.socket, schema)
    for method, target in (("GET", "/v1/links"), ("GET", f"/v1/links/{ACCOUNT}"),
                           ("POST", f"/v1/links/{ACCOUNT}"), ("DELETE", f"/v1/links/{ACCOUNT}")):
        assert other.request(method, target).error == "forbidden"
    assert link_of(api).ok()["url"] == url


@needs_time
def test_expired_link_says_so(served, daemon, api, plain, public, cli):
    """A minute's link, a minute later: on its page, to who goes on, and to who has it listed."""
    assert cli.run("link", ACCOUNT, "--expires", "59s").returncode == 2
    url = cli.run("link", ACCOUNT, "--expires", "1min").stdout.strip()
    page = public.person().fetch(url)
    assert page.status == 200 and "Works until" in page.text
    start = re.search(r'href="([^"]+)"', page.text)[1]
    later.restart_later(daemon, 61)
    for address in (url, start):
        page = public.person().fetch(address)
        assert page.status == 410 and "has expired" in page.text and "It worked until" in page.text
        assert 'href="' not in page.text
    assert plain.ledger.count("code_issued") == 0
    assert link_of(api).ok()["state"] == "expired"
    assert "is connected" in go(public.person(), make(api, expect={"company_id": ACME})["url"]).text
    assert "newer link" in public.person().fetch(url).text


@pytest.mark.parametrize("body", [
    {"expires_in": 1}, {"expires_in": 10**9}, {"expires_in": "7d"}, {"expect": "4711"},
    {"expect": {}}, {"expect": {"name": "x"}}, {"expect": {"company_id": 1}}, {"scope": " "},
    {"params": {"state": "x"}}, {"x": 1}])
def test_what_makes_no_link(served, api, body):
    assert api.request("POST", f"/v1/links/{ACCOUNT}", body).status == 400
    assert link_of(api).status == 404


def test_logout_ends_and_rename_moves_it(served, api, public):
    url = make(api, expect={"company_id": ACME})["url"]
    go(public.person(), url)
    url = make(api)["url"]
    api.rename(ACCOUNT, "plain/other").ok()
    assert link_of(api, "plain/other").ok()["url"] == url
    assert "plain/other" in public.person().fetch(url).text
    api.forget("plain/other").ok()
    assert public.person().fetch(url).status == 410


def test_command(served, api, cli, public, folder):
    process = cli.run("link", ACCOUNT, "--expires", "2d", "--expect", f"company_id={ACME}")
    assert process.returncode == 0, process.stderr
    url = process.stdout.strip()
    assert url == link_of(api).ok()["url"] and ACME in process.stderr
    assert url in cli.run("link", "--list").stdout
    assert json.loads(cli.run("link", "--list", "--json").stdout)["links"][0]["url"] == url
    assert cli.run("link", "--revoke", ACCOUNT).returncode == 0
    assert "no link" in cli.run("link", "--list").stderr
    assert cli.run("link").returncode == 2


def test_csv(served, api, cli, folder):
    file = folder / "many.csv"
    file.write_text('account,expires,expect\nplain/a,3d,company_id=1\n"plain/b",,\n\nplain/c\n',
                    encoding="utf-8")
    process = cli.run("link", "--csv", str(file))
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert lines[0] == "account,url" and len(lines) == 4
    for line in lines[1:]:
        account, url = line.split(",")
        assert link_of(api, account).ok()["url"] == url
    assert link_of(api, "plain/a").ok()["expected_identity"] == "1"


def test_csv_with_bad_lines_makes_none(served, api, cli, folder):
    file = folder / "many.csv"
    file.write_text('plain/a\nplain//x\nplain/b,soon\nplain/c,,x\n"plain/d\nplain/e,1d,a=b,c\n',
                    encoding="utf-8")
    process = cli.run("link", "--csv", str(file))
    assert process.returncode == 2 and process.stdout == ""
    for number in (2, 3, 4, 5, 6):
        assert f"line {number}:" in process.stderr
    assert api.request("GET", "/v1/links").ok() == {"links": []}


@pytest.mark.slow
@needs_browser
def test_chromium(served, api, plain, public, folder):
    database = folder / ".pki" / "nssdb"
    database.mkdir(parents=True)
    for arguments in (["-N", "--empty-password"],
                      ["-A", "-t", "P,,", "-n", "public", "-i", str(public.pair[0])]):
        subprocess.run(["certutil", "-d", f"sql:{database}", *arguments], check=True)
    url = make(api, expect={"company_id": ACME})["url"]
    browser = browsers.Browser(home=folder, names=[NAME])
    try:
        browser.open(url)
        assert "Connect plain" in browser.text()
        browser.screenshot("link")
        browser.click(".go a")
        browser.click("button[value=allow]")
        browser.wait_address("/done/")
        assert "is connected" in browser.text()
        browser.open(url)
        assert "was used" in browser.text()
    finally:
        browser.close()
    assert api.account(ACCOUNT).ok()["identity"] == ACME

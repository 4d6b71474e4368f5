"""Rules with approve: no caller gets anything before somebody approved it."""

import contextlib
import os
import sqlite3
import time

import pytest

from harness.background import in_background
from harness.client import Api
from harness.hook import wait_for_lines
from harness.other_user import as_user

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs other users")

OTHER, THIRD = 61234, 61235
ACCOUNT = "plain/acme"
ADMIN = {"accounts": ["*/*"], "who": ["user:0"], "may": ["admin"]}


def written(folder, name, text):
    program = folder / name
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def ruled(daemon, plain):
    """Starts the daemon with root as admin, and a rule with approve for two others."""
    def begin(start=True, **rule):
        daemon.with_provider("plain", plain)
        daemon.config.access["root"] = ADMIN
        daemon.config.access["sync"] = {
            "accounts": ["plain/*"], "who": [f"user:{OTHER}", f"user:{THIRD}"],
            "may": ["token", "reject", "list", "login"], "approve": "yes", **rule}
        daemon.start()
        daemon.folder.chmod(0o711)
        daemon.socket.chmod(0o666)
        daemon.grant(plain, ACCOUNT)
        return daemon
    return begin


@pytest.fixture
def other(daemon, schema):
    return lambda uid=OTHER: as_user(Api, uid)(daemon.socket, schema)


def callers(api, state=None):
    rows = api.request("GET", "/v1/callers").ok()["callers"]
    return [row for row in rows if state in (None, row["state"])]


def approve(api, caller_id):
    return api.request("POST", f"/v1/callers/{caller_id}")


def forget(api, caller_id):
    return api.request("DELETE", f"/v1/callers/{caller_id}")


def wait_waiting(api, count=1):
    deadline = time.monotonic() + 15
    while len(callers(api, "waiting")) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return callers(api, "waiting")


def test_refused_with_how_to_approve_until_an_admin_does(ruled, other, api, cli):
    ruled()
    for account in (ACCOUNT, "plain/not-there"):
        reply = other().token(account, wait=0)
        assert (reply.status, reply.error) == (403, "forbidden")
        text = reply.json["error_description"]
        assert "tokenbroker approve 1" in text and "sync" in text and str(OTHER) in text
    (row,) = callers(api)
    assert (row["id"], row["state"], row["uid"], row["rule"], row["account"]) == (
        1, "waiting", OTHER, "sync", ACCOUNT)
    done = cli.run("approve", "1")
    assert done.returncode == 0 and "approved" in done.stderr, done.stderr
    assert other().token(ACCOUNT, wait=0).ok()["access_token"]
    assert other(THIRD).token(ACCOUNT, wait=0).status == 403, "that is another caller"
    (row,) = callers(api, "approved")
    assert row["approved_by"] == 0
    assert {"approve"} <= {one["verdict"] for one in api.audit().ok()["audit"]}


def test_no_verb_goes_around_it(ruled, other, api, plain):
    ruled(may=["token", "reject", "list", "login", "import", "logout", "monitor"])
    before = len(plain.ledger.token_requests())
    for ask in (lambda a: a.token(ACCOUNT, wait=0), lambda a: a.refresh(ACCOUNT),
                lambda a: a.reject(ACCOUNT, access_token="x"), lambda a: a.account(ACCOUNT),
                lambda a: a.accounts(), lambda a: a.login(ACCOUNT), lambda a: a.forget(ACCOUNT),
                lambda a: a.import_grant("plain/new", refresh_token="x"), lambda a: a.health(),
                lambda a: a.request("GET", "/metrics"), lambda a: a.request("GET", "/v1/events")):
        reply = ask(other())
        assert (reply.status, reply.error) == (403, "forbidden")
        assert "tokenbroker approve 1" in reply.json["error_description"]
    assert len(callers(api)) == 1, "one caller, however much it asks"
    assert len(plain.ledger.token_requests()) == before
    assert api.account(ACCOUNT).ok()


def test_a_request_waits_and_is_served_when_approved(ruled, other, api):
    ruled()
    request = in_background(lambda: other().token(ACCOUNT, wait=30))
    (row,) = wait_waiting(api)
    time.sleep(0.3)
    assert request.is_alive(), "it waits"
    approve(api, row["id"]).ok()
    assert request.join(20).ok()["access_token"]


def test_a_request_waits_no_longer_than_it_says(ruled, other):
    ruled()
    begun = time.monotonic()
    reply = other().token(ACCOUNT, wait=1)
    assert reply.error == "forbidden" and "approve 1" in reply.text
    assert 0.8 < time.monotonic() - begun < 10


def test_another_rule_without_approve_is_enough(ruled, other, daemon):
    ruled()
    daemon.config.access["more"] = {"accounts": [ACCOUNT], "who": [f"user:{OTHER}"],
                                    "may": ["token"]}
    daemon.reload()
    assert other().token(ACCOUNT, wait=0).status == 200
    assert other().account(ACCOUNT).status == 403


def test_durable_withdrawn_and_never_the_same_id(ruled, other, api, cli):
    broker = ruled()
    other().token(ACCOUNT, wait=0)
    approve(api, 1).ok()
    broker.kill()
    broker.start()
    broker.socket.chmod(0o666)
    assert other().token(ACCOUNT, wait=0).status == 200
    listed = other().accounts().ok()["accounts"]
    assert [one["account"] for one in listed] == [ACCOUNT]
    done = cli.run("callers", "--forget", "1")
    assert done.returncode == 0 and "forgotten" in done.stderr, done.stderr
    assert other().token(ACCOUNT, wait=0).status == 403, "the cache knows it at once"
    assert [row["id"] for row in callers(api)] == [2]
    assert approve(api, 1).error == "not_found" and forget(api, 1).error == "not_found"
    assert approve(api, 2).ok()["state"] == "approved"
    assert approve(api, 2).ok()["state"] == "approved", "twice is fine"
    assert "sync" in cli.run("callers").stdout


@pytest.mark.slow
def test_withdrawn_from_who_waits(ruled, other, api, plain):
    """What is refreshed meanwhile is not theirs: they wait for approval, as who asks anew does."""
    ruled()
    other().token(ACCOUNT, wait=0)
    approve(api, 1).ok()
    token = other().token(ACCOUNT, wait=0).ok()["access_token"]
    plain.fault("hang", times=1, seconds=3)
    api.reject(ACCOUNT, access_token=token).ok()
    refused = in_background(lambda: other().token(ACCOUNT, wait=6))
    approved = in_background(lambda: other(THIRD).token(ACCOUNT, wait=60))
    approve(api, wait_waiting(api)[0]["id"]).ok()
    time.sleep(1)
    forget(api, 1).ok()
    assert wait_waiting(api)[0]["uid"] == OTHER
    assert approved.join().ok()["access_token"] != token
    reply = refused.join()
    assert (reply.status, reply.error) == (403, "forbidden")
    assert "waits for approval" in reply.json["error_description"]


def test_admins_alone_see_and_decide(ruled, other):
    ruled(may=["token", "list", "login", "link", "import", "logout", "monitor", "reject"])
    other().token(ACCOUNT, wait=0)
    for method, target in (("GET", "/v1/callers"), ("POST", "/v1/callers/1"),
                           ("DELETE", "/v1/callers/1")):
        assert other().request(method, target).status == 403
        assert other(THIRD).request(method, target).status == 403


@pytest.mark.parametrize("target", ["/v1/callers/0", "/v1/callers/x", "/v1/callers/-1",
                                    "/v1/callers/99999999999999999999"])
def test_ids_that_are_none(broker, api, target):
    assert api.request("POST", target).error == "bad_request"
    assert api.request("DELETE", target).error == "bad_request"


def test_on_event_hears_of_it_once(ruled, other, daemon, folder):
    daemon.config.broker["on_event"] = written(folder, "hook", f"cat >>{folder}/events")
    ruled()
    for _ in range(3):
        other().token(ACCOUNT, wait=0)
    (event,) = wait_for_lines(folder / "events", 1)
    caller = event["caller"]
    assert (event["event"], event["account"]) == ("caller_waits", ACCOUNT)
    assert (caller["id"], caller["uid"], caller["rule"]) == (1, OTHER, "sync")
    assert caller["approve"] == "tokenbroker approve 1"
    time.sleep(0.5)
    assert len(wait_for_lines(folder / "events", 1)) == 1


def test_on_caller_approves_while_the_request_waits(ruled, other, daemon, folder, api):
    daemon.config.broker["on_caller"] = written(
        folder, "hook", f'read -r line; echo "$line" >>{folder}/events; '
        f'case $line in *\'"uid":{OTHER}\'*) exit 0 ;; esac; exit 1')
    ruled()
    assert other().token(ACCOUNT, wait=20).ok()["access_token"]
    (row,) = callers(api, "approved")
    assert "approved_by" not in row, "no user did"
    begun = time.monotonic()
    reply = other(THIRD).token(ACCOUNT, wait=20)
    assert reply.status == 403 and "on_caller did not approve" in reply.text
    assert time.monotonic() - begun < 15, "it need not wait until its time is over"
    assert len(wait_for_lines(folder / "events", 2)) == 2


@pytest.mark.parametrize("text", [None, "kill -9 $$", "exit 1"], ids=["missing", "killed", "no"])
def test_on_caller_never_fails_open(ruled, other, daemon, folder, api, text):
    daemon.config.broker["on_caller"] = \
        written(folder, "hook", text) if text else str(folder / "not-there")
    ruled()
    assert other().token(ACCOUNT, wait=3).status == 403
    assert not callers(api, "approved")
    assert approve(api, 1).status == 200, "an admin still may"
    assert other().token(ACCOUNT, wait=3).status == 200


@pytest.mark.slow
def test_a_burst_runs_few_programs(ruled, other, daemon, folder):
    """The same caller again and again: within a minute the program runs once."""
    daemon.config.broker["on_caller"] = written(folder, "hook", f"echo '{{}}' >>{folder}/events; exit 1")
    ruled()
    for _ in range(5):
        other().token(ACCOUNT, wait=1)
    assert len(wait_for_lines(folder / "events", 1)) == 1


@pytest.mark.slow
def test_one_uid_has_few_callers_that_wait(ruled, daemon, plain, other, api):
    rules = {f"rule{number}": {"accounts": [f"plain/a{number}"], "who": [f"user:{OTHER}"],
                               "may": ["token"], "approve": "yes"} for number in range(10)}
    daemon.config.access.update(rules)
    ruled()
    answers = [other().token(f"plain/a{number}", wait=0) for number in range(10)]
    assert [reply.error for reply in answers] == ["forbidden"] * 8 + ["too_many_requests"] * 2
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert other(THIRD).token(ACCOUNT, wait=0).error == "forbidden", "others still may wait"
    assert len(callers(api, "waiting")) == 9
    approve(api, 1).ok()
    assert other().token("plain/a9", wait=0).error == "forbidden", "there is room again"


def test_a_store_that_cannot_be_read_serves_nobody(ruled, other, daemon):
    ruled()
    other().token(ACCOUNT, wait=0)
    daemon.api.request("POST", "/v1/callers/1").ok()
    daemon.stop()
    (path,) = daemon.folder.rglob("store.sqlite")
    with contextlib.closing(sqlite3.connect(path)) as store, store:
        store.execute("UPDATE callers SET uid = -1")
    daemon.start()
    daemon.socket.chmod(0o666)
    assert other().token(ACCOUNT, wait=0).status != 200
    assert daemon.api.token(ACCOUNT).status == 200, "the others are served"


def test_a_link_of_names_is_no_way_in(ruled, other, daemon):
    """An approval is of one rule: it is not one under another, nor under none."""
    ruled()
    other().token(ACCOUNT, wait=0)
    daemon.api.request("POST", "/v1/callers/1").ok()
    daemon.config.access["renamed"] = daemon.config.access.pop("sync")
    daemon.reload()
    assert other().token(ACCOUNT, wait=0).status == 403
    del daemon.config.access["renamed"]
    daemon.reload()
    assert other().token(ACCOUNT, wait=0).status == 403


@pytest.mark.parametrize("access, said", [
    ({"a": {"accounts": ["*/*"], "who": ["user:0"], "may": ["admin"], "approve": "yes"}},
     "nobody may"),
    ({"root": ADMIN, "a/b": {"accounts": ["*/*"], "who": ["user:1"], "may": ["token"],
                             "approve": "yes"}}, "wants a name"),
    ({"root": ADMIN, "a": {"accounts": ["*/*"], "who": ["user:1"], "may": ["token"],
                           "approve": "maybe"}}, "approve"),
])
def test_configurations_that_are_refused(daemon, plain, access, said):
    daemon.with_provider("plain", plain)
    daemon.config.access.update(access)
    assert said in daemon.refuses_to_start()

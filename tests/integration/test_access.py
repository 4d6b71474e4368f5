"""Who asks counts: rules by uid and group, each verb by itself, refusals that tell nothing."""

import os
import time

import pytest

from harness.client import Api
from harness.background import in_background
from harness.logins import start
from harness.other_user import as_user

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs other users")

OTHER, THIRD, GROUP = 61234, 61235, 61299
ACCOUNT = "plain/acme"

# verb: a request that needs it
VERBS = {
    "token": lambda api: api.token(ACCOUNT),
    "reject": lambda api: api.reject(ACCOUNT, access_token="x"),
    "list": lambda api: api.account(ACCOUNT),
    "login": lambda api: api.login(ACCOUNT),
    "link": lambda api: api.request("GET", "/v1/links"),
    "import": lambda api: api.import_grant("plain/new", refresh_token="x"),
    "logout": lambda api: api.forget(ACCOUNT),
    "admin": lambda api: api.audit(),
}


@pytest.fixture
def other(daemon, schema):
    """Makes clients with another uid."""
    daemon.folder.chmod(0o711)
    return lambda uid=OTHER, groups=(): as_user(Api, uid, groups)(daemon.socket, schema)


@pytest.fixture
def ruled(daemon, plain):
    """Starts the daemon with root as admin and one more rule."""
    def begin(**rule):
        daemon.with_provider("plain", plain)
        daemon.config.access["root"] = {"accounts": ["*/*"], "who": ["user:0"], "may": ["admin"]}
        if rule:
            daemon.config.access["rule"] = rule
        daemon.start()
        daemon.socket.chmod(0o666)  # the rules are what is under test
        daemon.grant(plain, ACCOUNT)
        return daemon
    return begin


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_by_itself(ruled, other, verb):
    ruled(accounts=["*/*"], who=[f"user:{OTHER}"], may=[verb])
    for name, ask in VERBS.items():
        expected = {200} if name == verb or verb == "admin" else {403}
        assert ask(other()).status in expected, name


@pytest.mark.parametrize("who, groups, allowed", [
    (f"user:{OTHER}", (), True),
    (f"user:{THIRD}", (), False),
    (f"group:{GROUP}", (OTHER, GROUP), True),
    (f"group:{GROUP}", (GROUP,), True),
    (f"group:{GROUP}", (), False),
    (f"user:{OTHER}+group:{GROUP}", (OTHER, GROUP), True),
    (f"user:{OTHER}+group:{GROUP}", (), False),
    (f"user:{THIRD}+group:{GROUP}", (OTHER, GROUP), False),
])
def test_who(ruled, other, who, groups, allowed):
    ruled(accounts=["plain/*"], who=[who], may=["token"])
    assert (other(OTHER, groups).token(ACCOUNT).status == 200) is allowed


@pytest.mark.parametrize("pattern, allowed", [
    ("plain/acme", True), ("plain/*", True), ("*/*", True), ("plain/ac?e", True), ("*/acme", True),
    ("plain/acm", False), ("other/*", False), ("plain/acme-*", False), ("plain/?", False)])
def test_patterns(ruled, other, pattern, allowed):
    ruled(accounts=[pattern], who=[f"user:{OTHER}"], may=["token"])
    assert (other().token(ACCOUNT).status == 200) is allowed


def test_refusal_is_the_same_for_what_does_not_exist(ruled, other):
    ruled()
    texts = set()
    for account in (ACCOUNT, "plain/none", "nowhere/none"):
        reply = other().token(account)
        assert (reply.status, reply.error) == (403, "forbidden")
        texts.add(reply.text.replace(account, "X").replace(account.split("/")[0], "P"))
    assert len(texts) == 1


@pytest.mark.parametrize("ask", [
    lambda api: api.accounts(), lambda api: api.refresh(ACCOUNT), lambda api: api.retry(),
    lambda api: api.retry("plain"), lambda api: api.retry(ACCOUNT), lambda api: api.audit(),
], ids=["list", "refresh", "retry", "retry-provider", "retry-account", "audit"])
def test_nothing_without_a_right(ruled, other, plain, ask):
    ruled()
    assert ask(other()).error == "forbidden"
    assert not plain.ledger.token_requests()


def test_refusal_names_the_missing_line(ruled, other):
    ruled()
    text = other().token(ACCOUNT).json["error_description"]
    assert str(OTHER) in text and "token" in text and ACCOUNT in text


def test_list_holds_only_what_one_may_see(ruled, other, api, plain, daemon):
    ruled(accounts=["plain/b*"], who=[f"user:{OTHER}"], may=["list"])
    for user in ("b1", "b2", "c1"):
        daemon.grant(plain, f"plain/{user}")
    names = [account["account"] for account in other().accounts().ok()["accounts"]]
    assert names == ["plain/b1", "plain/b2"]
    assert len(api.accounts().ok()["accounts"]) == 4


def test_login_belongs_to_its_starter(ruled, other):
    ruled(accounts=["*/*"], who=[f"user:{OTHER}", f"user:{THIRD}"], may=["login"])
    login_id = start(other(OTHER), ACCOUNT)["login_id"]
    assert other(OTHER).follow(login_id).status == 200
    for ask in (lambda one: one.follow(login_id), lambda one: one.cancel(login_id),
                lambda one: one.finish(login_id, "http://x/?code=1")):
        assert ask(other(THIRD)).status == 403
    assert other(0).cancel(login_id).status == 200, "an admin may"


def test_admin_of_another_account_is_none_of_this_login(ruled, other):
    """Also with its id; and the person's login goes on."""
    ruled(accounts=["plain/mine"], who=[f"user:{OTHER}"], may=["admin"])
    login_id = start(other(0), ACCOUNT)["login_id"]
    for ask in (lambda one: one.follow(login_id), lambda one: one.cancel(login_id),
                lambda one: one.finish(login_id, "http://x/?code=1")):
        assert ask(other()).status == 403
    assert other(0).follow(login_id).ok()["status"] == "pending"
    own = start(other(0), "plain/mine")["login_id"]
    assert other().cancel(own).status == 200


@pytest.mark.parametrize("glob, whole", [("?????/?", "/plain"), ("?/?", "")])
def test_names_of_some_length_are_not_all_there_are(ruled, other, glob, whole):
    """What is about a whole provider, or about all, wants a rule with a star for it."""
    ruled(accounts=[glob], who=[f"user:{OTHER}"], may=["admin"])
    assert other().request("POST", f"/v1/retry{whole}").status == 403
    assert other().audit().status == 403
    assert "accounts" not in other().health().ok()


def test_health_of_those_without_rights(ruled, other):
    ruled(accounts=["plain/*"], who=[f"user:{OTHER}"], may=["token"])
    seen, whole = other(OTHER).health().ok(), other(0).health().ok()
    assert not {"providers", "accounts"} & set(seen) and {"providers", "accounts"} <= set(whole)
    assert other(THIRD).health().status == 403


def test_without_rules(daemon, plain, other):
    """Without any rule the daemon serves its own uid, which is root's here."""
    daemon.with_provider("plain", plain).start()
    daemon.socket.chmod(0o666)
    daemon.grant(plain, ACCOUNT)
    assert daemon.api.token(ACCOUNT).status == 200
    assert other().token(ACCOUNT).status == 403
    assert other().health().status == 403


def test_refusals_are_counted(ruled, other, api):
    ruled()
    for _ in range(3):
        other().token(ACCOUNT)
    refusals = lambda rows: [row for row in rows if row["uid"] == OTHER]  # noqa: E731
    rows = refusals(api.wait_audit(lambda r: sum(row["count"] for row in refusals(r)) == 3))
    assert {row["verdict"] for row in rows} == {"forbidden"}
    assert rows[0]["account"] == ACCOUNT


def test_reload_takes_a_right_away(ruled, other, daemon):
    ruled(accounts=["plain/*"], who=[f"user:{OTHER}"], may=["token"])
    assert other().token(ACCOUNT).status == 200
    del daemon.config.access["rule"]
    daemon.reload()
    assert other().token(ACCOUNT).status == 403


@pytest.mark.slow
def test_reload_takes_a_right_away_from_who_waits(ruled, other, daemon, plain):
    """They learn it at once, as who asks anew does; those whose right stays are served."""
    ruled(accounts=["plain/*"], who=[f"user:{OTHER}"], may=["token"])
    daemon.config.access["third"] = {"accounts": [ACCOUNT], "who": [f"user:{THIRD}"],
                                     "may": ["token"]}
    daemon.reload()
    token = daemon.api.token(ACCOUNT).ok()["access_token"]
    plain.fault("hang", times=1, seconds=4)
    before = plain.ledger.count("refresh", outcome="accepted")
    daemon.api.reject(ACCOUNT, access_token=token).ok()
    waiting = {uid: in_background(lambda uid=uid: other(uid).token(ACCOUNT, wait=60))
               for uid in (0, OTHER, THIRD)}
    time.sleep(1)
    del daemon.config.access["rule"]
    begun = time.monotonic()
    daemon.reload()
    refused = waiting[OTHER].join()
    assert time.monotonic() - begun < 2, "before the refresh ended"
    assert (refused.status, refused.error) == (403, "forbidden")
    assert refused.json == other().token(ACCOUNT).json
    served = [waiting[uid].join().ok()["access_token"] for uid in (0, THIRD)]
    assert served[0] == served[1] != token
    assert plain.ledger.count("refresh", outcome="accepted") == before + 1


def test_another_key_is_an_admins_to_order(ruled, other):
    broker = ruled(accounts=["*/*"], who=[f"user:{OTHER}"], may=["list", "logout", "monitor"])
    for method in ("GET", "POST"):
        assert other().request(method, "/v1/rekey").error == "forbidden"
    for method in ("GET", "POST", "GET"):
        assert broker.api.request(method, "/v1/rekey").ok()["unreadable"] == 0
    assert broker.api.token(ACCOUNT).ok()

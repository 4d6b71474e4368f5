"""A peer sees what its rules cover and nothing else: every route and text is searched for the rest."""

import os
import subprocess
import threading

import pytest

from harness.binaries import command
from harness.client import Api
from harness.logins import log_in, start
from harness.other_user import as_user
from harness.person import Person
from harness.stream import Stream

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs other users")

OTHER = 61234
MINE, BESIDE, HIDDEN = "plain/mine", "plain/zzbeside", "zzhidden/zzcompany"
# What must not be seen: every name, identity and text of the others has this in it.
MARK = "zz"
EVERYTHING = ["token", "reject", "list", "login", "link", "import", "logout", "monitor"]


@pytest.fixture
def ruled(daemon, plain, emulator):
    """Two accounts of one provider and one of another; the peer has every right over the first."""
    hidden = emulator("plain")
    daemon.with_provider("plain", plain)
    daemon.with_provider("zzhidden", hidden)
    daemon.config.access["root"] = {"accounts": ["*/*"], "who": ["user:0"], "may": ["admin"]}
    daemon.config.access["peer"] = {"accounts": [MINE], "who": [f"user:{OTHER}"],
                                    "may": EVERYTHING}
    daemon.start()
    daemon.folder.chmod(0o711)
    daemon.socket.chmod(0o666)
    for account, provider in ((MINE, plain), (BESIDE, plain), (HIDDEN, hidden)):
        daemon.grant(provider, account)
    daemon.hidden = hidden
    return daemon


@pytest.fixture
def peer(ruled, schema):
    return as_user(Api, OTHER)(ruled.socket, schema)


def clean(reply):
    assert MARK not in reply.text, reply.text
    for value in reply.headers.values():
        assert MARK not in value, value
    return reply


def whatever_happens(ruled, api, plain):
    """Things happen to the others: tokens, refusals, a dead grant, a paused provider, logins."""
    for account in (BESIDE, HIDDEN):
        api.token(account).ok()
        start(api, account)
    plain.revoke("zzbeside")
    api.reject(BESIDE, access_token=api.token(BESIDE).ok()["access_token"])
    assert api.token(BESIDE, wait=20).error == "consent_required"
    ruled.hidden.configure(client_secret="another")
    api.reject(HIDDEN, access_token=api.token(HIDDEN).ok()["access_token"])
    api.token(HIDDEN, wait=3)


@pytest.mark.slow
def test_every_route(ruled, api, plain, peer, schema):
    whatever_happens(ruled, api, plain)
    not_mine = {"{provider}/{label}": MINE, "{provider}": "plain", "{login_id}": "A" * 43,
                "{caller_id}": "1"}
    bodies = {"/v1/import": {}, "post /v1/links/{provider}/{label}": {"expires_in": 60},
              "put /v1/accounts/{provider}/{label}": {"refresh_token": "unknown"},
              "post /v1/reject/{provider}/{label}": {"access_token": "x"},
              "post /v1/held/{provider}/{label}": {"decision": "accept", "id": 1},
              "post /v1/rename/{provider}/{label}": {"account": "plain/other"}}
    last = ("delete", "/v1/accounts/{provider}/{label}")
    routes = sorted({(method, path) for method, path, _ in schema.documented()} - {last}) + [last]
    for method, path in routes:
        if path == "/v1/events":
            continue
        target = path
        for name, value in not_mine.items():
            target = target.replace(name, value)
        clean(peer.request(method.upper(), target, bodies.get(f"{method} {path}")))


@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/links", "/v1/held"])
def test_where_a_page_ends_names_nobody(ruled, api, peer, path):
    """However many others lie between, and however small the pages are."""
    for number in range(60):
        api.import_grant(f"plain/zz{number:02}", refresh_token=f"r{number}").ok()
    for query in ("?limit=1", f"?limit=1&after={MINE}", f"?limit=2&after={MINE}"):
        reply = peer.request("GET", path + query)
        if path != "/v1/held":  # of admins, which the peer is not
            assert clean(reply).ok().get("next") in (None, MINE)
        clean(reply)


@pytest.mark.slow
def test_events_are_of_its_own(ruled, api, plain, peer, schema):
    """The stream of a peer that may list and monitor its account; then the older ones again."""
    seen = []

    script = (
        "import http.client, socket, sys\n"
        "c = http.client.HTTPConnection('localhost', timeout=60)\n"
        "c.sock = socket.socket(socket.AF_UNIX)\nc.sock.connect(sys.argv[1])\n"
        "c.request('GET', '/v1/events')\nr = c.getresponse()\n"
        "while True:\n    line = r.readline()\n    sys.stdout.write(line.decode())\n"
        "    sys.stdout.flush()\n")

    def become():
        os.setgroups([])
        os.setgid(OTHER)
        os.setuid(OTHER)
    process = subprocess.Popen(["/usr/bin/python3", "-I", "-c", script, str(ruled.socket)],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                               cwd="/", preexec_fn=become)
    mine = threading.Event()

    def read():
        for line in process.stdout:
            seen.append(line)
            if "retry:" in line:
                greeted.set()
            if MINE in line:
                mine.set()
    greeted = threading.Event()
    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert greeted.wait(10)
        with Stream(api, schema) as whole:
            whatever_happens(ruled, api, plain)
            names = {whole.next().name for _ in range(4)}
            assert "login_started" in names
        api.refresh_allowed(MINE).ok()
        assert mine.wait(10), seen
        assert MARK not in "".join(seen), seen
    finally:
        process.kill()
        process.wait()
        reader.join(10)


@pytest.mark.slow
def test_health_and_metrics_name_its_provider_alone(ruled, api, plain, peer):
    whatever_happens(ruled, api, plain)
    health = clean(peer.health()).ok()
    assert [one["name"] for one in health["providers"]] == ["plain"]
    assert health["status"] == "ok", "that another provider is paused is not its business"
    assert "accounts" not in health, "how many others there are"
    text = clean(peer.request("GET", "/metrics")).text
    assert 'tokenbroker_accounts{provider="plain",state="active"} 1' in text, text
    whole = api.health().ok()
    assert whole["status"] == "degraded"
    assert {one["name"] for one in whole["providers"]} == {"plain", "zzhidden"}
    assert whole["accounts"]


@pytest.mark.parametrize("account", [BESIDE, HIDDEN, "plain/none", "none/none"])
def test_the_others_are_as_if_they_were_not_there(ruled, peer, account):
    """Of all that is no business of the peer, every answer is the same."""
    provider, slash, label = account.partition("/")
    for method, target, body in (
            ("GET", "/v1/token/", None), ("GET", "/v1/accounts/", None),
            ("PUT", "/v1/accounts/", {"refresh_token": "x"}), ("DELETE", "/v1/accounts/", None),
            ("POST", "/v1/login/", {}), ("POST", "/v1/refresh/", None),
            ("POST", "/v1/reject/", {"access_token": "x"}), ("POST", "/v1/retry/", None),
            ("GET", "/v1/links/", None), ("POST", "/v1/links/", {}), ("DELETE", "/v1/links/", None),
            ("POST", "/v1/held/", {"decision": "accept", "id": 1}),
            ("POST", "/v1/rename/", {"account": MINE})):
        reply = peer.request(method, target + account, body)
        assert reply.status == 403
        text = reply.text.replace(account, MINE).replace(label, "mine").replace(provider, "plain")
        known = peer.request(method, target + "plain/never", body).text.replace("never", "mine")
        assert text == known


def test_import_of_a_refresh_token_that_another_has(ruled, api, peer, plain):
    """That somebody has it is said; who, to those who may list it."""
    token = plain.seed("zzbeside")["zzbeside"]
    api.import_grant(BESIDE, refresh_token=token).ok()
    assert "holds this refresh token" in clean(peer.import_grant(MINE, refresh_token=token)).text
    assert BESIDE in api.import_grant(MINE, refresh_token=token).text


def test_login_as_a_company_that_another_account_has(ruled, api, peer):
    login, _ = log_in(peer, Person(), MINE)
    assert MARK not in str(login)
    for row in api.audit().ok()["audit"]:
        assert row["account"] != BESIDE or row["uid"] == 0


COMMANDS = [
    ["list"], ["list", "--json"], ["status"], ["status", "--json"], ["status", MINE],
    ["health"], ["health", "--json"], ["doctor"], ["doctor", "--json"], ["forecast"],
    ["held"], ["audit"], ["callers"], ["link", "--list"], ["token", "plain/none"],
    ["token", "nowhere/none"], ["approve", "1"], ["rekey"], ["resume"], ["retry"]]


@pytest.mark.slow
def test_commands(ruled, api, plain):
    whatever_happens(ruled, api, plain)
    for arguments in COMMANDS:
        done = subprocess.run(
            [str(command()), *arguments], capture_output=True, text=True, timeout=60, check=False,
            cwd="/", user=OTHER, group=OTHER, extra_groups=[],
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "XDG_RUNTIME_DIR": "/nonexistent",
                 "TOKENBROKER_SOCKET": str(ruled.socket)})
        assert MARK not in done.stdout + done.stderr, f"{arguments}: {done.stdout}{done.stderr}"

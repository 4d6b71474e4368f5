"""Each route of the API has its verb: every route of the description times every verb."""

import json
import os
import subprocess

import pytest

from harness.logins import start
from harness.other_user import PYTHON

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs other users")

ACCOUNT = "plain/acme"  # is not there: what is allowed is tried and harms nothing
VERBS = ("token", "reject", "list", "login", "link", "import", "logout", "monitor")
ANY = set(VERBS)
FIRST_UID, NOBODY = 61240, 61299

# (method, path of the description): the verbs with which it is allowed, beside admin.
NEEDS = {
    ("get", "/v1/token/{provider}/{label}"): {"token"},
    ("get", "/v1/accounts"): {"list"},
    ("get", "/v1/accounts/{provider}/{label}"): {"list"},
    ("put", "/v1/accounts/{provider}/{label}"): {"import"},
    ("delete", "/v1/accounts/{provider}/{label}"): {"logout"},
    ("get", "/v1/links"): {"link"},
    ("get", "/v1/links/{provider}/{label}"): {"link"},
    ("post", "/v1/links/{provider}/{label}"): {"link"},
    ("delete", "/v1/links/{provider}/{label}"): {"link"},
    ("get", "/v1/held"): set(),
    ("post", "/v1/held/{provider}/{label}"): set(),
    ("post", "/v1/rename/{provider}/{label}"): set(),
    ("post", "/v1/login/{provider}/{label}"): {"login"},
    ("get", "/v1/logins/{login_id}"): set(),  # of somebody else
    ("post", "/v1/logins/{login_id}"): set(),
    ("delete", "/v1/logins/{login_id}"): set(),
    ("post", "/v1/refresh/{provider}/{label}"): {"token"},
    ("post", "/v1/reject/{provider}/{label}"): {"reject"},
    ("post", "/v1/retry"): set(),
    ("post", "/v1/retry/{provider}"): set(),
    ("post", "/v1/retry/{provider}/{label}"): set(),
    ("get", "/v1/rekey"): set(),
    ("post", "/v1/rekey"): set(),
    ("post", "/v1/resume"): set(),
    ("post", "/v1/backups"): set(),
    ("get", "/v1/backups/{backup_id}"): set(),
    ("delete", "/v1/backups/{backup_id}"): set(),
    ("get", "/metrics"): {"monitor"},
    ("get", "/v1/events"): {"list", "monitor"},
    ("get", "/v1/audit"): set(),
    ("get", "/v1/callers"): set(),
    ("post", "/v1/callers/{caller_id}"): set(),
    ("delete", "/v1/callers/{caller_id}"): set(),
    ("get", "/v1/health"): ANY,
    ("get", "/v1/authority"): ANY,
}

# Does all the requests and prints their statuses; what is not 403 is not read further.
ASKS = """
import http.client, json, socket, sys
for method, target in json.loads(sys.argv[2]):
    connection = http.client.HTTPConnection("localhost", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(sys.argv[1])
    connection.request(method.upper(), target)
    print(connection.getresponse().status, flush=True)
    connection.close()
"""


def ask_all(socket, uid, login_id):
    """The status of every request of NEEDS, by that user."""
    places = {"{provider}/{label}": ACCOUNT, "{provider}": "plain", "{login_id}": login_id,
              "{caller_id}": "1", "{backup_id}": "A" * 22}
    requests = []
    for method, path in NEEDS:
        for name, value in places.items():
            path = path.replace(name, value)
        requests.append((method, path))

    def become():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)

    done = subprocess.run([PYTHON, "-I", "-c", ASKS, str(socket), json.dumps(requests)], cwd="/",
                          capture_output=True, text=True, timeout=60, check=True,
                          preexec_fn=become)
    return dict(zip(NEEDS, map(int, done.stdout.split()), strict=True))


@pytest.fixture
def ruled(daemon, plain):
    daemon.with_provider("plain", plain)
    rules = {"root": {"accounts": ["*/*"], "who": ["user:0"], "may": ["admin"]}}
    for index, verb in enumerate((*VERBS, "admin")):
        rules[verb] = {"accounts": ["*/*"], "who": [f"user:{FIRST_UID + index}"], "may": [verb]}
    daemon.config.access |= rules
    daemon.start()
    daemon.folder.chmod(0o711)
    daemon.socket.chmod(0o666)
    return daemon


def refused(statuses):
    return {route for route, status in statuses.items() if status == 403}


def test_the_table_is_whole(schema):
    assert set(NEEDS) == {(method, path) for method, path, _ in schema.documented()}


def test_every_route_times_every_verb(ruled, api):
    login_id = start(api, "plain/other")["login_id"]
    for index, verb in enumerate(VERBS):
        statuses = ask_all(ruled.socket, FIRST_UID + index, login_id)
        expected = {route for route, verbs in NEEDS.items() if verb not in verbs}
        assert refused(statuses) == expected, f"{verb}: {statuses}"
    assert refused(ask_all(ruled.socket, NOBODY, login_id)) == set(NEEDS)
    assert api.follow(login_id).ok()["status"] == "pending", "nobody of them touched it"
    statuses = ask_all(ruled.socket, FIRST_UID + len(VERBS), login_id)
    assert not refused(statuses), f"admin: {statuses}"

"""Other users of the machine who mean harm: floods, drips, tokens for nobody.

Small here; TOKENBROKER_TEST_DRIPS=1000, TOKENBROKER_TEST_DRIP_SECONDS=60 and
TOKENBROKER_TEST_CHURN=100000 make it large."""

import os
import subprocess
import threading
import time

import pytest

from harness.churn import COUNT, churn
from harness.drips import drips
from harness.logins import log_in, log_in_soon
from harness.other_user import as_user
from harness.person import Person
from harness.raw import get
from harness.strace import needs_strace, slow_syncs
from harness.stream import Stream

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs other users")

DRIPS = int(os.environ.get("TOKENBROKER_TEST_DRIPS", "200"))
SECONDS = float(os.environ.get("TOKENBROKER_TEST_DRIP_SECONDS", "5"))
HOSTILE, ACCOUNT = 61234, "plain/acme"
PUBLIC_NAME, ADDRESS_MAX = "hr.example.com", 8191
API_PER_UID, CALLBACK_PER_UID = 1024, 48


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def open_to_all(daemon):
    """The folder and the socket: what is under test is behind them."""
    daemon.folder.chmod(0o711)
    daemon.socket.chmod(0o666)


def start_with_hostile(daemon, plain, may, **keys):
    """What the hostile user may do, it may with one account; root is the admin."""
    daemon.with_provider("plain", plain, **keys)
    daemon.config.access["admin"] = {"accounts": ["*/*"], "who": ["user:0"], "may": ["admin"]}
    daemon.config.access["one"] = {"accounts": [ACCOUNT], "who": [f"user:{HOSTILE}"], "may": [may]}
    daemon.start()
    open_to_all(daemon)


def p99_of_asking(api, seconds):
    """How long all but a hundredth of honest requests take, one after the other."""
    end, times = time.monotonic() + seconds, []
    while time.monotonic() < end:
        begun = time.monotonic()
        api.token(ACCOUNT).ok()
        times.append(time.monotonic() - begun)
    return sorted(times)[len(times) * 99 // 100]


@pytest.mark.slow
@pytest.mark.parametrize("uid", [HOSTILE, 0], ids=["other", "same"])
def test_drips_on_both_servers(broker, api, plain, uid):
    """They take nothing from others, and little from their own uid."""
    log_in(api, Person(), ACCOUNT)
    open_to_all(broker)
    before = descriptors(broker.process)
    with drips(DRIPS, 10 * SECONDS, broker.socket, uid), \
            drips(DRIPS, 10 * SECONDS, f"127.0.0.1:{broker.port}", uid):
        p99 = p99_of_asking(api, SECONDS)
        held = descriptors(broker.process) - before
        log_in_soon(api, Person(), "plain/second")
    assert p99 < 0.25, f"{p99:.3f} s"
    assert held <= min(DRIPS, API_PER_UID) + CALLBACK_PER_UID + 40
    assert held >= min(DRIPS, API_PER_UID) // 4, "nothing was under way"  # some just had to go


@pytest.mark.slow
def test_drips_by_many_users(broker, api, plain):
    log_in(api, Person(), ACCOUNT)
    open_to_all(broker)
    address = f"127.0.0.1:{broker.port}"
    with drips(DRIPS, 10 * SECONDS, address, HOSTILE), \
            drips(DRIPS, 10 * SECONDS, address, HOSTILE + 1):
        for user in range(5):
            log_in_soon(api, Person(), f"plain/person{user}")


# Asks so many times for a token without waiting for an answer, then says how often it was refused.
FLOOD = """
import re, select, socket, sys
path, target, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
sockets, answers = [], []
for _ in range(count):
    one = socket.socket(socket.AF_UNIX)
    one.connect(path)
    one.sendall(f"GET {target} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
    sockets.append(one)
while ready := select.select(sockets, [], [], 2)[0]:
    for one in ready:
        answers.append(one.recv(4096).decode())
        sockets.remove(one)
refused = [a for a in answers if " 429 " in a and re.search("(?i)retry-after: [1-9]", a)]
print(len(refused), len(answers), flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.parametrize("target, asked, refused", [
    (f"/v1/token/{ACCOUNT}", 600, 600 - 512), ("/v1/events", 12, 12 - 8),
], ids=["token", "events"])
def test_a_user_who_may_shuts_out_nobody(daemon, api, plain, target, asked, refused):
    """What one uid can hold is bounded for each; others hold as much as ever."""
    daemon.with_provider("plain", plain)
    daemon.config.access["all"] = {"accounts": ["*/*"], "who": ["user:0", f"user:{HOSTILE}"],
                                   "may": ["token", "list", "reject", "import"]}
    daemon.start()
    open_to_all(daemon)
    daemon.grant(plain, ACCOUNT)
    plain.fault("hang", times=1)
    flood = subprocess.Popen(
        ["/usr/bin/python3", "-I", "-c", FLOOD, str(daemon.socket), target, str(asked)], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, user=HOSTILE, group=HOSTILE,
        extra_groups=[], cwd="/")
    try:
        said = flood.stdout.readline().split()
        assert int(said[0]) == refused, said
        if "events" in target:
            with Stream(api, None):
                pass
        assert api.token(ACCOUNT, wait=40).ok()["access_token"]
    finally:
        flood.kill()
        flood.wait()


# Asks for lifetimes that no token of the account has, each time another, by so many connections; on
# each the next requests lie there already when one is answered.
IMPOSSIBLE = """
import random, select, socket, sys
path, target, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
def ask(one, times):
    for _ in range(times):
        min_ttl = random.randrange(3000000, 9000000)
        one.sendall(f"GET {target}?min_ttl={min_ttl}&wait=60 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
sockets, wakeups = {}, select.epoll()
for _ in range(count):
    one = socket.socket(socket.AF_UNIX)
    one.connect(path)
    sockets[one.fileno()] = one
    wakeups.register(one, select.EPOLLIN)
    ask(one, 20)
print("asked", flush=True)
while True:
    for descriptor, _ in wakeups.poll():
        one = sockets[descriptor]
        ask(one, one.recv(65536).count(b"HTTP/1.1 "))
"""


@pytest.mark.slow
def test_who_asks_for_what_cannot_be_spoils_nobodys_request(daemon, api, plain):
    """While nothing is cached all share the question, but not a failure that others did not ask for."""
    start_with_hostile(daemon, plain, "token")
    daemon.grant(plain, ACCOUNT)
    api.token(ACCOUNT).ok()  # how long one lasts is known from then on
    daemon.restart()  # and none is cached
    open_to_all(daemon)
    flood = subprocess.Popen(
        ["/usr/bin/python3", "-I", "-c", IMPOSSIBLE, str(daemon.socket), f"/v1/token/{ACCOUNT}", "300"],
        text=True, stdout=subprocess.PIPE, user=HOSTILE, group=HOSTILE, extra_groups=[], cwd="/")
    try:
        assert flood.stdout.readline() == "asked\n"
        time.sleep(1)
        token = api.token(ACCOUNT).ok()
        assert plain.call(token)[0] == 200
        before = plain.ledger.count("refresh", outcome="accepted")
        api.reject(ACCOUNT, access_token=token["access_token"]).ok()
        assert plain.call(api.token(ACCOUNT).ok())[0] == 200
        assert plain.ledger.count("refresh", outcome="accepted") == before + 1
    finally:
        flood.kill()
        flood.wait()


# Asks so many times, and leaves without the answer; some are under way at a time.
LEAVE = """
import collections, socket, sys, time
path, target, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
under_way = collections.deque()
for _ in range(count):
    one = socket.socket(socket.AF_UNIX)
    one.connect(path)
    one.sendall(f"POST {target} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
    under_way.append(one)
    if len(under_way) > 200:
        under_way.popleft().close()
        time.sleep(0.0005)
"""


@pytest.mark.slow
def test_who_asks_and_leaves_shuts_out_nobody(daemon, api, plain):
    """What the back still has to answer counts for who asked, also when nobody waits for it."""
    start_with_hostile(daemon, plain, "token")
    for account in (ACCOUNT, "plain/other"):
        daemon.grant(plain, account)
    api.refresh_allowed(ACCOUNT).ok()
    time.sleep(1.1)  # another refresh is allowed then
    plain.fault("hang", seconds=60, users=["acme"])
    subprocess.run(
        ["/usr/bin/python3", "-I", "-c", LEAVE, str(daemon.socket), f"/v1/refresh/{ACCOUNT}",
         "5000"], check=True, user=HOSTILE, group=HOSTILE, extra_groups=[], cwd="/")
    assert api.account("plain/other").status == 200
    assert api.token("plain/other").ok()["access_token"]
    login_id = api.login("plain/third").ok()["login_id"]
    assert api.cancel(login_id).status == 200
    plain.clear_faults()  # the broker's end waits for what is on the wire


# Looks links up without end, and leaves without the page; some are under way at a time.
LINKS = """
import collections, socket, sys
port, host = int(sys.argv[1]), sys.argv[2]
under_way = collections.deque()
text = f"GET /oauth/link/{'A' * 43} HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n".encode()
print("begun", flush=True)
while True:
    one = socket.create_connection(("127.0.0.1", port))
    under_way.append(one)
    try:
        one.sendall(text)
    except OSError:
        pass
    if len(under_way) > 30:
        under_way.popleft().close()
"""


@pytest.mark.slow
@needs_strace
def test_who_looks_links_up_and_leaves_shuts_out_nobody(daemon, api, plain):
    """While the disk is slow. Who comes to the callback is nobody's user: all share a small quota."""
    daemon.config.callback["public_url"] = "https://hr.example.com/oauth"
    start_with_hostile(daemon, plain, "token")
    daemon.grant(plain, ACCOUNT)
    with slow_syncs(daemon.process, 3):
        flood = subprocess.Popen(
            ["/usr/bin/python3", "-I", "-c", LINKS, str(daemon.port), "hr.example.com"], text=True,
            stdout=subprocess.PIPE, user=HOSTILE, group=HOSTILE, extra_groups=[], cwd="/")
        try:
            assert flood.stdout.readline() == "begun\n"
            for _ in range(3):  # each holds the store up for a while
                imported = threading.Thread(
                    target=api.import_grant, args=["plain/third"], kwargs={"refresh_token": "r" * 100})
                imported.start()
                time.sleep(2)
                assert api.account(ACCOUNT).status == 200
                imported.join()
        finally:
            flood.kill()
            flood.wait()


# Imports a token of 32 KB by so many connections at once, and counts what came of it.
IMPORTS = """
import collections, socket, sys
path, target, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
body = b'{"refresh_token":"' + b"r" * 32000 + b'"}'
head = f"PUT {target} HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n".encode()
sockets = []
for _ in range(count):
    one = socket.socket(socket.AF_UNIX)
    one.connect(path)
    one.sendall(head + body)
    sockets.append(one)
print("sent", flush=True)
print(*collections.Counter(one.recv(4096)[9:12].decode() for one in sockets).items())
"""


@pytest.mark.slow
@needs_strace
def test_large_imports_leave_memory_for_secrets(daemon, api, plain):
    """While the disk is slow: all secrets share one region, which one user cannot fill."""
    start_with_hostile(daemon, plain, "import")
    daemon.grant(plain, "plain/other")
    with slow_syncs(daemon.process, 2):
        flood = subprocess.Popen(
            ["/usr/bin/python3", "-I", "-c", IMPORTS, str(daemon.socket), f"/v1/accounts/{ACCOUNT}",
             "400"], text=True, stdout=subprocess.PIPE, user=HOSTILE, group=HOSTILE,
            extra_groups=[], cwd="/")
        assert flood.stdout.readline() == "sent\n"
        time.sleep(0.5)
        api.import_grant("plain/third", refresh_token="r" * 20000).ok()
        assert api.token("plain/other").ok()["access_token"]
        said = flood.communicate()[0]
    assert "'429'" in said and "'200'" in said and "'500'" not in said, said


def fill_the_cache(api, tokens, size):
    """All but a little of the half of the memory for secrets that cached tokens may have."""
    for number in range(tokens):
        api.import_grant(f"own/a{number}", access_token="t" * size).ok()
        api.token(f"own/a{number}").ok()


def begin_by_link(daemon, url):
    """The address at the provider that the link leads to; None: there is no room for it."""
    reply = get(daemon.port, url.split(PUBLIC_NAME, 1)[1] + "/go", host=PUBLIC_NAME)
    if reply.status != 303:
        return None
    start = reply.headers["Location"].split(PUBLIC_NAME, 1)[1]
    return get(daemon.port, start, host=PUBLIC_NAME).headers["Location"]


def open_large_links(daemon, hostile, count):
    """Each opening replaces the oldest login of its link; addresses are as long as they may be, so
    that each takes 16 KiB of the memory for secrets."""
    def make(padding):
        params = {f"x{number}": "p" * 1024 for number in range(7)} | {"y": "p" * padding}
        return hostile.request("POST", f"/v1/links/{ACCOUNT}", {"params": params}).ok()["url"]

    padding = 1 + ADDRESS_MAX - len(begin_by_link(daemon, make(1)))
    begun = 0
    for number in range(count):
        if number % 50 == 0:  # a link is opened 60 times an hour at most
            url = make(padding)
        begun += begin_by_link(daemon, url) is not None
    return begun


@pytest.mark.slow
def test_who_opens_links_leaves_memory_for_secrets(daemon, api, plain, schema):
    public = f"https://{PUBLIC_NAME}/oauth"
    daemon.config.callback["public_url"] = public
    daemon.config.providers["own"] = {"grant": "static"}
    start_with_hostile(daemon, plain, "link", redirect_uri=public + "/callback/plain")
    daemon.grant(plain, "plain/other")
    fill_the_cache(api, 240, 12_000)
    hostile = as_user(type(api), HOSTILE)(daemon.socket, schema)
    assert open_large_links(daemon, hostile, 250) > 200
    assert api.refresh_allowed("plain/other").status == 200


@pytest.mark.slow
def test_no_token_for_who_may_not(broker, api, plain):
    broker.grant(plain, ACCOUNT)
    api.token(ACCOUNT).ok()
    open_to_all(broker)
    done = churn(broker.socket, ACCOUNT, HOSTILE)
    assert done["tokens"] == 0 and done["refused"] == done["asked"] == COUNT

"""Consumers: programs that speak HTTP only, at a loopback address, with a key of their own."""

import http.client
import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from harness import browser as browsers
from harness import evil, https
from harness.background import in_background
from harness.binaries import DAEMON
from harness.client import Api
from harness.holder import STRANGER, Holder
from harness.ports import free_port
from harness.raw import get, send_raw
from provider.ledger import fingerprint

ACCOUNT, OTHER = "plain/acme", "plain/other"
KEY, SECOND_KEY = "first-" + "k3Y/+" * 8, "second-" + "k3Y_-" * 8
FAILURES_MAX, TLS_PER_UID_MAX = 30, 12  # daemon/front/consumers.h
NO_UID = 2**32 - 1  # daemon/front/asker.h
RECIPES = Path(__file__).resolve().parents[2] / "docs" / "RECIPES.md"

needs_browser = pytest.mark.skipif(browsers.missing() != "", reason=browsers.missing())
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")


class ConsumerApi(Api):
    """Python's own HTTP client over TCP; answers are held to the API's description as always."""

    def __init__(self, port, schema, headers, make=http.client.HTTPConnection):
        super().__init__(None, schema)
        self.port, self.headers, self._make = port, headers, make

    def _transport(self, method, target, body, headers):
        connection = self._make("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, target, body, {**headers, **self.headers})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


def section(port, key, **more):
    return {"listen": f"http://127.0.0.1:{port}", "key": key, "accounts": [ACCOUNT],
            "may": ["token", "reject"]} | more


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def served(daemon, plain, port):
    """A started daemon with two accounts and a consumer for one of them."""
    daemon.with_provider("plain", plain)
    daemon.config.consumers["powerbi"] = section(port, KEY)
    daemon.start()
    for account in (ACCOUNT, OTHER):
        daemon.grant(plain, account)
    return daemon


@pytest.fixture
def consumer(port, schema):
    """Makes clients with these headers."""
    return lambda **headers: ConsumerApi(
        port, schema, {name.replace("_", "-"): value for name, value in headers.items()})


def assert_refused(reply):
    """The same whatever was wrong."""
    assert (reply.status, reply.error) == (403, "forbidden")
    assert "the key of a consumer" in reply.json["error_description"]
    assert_no_cors(reply)


def assert_no_cors(reply):
    assert not [name for name in reply.headers if name.lower().startswith("access-control-")]


# ------------------------------------------------------------------------------------------ the key


@pytest.mark.parametrize("headers", [
    {"Authorization": f"Bearer {KEY}"}, {"Authorization": f"bearer  {KEY}"}, {"X-Api-Key": KEY}],
    ids=["bearer", "scheme in lower case", "api key"])
def test_token(served, api, plain, consumer, headers):
    reply = consumer(**headers).token(ACCOUNT, min_ttl=5)
    socket_reply = api.token(ACCOUNT).ok()
    assert reply.ok()["access_token"] == socket_reply["access_token"]
    assert reply.json.keys() == socket_reply.keys()
    assert plain.call(reply.json)[0] == 200
    assert_no_cors(reply)


def test_bare_token(served, api, consumer):
    reply = consumer(X_Api_Key=KEY, Accept="text/plain").token(ACCOUNT)
    assert reply.text == api.token(ACCOUNT).ok()["access_token"]


def test_a_refresh_is_waited_for(served, api, plain, consumer):
    """What no program of the socket asked for is refreshed for a consumer, once."""
    api.reject(ACCOUNT, access_token=api.token(ACCOUNT).ok()["access_token"])
    before = plain.ledger.count("refresh", outcome="accepted")
    assert plain.call(consumer(X_Api_Key=KEY).token(ACCOUNT).ok())[0] == 200
    assert plain.ledger.count("refresh", outcome="accepted") <= before + 1


WRONG = {
    "no key": {},
    "another key": {"X_Api_Key": SECOND_KEY},
    "a part of the key": {"X_Api_Key": KEY[:-1]},
    "more than the key": {"X_Api_Key": KEY + "x"},
    "an empty key": {"X_Api_Key": ""},
    "without its scheme": {"Authorization": KEY},
    "another scheme": {"Authorization": f"Basic {KEY}"},
    "in both headers": {"X_Api_Key": KEY, "Authorization": f"Bearer {KEY}"},
    "in a cookie": {"Cookie": f"key={KEY}"},
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
def test_wrong_key(served, consumer, headers):
    assert_refused(consumer(**headers).token(ACCOUNT))


@pytest.mark.parametrize("target", [
    f"/v1/token/{ACCOUNT}?key={KEY}", f"/v1/token/{ACCOUNT}?X-Api-Key={KEY}",
    f"/v1/token/{ACCOUNT}?access_token={KEY}", f"/{KEY}/v1/token/{ACCOUNT}"])
def test_key_in_the_address(served, port, target):
    assert get(port, target).status == 403


def test_key_in_two_lines(served, port):
    line = f"X-Api-Key: {KEY}"
    assert get(port, f"/v1/token/{ACCOUNT}", line).status == 200
    assert get(port, f"/v1/token/{ACCOUNT}", line, line).status == 403


def test_all_wrongs_look_the_same(served, port, consumer):
    """So that nothing is learned by trying, not even which path is one."""
    lines = [(), (f"X-Api-Key: {SECOND_KEY}",), (f"X-Api-Key: {KEY}", "Origin: null")]
    texts = {get(port, target, *more).text for more in lines
             for target in (f"/v1/token/{ACCOUNT}", "/v1/token/plain/none", "/v1/accounts", "/x")}
    assert len(texts) == 1


def test_the_right_key_is_served_whoever_fails(served, port, consumer):
    """Who fails too often is told to wait. A consumer is not locked out by it."""
    served.config.consumers["second"] = section(port, SECOND_KEY)
    served.reload()
    statuses = [get(port, f"/v1/token/{ACCOUNT}").status for _ in range(FAILURES_MAX + 5)]
    assert statuses == [403] * FAILURES_MAX + [429] * 5
    assert consumer(X_Api_Key=KEY).token(ACCOUNT).status == 200
    assert consumer(X_Api_Key=SECOND_KEY).token(ACCOUNT).status == 200
    served.wait_log("without the key of a consumer")
    assert served.log().count("without the key of a consumer") == 1


def test_the_key_is_nowhere(served, consumer, folder):
    assert consumer(X_Api_Key=KEY).token(ACCOUNT).status == 200
    assert consumer(X_Api_Key=SECOND_KEY).token(ACCOUNT).status == 403
    served.stop()
    for path in folder.rglob("*"):
        if path.is_file() and path != served.config.path:
            content = path.read_bytes()
            assert KEY.encode() not in content and SECOND_KEY.encode() not in content, path


# ------------------------------------------------------------------------------------ what it may do


def test_other_accounts(served, plain, consumer):
    """The section is the rule; the refusal tells nothing and names what an admin would add."""
    texts = set()
    for account in (OTHER, "plain/none", "nowhere/none"):
        reply = consumer(X_Api_Key=KEY).token(account)
        assert (reply.status, reply.error) == (403, "forbidden")
        assert f'consumer powerbi {{ accounts = {{"{account}"}}' in reply.json["error_description"]
        texts.add(reply.text.replace(account, "X"))
    assert len(texts) == 1


def test_access_rules_let_no_consumer_in(daemon, plain, port, consumer):
    """Not even one for whoever the daemon's user, or root, is."""
    daemon.with_provider("plain", plain)
    daemon.config.access["all"] = {"accounts": ["*/*"], "who": [f"user:{os.geteuid()}", "user:0"],
                                   "may": ["admin"]}
    daemon.config.consumers["powerbi"] = section(port, KEY, accounts=["plain/none"])
    daemon.start()
    daemon.grant(plain, ACCOUNT)
    assert consumer(X_Api_Key=KEY).token(ACCOUNT).status == 403
    assert consumer(X_Api_Key=KEY).token("plain/none").status == 404


def test_reject(served, api, plain, consumer):
    """A consumer whom the API told 401 says so, and gets another token."""
    one = consumer(Authorization=f"Bearer {KEY}")
    token = one.token(ACCOUNT).ok()["access_token"]
    assert one.reject(ACCOUNT, access_token=token).status == 200
    newer = one.token(ACCOUNT).ok()
    assert newer["access_token"] != token and plain.call(newer)[0] == 200
    assert one.reject(ACCOUNT, fingerprint=fingerprint(newer["access_token"])).status == 200
    assert one.reject(OTHER, access_token="x").status == 403
    assert one.reject(ACCOUNT).status == 400


def test_each_verb_by_itself(served, port, consumer):
    served.config.consumers["powerbi"]["may"] = ["token"]
    served.config.consumers["rejects"] = section(port, SECOND_KEY, may=["reject"])
    served.reload()
    reads, rejects = consumer(X_Api_Key=KEY), consumer(X_Api_Key=SECOND_KEY)
    assert reads.token(ACCOUNT).status == 200
    assert reads.reject(ACCOUNT, access_token="x").status == 403
    assert rejects.token(ACCOUNT).status == 403
    assert rejects.reject(ACCOUNT, access_token="x").status == 200


@pytest.mark.parametrize("method, target", [
    ("GET", "/v1/accounts"), ("GET", f"/v1/accounts/{ACCOUNT}"), ("DELETE", f"/v1/accounts/{ACCOUNT}"),
    ("GET", "/v1/health"), ("GET", "/metrics"), ("GET", "/v1/events"), ("GET", "/v1/audit"),
    ("GET", "/v1/authority"), ("GET", "/v1/links"), ("POST", f"/v1/refresh/{ACCOUNT}"),
    ("POST", f"/v1/login/{ACCOUNT}"), ("PUT", f"/v1/accounts/{ACCOUNT}"), ("GET", "/")])
def test_nothing_else_is_there(served, port, method, target):
    lines = f"Host: 127.0.0.1:{port}\r\nX-Api-Key: {KEY}\r\nConnection: close\r\n\r\n"
    reply = send_raw(port, f"{method} {target} HTTP/1.1\r\n{lines}".encode())
    assert reply.status == 404, reply.text


@pytest.mark.parametrize("method, target", [
    ("POST", f"/v1/token/{ACCOUNT}"), ("DELETE", f"/v1/token/{ACCOUNT}"),
    ("GET", f"/v1/reject/{ACCOUNT}")])
def test_other_methods(served, port, method, target):
    lines = f"Host: 127.0.0.1:{port}\r\nX-Api-Key: {KEY}\r\nConnection: close\r\n\r\n"
    assert send_raw(port, f"{method} {target} HTTP/1.1\r\n{lines}".encode()).status == 405


def test_audit(served, api, consumer):
    """Who it was stands in the column of units; the uid is nobody's."""
    one = consumer(X_Api_Key=KEY)
    one.token(ACCOUNT)
    one.reject(ACCOUNT, access_token="x")
    one.token(OTHER)
    consumer(X_Api_Key=SECOND_KEY).token(OTHER)
    wanted = {("consumer:powerbi", ACCOUNT, "token"), ("consumer:powerbi", ACCOUNT, "reject"),
              ("consumer:powerbi", OTHER, "forbidden"), ("consumer:?", "", "forbidden")}

    def said(rows):
        return {(row.get("unit"), row["account"], row["verdict"]) for row in rows} >= wanted

    rows = api.wait_audit(said)
    assert {row["uid"] for row in rows if row.get("unit", "").startswith("consumer:")} == {NO_UID}


# ------------------------------------------------------------------------------------------ browsers


@pytest.mark.parametrize("host", [
    "evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost:{port}",
    "[::1]:{port}", "127.0.0.1:{port}.evil.example", ""])
def test_wrong_host(served, port, host):
    """A name of somebody else's that leads here (DNS rebinding) is none of ours."""
    reply = get(port, f"/v1/token/{ACCOUNT}", f"X-Api-Key: {KEY}",
                host=host.format(port=port) or " ")
    assert reply is None or reply.status in (400, 403), reply.text


def test_ambiguous_host(served, port):
    own = f"Host: 127.0.0.1:{port}"
    for lines in ([own, own], []):
        request = "\r\n".join([f"GET /v1/token/{ACCOUNT} HTTP/1.1", *lines, f"X-Api-Key: {KEY}",
                               "Connection: close", "", ""])
        reply = send_raw(port, request.encode())
        assert reply is None or reply.status == 400


@pytest.mark.parametrize("lines, status", [
    (["Sec-Fetch-Site: none"], 200),
    (["Sec-Fetch-Site: cross-site"], 403), (["Sec-Fetch-Site: same-site"], 403),
    (["Sec-Fetch-Site: same-origin"], 403), (["Sec-Fetch-Site: none", "Sec-Fetch-Site: none"], 403),
    (["Origin: http://evil.example"], 403), (["Origin: null"], 403),
    (["Origin: http://127.0.0.1:{port}"], 403), (["Origin: null", "Origin: null"], 403)], ids=str)
def test_a_browser_is_no_consumer(served, port, lines, status):
    lines = [line.format(port=port) for line in lines]
    reply = get(port, f"/v1/token/{ACCOUNT}", f"X-Api-Key: {KEY}", *lines)
    assert reply.status == status
    assert_no_cors(reply)


def test_preflight(served, port):
    reply = send_raw(port, "\r\n".join([
        f"OPTIONS /v1/token/{ACCOUNT} HTTP/1.1", f"Host: 127.0.0.1:{port}",
        "Origin: http://evil.example", "Access-Control-Request-Method: GET",
        "Access-Control-Request-Headers: x-api-key", "Access-Control-Request-Private-Network: true",
        "Connection: close", "", ""]).encode())
    assert reply.status == 403
    assert_no_cors(reply)


_FETCH_WITH_KEY = """
const [url, header, value, done] = arguments;
fetch(url, {headers: {[header]: value}}).then(
    async (reply) => done(reply.type + " " + (await reply.text()).length), () => done("failed"));
"""


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1"])
def test_page_elsewhere(served, api, plain, port, host):
    """A page in Chromium, of another site and of this one: it reads nothing, though it knows the
    key."""
    url = f"http://127.0.0.1:{port}/v1/token/{ACCOUNT}"
    chromium = browsers.Browser(names=["evil.example"])
    try:
        with evil.served() as evil_port:
            chromium.open(f"http://{host}:{evil_port}/")
            assert chromium.run(_FETCH_WITH_KEY, url, "X-Api-Key", KEY) == "failed"
            assert chromium.run(_FETCH_WITH_KEY, url, "Authorization", f"Bearer {KEY}") == "failed"
            assert chromium.run(evil.FETCH, url, "cors", "GET") == "failed"
            assert chromium.run(evil.FETCH, url, "no-cors", "GET") in ("opaque 0", "failed")
            assert chromium.run(evil.ELEMENT, url, "script", "src") in ("loaded", "failed")
        chromium.open(url)
        assert "the key of a consumer" in chromium.text()
    finally:
        chromium.close()
    rows = api.wait_audit(lambda rows: any(row.get("unit") == "consumer:?" for row in rows))
    assert not [row for row in rows if row.get("unit") == "consumer:powerbi"]


# ----------------------------------------------------------------------------------------- addresses


def test_off_by_default(broker):
    assert "consumers" not in broker.api.health().ok()


def test_reload_changes_keys(served, port, consumer):
    old, new = consumer(X_Api_Key=KEY), consumer(X_Api_Key=SECOND_KEY)
    assert (old.token(ACCOUNT).status, new.token(ACCOUNT).status) == (200, 403)
    served.config.consumers["powerbi"]["key"] = SECOND_KEY
    served.reload()
    assert (old.token(ACCOUNT).status, new.token(ACCOUNT).status) == (403, 200)


@pytest.mark.slow
@pytest.mark.parametrize("change", ["another key", "no section"])
def test_reload_takes_the_right_from_who_waits(served, api, plain, port, consumer, change):
    served.config.consumers["second"] = section(port, SECOND_KEY)
    served.reload()
    token = api.token(ACCOUNT).ok()["access_token"]
    plain.fault("hang", times=1, seconds=4)
    before = plain.ledger.count("refresh", outcome="accepted")
    api.reject(ACCOUNT, access_token=token).ok()
    first, second = (in_background(lambda key=key: consumer(X_Api_Key=key).token(ACCOUNT, wait=60))
                     for key in (KEY, SECOND_KEY))
    time.sleep(1)
    if change == "another key":
        served.config.consumers["powerbi"]["key"] = "third-" + "k3Y" * 10
    else:
        del served.config.consumers["powerbi"]
    served.reload()
    refused = first.join()
    assert (refused.status, refused.error) == (403, "forbidden")
    assert plain.ledger.count("refresh", outcome="accepted") == before, "it learns it at once"
    assert second.join().ok()["access_token"] != token


def test_reload_moves_and_ends_listeners(served, api, port, schema):
    other = free_port()
    served.config.consumers["powerbi"]["listen"] = f"http://127.0.0.1:{other}"
    served.reload()
    moved = ConsumerApi(other, schema, {"X-Api-Key": KEY})
    assert moved.token(ACCOUNT).status == 200
    with pytest.raises(ConnectionRefusedError):
        get(port, "/")
    served.config.consumers.clear()
    served.reload()
    with pytest.raises(ConnectionRefusedError):
        get(other, "/")
    assert "consumers" not in api.health().ok()


def test_keys_are_of_their_address(served, port, schema):
    """Somebody else's key, of a consumer elsewhere, opens nothing here."""
    other = free_port()
    served.config.consumers["second"] = section(other, SECOND_KEY, accounts=[OTHER])
    served.reload()
    for at, key, account, status in [(port, KEY, ACCOUNT, 200), (other, SECOND_KEY, OTHER, 200),
                                     (port, SECOND_KEY, OTHER, 403), (other, KEY, ACCOUNT, 403)]:
        assert ConsumerApi(at, schema, {"X-Api-Key": key}).token(account).status == status


def test_several_share_an_address(served, port, consumer):
    served.config.consumers["second"] = section(port, SECOND_KEY, accounts=[OTHER])
    served.reload()
    first, second = consumer(X_Api_Key=KEY), consumer(X_Api_Key=SECOND_KEY)
    assert (first.token(ACCOUNT).status, first.token(OTHER).status) == (200, 403)
    assert (second.token(ACCOUNT).status, second.token(OTHER).status) == (403, 200)


@pytest.mark.slow
@needs_root
def test_port_of_another_user(daemon, api, plain, port, consumer):
    """Tokens go on, health says who has it, and it is taken when it is free."""
    holder = Holder("AF_INET", "127.0.0.1", port)
    assert holder.listen() == "listens"
    daemon.with_provider("plain", plain)
    daemon.config.consumers["powerbi"] = section(port, KEY)
    daemon.start()
    daemon.grant(plain, ACCOUNT)
    assert api.token(ACCOUNT).status == 200
    [address] = api.health().ok()["consumers"]
    assert address["listen"] == f"http://127.0.0.1:{port}"
    assert not address["bound"] and f"uid {STRANGER}" in address["problem"]
    holder.close()
    deadline = time.monotonic() + 40
    while api.health().ok()["consumers"] != [{"listen": address["listen"], "bound": True}]:
        assert time.monotonic() < deadline, "the address was not taken"
        time.sleep(0.2)
    assert consumer(X_Api_Key=KEY).token(ACCOUNT).status == 200


@pytest.fixture
def over_https(daemon, plain, port, schema, folder):
    """A started daemon with a consumer by https; the consumer, and what makes its connections."""
    daemon.with_provider("plain", plain)
    daemon.config.consumers["powerbi"] = section(port, KEY, listen=f"https://localhost:{port}")
    daemon.start()
    daemon.grant(plain, ACCOUNT)
    deadline = time.monotonic() + 20
    while daemon.api.health().ok()["consumers"] != [{"listen": f"https://localhost:{port}",
                                                    "bound": True}]:
        assert time.monotonic() < deadline, daemon.log()
        time.sleep(0.1)
    authority = folder / "authority.pem"
    authority.write_text(daemon.api.authority().ok()["certificate"], encoding="utf-8")

    def connect(_, *more, **named):
        return http.client.HTTPSConnection("localhost", *more, context=https.trust(authority),
                                           **named)

    return ConsumerApi(port, schema, {"X-Api-Key": KEY}, connect), connect


def test_over_https(over_https):
    """With the certificate of the callback's own authority."""
    one, _ = over_https
    assert one.token(ACCOUNT).status == 200
    one.headers = {}
    assert one.token(ACCOUNT).status == 403


@pytest.mark.slow
def test_too_many_who_wait_by_https_are_told(over_https, plain, port):
    one, connect = over_https
    plain.fault("hang", seconds=60)
    waiting = [connect(None, port, timeout=30) for _ in range(TLS_PER_UID_MAX + 1)]
    try:
        for connection in waiting:
            connection.request("GET", f"/v1/token/{ACCOUNT}?wait=5", headers=one.headers)
        answers = [connection.getresponse() for connection in waiting]
        assert sorted(answer.status for answer in answers) == [429] + TLS_PER_UID_MAX * [504]
        told = [answer for answer in answers if answer.status == 429]
        assert json.loads(told[0].read())["error"] == "too_many_requests"
    finally:
        for connection in waiting:
            connection.close()
        plain.clear_faults()  # the broker's end waits for what is on the wire


@pytest.mark.parametrize("scheme", ["file", "command"])
def test_where_the_key_may_be(daemon, plain, port, consumer, folder, scheme):
    path = folder / "powerbi.key"
    path.write_text(KEY + "\n", encoding="ascii")
    path.chmod(0o600)
    daemon.with_provider("plain", plain)
    daemon.config.consumers["powerbi"] = section(
        port, f"file:{path}" if scheme == "file" else f"command:/bin/cat {path}")
    daemon.start()
    daemon.grant(plain, ACCOUNT)
    assert consumer(X_Api_Key=KEY).token(ACCOUNT).status == 200


# ------------------------------------------------------------------------------------- configuration


@pytest.mark.parametrize("change, said", [
    ({"key": "k" * 31}, "key is shorter than 32 characters"),
    ({"key": "k" * 16 + " " + "k" * 16}, "key holds a space"),
    ({"key": None}, "needs key"),
    ({"listen": None}, "needs listen"),
    ({"listen": "http://0.0.0.0:8770"}, "takes 127.0.0.1, [::1] and localhost only"),
    ({"may": ["token", "list"]}, "may takes token and reject only"),
    ({"may": ["admin"]}, "may takes token and reject only"),
    ({"accounts": None}, "needs accounts"),
], ids=str)
def test_refused_configuration(daemon, plain, port, change, said):
    daemon.with_provider("plain", plain)
    daemon.config.consumers["powerbi"] = section(port, KEY) | change
    daemon.config.write()
    done = subprocess.run([str(DAEMON), "--config", str(daemon.config.path), "--check-config"],
                          capture_output=True, text=True, check=False)
    assert done.returncode != 0 and said in done.stdout + done.stderr
    assert "kkkk" not in done.stdout + done.stderr


def test_key_that_others_can_read(daemon, plain, port):
    daemon.with_provider("plain", plain)
    daemon.config.consumers["powerbi"] = section(port, KEY)
    daemon.config.mode = 0o644
    assert "others can read" in daemon.refuses_to_start()


# ------------------------------------------------------------------------------------------ Power BI


def m_query():
    """The M query of the recipes."""
    [query] = re.findall(r"```powerquery-m\n(.*?)```", RECIPES.read_text(encoding="utf-8"), re.S)
    return query


def test_the_m_query_holds_no_secret():
    query = m_query()
    assert not re.search(r"refresh_token|client_secret|grant_type|oauth/token", query)


def test_the_m_query_does_what_it_says(daemon, emulator, port):
    """The very requests of that query: the broker's, then ZenHR's with the token."""
    query = m_query()
    broker = re.search(r'Broker = "(http://127\.0\.0\.1:8770)"', query)[1]
    path = re.search(r'Web\.Contents\(Broker, \[\s*RelativePath = "([^"]+)"', query)[1]
    header = re.search(r'Headers = \[#"([^"]+)" = Key\]', query)[1]
    assert re.search(r"Authorization = Token\[present\]\[value\]", query)

    provider = emulator("zenhr")
    daemon.with_provider("zenhr", provider)
    daemon.config.consumers["powerbi"] = section(
        port, KEY, listen=broker.replace("8770", str(port)), accounts=["zenhr/*"])
    daemon.start()
    daemon.grant(provider, path.removeprefix("v1/token/"))
    url = f"{broker.replace('8770', str(port))}/{path}"
    with urllib.request.urlopen(urllib.request.Request(url, headers={header: KEY})) as reply:
        token = json.load(reply)
    assert token["present"]["name"] == "Authorization"
    assert provider.call(token)[0] == 200
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url)

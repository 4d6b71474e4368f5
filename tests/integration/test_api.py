"""The socket API as HTTP: paths, methods, bodies, connections, and those who misuse them."""

import json
import socket
import threading
import time

import pytest

from harness.client import UnixConnection
from harness.schema import ApiSchema

LONG = "x" * 70_000


@pytest.mark.parametrize("path", [
    "/", "/v1", "/v2/health", "/v1/health/", "/v1/token", "/v1/token/plain", "/v1/token/plain/a/b",
    "/v1/token//a", "/v1/token/plain/", "/v1/token/PLAIN/a", "/v1/token/plain/..",
    "/v1/logins/short",
    "/v1/token/plain/%61%00", "/v1/token/plain/" + "a" * 65, "/v1/token/" + "p" * 33 + "/a"])
def test_paths_that_are_none(shared, path):
    assert shared.api.request("GET", path).status in (400, 404)


def test_other_methods_are_refused(shared, schema):
    """Every route, every method that it has not: 405 with Allow."""
    samples = {"{provider}": "plain", "{label}": "acme", "{login_id}": "A" * 43, "{caller_id}": "1",
               "{backup_id}": "A" * 22}
    document = schema.documented()
    for path in sorted({path for _, path, _ in document}):
        known = {method.upper() for method, of, _ in document if of == path}
        target = path
        for name, value in samples.items():
            target = target.replace(name, value)
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - known:
            reply = shared.api.request(method, target)
            assert reply.status == 405, f"{method} {target}: {reply.status}"
            assert known <= {word.strip() for word in reply.headers["Allow"].split(",")} | {"HEAD"}


@pytest.mark.parametrize("method, target", [
    ("PUT", "/v1/accounts/plain/acme"), ("POST", "/v1/login/plain/acme"),
    ("POST", "/v1/reject/plain/acme"), ("POST", "/v1/logins/" + "A" * 43),
    ("POST", "/v1/links/plain/acme"), ("POST", "/v1/backups"), ("POST", "/v1/resume")])
def test_too_large_a_body(shared, method, target):
    reply = shared.api.request(method, target, {"refresh_token": LONG})
    assert reply.status == 413


@pytest.mark.parametrize("target", [
    "/v1/accounts?x=1", "/v1/accounts/plain/a?x=1", "/v1/token/plain/a?x", "/v1/health?x=1",
    "/v1/audit?x=1", "/v1/rekey?x=1", "/v1/audit?before=0", "/v1/audit?account=x", "/v1/audit?account=", "/v1/audit?account=a/[b]",
    "/v1/audit?uid=root", "/v1/audit?uid=4294967296", "/v1/audit?unit=", "/v1/audit?unit=a%20b",
    "/v1/audit?verdict=", "/v1/audit?since=yesterday", "/v1/audit?limit=501", "/v1/audit?uid=1&uid=2",
   
    "/v1/logins/" + "A" * 43 + "?x=1", "/v1/links?x=1", "/v1/links?limit=0", "/v1/links?after=x",
    "/v1/links/plain/a?x=1", "/v1/callers?x=1", "/v1/backups/a?x=1", "/v1/backups/a?offset=-1"])
def test_unknown_query_parameters(shared, target):
    assert shared.api.request("GET", target).error == "bad_request"


@pytest.mark.parametrize("method, target", [
    ("POST", "/v1/retry?x=1"), ("POST", "/v1/retry/plain?x=1"), ("POST", "/v1/retry/plain/a?x=1"),
    ("POST", "/v1/rekey?x=1"), ("POST", "/v1/resume?x=1"), ("POST", "/v1/refresh/plain/a?x=1"),
    ("DELETE", "/v1/accounts/plain/a?x=1"),
    ("DELETE", "/v1/logins/" + "A" * 43 + "?x=1"), ("POST", "/v1/reject/plain/a?x=1"),
    ("PUT", "/v1/accounts/plain/a?x=1"), ("POST", "/v1/login/plain/a?x=1"),
    ("POST", "/v1/backups?x=1"), ("DELETE", "/v1/backups/a?x=1"),
    ("POST", "/v1/links/plain/a?x=1"), ("DELETE", "/v1/links/plain/a?x=1")])
def test_unknown_query_parameters_of_writes(shared, method, target):
    assert shared.api.request(method, target).error == "bad_request"


def test_health_on_one_connection(shared):
    """Keep-alive: many requests, one connection."""
    connection = UnixConnection(shared.socket)
    for _ in range(50):
        connection.request("GET", "/v1/health")
        assert json.loads(connection.getresponse().read())["status"] == "ok"
    connection.close()


def test_pipelined_requests(shared):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(shared.socket))
        one = b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n"
        last = b"GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        connection.sendall(one + one + last)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.count(b"HTTP/1.1 200") == 3


@pytest.mark.parametrize("junk", [
    b"\x00" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"A" * 20_000,
    b"GET /v1/health HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"GET /v1/health HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"])
def test_junk_ends_its_connection_only(shared, junk):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)  # an end that comes with the bytes may wait for the deadline, 10 s
        connection.connect(str(shared.socket))
        try:
            connection.sendall(junk)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            answer = b""
    assert answer == b"" or b" 4" in answer[:13] or b" 5" in answer[:13], answer[:80]
    assert shared.api.health().status == 200


def test_client_that_leaves_while_waiting(broker, api, plain):
    broker.grant(plain, "plain/acme")
    plain.fault("hold")
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(broker.socket))
            connection.sendall(b"GET /v1/token/plain/acme HTTP/1.1\r\nHost: x\r\n\r\n")
    plain.ledger.wait_for("fault")
    plain.clear_faults()
    assert api.token("plain/acme").status == 200
    assert len(plain.ledger.token_requests()) == 1


def test_many_idle_connections_harm_nobody(broker, api, plain):
    """Bounded: they may be turned away, the next honest request may not hang."""
    idle = []
    try:
        for _ in range(300):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(5)
            connection.connect(str(broker.socket))
            idle.append(connection)
    except OSError:
        pass
    for connection in idle:
        connection.close()
    begun = time.monotonic()
    assert api.health().status == 200
    assert time.monotonic() - begun < 5


@pytest.mark.slow
def test_a_drip_of_bytes_has_a_deadline(broker):
    """A byte now and then does not hold a connection for ever."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(broker.socket))
        connection.setblocking(False)
        over = threading.Event()
        for byte in b"GET /v1/health HTTP/1.1\r\nX-Long: " + b"a" * 200:
            try:
                connection.send(bytes([byte]))
                if connection.recv(1) == b"":
                    break
            except BlockingIOError:
                over.wait(0.5)
            except (BrokenPipeError, ConnectionResetError):
                break
        else:
            pytest.fail("still open after 100 s")


def test_expect_continue(broker, api, plain):
    """What curl sends before a larger body."""
    token = plain.seed("acme")["acme"]
    body = json.dumps({"refresh_token": token}).encode()
    reply = api.request("PUT", "/v1/accounts/plain/acme", body, {
        "Content-Type": "application/json", "Expect": "100-continue"})
    assert reply.status == 200


def test_description_is_sound(tmp_path):
    """Every operation of the description has a success and the failures that any has."""
    documented = ApiSchema(tmp_path).documented()
    for method, path, _ in documented:
        statuses = {status for m, p, status in documented if (m, p) == (method, path)}
        assert {"200", "400", "403", "405", "500"} <= statuses, (method, path)

"""The HTTP side: routes, faults, and bytes on the wire."""

import json
import socket
import struct
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit

from . import consent, control, device, faults, metadata, pages, token_endpoint, tokens
from .authority import Authority, Refused
from .client_keys import Shown
from .pushed import Pushed

BODY_MAX = 256 * 1024
LISTEN_QUEUE = 1024
DRIP_S = 1.0


class RateLimit:
    """A sliding window over all requests to the token endpoint and the API."""

    def __init__(self):
        self._lock = threading.Lock()
        self._times = deque()

    def exceeded(self, limit):
        if not limit:
            return False
        requests, seconds = limit
        with self._lock:
            now = time.monotonic()
            while self._times and self._times[0] <= now - seconds:
                self._times.popleft()
            if len(self._times) >= requests:
                return True
            self._times.append(now)
            return False


class Load:
    """How many requests of the client's are under way; one ends before its reply is sent."""

    def __init__(self):
        self._lock = threading.Lock()
        self._count = 0

    def enter(self):
        with self._lock:
            self._count += 1
            return self._count

    def leave(self):
        with self._lock:
            self._count -= 1


class ProviderServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = LISTEN_QUEUE

    def __init__(self, address, dialect, ledger):
        super().__init__(address, Handler)
        self.ledger = ledger
        self.authority = Authority(dialect, ledger)
        self.faults = faults.Faults()
        self.rate = RateLimit()
        self.pushed = Pushed(ledger)
        self.load = Load()
        self.scheme = "http"

    @property
    def issuer(self):
        host, port = self.server_address[:2]
        return f"{self.scheme}://{host}:{port}"

    def handle_error(self, request, client_address):
        """A client that went away is no news here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, format, *args):
        pass

    @property
    def dialect(self):
        return self.server.authority.dialect

    def do_GET(self):
        self._route("GET")

    def do_POST(self):
        self._route("POST")

    def _route(self, method):
        parts = urlsplit(self.path)
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), BODY_MAX))
        handler = self._routes().get((method, parts.path))
        self._inside = False
        if handler:
            if handler in (self._token, self._revoke, self._push):
                self._enter(parts.path)
            handler()
            self._leave()
        elif parts.path.startswith(self.dialect.broken_token_path or "\0"):
            self.server.ledger.write("broken_path", path=parts.path)
            self._send(401, "text/plain", "")
        else:
            self.server.ledger.write("unknown_path", path=parts.path, method=method)
            self._send(404, "text/html", pages.problem("not found"))

    def _enter(self, path):
        self._inside = True
        self.server.ledger.write("under_way", path=path, count=self.server.load.enter())

    def _leave(self):
        if self._inside:
            self.server.load.leave()
        self._inside = False

    def _routes(self):
        routes = {
            ("GET", self.dialect.authorize_path): self._authorize,
            ("POST", self.dialect.authorize_path): self._decide,
            ("POST", self.dialect.token_path): self._token,
            ("POST", self.dialect.refresh_path or self.dialect.token_path): self._token,
            ("POST", self.dialect.revocation_path): self._revoke,
            ("GET", self.dialect.api_prefix + "/whoami"): self._whoami,
            ("POST", "/_control"): self._control,
        }
        if self.dialect.device_path:
            routes |= {("POST", self.dialect.device_path): self._begin_device,
                       ("GET", self.dialect.device_page_path): self._device_page,
                       ("POST", self.dialect.device_page_path): self._decide_device}
        if self.dialect.push_path:
            routes["POST", self.dialect.push_path] = self._push
        routes.update({("GET", path): self._metadata for path in metadata.PATHS})
        return routes

    # Routes

    def _authorize(self):
        self.server.ledger.write("authorize", parameters=sorted(self.query))
        if self._fault("authorize", None) == "over":
            return
        try:
            query = self.query
            if self.dialect.push_path:
                query = self.server.pushed.redeem(self.dialect, query)
            self._send(200, "text/html", consent.check_request(self.dialect, query))
        except consent.BadRequest as bad:
            self.server.ledger.write("authorize_refused", why=str(bad))
            self._send(400, "text/html", pages.problem(str(bad)))

    def _push(self):
        if self._fault("push", None) == "over":
            return
        try:
            members = self.server.pushed.take(self.dialect, self._shown(), self._body_members())
            self._send_json(201, members, {"Cache-Control": "no-store"})
        except Refused as refusal:
            body = {"error": refusal.error, "error_description": refusal.why}
            self._send_json(refusal.status, body)

    def _decide(self):
        form = parse_qs(self.body.decode(), keep_blank_values=True)
        target = consent.answer(self.server.authority, self.server.issuer, form)
        self._send(302, "text/html", "", {"Location": target})

    def _begin_device(self):
        parameters = token_endpoint.collect_parameters(
            self.dialect, self.headers.get_content_type(), self._body_members(), self.query)
        self.server.ledger.write("device_request", parameters=sorted(parameters))
        if self._fault("device", None) == "over":
            return
        try:
            members = token_endpoint.begin_device(
                self.server.authority, self.server.issuer, self._shown(), parameters)
            self._send_json(200, members)
        except Refused as refusal:
            self._send_json(refusal.status, {"error": refusal.error})

    def _device_page(self):
        self._send(200, "text/html", device.page(self.dialect, self.query.get("user_code", "")))

    def _decide_device(self):
        form = dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        self._send(200, "text/html", self.server.authority.answer_device(form))

    def _token(self):
        try:
            parameters = token_endpoint.collect_parameters(
                self.dialect, self.headers.get_content_type(), self._body_members(), self.query)
        except Refused as refusal:
            self.server.ledger.write("token_request", outcome="refused", why=refusal.why)
            return self._send_json(refusal.status, {"error": refusal.error})
        user = self.server.authority.user_of(
            parameters.get("refresh_token") or parameters.get("code") or "")
        self.server.ledger.write("token_request", user=user, parameters=sorted(parameters),
                                 grant_type=parameters.get("grant_type"))
        if self._too_many():
            return None
        after = self._fault("token", user)
        return None if after == "over" else self._answer_token(parameters, after)

    def _answer_token(self, parameters, after):
        authority = self.server.authority
        try:
            members = token_endpoint.answer(authority, self._shown(), parameters,
                                            urlsplit(self.path).path)
        except Refused as refusal:
            body = {"error": refusal.error, "error_description": refusal.why}
            return self._send_json(refusal.status, body)
        text = tokens.reply_text(self.dialect, members)
        return self._send(200, "application/json", text, {"Cache-Control": "no-store"}, after)

    def _revoke(self):
        if self._fault("revoke", None) == "over":
            return
        try:
            token_endpoint.revoke(self.server.authority, self._shown(), self._body_members())
            self._send(200, "text/plain", "")
        except Refused as refusal:
            self._send_json(refusal.status, {"error": refusal.error})

    def _whoami(self):
        if self._too_many() or self._fault("api", None) == "over":
            return
        grant = self.server.authority.use(self._presented())
        if grant:
            members = {"user": grant.user, "company": grant.company, "scope": grant.scope}
            self._send_json(200, members)
        else:
            self._send_json(401, {"error": "invalid_token"})

    def _presented(self):
        scheme, _, value = (self.headers["Authorization"] or "").partition(" ")
        if scheme and scheme == self.dialect.static_scheme:
            return value
        if self.dialect.present == "query":
            return self.query.get("access_token", "")
        return value if scheme.lower() == "bearer" else ""

    def _metadata(self):
        self._send_json(200, metadata.document(self.dialect, self.server.issuer))

    def _control(self):
        try:
            self._send_json(200, control.obey(self.server, json.loads(self.body)))
        except (KeyError, TypeError, ValueError) as error:
            self._send_json(400, {"error": repr(error)})

    # Helpers

    def _shown(self):
        audience = self.server.issuer
        if self.dialect.assertion_for == "token_endpoint":
            audience += self.dialect.token_path
        certificate = getattr(self.connection, "getpeercert", dict)() or {}
        return Shown(self.headers["Authorization"], audience, certificate)

    def _body_members(self):
        if self.headers.get_content_type() == "application/json":
            return json.loads(self.body or b"{}")
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def _too_many(self):
        if not self.server.rate.exceeded(self.dialect.rate_limit):
            return False
        self.server.ledger.write("rate_limited", path=urlsplit(self.path).path)
        self._send_json(429, {"error": "rate limit exceeded"}, {"Retry-After": "1"})
        return True

    def _fault(self, endpoint, user):
        """None: go on; a Fault: go on and harm the reply with it; "over": all is done."""
        fault = self.server.faults.take(endpoint, user)
        if fault is None or fault.mode in faults.AFTER:
            return fault
        self.server.ledger.write("fault", endpoint=endpoint, mode=fault.mode, user=user)
        if fault.mode in faults.CANNED:
            status, kind, body, headers = faults.CANNED[fault.mode]
            self._send(status, kind, body, headers)
            return "over"
        fault.wait()
        if fault.mode != "hang":
            return None
        self.close_connection = True
        return "over"

    def _send_json(self, status, members, headers=None):
        self._send(status, "application/json", json.dumps(members), headers)

    def _send(self, status, kind, text, headers=None, fault=None):
        body = text.encode()
        if fault:
            self.server.ledger.write("fault", mode=fault.mode, path=urlsplit(self.path).path)
            if fault.mode in ("hold-after", "delay-after"):
                fault.wait()
            if fault.mode in ("drop", "reset"):
                self._hang_up(fault.mode == "reset")
                return
        self._leave()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if fault and fault.mode == "truncate":
            body, self.close_connection = body[: len(body) // 2], True
        if fault and fault.mode == "drip":
            body, self.close_connection = self._drip(body, fault), True
        self.wfile.write(body)
        self.wfile.flush()

    def _hang_up(self, reset):
        """With a reset what the client has sent later is refused too; else it is a plain end."""
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _drip(self, body, fault):
        """A byte a second until the fault is cleared; returns what is left then."""
        while body and not fault.over.wait(DRIP_S):
            self.wfile.write(body[:1])
            self.wfile.flush()
            body = body[1:]
        return body

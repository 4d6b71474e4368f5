"""A client of the socket API: Python's own HTTP client over the Unix socket."""

import http.client
import json
import socket
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from provider.ledger import fingerprint


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket; the host is a formality."""

    def __init__(self, path, timeout=90):
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json.get("error")

    def ok(self):
        """The members of a reply that has to be a success."""
        assert self.status == 200, f"{self.status}: {self.text}"
        return self.json


def _target(path, query):
    given = {name: value for name, value in query.items() if value is not None}
    return path + ("?" + urlencode(given) if given else "")


class Api:
    """Every reply is held to the API's description. One connection for each request."""

    def __init__(self, socket_path, schema):
        self.socket_path = socket_path
        self._schema = schema

    def request(self, method, target, body=None, headers=None):
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        reply = Reply(*self._transport(method, target, body, headers))
        self._schema.check(method, target, reply.status, reply.headers, reply.body)
        return reply

    def _transport(self, method, target, body, headers):
        connection = UnixConnection(self.socket_path)
        try:
            try:
                connection.request(method, target, body, headers)
            except BrokenPipeError:
                pass  # refused before the body was read to its end: the answer is there
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def token(self, account, **query):
        return self.request("GET", _target(f"/v1/token/{account}", query))

    def accounts(self, **query):
        return self.request("GET", _target("/v1/accounts", query))

    def account(self, account):
        return self.request("GET", f"/v1/accounts/{account}")

    def login(self, account, **members):
        return self.request("POST", f"/v1/login/{account}", members)

    def follow(self, login_id, wait=None):
        return self.request("GET", _target(f"/v1/logins/{login_id}", {"wait": wait}))

    def finish(self, login_id, redirect):
        return self.request("POST", f"/v1/logins/{login_id}", {"redirect": redirect})

    def cancel(self, login_id):
        return self.request("DELETE", f"/v1/logins/{login_id}")

    def refresh(self, account):
        return self.request("POST", f"/v1/refresh/{account}")

    def refresh_allowed(self, account):
        """A refresh as soon as the broker's own limit allows another."""
        while (reply := self.refresh(account)).status == 429:
            time.sleep(reply.json["retry_after"])
        return reply

    def reject(self, account, **members):
        return self.request("POST", f"/v1/reject/{account}", members)

    def retry(self, what=""):
        return self.request("POST", "/v1/retry" + (f"/{what}" if what else ""))

    def resume(self, **members):
        return self.request("POST", "/v1/resume", members or None)

    def backup(self, **members):
        return self.request("POST", "/v1/backups", members or None)

    def look_at_backup(self, backup_id, offset=None):
        return self.request("GET", _target(f"/v1/backups/{backup_id}", {"offset": offset}))

    def end_backup(self, backup_id):
        return self.request("DELETE", f"/v1/backups/{backup_id}")

    def rekey(self):
        return self.request("POST", "/v1/rekey")

    def rekey_progress(self):
        return self.request("GET", "/v1/rekey")

    def import_grant(self, account, **members):
        return self.request("PUT", f"/v1/accounts/{account}", members)

    def forget(self, account):
        return self.request("DELETE", f"/v1/accounts/{account}")

    def held(self, **query):
        return self.request("GET", _target("/v1/held", query))

    def held_id(self, account):
        """Of what is held for the account now; 1, which nothing has, where it cannot be told."""
        rows = self.held(limit=500).json.get("held", [])
        return next((row["id"] for row in rows if row["account"] == account), 1)

    def decide(self, account, decision, held_id=None):
        """Without an id it is over what is held now."""
        return self.request("POST", f"/v1/held/{account}",
                            {"decision": decision, "id": held_id or self.held_id(account)})

    def rename(self, account, new_name):
        return self.request("POST", f"/v1/rename/{account}", {"account": new_name})

    def audit(self, **query):
        return self.request("GET", _target("/v1/audit", query))

    def wait_audit(self, condition, timeout=15):
        """The newest rows once the condition holds: they are written in groups, now and then."""
        deadline = time.monotonic() + timeout
        while not condition(rows := self.audit().ok()["audit"]):
            assert time.monotonic() < deadline, f"after {timeout} s: {rows}"
            time.sleep(0.1)
        return rows

    def health(self):
        return self.request("GET", "/v1/health")

    def authority(self):
        return self.request("GET", "/v1/authority")

    def wait_health(self, status, timeout=15):
        """The health's members once its status is so."""
        deadline = time.monotonic() + timeout
        while (health := self.health().ok())["status"] != status:
            assert time.monotonic() < deadline, f"after {timeout} s: {health}"
            time.sleep(0.05)
        return health

    def wait_unpaused(self, provider, timeout=15):
        """Until the provider is not paused (any more)."""
        deadline = time.monotonic() + timeout
        while any(one["paused"] for one in self.health().ok()["providers"]
                  if one["name"] == provider):
            assert time.monotonic() < deadline, f"{provider} is paused after {timeout} s"
            time.sleep(0.05)

    def wait_state(self, account, state, timeout=15):
        """The account's object once it is in that state."""
        return self.wait_account(account, lambda found: found["state"] == state, timeout)

    def patient_token(self, account, timeout=40):
        """The members of a token, from a client that comes again when the broker says."""
        deadline = time.monotonic() + timeout
        while (reply := self.token(account)).status in (502, 503) and time.monotonic() < deadline:
            time.sleep(reply.json.get("retry_after", 1))
        return reply.ok()

    def wait_token(self, account, access_fingerprint, timeout=15):
        """The members of exactly this token, which the provider issued a moment ago."""
        deadline = time.monotonic() + timeout
        while True:
            token = self.token(account).ok()
            if fingerprint(token["access_token"]) == access_fingerprint:
                return token
            assert time.monotonic() < deadline, f"another token after {timeout} s"
            time.sleep(0.02)

    def wait_newer(self, account, before, timeout=15):
        """The account's object once its token is newer than in the object `before`."""
        return self.wait_account(
            account, lambda found: found["generation"] > before["generation"], timeout)

    def wait_account(self, account, condition, timeout=15):
        """The account's object once the condition holds; there is no event for it, so it asks."""
        deadline = time.monotonic() + timeout
        while True:
            found = self.account(account).ok()
            if condition(found):
                return found
            assert time.monotonic() < deadline, f"after {timeout} s: {found}"
            time.sleep(0.05)

"""A broker of one's own on a Unix socket: answers with what a test lays down."""

import atexit
import http.server
import json
import os
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading

COMMAND = os.environ.get("TOKENBROKER_COMMAND", "tokenbroker")
TIMEOUT = 30


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.broker.seen.append((self.command, self.path, body))
        status, answer = self.server.broker.answer(self.command, self.path)
        data = json.dumps(answer, ensure_ascii=not self.server.broker.raw).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def address_string(self):
        return "unix"

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that went away is no news here."""


class FakeBroker:
    """answers: "METHOD /path" (without the query) -> object, or (status, object)."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tb-fake-")
        self.socket = os.path.join(self.folder, "s")
        self.answers, self.seen = {}, []
        self.raw = False  # whether what is not ASCII goes as it is
        self._server = _Server(self.socket, _Handler)
        self._server.broker = self
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, method, path):
        found = self.answers.get(f"{method} {path.partition('?')[0]}")
        if found is None:
            return 404, {"error": "not_found", "error_description": f"no {method} {path}"}
        if callable(found):
            found = found()
        return found if isinstance(found, tuple) else (200, found)

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items()
                if name in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS")}
        return {**kept, "HOME": self.folder, "TOKENBROKER_SOCKET": self.socket, **more}

    def run(self, *arguments, text_in="", program=COMMAND, **more):
        return subprocess.run([program, *arguments], env=self.environment(**more), text=True,
                              input=text_in, capture_output=True, timeout=TIMEOUT, check=False)

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        shutil.rmtree(self.folder)


def account(name="zenegy/acme", **members):
    return {"account": name, "provider": name.partition("/")[0], "state": "active",
            "has_refresh_token": True, "rejected": False, "generation": 1, "created_at": 1,
            **members}


def token(value="t0k", place="header", name="Authorization", **members):
    shown = f"Bearer {value}" if place == "header" else value
    return {"account": "zenegy/acme", "access_token": value, "token_type": "bearer",
            "expires_in": 100, "expires_at": 2000000000, "extra": {},
            "present": {"in": place, "name": name, "value": shown}, **members}


def free_socket():
    """A path on which nothing listens, though it is there."""
    folder = tempfile.mkdtemp(prefix="tb-fake-")
    atexit.register(shutil.rmtree, folder)
    path = os.path.join(folder, "s")
    one = socket.socket(socket.AF_UNIX)
    one.bind(path)
    one.close()
    return path

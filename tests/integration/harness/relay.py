"""A socket before the broker's: a test sees each request on its way, and may hold it up."""

import http.server
import socketserver
import threading
from contextlib import contextmanager


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that went away is no news here."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _hand_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kept = {name: self.headers[name] for name in ("Content-Type",) if name in self.headers}
        with self.server.turn:
            self.server.seen("asked", self.command, self.path)
            reply = self.server.api.request(self.command, self.path, body or None, kept)
            self.server.seen("answered", self.command, self.path)
        self.send_response(reply.status)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    do_GET = do_POST = do_PUT = do_DELETE = _hand_on

    def address_string(self):
        return "unix"

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


@contextmanager
def relay(path, api, seen):
    """Hands one request on at a time. seen("asked", method, target) is called before the broker has
    it, seen("answered", …) before the client has the answer."""
    server = _Server(str(path), _Handler)
    server.api, server.seen, server.turn = api, seen, threading.Lock()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()

"""A page elsewhere, in a real browser: what a web site can try with an address of ours."""

import http.server
import threading
from contextlib import contextmanager

# Each says "loaded", "failed", or the reply's type and length.
ELEMENT = """
const [url, tag, place, done] = arguments;
const element = document.createElement(tag);
element.onload = () => done("loaded");
element.onerror = () => done("failed");
element[place] = url;
document.body.append(element);
"""
FETCH = """
const [url, mode, method, done] = arguments;
fetch(url, {mode, method, credentials: "include"}).then(
    async (reply) => done(reply.type + " " + (await reply.text()).length), () => done("failed"));
"""


class _Blank(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # pylint: disable=invalid-name
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>evil</title><body></body>")

    def log_message(self, *_):
        pass


@contextmanager
def served():
    """The port of an empty page, to which the tests bring the scripts."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Blank)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

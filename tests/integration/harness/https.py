"""https on this computer: certificates from files, clients that look at them, servers with them."""

import hashlib
import http.server
import socket
import ssl
import subprocess
import threading

from .binaries import BUILD


def self_signed(folder, name="cert", host="localhost"):
    """A certificate for that host that is its own authority: (certificate, key)."""
    pair = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", pair[1], "-out", pair[0], "-days", "2", "-subj", f"/CN={host}",
         "-addext", f"subjectAltName=DNS:{host},IP:127.0.0.1"], check=True, capture_output=True)
    return pair


def issue(folder, *names):
    """An authority like the daemon's own and a certificate for each name, also for those that it
    may not vouch for: (authority, [(certificate, key), …])."""
    subprocess.run([BUILD / "tests" / "issue-certificates", folder, *names], check=True)
    return folder / "ca.pem", [(folder / f"{i}.pem", folder / f"{i}.key")
                               for i in range(len(names))]


def only_https(daemon, emulator, *variants, **callback):
    """Zenegy as it really is, whose redirect must be https; returns the emulator."""
    provider = emulator("zenegy", *variants)
    daemon.config.callback = {"listen": [f"https://localhost:{daemon.port}"], **callback}
    redirect = f"https://localhost:{daemon.port}/callback/zenegy"
    daemon.with_provider("zenegy", provider, redirect_uri=redirect)
    return provider


def trust_in(database, authority):
    """Puts the authority into a browser's database, made where there is none."""
    commands = [["-A", "-t", "C,,", "-n", "authority", "-i", str(authority)]]
    if not database.exists():
        database.mkdir(parents=True)
        commands.insert(0, ["-N", "--empty-password"])
    for arguments in commands:
        subprocess.run(["certutil", "-d", f"sql:{database}", *arguments], check=True)


def trust(certificate):
    return ssl.create_default_context(cafile=certificate)


def served(port, context, name="localhost"):
    """SHA-256 of the certificate that is served there, which the context has to trust."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname=name) as connection:
            return hashlib.sha256(connection.getpeercert(binary_form=True)).hexdigest()


class _Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # pylint: disable=invalid-name
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


class Server:
    """Says hello over https with that certificate."""

    def __init__(self, pair):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hello)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

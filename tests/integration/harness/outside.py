"""The world outside, all of it on this computer: a proxy (CONNECT) that knows where each name leads,
and a certificate for these names. So a preset is tested with the very addresses that it holds."""

import select
import shutil
import socket
import socketserver
import ssl
import subprocess
import tempfile
import threading
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

HEAD_MAX = 16 * 1024
CHUNK = 64 * 1024


def missing():
    """Why a browser cannot be made to trust it, or ""."""
    return "" if shutil.which("certutil") else "needs libnss3-tools"


def _make_certificate(folder, names):
    """One that is its own authority, in a file with its key, and alone."""
    alone, key, both = folder / "server.crt", folder / "server.key", folder / "server.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=outside", "-keyout", key, "-out", alone, "-addext",
         "subjectAltName=IP:127.0.0.1," + ",".join(f"DNS:{name}" for name in names)],
        check=True, capture_output=True)
    both.write_text(alone.read_text() + key.read_text())
    return alone, key, both


def _be_trusted(home, certificate):
    """By the browsers of that home."""
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    for arguments in (["-N", "--empty-password"],
                      ["-A", "-t", "C,,", "-n", "outside", "-i", str(certificate)]):
        subprocess.run(["certutil", "-d", f"sql:{database}", *arguments], check=True)


class _Tunnel(socketserver.BaseRequestHandler):
    def handle(self):
        words = self._read_head().split()
        host = words[1].partition(":")[0] if len(words) > 1 else ""
        port = self.server.ports.get(host)
        if words[:1] != ["CONNECT"] or port is None:
            self.request.sendall(b"HTTP/1.1 502 Unknown name\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", port)) as far:
            self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            self._carry(far)

    def _read_head(self):
        head = b""
        while b"\r\n\r\n" not in head and len(head) < HEAD_MAX:
            more = self.request.recv(CHUNK)
            if not more:
                break
            head += more
        return head.decode("latin-1")

    def _carry(self, far):
        other = {self.request: far, far: self.request}
        while True:
            for one in select.select(list(other), [], [])[0]:
                data = one.recv(CHUNK)
                if not data:
                    return
                other[one].sendall(data)


class _Proxy(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.ports = {}

    def handle_error(self, request, client_address):
        """A side that went away is no news here."""


class Outside:
    """names: what the certificate is for, localhost among them. `server_arguments` and `open` are
    for an Emulator, `proxy` and `certificate` for the broker, `home` and `proxy` for a browser."""

    def __init__(self, names):
        self.home = Path(tempfile.mkdtemp(prefix="tb-outside-"))
        self.certificate, self.key, both = _make_certificate(self.home, names)
        _be_trusted(self.home, self.certificate)
        self.server_arguments = ["--certificate", str(both)]
        self._proxy = _Proxy()
        self.proxy = f"http://127.0.0.1:{self._proxy.server_address[1]}"
        self._thread = threading.Thread(target=self._proxy.serve_forever, daemon=True)
        self._thread.start()
        https = urllib.request.HTTPSHandler(
            context=ssl.create_default_context(cafile=self.certificate))
        self._near = urllib.request.build_opener(urllib.request.ProxyHandler({}), https)
        self._far = urllib.request.build_opener(
            urllib.request.ProxyHandler({"https": self.proxy}), https)

    def lead(self, name, url):
        """From now on that name leads to the server with this address."""
        self._proxy.ports[name] = urlsplit(url).port

    def open(self, request, timeout):
        near = urlsplit(request.full_url).hostname == "127.0.0.1"
        return (self._near if near else self._far).open(request, timeout=timeout)

    def close(self):
        self._proxy.shutdown()
        self._proxy.server_close()
        self._thread.join()
        shutil.rmtree(self.home, ignore_errors=True)

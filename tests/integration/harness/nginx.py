"""Debian's nginx as a reverse proxy with TLS, started by hand in a folder of its own."""

import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from . import https
from .person import Person
from .ports import free_port
from .raw import send_raw

NAME = "hr.example.com"
ROOT = Path(__file__).resolve().parents[3]
PROGRAM = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin") or ""
START_TIMEOUT = 20

_CONF = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        {location}
    }}
}}
"""


def location_of_recipe():
    """What docs/RECIPES.md gives to people who run nginx."""
    text = (ROOT / "docs" / "RECIPES.md").read_text(encoding="utf-8")
    return re.search(r"```nginx\n(.*?)```", text, re.DOTALL)[1]


class Nginx:
    """Listens on `port`; serve() starts it before a callback's port. pair: a certificate for NAME,
    and its key."""

    def __init__(self, folder, pair):
        self.port = free_port()
        self._folder, self._pair = Path(folder), pair
        self._process = None

    @property
    def url(self):
        """What is a callback's public_url behind it."""
        return f"https://{NAME}:{self.port}/oauth"

    def serve(self, upstream_port):
        location = location_of_recipe()
        # Its public_url has no port and its callback the usual one.
        for before, after in (("127.0.0.1:8765;", f"127.0.0.1:{upstream_port};"),
                              ("Host $host;", f"Host $host:{self.port};")):
            assert before in location
            location = location.replace(before, after)
        self._folder.mkdir()
        conf = self._folder / "nginx.conf"
        conf.write_text(_CONF.format(folder=self._folder, port=self.port, location=location,
                                     certificate=self._pair[0], key=self._pair[1]),
                        encoding="utf-8")
        self._process = subprocess.Popen(
            [PROGRAM, "-p", self._folder, "-c", conf, "-e", self._folder / "error.log"],
            stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + START_TIMEOUT
        while not self._accepts():
            assert self._process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.05)
        return self

    def _accepts(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self):
        """What both of its logs hold."""
        return "".join(path.read_text(errors="replace") for path in self._folder.glob("*.log"))

    def close(self):
        if self._process:
            self._process.terminate()
            self._process.wait()


class Public:
    """A public name with a proxy that hands /oauth/ on; who uses it has to have the name resolved."""

    def __init__(self, folder):
        self.pair = https.self_signed(folder, "public", NAME)
        self.nginx = Nginx(folder / "nginx", self.pair)
        self.url = self.nginx.url
        self.origin = self.url.removesuffix("/oauth")

    def person(self):
        return Person(https.trust(self.pair[0]))

    def raw(self, head):
        """The proxy's reply to these lines, over TLS."""
        context = https.trust(self.pair[0])
        return send_raw(self.nginx.port, "\r\n".join([*head, "Connection: close", "", ""]).encode(),
                        wrap=lambda plain: context.wrap_socket(plain, server_hostname=NAME))

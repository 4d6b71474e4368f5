"""The second real server: Doorkeeper in a Rails application, both as Debian has them. Its database
is what the tests judge by."""

import base64
import json
import shutil
import sqlite3
import subprocess
import time
import urllib.request
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode

from .program import Program

FOLDER = Path(__file__).resolve().parents[2] / "doorkeeper"
RUBY = "/usr/bin/ruby"  # the one that Debian's packages are for
SECRET = "a secret/with+signs%20and=more"
CLIENTS = ["basic", "post", "public"]

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@lru_cache
def missing():
    """Why it cannot run here, or ""."""
    if not shutil.which(RUBY):
        return "needs ruby"
    found = subprocess.run([RUBY, "-e", "%w[doorkeeper activerecord sqlite3].each { gem _1 }"],
                           capture_output=True, check=False)
    return "" if found.returncode == 0 else "needs ruby-doorkeeper"


class Doorkeeper(Program):
    """Clients `basic`, `post` and `public`, which authenticate as they are called, and people who
    log in with the password "x". revoke_on_use: a refresh token is revoked when the access token
    after it is first used; else when it is spent."""

    def __init__(self, folder, lifetime, revoke_on_use):
        self.database = folder / "doorkeeper.sqlite"
        super().__init__([RUBY, "server.rb"], FOLDER, folder / "doorkeeper.log",
                         {"database": str(self.database), "secret": SECRET, "lifetime": lifetime,
                          "revoke_on_use": revoke_on_use})

    # Its database

    def query(self, text, *values):
        with closing(sqlite3.connect(self.database, timeout=10)) as database:
            database.row_factory = sqlite3.Row
            with database:
                return [dict(row) for row in database.execute(text, values)]

    def register(self, redirect_uri):
        """redirect_uri holds CLIENT where the client's name comes."""
        self.query("UPDATE oauth_applications SET redirect_uri = replace(?, 'CLIENT', uid)",
                   redirect_uri)

    def tokens(self, user):
        """Everything that was ever issued to the person, oldest first. A row is an access token and
        the refresh token that came with it."""
        return self.query("SELECT t.* FROM oauth_access_tokens t JOIN users u"
                          " ON u.id = t.resource_owner_id WHERE u.name = ? ORDER BY t.id", user)

    def wait_tokens(self, user, count, timeout=30):
        """The same, once there are so many."""
        deadline = time.monotonic() + timeout
        while len(found := self.tokens(user)) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} tokens"
            time.sleep(0.01)
        return found

    def codes(self, user):
        return self.query("SELECT g.* FROM oauth_access_grants g JOIN users u"
                          " ON u.id = g.resource_owner_id WHERE u.name = ? ORDER BY g.id", user)

    def last_visit(self):
        return self.query("SELECT coalesce(max(id), 0) AS last FROM visits")[0]["last"]

    def token_requests(self, after=0):
        return self.query("SELECT grant_type, status FROM visits WHERE path = '/oauth/token'"
                          " AND id > ? ORDER BY id", after)

    @contextmanager
    def hold_answers(self):
        """What it does meanwhile it does, but no answer leaves it."""
        hold = Path(f"{self.database}.hold")
        hold.touch()
        try:
            yield
        finally:
            hold.unlink()

    # Its pages

    def walk(self, person, url, decision="allow"):
        """Through its login and its consent page, to the page at the end. It asks nobody for what
        is granted and alive."""
        page = person.open(url)
        if page.url.endswith("/login"):
            page = person.open(*person.answer(page, "", login=person.name, password="x"))
        if "/oauth/authorize" in page.url:
            page = person.open(*person.answer(page, "", form=1 if decision == "deny" else 0))
        return page

    # Its API

    def who_am_i(self, access_token):
        """Uses the token: (status, members)."""
        return self._call("/api/me", {"Authorization": f"Bearer {access_token}"})

    def introspect(self, access_token, client="post"):
        """Asked by the client to which it was issued, in its own way (RFC 7662)."""
        form, headers = {"token": access_token}, {}
        if client == "basic":
            proof = base64.b64encode(f"{client}:{SECRET}".encode()).decode()
            headers["Authorization"] = f"Basic {proof}"
        else:
            form |= {"client_id": client, "client_secret": SECRET}
        return self._call("/oauth/introspect", headers, form)[1]

    def _call(self, path, headers, form=None):
        body = urlencode(form).encode() if form else None
        try:
            request = urllib.request.Request(self.url + path, body, headers)
            with _direct.open(request, timeout=30) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, None

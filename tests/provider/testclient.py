"""A client that follows its provider's documents to the letter, for the emulators' own tests."""

import base64
import hashlib
import json
import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlencode, urlsplit

from harness.person import Person

VERIFIER = "verifier-" + "v" * 40


def _challenge():
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class RightClient:
    def __init__(self, emulator, redirect_uri):
        self.emulator, self.dialect = emulator, emulator.dialect
        self.redirect_uri = redirect_uri

    def authorize_url(self, **changes):
        parameters = {"response_type": "code", "client_id": self.dialect.client_id,
                      "redirect_uri": self.redirect_uri, "scope": "read:a read:b", "state": "st",
                      "code_challenge": _challenge(), "code_challenge_method": "S256"} | changes
        return f"{self.emulator.url}{self.dialect.authorize_path}?{urlencode(parameters)}"

    def consent(self, decision="allow", **changes):
        """What comes back in the redirect's query."""
        location = Person().decide(self.authorize_url(), decision, **changes)
        assert location.startswith(self.redirect_uri)
        return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}

    def exchange(self, code, /, **changes):
        return self.token({"grant_type": "authorization_code", "code": code,
                           "redirect_uri": self.redirect_uri, "code_verifier": VERIFIER} | changes)

    def refresh(self, refresh_token, /, **changes):
        parameters = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        if self.dialect.refresh_needs_redirect_uri:
            parameters["redirect_uri"] = self.redirect_uri
        return self.token(parameters | changes)

    def token(self, parameters):
        """(status, text) of the token endpoint."""
        url, headers = self.emulator.url + self.dialect.token_path, {}
        ours = {"client_id": self.dialect.client_id, "client_secret": self.dialect.client_secret}
        if "post" in self.dialect.client_auth or self.dialect.both_at_exchange:
            parameters = ours | parameters
        if "post" not in self.dialect.client_auth:
            headers["Authorization"] = self._basic()
        place = self.dialect.parameters_in[0]
        body = urlencode(parameters).encode()
        if place == "query":
            url, body = f"{url}?{body.decode()}", b""
        if place == "json":
            body, headers["Content-Type"] = json.dumps(parameters).encode(), "application/json"
        return send(url, body, headers)

    def _basic(self):
        pair = [self.dialect.client_id, self.dialect.client_secret]
        if "basic" in self.dialect.client_auth:
            pair = [urlencode({"": part})[1:] for part in pair]
        return "Basic " + base64.b64encode(":".join(pair).encode()).decode()

    def grant(self):
        """A whole login; the members of the token reply."""
        status, text = self.exchange(self.consent()["code"])
        assert status == 200, text
        return json.loads(text)

    def whoami(self, access_token):
        url, headers = self.emulator.api_base + "/whoami", {}
        if self.dialect.present == "query":
            url += "?" + urlencode({"access_token": access_token})
        else:
            headers["Authorization"] = f"Bearer {access_token}"
        return send(url, None, headers)


def send(url, body=None, headers=None):
    request = urllib.request.Request(url, body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()

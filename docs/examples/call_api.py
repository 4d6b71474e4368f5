#!/usr/bin/env python3
"""Calls an API with the broker's token and prints what it answers.

    call_api.py ACCOUNT PATH        call_api.py gusto-demo/acme /v1/me

Python's standard library is all it needs. The token is asked for before each call and kept nowhere:
the broker answers in well under a millisecond, and always with a token that is valid now.
"""

import http.client
import json
import os
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request

TIMEOUT = 40  # the broker itself answers within 30 s


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Refused(Exception):
    """The broker's answer where it gives no token; `error` says why in one word."""

    def __init__(self, members):
        super().__init__(members["error_description"])
        self.error = members["error"]


def broker_socket():
    """The named socket, else the user's where there is one, else the system's."""
    named = os.environ.get("TOKENBROKER_SOCKET")
    if named:
        return named
    users = os.environ.get("XDG_RUNTIME_DIR", "") + "/tokenbroker/api.sock"
    return users if os.path.exists(users) else "/run/tokenbroker/api.sock"


def ask_broker(method, path, members=None):
    connection = UnixConnection(broker_socket())
    body = json.dumps(members) if members else None
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        reply = connection.getresponse()
        answer = json.load(reply)
    finally:
        connection.close()
    if reply.status != 200:
        raise Refused(answer)
    return answer


def call(token, path):
    """One call, with the token where this API wants it. Returns (status, text)."""
    url, headers, present = token["api_base"] + path, {}, token["present"]
    if present["in"] == "header":
        headers[present["name"]] = present["value"]
    else:
        url += "?" + urllib.parse.urlencode({present["name"]: present["value"]})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def call_api(account, path):
    """Calls; after a 401 it tells the broker, and tries once more with the next token."""
    token = ask_broker("GET", f"/v1/token/{account}")
    status, text = call(token, path)
    if status == 401:
        ask_broker("POST", f"/v1/reject/{account}", {"access_token": token["access_token"]})
        status, text = call(ask_broker("GET", f"/v1/token/{account}"), path)
    return status, text


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: call_api.py ACCOUNT PATH, such as gusto-demo/acme /v1/me")
    account, path = sys.argv[1:]
    try:
        status, text = call_api(account, path)
    except Refused as refused:
        if refused.error == "consent_required":
            sys.exit(f"a person has to log in first: tokenbroker login {account}")
        sys.exit(f"{refused.error}: {refused}")
    print(text)
    sys.exit(0 if status == 200 else f"the API answered {status}")


main()

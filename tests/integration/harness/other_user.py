"""A client with another uid: as a program of its own, it does one request and prints the answer.

    python3 other_user.py SOCKET METHOD TARGET < body
"""

import http.client
import json
import os
import socket
import subprocess
import sys

PYTHON = "/usr/bin/python3"


def as_user(api_class, uid, groups=(), cgroup=None):
    """A class like Api whose requests come from that uid and groups (the first is its own), out of
    a cgroup where one is given."""
    groups = list(groups) or [uid]

    def become():
        if cgroup:
            (cgroup / "cgroup.procs").write_text(str(os.getpid()))
        os.setgroups(groups[1:])
        os.setgid(groups[0])
        os.setuid(uid)

    class OtherUser(api_class):
        def _transport(self, method, target, body, headers):
            result = subprocess.run(
                [PYTHON, "-I", "-c", open(__file__, encoding="utf-8").read(), str(self.socket_path),
                 method, target, json.dumps(headers)],
                input=body or b"", capture_output=True, timeout=60, check=False, cwd="/",
                preexec_fn=become, env={})
            if result.returncode:
                raise ConnectionError(result.stderr.decode())
            head, _, answer = result.stdout.partition(b"\n")
            status, pairs = json.loads(head)
            message = http.client.HTTPMessage()
            for name, value in pairs:
                message[name] = value
            return status, message, answer

    return OtherUser


def _main(path, method, target, headers):
    connection = http.client.HTTPConnection("localhost", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(path)
    connection.request(method, target, sys.stdin.buffer.read() or None, json.loads(headers))
    reply = connection.getresponse()
    head = json.dumps([reply.status, reply.getheaders()])
    os.write(1, head.encode() + b"\n" + reply.read())


if __name__ == "__main__":
    _main(*sys.argv[1:])

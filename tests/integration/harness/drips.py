"""Many connections that send a request byte by byte and never end it, as a program of its own.

    python3 drips.py COUNT SECONDS ADDRESS      (a path, or host:port)

Whoever is hung up on comes again. Writes "ready" once all were tried, and at its end how many were
made."""

import os
import selectors
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

PYTHON = "/usr/bin/python3"
TEXT = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"a" * 4000


@contextmanager
def drips(count, seconds, address, uid=0):
    """Drips for as long as the context lasts, at most so many seconds; yields once all have begun."""
    def become():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)

    with open(__file__, encoding="utf-8") as text, subprocess.Popen(
            [PYTHON, "-I", "-c", text.read(), str(count), str(seconds), str(address)],
            stdout=subprocess.PIPE, stdin=subprocess.PIPE, cwd="/",
            preexec_fn=become if uid else None) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.stdin.close()
            process.wait(30)


def _connect(address):
    host, _, port = address.rpartition(":")
    connection = socket.socket(socket.AF_INET if host else socket.AF_UNIX)
    connection.settimeout(1)
    connection.connect((host, int(port)) if host else address)
    connection.setblocking(False)
    return connection


def _drip(connection, sent):
    """False when the other end has gone."""
    try:
        connection.send(TEXT[sent:sent + 1])
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _main(count, seconds, address):
    begun, made, held, told = time.monotonic(), 0, {}, False
    while time.monotonic() < begun + float(seconds):
        turn = time.monotonic()
        for connection in [one for one, sent in held.items() if not _drip(one, sent)]:
            del held[connection]
            connection.close()
        held = {connection: sent + 1 for connection, sent in held.items()}
        for _ in range(int(count) - len(held)):
            try:
                held[_connect(address)] = 0
                made += 1
            except OSError:
                pass
        if not told:
            os.write(1, b"ready\n")
            told = True
        with selectors.DefaultSelector() as selector:
            selector.register(0, selectors.EVENT_READ)
            if selector.select(max(0, turn + 1 - time.monotonic())):
                break
    os.write(1, b"%d\n" % made)


if __name__ == "__main__":
    _main(*sys.argv[1:])

"""HTTP requests that no honest client sends: the bytes as given."""

import http.client
import socket
from contextlib import nullcontext
from dataclasses import dataclass


@dataclass
class RawReply:
    status: int
    headers: object
    text: str


def send_raw(port, request, address="127.0.0.1", wrap=nullcontext):
    """Sends the bytes; returns the reply, or None where the connection was closed without one.
    wrap: makes a TLS connection of a plain one."""
    with (socket.create_connection((address, port), timeout=10) as plain,
          wrap(plain) as connection):
        connection.sendall(request)
        reply = http.client.HTTPResponse(connection)
        try:
            reply.begin()
        except (http.client.BadStatusLine, ConnectionResetError):
            return None
        return RawReply(reply.status, reply.headers, reply.read().decode())


def get(port, target, *headers, host=None):
    """GET with the right Host (or host), and further header lines."""
    lines = [f"GET {target} HTTP/1.1", f"Host: {host or f'127.0.0.1:{port}'}", *headers,
             "Connection: close", "", ""]
    return send_raw(port, "\r\n".join(lines).encode())

"""Prints the first free port on the loopback addresses, from the given one upwards."""

import errno
import socket
import sys

TRIES = 1000
LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def is_free(port):
    for family, address in LOOPBACK:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):  # no IPv6 here
                return False
    return True


def main():
    first = int(sys.argv[1])
    for port in range(first, first + TRIES):
        if is_free(port):
            print(port)
            return 0
    print(f"no free port from {first} on", file=sys.stderr)
    return 1


sys.exit(main())

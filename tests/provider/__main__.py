"""python3 -m provider --dialect NAME [--variant V,…] [--port 0] --ledger FILE

Prints {"url": …} as its first line, then serves until it is ended.
"""

import argparse
import json
import ssl

from .dialects import DIALECTS, dialect
from .ledger import Ledger
from .server import ProviderServer


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(prog="provider")
    parser.add_argument("--dialect", choices=DIALECTS, required=True)
    parser.add_argument("--variant", default="", help="variants, separated by commas")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ledger", required=True)
    parser.add_argument("--fsync", action="store_true", help="each line of the ledger is durable")
    parser.add_argument("--certificate", help="PEM with key: serve https")
    parser.add_argument("--client-ca", help="PEM: ask clients for a certificate of this authority")
    return parser.parse_args(arguments)


def make_server(arguments):
    """A server that listens already; serve_forever() makes it answer."""
    entry = dialect(arguments.dialect, *filter(None, arguments.variant.split(",")))
    ledger = Ledger(arguments.ledger, arguments.fsync)
    server = ProviderServer(("127.0.0.1", arguments.port), entry, ledger)
    if arguments.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.certificate)
        if arguments.client_ca:
            context.load_verify_locations(arguments.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
        server.scheme = "https"
    return server


def main():
    server = make_server(parse_arguments())
    print(json.dumps({"url": server.issuer}), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()

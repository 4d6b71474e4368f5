"""The demo's provider: the tests' plain emulated one with short-lived tokens. Prints its address."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

# pylint: disable=wrong-import-position
from provider.dialects import dialect  # noqa: E402
from provider.ledger import Ledger  # noqa: E402
from provider.server import ProviderServer  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lifetime", type=float, required=True, help="seconds")
    parser.add_argument("--redirect", required=True, help="the redirect URI that is registered")
    parser.add_argument("--ledger", required=True, help="the file in which it writes what it did")
    arguments = parser.parse_args()
    entry = replace(dialect("plain"), name="The demo", lifetime=arguments.lifetime,
                    client_id="demo", client_secret="demo-secret",
                    redirect_uris=(arguments.redirect,))
    server = ProviderServer(("127.0.0.1", 0), entry, Ledger(arguments.ledger))
    print(server.issuer, flush=True)
    server.serve_forever()


main()

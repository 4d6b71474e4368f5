"""The real server: npm's oidc-provider, a certified OpenID provider, as strict as it can be."""

import json
import shutil
import subprocess
import time
from pathlib import Path

from .keys import make_key
from .program import Program

FOLDER = Path(__file__).resolve().parents[2] / "oidc"
# Where the system's own Node.js is too old, a newer one lies beside the server.
NODE = next((str(path) for path in FOLDER.glob("node_modules/node-linux-*/bin/node")), "node")
SECRET = "a secret/with+signs%20and=more"


def missing():
    """Why it cannot run here, or ""."""
    if not shutil.which(NODE):
        return "needs Node.js"
    return "" if (FOLDER / "node_modules").is_dir() else "needs npm ci in tests/oidc"


class OidcProvider(Program):
    """Clients `basic`, `post` and `signed`, which signs with the key in the file client_key;
    redirect_uri holds CLIENT where the client's name comes."""

    def __init__(self, folder, redirect_uri, lifetime, push=False):
        """push: it takes pushed authorization requests alone."""
        self.ledger_path = folder / "oidc-ledger.jsonl"
        self.ledger_path.touch()
        key = folder / "oidc-key.pem"
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048",
             "-out", key], check=True, capture_output=True)
        self.client_key, public_key = make_key(folder, "ES256", "oidc-client")
        super().__init__([NODE, "server.mjs", self.ledger_path, key, redirect_uri, str(lifetime),
                          public_key, *(["push"] if push else [])], FOLDER, folder / "oidc.log")

    def lines(self, event, **facts):
        found = map(json.loads, self.ledger_path.read_text().splitlines())
        return [line for line in found if line["event"] == event
                and all(line.get(key) == value for key, value in facts.items())]

    def wait_for(self, event, count=1, timeout=20, **facts):
        """The ledger is a file of another program, so this asks again and again."""
        deadline = time.monotonic() + timeout
        while len(found := self.lines(event, **facts)) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} {event} {facts}"
            time.sleep(0.05)
        return found

"""Runs the measurements of scripts/bench and prints a table of ratios."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

build, seconds = Path(sys.argv[1]).resolve(), sys.argv[2]
CLIENTS = "8"
CONFIG = """provider static {
    grant = "static"
    api_base = "https://api.example.com"
}
"""


def load(socket, target, mode):
    done = subprocess.run([build / "tests/bench/bench-load", socket, target, CLIENTS, seconds, mode],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def wait_for(path):
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.02)


def starts(*command, count=300):
    """Seconds that one run of a command takes, the mean of many."""
    begun = time.perf_counter()
    for _ in range(count):
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - begun) / count


def compare(name, ours, bare):
    print(f"{name:34} {ours['per_second']:>9,.0f}/s {bare['per_second']:>9,.0f}/s"
          f" {ours['per_second'] / bare['per_second']:>7.2f}   p99 {ours['p99_us']} µs")


def measure(folder):
    ours, bare = folder / "api.sock", folder / "bare.sock"
    tool = build / "client/cli/tokenbroker"
    subprocess.run([tool, "--socket", ours, "import", "static/acme", "--access-token"],
                   input="x" * 300 + "\n", text=True, check=True, stdout=subprocess.DEVNULL)
    print(f"{CLIENTS} clients, {seconds} s each".ljust(34), "tokenbrokerd   bare socket   ratio")
    for mode, words in (("close", "a connection for each request"), ("keep", "kept connections")):
        compare(words, load(ours, "/v1/token/static/acme", mode), load(bare, "/", mode))
    token = starts(tool, "--socket", ours, "token", "static/acme")
    nothing = starts("/bin/true")
    print(f"{'tokenbroker token, one run':34} {token * 1e6:>8,.0f} µs {nothing * 1e6:>8,.0f} µs"
          f" {token / nothing:>7.2f}   (/bin/true)")


def main():
    with tempfile.TemporaryDirectory(prefix="tb-bench-") as name:
        folder = Path(name)
        config = folder / "tokenbroker.conf"
        config.write_text(CONFIG, encoding="utf-8")
        config.chmod(0o600)
        servers = [
            subprocess.Popen([build / "daemon/tokenbrokerd", "--config", config, "--state-dir",
                              folder / "state", "--socket", folder / "api.sock"],
                             env=os.environ | {"CACHE_DIRECTORY": str(folder / "cache")},
                             stderr=subprocess.DEVNULL),
            subprocess.Popen([build / "tests/bench/bench-bare", folder / "bare.sock"]),
        ]
        try:
            wait_for(folder / "api.sock")
            wait_for(folder / "bare.sock")
            measure(folder)
        finally:
            for server in servers:
                server.terminate()
                server.wait()


main()

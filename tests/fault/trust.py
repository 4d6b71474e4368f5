"""docs/trust.jsonl, one line for each run of scripts/torture, and docs/TRUST.md, made from it."""

import json
import subprocess
import time
from pathlib import Path

from .kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]
RUNS, PAGE = ROOT / "docs" / "trust.jsonl", ROOT / "docs" / "TRUST.md"
CODE = ("daemon", "schema")  # what the daemon is made of

_HEAD = """# Figures

What was done to the broker, how often, and what was lost. Made by `scripts/torture` from
`docs/trust.jsonl`, which has a line for each run; do not edit. The counts of all runs of the same
code of the daemon add up; a figure of older code is called stale.

| what | done | lost | found on the way | code | command |
|---|---|---|---|---|---|
"""


def _git(*arguments):
    return subprocess.run(["git", "-C", ROOT, *arguments], check=True, capture_output=True,
                          text=True).stdout.strip()


def code():
    """What stands for the daemon's code as it is committed: the ids of its folders."""
    return "-".join(_git("rev-parse", f"HEAD:{folder}")[:10] for folder in CODE)


def changed():
    """Whether the work tree's code is not what is committed."""
    return bool(_git("status", "--porcelain", "--", *CODE))


def append(outcome):
    """Adds the run's line. Of code that nobody else can have there is none."""
    line = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "commit": _git("rev-parse", "--short=10", "HEAD"), "code": code(),
            "kind": outcome.kind, "seed": outcome.seed, "count": outcome.count,
            "losses": len(outcome.losses), "seconds": round(outcome.seconds), **outcome.facts}
    with open(RUNS, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def runs():
    if not RUNS.exists():
        return []
    return [json.loads(line) for line in RUNS.read_text(encoding="utf-8").splitlines()]


_PLAIN = {"at", "commit", "code", "kind", "seed", "count", "losses", "seconds"}


def _total(lines):
    """(count, losses, further facts) of runs together."""
    facts = {}
    for line in lines:
        for name in line.keys() - _PLAIN:
            longest = name.startswith("longest")
            facts[name] = (max if longest else int.__add__)(facts.get(name, 0), line[name])
    return sum(line["count"] for line in lines), sum(line["losses"] for line in lines), facts


def _row(kind, lines, now):
    """A kind's row: of the code as it is now, else of the newest that it was tried on."""
    newest = now if any(line["code"] == now for line in lines) else lines[-1]["code"]
    same = [line for line in lines if line["code"] == newest]
    count, losses, facts = _total(same)
    found = ", ".join(f"{name}: {facts[name]:,}" for name in sorted(facts))
    return [f"{kind.what} ({kind.name}): {kind.promise}", f"{count:,}", str(losses), found,
            f"{same[-1]['commit']}" + ("" if newest == now else ", stale"),
            f"`scripts/torture --count {count} {kind.name}`"]


def stale():
    """The kinds whose figures are of older code, or that have none."""
    now = code()
    fresh = {line["kind"] for line in runs() if line["code"] == now}
    return [name for name in KINDS if name not in fresh]


def write_page():
    """Writes docs/TRUST.md anew."""
    now, lines = code(), runs()
    rows = []
    for name, kind in KINDS.items():
        own = [line for line in lines if line["kind"] == name]
        if own:
            rows.append("| " + " | ".join(_row(kind, own, now)) + " |\n")
    PAGE.write_text(_HEAD + "".join(rows), encoding="utf-8")

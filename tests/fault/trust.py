"""docs/trust.jsonl, a line for each run of scripts/torture and scripts/fuzz; docs/TRUST.md of it."""

import hashlib
import json
import subprocess
import time
from pathlib import Path

from .bench import together
from .kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]
RUNS, PAGE = ROOT / "docs" / "trust.jsonl", ROOT / "docs" / "TRUST.md"
CODE = ("daemon", "schema")  # what the daemon is made of
TARGETS = [source.stem.partition("_")[2]
           for source in sorted((ROOT / "tests" / "fuzz").glob("fuzz_*.c"))]
FUZZ = "fuzz-"  # before a target's name it is the kind of its runs
FUZZ_MINUTES = 30
COVERAGE = "coverage"

_HEAD = """# What was done to the broker, and what was lost

Each row is a kind of fault and the promise that it tries to break; *lost* is how often the promise did not
hold. Where grants are at stake the ledger of an emulated provider judges. The other columns:

- *done*: how often it was tried on this code; *wanted*: how often it has to be before anybody relies on it.
- *found on the way*: that the faults met something. Rotations are refresh tokens that were replaced; *asked
  again* are those that were sent once more, since the first answer was lost. *Residue* is what nobody can save:
  a provider that takes a refresh token once, forgives nothing, and was cut off in its only reply. *Leaks* are
  looked for by a build with sanitizers (`TOKENBROKER_BUILD=$PWD/build/asan`), at the end of each broker.
- *code*: the commit of the newest run. Runs of the same code of the daemon add up; a figure of older code is
  called stale. A fuzz target's code is what its inputs reach.
- *command*: does it again.

Made by `scripts/torture`, `scripts/fuzz` and `scripts/coverage` from `docs/trust.jsonl`, which has a line for
each run; do not edit.

| what | done | wanted | lost | found on the way | code | command |
|---|---|---|---|---|---|---|
"""


def _git(*arguments):
    return subprocess.run(["git", "-C", ROOT, *arguments], check=True, capture_output=True,
                          text=True).stdout.strip()


def code():
    """What stands for the daemon's code as it is committed: the ids of its folders."""
    return "-".join(_git("rev-parse", f"HEAD:{folder}")[:10] for folder in CODE)


def code_of(files):
    """What stands for these files as they are committed."""
    return hashlib.sha256(_git("ls-tree", "HEAD", "--", *files).encode()).hexdigest()[:10]


def changed(files=CODE):
    """Whether the work tree has something else than what is committed."""
    return bool(_git("status", "--porcelain", "--", *files))


def _write(kind, seed, **facts):
    line = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "commit": _git("rev-parse", "--short=10", "HEAD"), "kind": kind, "seed": seed, **facts}
    with open(RUNS, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def append(outcome):
    """Adds the line of a run of scripts/torture. Of code that nobody else can have there is none."""
    _write(outcome.kind, outcome.seed, code=code(), count=outcome.count,
           losses=len(outcome.losses), seconds=round(outcome.seconds), **outcome.facts)


def append_fuzzing(result, files, seed):
    """Adds the line of a fuzz target whose inputs reach these files; false where they are changed."""
    if not files or changed(files):
        return False
    _write(FUZZ + result.target, seed, code=code_of(files), covers=_by_folder(files),
           count=round(result.cpu_s), losses=int(bool(result.found)),
           executions=result.executions)
    return True


def append_coverage(counts):
    """Adds the line of a whole run of scripts/coverage: (run, there are) of "lines" and "branches"."""
    _write(COVERAGE, 0, code=code(), **counts)


def _by_folder(files):
    folders = {}
    for file in files:
        folder, _, name = file.rpartition("/")
        folders.setdefault(folder, []).append(name)
    return folders


def _covered(line):
    return [f"{folder}/{name}" for folder, names in line["covers"].items() for name in names]


def runs():
    if not RUNS.exists():
        return []
    return [json.loads(line) for line in RUNS.read_text(encoding="utf-8").splitlines()]


def fuzzed():
    """CPU seconds that each target has had since the last change to what it covers."""
    had = dict.fromkeys(TARGETS, 0)
    for line in runs():
        if "covers" in line and line["code"] == code_of(_covered(line)):
            target = line["kind"].removeprefix(FUZZ)
            had[target] = had.get(target, 0) + line["count"]
    return had


_PLAIN = {"at", "commit", "code", "kind", "seed", "count", "losses", "seconds"}


def _total(lines):
    """(count, losses, further facts) of runs together."""
    facts = {}
    for line in lines:
        facts = together(facts, {name: line[name] for name in line.keys() - _PLAIN})
    return sum(line["count"] for line in lines), sum(line["losses"] for line in lines), facts


def _row(kind, lines, now):
    """A kind's row: of the code as it is now, else of the newest that it was tried on."""
    newest = now if any(line["code"] == now for line in lines) else lines[-1]["code"]
    same = [line for line in lines if line["code"] == newest]
    count, losses, facts = _total(same)
    found = ", ".join(f"{name}: {facts[name]:,}" for name in sorted(facts))
    return [f"{kind.what} ({kind.name}): {kind.promise}", f"{count:,}", f"{kind.wanted:,}" if kind.wanted else "",
            str(losses), found, f"{same[-1]['commit']}" + ("" if newest == now else ", stale"),
            f"`scripts/torture --count {count} {kind.name}`"]


def _fuzz_row(lines):
    """All targets in a row: what counts is the one that has had least."""
    had = fuzzed()
    found = sum(line["losses"] for line in lines if line["code"] == code_of(_covered(line)))
    least = min(had.values()) // 60
    inputs = sum(line["executions"] for line in lines)
    each = ", ".join(f"{target} {seconds // 60}" for target, seconds in sorted(had.items()))
    return [f"made-up inputs under ASan and UBSan ({FUZZ.rstrip('-')}): nothing found",
            f"{least} CPU-minutes for each of {len(had)} targets", str(FUZZ_MINUTES), str(found),
            f"inputs: {inputs:,}; CPU-minutes: {each}", lines[-1]["commit"],
            f"`scripts/fuzz --cpu-minutes {FUZZ_MINUTES}`"]


def _percent(count):
    return f"{100 * count[0] / count[1]:.1f}%"


def _coverage_row(last, wanted, now):
    done = f"{_percent(last['lines'])} / {_percent(last['branches'])}"
    return ["lines / branches of the daemon and the client that the tests run", done, wanted, "", "",
            last["commit"] + ("" if last["code"] == now else ", stale"),
            "`scripts/coverage --record`"]


def stale():
    """The kinds whose figures are of older code, or that have none."""
    now = code()
    fresh = {line["kind"] for line in runs() if line["code"] == now}
    return [name for name in KINDS if name not in fresh]


def write_page():
    """Writes docs/TRUST.md anew."""
    now, lines = code(), runs()
    rows = [_row(kind, own, now) for name, kind in KINDS.items()
            if (own := [line for line in lines if line["kind"] == name])]
    if fuzzing := [line for line in lines if "covers" in line]:
        rows.append(_fuzz_row(fuzzing))
    if measured := [line for line in lines if line["kind"] == COVERAGE]:
        rows.append(_coverage_row(measured[-1], "95% / 85%", now))
    text = "".join("| " + " | ".join(row) + " |\n" for row in rows)
    PAGE.write_text(_HEAD + text, encoding="utf-8")

"""The bench counts what was done, and hides no loss."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from fault import trust
from fault.bench import Outcome, run_kind
from fault.kinds import KINDS, Kind
from fuzz.campaign import Result

ROOT = Path(__file__).resolve().parents[2]
COUNT, SHARE, JOBS, SEED = 25, 10, 2, 7


def kind(run):
    return Kind("some", "a thing", "nothing happens", run, SHARE, COUNT)


def fine(count, chance, progress):
    for _ in range(count):
        progress(1)
    return {"drawn": chance.randrange(1000), "longest": count}


def loses(count, chance, progress):
    progress(1)
    assert count != SHARE, "it is gone"
    return {}


def test_counts_and_facts_add_up():
    outcome = run_kind(kind(fine), COUNT, JOBS, SEED)
    assert (outcome.count, outcome.losses, outcome.facts["longest"]) == (COUNT, [], SHARE)


def test_the_same_seed_draws_the_same():
    drawn = [run_kind(kind(fine), COUNT, jobs, SEED).facts["drawn"] for jobs in (1, 2)]
    assert drawn[0] == drawn[1] != run_kind(kind(fine), COUNT, JOBS, SEED + 1).facts["drawn"]


def test_a_loss_is_told_and_the_rest_goes_on():
    outcome = run_kind(kind(loses), COUNT, JOBS, SEED)
    assert len(outcome.losses) == 2 and all("it is gone" in loss for loss in outcome.losses)
    assert outcome.count == 3


def test_nothing_is_begun_after_the_end():
    def slow(count, chance, progress):
        time.sleep(1)
        return fine(count, chance, progress)
    outcome = run_kind(kind(slow), 10 * SHARE, 1, SEED, until=time.monotonic())
    assert outcome.count <= SHARE


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.setattr(trust, "RUNS", tmp_path / "trust.jsonl")
    monkeypatch.setattr(trust, "PAGE", tmp_path / "TRUST.md")
    monkeypatch.setattr(trust, "code", lambda: "now")
    name = next(iter(KINDS))

    def write(code, count, losses=0, **facts):
        line = {"at": "", "commit": "c" + code, "code": code, "kind": name, "seed": 1,
                "count": count, "losses": losses, "seconds": 1, **facts}
        with trust.RUNS.open("a") as file:
            file.write(json.dumps(line) + "\n")

    write.kind = name
    return write


def row():
    trust.write_page()
    return trust.PAGE.read_text().splitlines()[-1]


def test_runs_of_the_same_code_add_up(book):
    book("old", 1000)
    book("now", 200, 1, rotations=5)
    book("now", 300, 0, rotations=6)
    assert "| 500 | 10,000 | 1 | rotations: 11 | cnow |" in row()
    assert book.kind not in trust.stale() and len(trust.stale()) == len(KINDS) - 1


def test_older_code_is_stale(book):
    book("old", 1000)
    assert "| 1,000 | 10,000 | 0 |  | cold, stale |" in row()
    assert book.kind in trust.stale()


def test_a_run_is_appended(book):
    trust.append(Outcome(book.kind, 10, SEED, 9, 1.4, {"rotations": 3}, ["one"]))
    line = trust.runs()[0]
    assert {name: line[name] for name in ("count", "losses", "seed", "rotations", "code")} == {
        "count": 9, "losses": 1, "seed": SEED, "rotations": 3, "code": "now"}


def fuzzing(book, files=("daemon/base/json.c", "client/decode.c"), cpu_s=600.4, found=""):
    del book
    result = Result("json", cpu_s, 1000, 50, found)
    return trust.append_fuzzing(result, list(files), SEED)


def test_fuzzing_counts_while_what_it_covers_stays(book, monkeypatch):
    assert fuzzing(book) and fuzzing(book, cpu_s=1200)
    assert trust.fuzzed()["json"] == 1800 and trust.fuzzed()["push"] == 0
    ids = trust.code_of
    monkeypatch.setattr(trust, "code_of", lambda files: ids([*files, "README.md"]))
    assert trust.fuzzed()["json"] == 0


def test_the_least_fuzzed_target_is_the_figure(book, monkeypatch):
    monkeypatch.setattr(trust, "TARGETS", ["json", "push"])
    fuzzing(book, cpu_s=1900, found="a crash")
    assert "| 0 CPU-minutes for each of 2 targets | 30 | 1 | inputs: 1,000; " \
        "CPU-minutes: json 31, push 0 |" in row()


def test_coverage_is_the_last_run_s(book):
    del book
    trust.append_coverage({"lines": [90, 100], "branches": [80, 100]})
    trust.append_coverage({"lines": [951, 1000], "branches": [85, 100]})
    assert "| 95.1% / 85.0% | 95% / 85% |" in row() and "stale" not in row()


@pytest.mark.parametrize("files", [[], ["daemon/base/json.c"]])
def test_code_that_nobody_has_is_not_counted(book, monkeypatch, files):
    monkeypatch.setattr(trust, "changed", lambda files: True)
    assert not fuzzing(book, files) and not trust.runs()


def test_the_page_is_the_runs_own():
    """docs/TRUST.md as it is in the tree shows every kind that docs/trust.jsonl has."""
    text = trust.PAGE.read_text() if trust.PAGE.exists() else ""
    for one in {line["kind"] for line in trust.runs()}:
        assert f"({one})" in text or one.removeprefix(trust.FUZZ) in text or \
            f"scripts/{one}" in text


def test_a_missing_build_is_no_loss(tmp_path):
    """Nothing is begun, so nothing is recorded."""
    before = (ROOT / "docs/trust.jsonl").read_bytes()
    done = subprocess.run(
        [ROOT / "scripts/torture", "--no-build", "--count", "1", "kill-revoke"],
        env={**os.environ, "TOKENBROKER_BUILD": str(tmp_path)}, capture_output=True, text=True,
        check=False)
    assert done.returncode == 1 and "leave --no-build out" in done.stderr and not done.stdout
    assert (ROOT / "docs/trust.jsonl").read_bytes() == before

"""docs/PROVIDERS.md: each of its rows names a test that is there, and no key is forgotten."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/PROVIDERS.md").read_text(encoding="utf-8")
_TEST = re.compile(r"`(test_\w+\.(?:py|c))(?:::(\w+(?:\[[^`\]]*\])?))?`")


def _rows():
    """Every table row below its head."""
    return [line for line in TEXT.splitlines()
            if line.startswith("| ") and "shown by" not in line]


ROWS = _rows()


@pytest.fixture(scope="module")
def collected():
    """Every test of the files that are named, as pytest names it: with parameters and without."""
    names = sorted({name for name, _ in _TEST.findall(TEXT) if name.endswith(".py")})
    done = subprocess.run(
        ["/usr/bin/python3", "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider",
         "-p", "no:xdist", *names], cwd=Path(__file__).parent, capture_output=True, text=True,
        check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    nodes = {line.removeprefix("integration/") for line in done.stdout.splitlines()
             if "::" in line}
    return nodes | {node.partition("[")[0] for node in nodes} | set(names)


def _exists(collected, file, test):
    if file.endswith(".py"):
        return (f"{file}::{test}" if test else file) in collected
    return any(not test or f"{test}(" in path.read_text(encoding="utf-8")
               for path in (ROOT / "tests/unit").rglob(file))


def test_rows_are_found():
    assert len(ROWS) > 90


def test_each_row_is_shown(collected):
    for row in ROWS:
        named = _TEST.findall(row)
        assert named, row
        missing = [f"{file}::{test}" for file, test in named if not _exists(collected, file, test)]
        assert not missing, f"{missing} in {row}"


def test_a_missing_one_is_noticed(collected):
    assert not _exists(collected, "test_columns.py", "test_column[zenhr]")
    assert not _exists(collected, "test_columns.py", "test_colum")
    assert not _exists(collected, "test_values.c", "no_such_function")


def test_every_way_is_listed(collected):
    """A variant that has a test has a row."""
    ways = [node.partition("[")[2] for node in collected
            if node.startswith("test_columns.py::test_column[")]
    unlisted = [way for way in ways
                if f"::test_column[{way}`" not in TEXT and f"::test_denial[{way}`" not in TEXT]
    assert ways and not unlisted


def test_every_key_is_listed():
    source = (ROOT / "daemon/settings/provider_keys.c").read_text(encoding="utf-8")
    table = source[source.index("keys[] = {"):]
    keys = re.findall(r'(?:\w+\(|\.name = )"(\w+)"', table[:table.index("};")])
    assert len(keys) > 30
    part = TEXT.partition("## The keys of a provider")[2]
    assert not [key for key in keys if f"`{key}`" not in part]


def test_every_preset_is_listed():
    for preset in ROOT.glob("config/providers/*.conf"):
        assert f"`{preset.stem}`" in TEXT, preset.stem

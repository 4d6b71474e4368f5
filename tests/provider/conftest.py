"""Fixtures for the emulators' own tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from harness.emulator import Emulator  # noqa: E402
from provider.testclient import RightClient  # noqa: E402

REDIRECT = "https://client.example/callback"


@pytest.fixture
def client(tmp_path):
    """Makes a client that does everything as its provider wants it: client("gusto", …)."""
    made = []

    def make(name, *variants, **changes):
        emulator = Emulator(tmp_path, name, *variants)
        made.append(emulator)
        emulator.register(REDIRECT)
        if changes:
            emulator.configure(**changes)
        return RightClient(emulator, REDIRECT)

    yield make
    for emulator in made:
        emulator.stop()

"""Providers and a daemon of one's own that last for more than one test."""

import tempfile
from contextlib import contextmanager
from pathlib import Path

from .daemon import Daemon
from .emulator import Emulator


@contextmanager
def emulators(folder):
    """A function that makes emulated providers; they end with the context."""
    made = []

    def make(name="plain", *variants, **more):
        place = folder / f"provider{len(made)}"
        place.mkdir()
        made.append(Emulator(place, name, *variants, **more))
        return made[-1]

    try:
        yield make
    finally:
        for one in made:
            one.stop()


@contextmanager
def plain_broker(schema):
    """A started daemon with the provider `plain`, which is its member of that name."""
    with tempfile.TemporaryDirectory(prefix="tb-") as name, emulators(Path(name)) as make:
        one = Daemon(Path(name), schema)
        one.plain = make("plain")
        try:
            yield one.with_provider("plain", one.plain).start()
        finally:
            one.close()

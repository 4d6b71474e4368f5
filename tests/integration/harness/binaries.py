"""Where the programs under test are: TOKENBROKER_BUILD, or build/ of this tree."""

import os
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("TOKENBROKER_BUILD", _ROOT / "build")).resolve()

DAEMON = BUILD / "daemon" / "tokenbrokerd"


def command():
    """The command-line client."""
    for place in ("client/tokenbroker", "client/cli/tokenbroker"):
        if (BUILD / place).exists():
            return BUILD / place
    raise FileNotFoundError(f"no command in {BUILD}")


@cache
def sanitized():
    """Whether the daemon looks for its own leaks and overruns."""
    return b"__asan_init" in DAEMON.read_bytes()

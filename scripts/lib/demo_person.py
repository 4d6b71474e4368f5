"""A scripted person: opens the link of a login and presses Allow."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "integration"))

# pylint: disable=wrong-import-position
from harness.person import Person  # noqa: E402


def main():
    page = Person().consent(sys.argv[1])
    if page.status != 200:
        print(f"{page.url} answered {page.status}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())

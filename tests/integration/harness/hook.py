"""What a hook of the tests has written down: a JSON object a line."""

import json
import time


def wait_for_lines(path, count, timeout=15):
    """All that it has, once there are so many."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= count:
            return [json.loads(line) for line in lines]
        time.sleep(0.05)
    raise AssertionError(f"{path.name} has not {count} lines after {timeout} s")

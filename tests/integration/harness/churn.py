"""Requests of somebody who may not, under a churn of processes: harness/churn.c."""

import os
import re
import subprocess

from .binaries import BUILD

COUNT = int(os.environ.get("TOKENBROKER_TEST_CHURN", "2000"))


def churn(socket, account, uid, cgroup=None, count=COUNT):
    """{"asked", "refused", "tokens", "numbers"}: how many requests, what they came to, and how often
    the number of the process that connected was taken by one in the cgroup."""
    command = [BUILD / "tests" / "churn", socket, account, str(uid), str(count)]
    done = subprocess.run(command + ([cgroup] if cgroup else []), check=True, capture_output=True,
                          text=True, timeout=1800)
    return {name: int(value) for name, value in re.findall(r"(\w+) (\d+)", done.stdout)}

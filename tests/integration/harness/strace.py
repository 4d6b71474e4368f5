"""A daemon whose system calls are slow, or fail, by strace."""

import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")


@contextmanager
def injected(process, calls, fault):
    """These calls ("fsync,fdatasync") have the fault ("error=EIO") for as long as the context."""
    with subprocess.Popen(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(process.pid), "-e",
             f"trace={calls}", "-e", f"inject={calls}:{fault}"]) as tracer:
        try:
            _wait_traced(process.pid)
            yield
        finally:
            tracer.terminate()


def slow_syncs(process, seconds):
    return injected(process, "fsync,fdatasync", f"delay_enter={seconds * 1000000}")


def _wait_traced(pid):
    """Until strace holds every thread; /proc alone tells."""
    tasks = list(Path(f"/proc/{pid}/task").iterdir())
    deadline = time.monotonic() + 10
    while any("TracerPid:\t0\n" in (task / "status").read_text() for task in tasks):
        assert time.monotonic() < deadline
        time.sleep(0.02)

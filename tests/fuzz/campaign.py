"""Fuzz targets run side by side, for a time or until each has had enough; counts CPU time."""

import os
import re
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

AT_ONCE = 2
SLICE_S = 600  # of the wall clock: most of a short one goes into reading the corpus again
MEMORY_MB = 1024  # a target's, the sanitizers' own among it
ALLOCATION_MB = 8  # one allocation: no cap of the code is above
ONE_INPUT_S = 10  # longer than that is a finding too
PATIENCE_S = 600  # for what is not fuzzing: reading the corpus on a busy machine, the report of leaks

_SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=16:handle_abort=1",
               "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
_RUNS = re.compile(r"^stat::number_of_executed_units: *(\d+)", re.M)
_EDGES = re.compile(r" cov: (\d+) ")
_FOUND = re.compile(r"broken: .*|ERROR: \w*Sanitizer: [a-z-]*|runtime error: .*|ERROR: libFuzzer: .*")
_COVERED = re.compile(r"^COVERED_FUNC: .* (\S+):\d+$", re.M)


@dataclass
class Result:
    """What became of a target. `found` says in a line what was found first; empty: nothing."""

    target: str
    cpu_s: float = 0
    executions: int = 0
    edges: int = 0
    found: str = ""


class Campaign:
    """Runs of one build. Reports and the inputs of earlier runs lie in `work`."""

    def __init__(self, root, seed):
        self._root, self._seed = Path(root), seed
        self._built = self._root / "build/fuzz/tests/fuzz"
        self._work = self._root / "tests/artefacts/fuzz"
        self.findings = self._work / "findings"
        self._running = set()
        self._ended = threading.Event()

    def run(self, targets, enough, seconds=SLICE_S):
        """Slices of `seconds` for each target until enough(result); yields results as they end."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            waiting = [pool.submit(self._target, target, enough, seconds) for target in targets]
            for one in waiting:
                yield one.result()

    def end(self):
        """Every target ends after the input it is at; what was done counts."""
        self._ended.set()
        for process in list(self._running):
            process.send_signal(signal.SIGINT)

    def covers(self, target):
        """The sources of which the target's inputs reach a function, relative to the root."""
        process = subprocess.run(
            [self._program(target), "-runs=0", "-print_coverage=1", *self._corpora(target)],
            env={**os.environ, **_SANITIZERS}, capture_output=True, text=True, check=False)
        files = {os.path.relpath(os.path.normpath(file), self._root)
                 for file in _COVERED.findall(process.stderr)}
        return sorted(file for file in files if file.startswith(("daemon/", "client/")))

    def _program(self, target):
        return str(self._built / f"fuzz-{target}")

    def _corpora(self, target):
        """The inputs of earlier runs stand beside those of the repository, which stay as they are."""
        folders = self._work / target, self._root / "tests/fuzz/corpus" / target
        for folder in (*folders, self.findings):
            folder.mkdir(parents=True, exist_ok=True)
        return [str(folder) for folder in folders]

    def _target(self, target, enough, seconds):
        result = Result(target)
        while not result.found and not self._ended.is_set() and not enough(result):
            self._slice(result, seconds)
        return result

    def _slice(self, result, seconds):
        log = self._work / f"{result.target}.log"
        command = [self._program(result.target), f"-max_total_time={seconds}",
                   f"-seed={self._seed}", f"-timeout={ONE_INPUT_S}", f"-rss_limit_mb={MEMORY_MB}",
                   f"-malloc_limit_mb={ALLOCATION_MB}", "-print_final_stats=1",
                   f"-artifact_prefix={self.findings}/{result.target}-",
                   *self._corpora(result.target)]
        with open(log, "wb") as file, subprocess.Popen(
                command, env={**os.environ, **_SANITIZERS}, stdout=file, stderr=file) as process:
            self._running.add(process)
            status = self._wait(process, seconds + PATIENCE_S, result)
            self._running.discard(process)
        self._read(result, log.read_text(errors="replace"), status)

    def _wait(self, process, patience_s, result):
        """Waits itself: this tells the CPU time of this one target."""
        killer = threading.Timer(patience_s, process.kill)
        killer.start()
        _, status, usage = os.wait4(process.pid, 0)
        killer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        result.cpu_s += usage.ru_utime + usage.ru_stime
        return process.returncode

    def _read(self, result, text, status):
        if runs := _RUNS.findall(text):
            result.executions += int(runs[-1])
        if edges := _EDGES.findall(text):
            result.edges = int(edges[-1])
        found = _FOUND.search(text)
        if found or (status and not self._ended.is_set()):
            result.found = found.group() if found else f"ended with exit code {status}"


def once():
    """Enough is one slice."""
    return lambda result: result.cpu_s > 0


def until(cpu_s, had):
    """Enough is so much CPU time, with what the target had before."""
    return lambda result: had.get(result.target, 0) + result.cpu_s >= cpu_s


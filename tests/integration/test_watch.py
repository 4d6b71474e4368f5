"""`tokenbroker watch`: the events as lines."""

import json
import os
import signal
import subprocess
import threading
import time

import pytest

from harness.binaries import command
from harness.logins import log_in

ACCOUNT = "plain/acme"


class Watch:
    """The command at work; its lines as they come."""

    def __init__(self, daemon, *arguments):
        self.process = subprocess.Popen(
            [str(command()), "watch", *arguments], text=True, bufsize=1,
            env={"PATH": "/usr/bin:/bin", "HOME": str(daemon.folder), "TZ": "UTC",
                 "TOKENBROKER_SOCKET": str(daemon.socket)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines, self.said = [], []
        self._threads = [threading.Thread(target=self._read, args=pair, daemon=True)
                         for pair in ((self.process.stdout, self.lines),
                                      (self.process.stderr, self.said))]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))

    def wait_for(self, text, lines=None, timeout=20):
        deadline = time.monotonic() + timeout
        lines = self.lines if lines is None else lines
        while not (found := [line for line in lines if text in line]):
            assert time.monotonic() < deadline, f"no {text!r}: {self.lines} {self.said}"
            time.sleep(0.02)
        return found[0]

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        status = self.process.wait(10)
        for thread in self._threads:
            thread.join(10)
        return status


@pytest.fixture
def watch(broker, api):
    """watch("--json"): the command, once it follows."""
    started = []

    def begin(*arguments):
        before = followers(api)
        started.append(Watch(broker, *arguments))
        deadline = time.monotonic() + 10
        while followers(api) == before:
            assert time.monotonic() < deadline, started[-1].said
            time.sleep(0.02)
        return started[-1]
    yield begin
    for one in started:
        if one.process.poll() is None:
            one.end()


def followers(api):
    text = api.request("GET", "/metrics").text
    return text.partition("\ntokenbroker_event_followers ")[2].partition("\n")[0]


def test_one_line_an_event(broker, api, person, watch):
    watched = watch()
    log_in(api, person, ACCOUNT)
    line = watched.wait_for("login_granted")
    assert line.split()[1:3] == ["login_granted", f"{ACCOUNT}:"] and len(line) <= 80
    assert line[2] == line[5] == ":"
    assert watched.end() == -signal.SIGINT
    assert watched.said == [], "it ends without a word"


def test_json_and_a_filter(broker, api, plain, watch):
    for name in ("acme", "other"):
        broker.grant(plain, f"plain/{name}")
    watched = watch("plain/o*", "--json")
    api.refresh(ACCOUNT).ok()
    api.refresh("plain/other").ok()
    event = json.loads(watched.wait_for("refreshed"))
    assert event["account"] == "plain/other" and len(watched.lines) == 1


def test_over_a_restart(broker, api, plain, watch):
    broker.grant(plain, ACCOUNT)
    watched = watch()
    broker.restart()
    watched.wait_for("waiting for it", watched.said)
    watched.wait_for("answers again", watched.said)
    watched.wait_for(" lost ")
    api.refresh_allowed(ACCOUNT).ok()
    watched.wait_for("refreshed")


def test_over_a_crash(broker, api, plain, watch):
    broker.grant(plain, ACCOUNT)
    watched = watch()
    broker.kill()
    watched.wait_for("waiting for it", watched.said)
    broker.start()
    watched.wait_for("answers again", watched.said)


def test_a_reader_that_leaves_ends_it(broker, api, plain):
    broker.grant(plain, ACCOUNT)
    reader, writer = os.pipe()
    process = subprocess.Popen([str(command()), "--socket", str(broker.socket), "watch"],
                               stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    os.close(reader)
    deadline = time.monotonic() + 10
    while process.poll() is None:
        assert time.monotonic() < deadline
        api.refresh_allowed(ACCOUNT).ok()
    assert b"Sanitizer" not in process.stderr.read()
    process.stderr.close()


def test_refusals_are_said(broker, cli):
    bad = cli.run("watch", "a b")
    assert bad.returncode == 2 and "glob" in bad.stderr
    none = cli.run("--socket", "/nowhere", "watch")
    assert none.returncode == 7

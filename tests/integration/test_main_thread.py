"""The main thread's own duties: the service manager's watchdog and the hook for events."""

import signal
import time

import pytest

from harness.daemon import await_end
from harness.hook import wait_for_lines


def test_watchdog_is_fed_while_the_front_answers(daemon):
    daemon.environment["WATCHDOG_USEC"] = "600000"
    daemon.start()
    for _ in range(3):
        daemon.notices.wait_for("WATCHDOG=1", daemon.process, timeout=2)


@pytest.mark.slow
def test_watchdog_is_fed_while_commands_take_their_time(daemon, plain, folder):
    """A reload runs them one after the other: it is no hang, however many there are."""
    command, slow = folder / "secret", folder / "slow"
    command.write_text(f"#!/bin/sh\ntest -e {slow} && sleep 1\necho {'s' * 20}\n")
    command.chmod(0o700)
    for number in range(4):
        daemon.with_provider(f"p{number}", plain, client_secret=f"command:{command}")
    daemon.environment["WATCHDOG_USEC"] = "1500000"
    daemon.start()
    slow.touch()
    daemon.process.send_signal(signal.SIGHUP)
    time.sleep(0.6)
    daemon.notices.drain()
    for _ in range(2):
        daemon.notices.wait_for("WATCHDOG=1", daemon.process, timeout=1.5)
    daemon.notices.wait_for("READY=1", daemon.process, timeout=10)


@pytest.mark.parametrize("during", ["start", "reload"])
def test_a_stop_waits_for_one_command_at_most(daemon, plain, folder, during):
    """Else many of them would take the time that a provider's last answer may need."""
    command, slow, ran = folder / "secret", folder / "slow", folder / "ran"
    command.write_text(f"#!/bin/sh\ntest -e {slow} && echo >>{ran} && sleep 1\necho {'s' * 20}\n")
    command.chmod(0o700)
    for number in range(5):
        daemon.with_provider(f"p{number}", plain, client_secret=f"command:{command}")
    if during == "reload":
        daemon.start()
    slow.touch()
    if during == "reload":
        daemon.process.send_signal(signal.SIGHUP)
    else:
        daemon.spawn()
    while not ran.exists():
        time.sleep(0.02)
    daemon.process.send_signal(signal.SIGTERM)
    assert await_end(daemon.process, 20) == 0
    assert ran.read_text() == "\n"
    assert "error" not in daemon.log()


def test_says_that_it_stops(daemon):
    daemon.start()
    daemon.process.send_signal(signal.SIGTERM)
    daemon.notices.wait_for("STOPPING=1", daemon.process, timeout=5)
    assert daemon.process.wait(10) == 0


def write_hook(folder):
    """A program that keeps its standard input and its environment."""
    hook = folder / "hook"
    hook.write_text(f"#!/bin/sh\nenv >{folder}/hook-env\ncat >>{folder}/events\n")
    hook.chmod(0o700)
    return hook


@pytest.mark.slow
def test_hook_hears_of_a_dead_grant(daemon, plain, folder, api):
    daemon.config.broker["on_event"] = str(write_hook(folder))
    daemon.environment["CANARY"] = "must-not-be-inherited"
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, "plain/acme")
    plain.revoke("acme")
    assert api.token("plain/acme", wait=20).error == "consent_required"
    (event,) = wait_for_lines(folder / "events", 1)
    assert event["event"] == "consent_required"
    assert event["account"] == "plain/acme"
    assert event["provider"] == "plain"
    environment = (folder / "hook-env").read_text()
    assert "CANARY" not in environment and "NOTIFY_SOCKET" not in environment


@pytest.mark.slow
def test_a_missing_hook_is_said_and_harms_nothing(daemon, plain, folder, api):
    """Before it is needed, and then."""
    daemon.config.broker["on_event"] = str(folder / "not-there")
    daemon.with_provider("plain", plain).start()
    assert daemon.log().count("not-there cannot be started: No such file") == 1
    daemon.grant(plain, "plain/acme")
    plain.revoke("acme")
    assert api.token("plain/acme", wait=20).error == "consent_required"
    assert api.health().status == 200
    daemon.wait_log("not-there cannot be started for consent_required")


def test_what_the_end_keeps_from_the_hook_is_in_the_log(daemon, plain, folder, api):
    """It is told once only: no row of the store says it."""
    hook = folder / "hook"
    hook.write_text(f"#!/bin/sh\ncat >>{folder}/events\nsleep 20\n")
    hook.chmod(0o700)
    daemon.config.broker["on_event"] = str(hook)
    plain.configure(client_secret="the next secret")
    daemon.with_provider("plain", plain, client_secret_next="the next secret").start()
    daemon.grant(plain, "plain/acme")
    api.token("plain/acme").ok()
    wait_for_lines(folder / "events", 1)
    daemon.stop()
    assert "the program was ended for client_secret_changed plain" in daemon.log()

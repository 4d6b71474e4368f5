"""`tokenbroker doctor`: what it finds, and what it says to do."""

import json
import os
import socket
import time

import pytest

from harness.binaries import DAEMON

ACCOUNT = "plain/acme"


@pytest.fixture
def doctor(cli, folder):
    """doctor(): (exit code, findings by what they are about)."""
    def look(*options):
        done = cli.run(*options, "doctor", "--json", environment={
            "PATH": f"{DAEMON.parent}:/usr/bin:/bin", "XDG_CONFIG_HOME": str(folder / "config")})
        found = {}
        for finding in json.loads(done.stdout)["findings"]:
            assert finding["verdict"] == "ok" or finding["about"]
            found.setdefault(finding["about"], []).append(finding)
        return done.returncode, found
    return look


def verdicts(findings):
    return {finding["verdict"] for finding in findings}


def test_all_is_well_with_the_broker(broker, plain, doctor):
    broker.grant(plain, ACCOUNT)
    _, found = doctor()
    for about in ("broker", "store", "provider", "callback", "accounts", "clock"):
        assert verdicts(found[about]) == {"ok"}, found[about]
    assert str(broker.socket) in found["broker"][0]["text"]
    assert "1 have all they need" in found["accounts"][0]["text"]
    assert any(str(broker.socket) in one["text"] for one in found["socket"])


def test_no_broker(doctor):
    code, found = doctor("--socket", "/nowhere/api.sock")
    assert code == 1
    assert verdicts(found["broker"]) == {"fail"} and "systemctl" in found["broker"][0]["advice"]
    assert "provider" not in found


@pytest.mark.slow
def test_an_account_that_needs_a_person(broker, api, plain, doctor):
    broker.grant(plain, ACCOUNT)
    plain.revoke("acme")
    assert api.token(ACCOUNT, wait=20).error == "consent_required"
    code, found = doctor()
    assert code == 1
    (finding,) = found["account"]
    assert finding["verdict"] == "fail" and finding["advice"] == f"tokenbroker login {ACCOUNT}"
    assert "invalid_grant" in finding["text"]


@pytest.mark.slow
def test_a_grant_that_dies_soon(broker, api, plain, doctor):
    broker.config.providers["plain"]["refresh_token_lifetime"] = "20s"
    broker.reload()
    broker.grant(plain, ACCOUNT)
    api.refresh(ACCOUNT).ok()
    assert "account" not in doctor()[1]
    deadline = time.monotonic() + 19
    while "account" not in (found := doctor()[1]):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    (finding,) = found["account"]
    assert finding["verdict"] == "warn" and finding["advice"] == f"tokenbroker login {ACCOUNT}"
    assert "dies in" in finding["text"]


def test_a_paused_provider(broker, api, plain, doctor):
    broker.grant(plain, ACCOUNT)
    plain.configure(client_secret="another")
    api.refresh(ACCOUNT)
    code, found = doctor()
    assert code == 1 and verdicts(found["provider"]) == {"fail"}
    assert "client_secret" in found["provider"][0]["advice"]
    assert "invalid_client" in found["provider"][0]["text"]


def test_a_callback_that_another_holds(daemon, plain, doctor):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", daemon.port))
        holder.listen()
        daemon.with_provider("plain", plain).start()
        daemon.api.login(ACCOUNT)
        code, found = doctor()
    assert code == 1 and verdicts(found["callback"]) == {"fail"}
    assert str(daemon.port) in found["callback"][0]["text"]


@pytest.mark.skipif(os.getuid() == 0, reason="root's are the system's folders")
def test_a_state_folder_that_others_can_enter(broker, doctor, folder):
    state = folder / ".local/state/tokenbroker"
    state.mkdir(parents=True, mode=0o755)
    state.chmod(0o755)
    _, found = doctor()
    assert verdicts(found["state"]) == {"fail"} and "0700" in found["state"][0]["advice"]


def test_a_person_reads_it(broker, cli):
    done = cli.run("doctor")
    lines = done.stdout.splitlines()
    assert any(line.startswith("ok") and "broker: " in line for line in lines)
    assert "to look at" in done.stderr

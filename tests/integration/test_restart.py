"""What a stop, a start and a reload keep."""

import errno
import os
import signal
import socket
import time

import pytest

from harness.daemon import Daemon
from harness.logins import start

ACCOUNT = "plain/acme"


def test_token_survives(broker, api, plain):
    broker.grant(plain, ACCOUNT)
    token = api.token(ACCOUNT).ok()
    broker.restart()
    again = api.token(ACCOUNT).ok()
    assert again["access_token"] == token["access_token"]
    assert abs(again["expires_at"] - token["expires_at"]) <= 1
    assert len(plain.ledger.token_requests()) == 1


def test_account_survives_a_kill(broker, api, plain):
    broker.grant(plain, ACCOUNT)
    token = api.token(ACCOUNT).ok()
    before = api.account(ACCOUNT).ok()
    broker.kill()
    broker.start()
    after = api.account(ACCOUNT).ok()
    for volatile in ("expires_in",):
        before.pop(volatile), after.pop(volatile)
    assert after == before
    assert api.token(ACCOUNT).ok()["access_token"] == token["access_token"]


def test_schedule_survives(broker, api, plain):
    plain.configure(lifetime=4)
    broker.grant(plain, ACCOUNT)
    api.token(ACCOUNT).ok()
    broker.restart()
    plain.ledger.wait_for("refresh", 2, outcome="accepted")


def test_rejection_survives(broker, api, plain):
    broker.grant(plain, ACCOUNT)
    token = api.token(ACCOUNT).ok()["access_token"]
    plain.fault("http500")
    api.reject(ACCOUNT, access_token=token).ok()
    broker.kill()
    broker.start()
    assert api.token(ACCOUNT, wait=1).status in (503, 504)
    plain.clear_faults()
    api.retry(ACCOUNT).ok()
    assert api.token(ACCOUNT, wait=20).ok()["access_token"] != token


def test_logins_die(broker, api):
    started = start(api, ACCOUNT)
    broker.restart()
    assert api.follow(started["login_id"]).status == 404


def test_flight_is_finished_at_a_stop(broker, api, plain):
    """What is under way to a provider is waited for and made durable."""
    broker.grant(plain, ACCOUNT)
    plain.fault("delay", seconds=1)
    api.token(ACCOUNT, wait=0)
    plain.ledger.wait_for("fault")
    broker.restart()
    assert plain.ledger.count("refresh", outcome="accepted") == 1
    plain.clear_faults()
    assert api.token(ACCOUNT).status == 200
    assert len(plain.ledger.token_requests()) == 1


@pytest.mark.slow
def test_slow_reply_is_not_thrown_away_at_a_stop(broker, api, plain):
    """The provider has spent the old refresh token: the reply holds the only one that is left. One
    who is impatient costs nobody a grant either."""
    plain.configure(rotation="strict")
    broker.grant(plain, ACCOUNT)
    plain.fault("delay-after", seconds=8, times=1)
    assert api.token(ACCOUNT, wait=0).error == "timeout"
    plain.ledger.wait_for("fault")
    broker.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    broker.restart()
    api.refresh_allowed(ACCOUNT).ok()
    assert plain.ledger.count("refresh", outcome="accepted") == 2
    assert not plain.ledger.lines("refresh", outcome="refused")
    assert "is waited for" in broker.log()


def test_a_stop_that_waits_keeps_no_address(broker, api, plain, schema):
    """Nobody is behind the sockets any more: who comes is refused at once, or served by another."""
    broker.grant(plain, ACCOUNT)
    plain.fault("hold-after", times=1)
    assert api.token(ACCOUNT, wait=0).error == "timeout"
    plain.ledger.wait_for("fault")
    broker.process.send_signal(signal.SIGTERM)
    broker.wait_log("is waited for")
    for family, address in ((socket.AF_UNIX, str(broker.socket)),
                            (socket.AF_INET, ("127.0.0.1", broker.port))):
        with socket.socket(family) as client:
            assert client.connect_ex(address) in (errno.ENOENT, errno.ECONNREFUSED)
    (broker.folder / "second").mkdir()
    second = Daemon(broker.folder / "second", schema).with_provider("plain", plain)
    second.socket, second.config.callback["listen"] = broker.socket, broker.config.callback["listen"]
    second.start()
    assert broker.running
    plain.clear_faults()
    broker.stop()
    health = api.health().ok()
    assert health["store"]["ok"] and all(one["bound"] for one in health["callback"])
    second.close()
    broker.start()
    api.refresh_allowed(ACCOUNT).ok()
    assert {line["outcome"] for line in plain.ledger.lines("refresh")} == {"accepted"}


def test_reload_adds_and_removes_providers(broker, api, plain, emulator):
    other = emulator("plain")
    broker.grant(plain, ACCOUNT)
    assert api.token("other/acme").error == "unknown_provider"
    broker.with_provider("other", other)
    broker.reload()
    broker.grant(other, "other/acme")
    assert api.token("other/acme").status == 200
    del broker.config.providers["plain"]
    broker.reload()
    assert api.token(ACCOUNT).error == "unknown_provider"


def test_a_changed_grant_keeps_the_refresh_tokens(daemon, api, emulator):
    """A person's grant outlives a section that says client_credentials for a while."""
    plain = emulator("plain", "clients-own")
    plain.configure(rotation="strict")
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, ACCOUNT)
    api.token(ACCOUNT).ok()
    persons = daemon.config.providers["plain"]
    daemon.config.providers["plain"] = persons | {"grant": "client_credentials",
                                                  "redirect_uri": None}
    daemon.reload()
    api.refresh_allowed(ACCOUNT).ok()
    assert plain.ledger.count("client_credentials", outcome="accepted") == 1
    daemon.config.providers["plain"] = persons
    daemon.reload()
    api.refresh_allowed(ACCOUNT).ok()
    assert plain.ledger.count("refresh", outcome="accepted") == 2
    assert plain.call(api.token(ACCOUNT).ok())[1]["user"] == "acme"


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
        user, system = stat.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
def test_a_section_that_becomes_static_keeps_the_refresh_tokens(broker, api, plain):
    """Nothing can be sent then: that is said, and costs nothing; it works when it is put back."""
    plain.configure(lifetime=4, rotation="strict")
    broker.grant(plain, ACCOUNT)
    api.token(ACCOUNT).ok()
    persons = broker.config.providers["plain"]
    broker.config.providers["plain"] = {"grant": "static"}
    broker.reload()
    time.sleep(4)  # it has been due for a while
    for _ in range(2):
        refused = api.token(ACCOUNT)
        assert refused.error == "provider_rejected"
        assert ACCOUNT in refused.text and "static" in refused.text and "import" in refused.text
        broker.restart()
    begun = cpu_seconds(broker.process)
    time.sleep(1)
    assert cpu_seconds(broker.process) - begun < 0.3
    assert plain.ledger.count("refresh") == 1
    broker.config.providers["plain"] = persons
    broker.reload()
    plain.ledger.wait_for("refresh", 2, outcome="accepted")  # unasked
    assert api.token(ACCOUNT).status == 200


def test_bad_file_changes_nothing(broker, api, plain):
    broker.grant(plain, ACCOUNT)
    broker.config.extra = "provider other { nonsense = 1 }\n"
    broker.reload()
    assert api.token(ACCOUNT).status == 200
    assert "nonsense" in broker.log()

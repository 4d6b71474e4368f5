"""A grant does not die of neglect: when it will, and that somebody hears of it in time."""

import json
import time

import pytest

from harness.logins import log_in

DAY = 24 * 3600


def started(daemon, plain, **keys):
    daemon.with_provider("plain", plain, **keys).start()


def forecast(api, account):
    return api.account(account).ok()["forecast"]


def test_no_account(broker, cli):
    assert cli.run("forecast").stderr == "no accounts that you may see\n"


def test_no_end_is_known(broker, plain, api, cli):
    broker.grant(plain, "plain/acme")
    api.token("plain/acme").ok()
    assert forecast(api, "plain/acme") == {"warning": "none"}
    assert "dies" not in cli.run("list").stdout + cli.run("status", "plain/acme").stdout
    shown = cli.run("forecast")
    assert (shown.returncode, shown.stdout) == (0, "") and "1 account has no end" in shown.stderr


def test_absolute(daemon, plain, api, person):
    started(daemon, plain, refresh_token_lifetime="365d")
    log_in(api, person, "plain/acme")
    account = api.account("plain/acme").ok()
    told = account["forecast"]
    assert (told["reason"], told["warning"]) == ("absolute", "none")
    assert told["dies_at"] == account["refresh_token_expires_at"]
    assert abs(told["dies_at"] - time.time() - 365 * DAY) < 60


def change(daemon, **keys):
    daemon.config.providers["plain"].update(keys)
    daemon.reload()


def test_a_changed_lifetime_counts_from_the_consent(daemon, plain, api, person):
    """Whenever the key came, and whatever was refreshed since."""
    started(daemon, plain)
    log_in(api, person, "plain/acme")
    consented = time.time()
    time.sleep(2.1)
    api.refresh_allowed("plain/acme").ok()
    for days in (365, 90):
        change(daemon, refresh_token_lifetime=f"{days}d")
        account = api.account("plain/acme").ok()
        assert account["forecast"]["dies_at"] == account["refresh_token_expires_at"]
        assert -2 < account["refresh_token_expires_at"] - consented - days * DAY < 2
    del daemon.config.providers["plain"]["refresh_token_lifetime"]
    daemon.reload()
    assert forecast(api, "plain/acme") == {"warning": "none"}


def test_an_import_counts_as_the_consent(daemon, plain, api):
    """When it was consented to is not known: it dies no later than so."""
    started(daemon, plain, refresh_token_lifetime="365d")
    daemon.grant(plain, "plain/acme")
    told = forecast(api, "plain/acme")
    assert told["reason"] == "absolute" and abs(told["dies_at"] - time.time() - 365 * DAY) < 5
    time.sleep(1.1)
    api.token("plain/acme").ok()
    assert forecast(api, "plain/acme") == told


def test_idle_moves_with_each_refresh(daemon, plain, api):
    started(daemon, plain, refresh_token_idle_lifetime="14d")
    daemon.grant(plain, "plain/acme")
    assert forecast(api, "plain/acme")["reason"] == "idle"
    api.token("plain/acme").ok()
    first = forecast(api, "plain/acme")["dies_at"]
    assert abs(first - time.time() - 14 * DAY) < 60
    time.sleep(1.1)
    api.refresh_allowed("plain/acme").ok()
    assert forecast(api, "plain/acme")["dies_at"] > first


@pytest.mark.slow
@pytest.mark.parametrize("way", ["reload", "restart"])
def test_an_idle_limit_keeps_what_was_imported_before_it_alive(daemon, plain, api, way):
    started(daemon, plain)
    daemon.grant(plain, "plain/acme")
    daemon.config.providers["plain"]["refresh_token_idle_lifetime"] = "4s"
    getattr(daemon, way)()
    plain.ledger.wait_for("refresh", 2, outcome="accepted")


@pytest.mark.slow
def test_many_that_become_due_at_once_keep_the_rate(daemon, plain, api):
    started(daemon, plain, rate_limit="10/1s")
    for number in range(30):
        daemon.grant(plain, f"plain/n{number}")
    change(daemon, refresh_token_idle_lifetime="2s")
    plain.ledger.wait_for("refresh", 30, outcome="accepted")
    times = [line["at"] for line in plain.ledger.lines("refresh")]
    assert all(later - first > 0.9 for first, later in zip(times, times[10:]))


def test_what_the_provider_says(daemon, plain, api):
    """refresh_token_expires_in of each reply; it slides, so it is not always about to die."""
    started(daemon, plain)
    plain.configure(fields=["refresh_token_expires_in"], refresh_lifetime=600)
    daemon.grant(plain, "plain/acme")
    api.token("plain/acme").ok()
    told = forecast(api, "plain/acme")
    assert (told["reason"], told["warning"]) == ("absolute", "none")
    assert abs(told["dies_at"] - time.time() - 600) < 60


@pytest.mark.slow
def test_warns_before_it_dies(daemon, plain, api, person, cli):
    started(daemon, plain, refresh_token_lifetime="9s")
    log_in(api, person, "plain/acme")
    assert forecast(api, "plain/acme")["warning"] == "none"
    api.wait_account("plain/acme", lambda found: found["forecast"]["warning"] == "urgent")
    heading, row = cli.run("list").stdout.splitlines()
    assert heading.endswith("DIES") and row.split()[-3] == "in"


@pytest.mark.slow
def test_idle_and_an_outage(daemon, plain, api):
    """The broker refreshes by half of the idle time; when that fails, the end comes near."""
    started(daemon, plain, refresh_token_idle_lifetime="8s")
    daemon.grant(plain, "plain/acme")
    api.token("plain/acme").ok()
    plain.fault("http503")
    api.wait_account("plain/acme", lambda found: found["forecast"]["warning"] == "urgent")
    plain.clear_faults()
    api.retry("plain/acme").ok()
    api.wait_account("plain/acme", lambda found: found["forecast"]["warning"] == "none")


@pytest.mark.slow
def test_a_person_is_needed(broker, plain, api, cli):
    broker.grant(plain, "plain/acme")
    api.token("plain/acme").ok()
    plain.revoke("acme")
    assert api.refresh_allowed("plain/acme").error == "consent_required"
    told = forecast(api, "plain/acme")
    assert (told["reason"], told["warning"]) == ("consent_required", "urgent")
    assert told["dies_at"] == api.account("plain/acme").ok()["expires_at"]


@pytest.mark.slow
def test_calendar(daemon, plain, emulator, api, cli, person):
    started(daemon, plain, refresh_token_lifetime="90d")
    other = emulator("plain")
    daemon.with_provider("other", other, refresh_token_idle_lifetime="14d")
    daemon.reload()
    log_in(api, person, "plain/year")
    daemon.grant(other, "other/idle")
    daemon.grant(other, "other/dead")
    other.revoke("dead")
    assert api.token("other/dead").error == "consent_required"
    entries = json.loads(cli.run("forecast", "--json").stdout)["forecast"]
    assert [entry["account"] for entry in entries] == ["other/dead", "other/idle", "plain/year"]
    assert [entry["reason"] for entry in entries] == ["consent_required", "idle", "absolute"]
    lines = cli.run("forecast").stdout.splitlines()
    assert [line.split()[-1] != "" for line in lines] == [True] * 4
    assert lines[1].startswith("dead") and "other/dead" in lines[1]
    assert lines[2].startswith("in 13 d") and lines[3].startswith("in 89 d")
    # Only what matters now stands in the list.
    assert "dies" not in cli.run("list").stdout
    assert "dies in 89 d (absolute)" in cli.run("status", "plain/year").stdout

"""A store that was restored, cloned or moved starts paused, judged by the provider's ledger."""

import json
import os
import shutil
import sqlite3
import time

import pytest

from harness.daemon import Daemon
from harness.logins import log_in

ACCOUNTS = [f"plain/u{number}" for number in range(6)]


def used_up(provider):
    return provider.ledger.lines("refresh", outcome="refused")


def refreshes(provider):
    return len(provider.ledger.refreshes())


def backup(daemon):
    """A copy of the state folder as a program for backups makes it, while nothing is written."""
    target = daemon.folder / f"backup{len(list(daemon.folder.iterdir()))}"
    shutil.copytree(daemon.state, target)
    return target


def restore(daemon, copy):
    shutil.rmtree(daemon.state)
    shutil.copytree(copy, daemon.state)


def copied(api):
    return api.health().ok()["store"].get("copied")


def put_fact(daemon, name, value):
    store = sqlite3.connect(daemon.state / "store.sqlite")
    store.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (name, value))
    store.commit()
    store.close()


@pytest.fixture
def provider(daemon, emulator):
    """Watches for reuse: a refresh token that is sent again ends its grant."""
    one = emulator("plain")
    one.configure(rotation="revoke-on-first-use", lifetime=600)
    daemon.with_provider("plain", one).start()
    for account in ACCOUNTS:
        daemon.grant(one, account)
        daemon.api.token(account).ok()
    return one


def assert_paused(api, provider, why):
    """Live tokens are served, whatever is asked; nothing reaches the provider."""
    before = refreshes(provider)
    assert why in copied(api)
    for account in ACCOUNTS:
        api.token(account).ok()
    refused = api.refresh_allowed(ACCOUNTS[0])
    assert (refused.status, refused.error) == (503, "provider_unavailable")
    assert "resume" in refused.json["error_description"]
    api.retry().ok()
    time.sleep(0.5)
    assert refreshes(provider) == before
    assert api.health().ok()["accounts"]["consent_required"] == 0


def rotate(api, accounts):
    time.sleep(1)  # the broker's own limit between two refreshes of an account
    for account in accounts:
        api.refresh_allowed(account).ok()


def take_old_copy(daemon, api, provider):
    """Each of its refresh tokens was spent since."""
    daemon.stop()
    copy = backup(daemon)
    daemon.start()
    rotate(api, ACCOUNTS)
    for account in ACCOUNTS:
        provider.call(api.token(account).ok())  # which ends the refresh token before it
    daemon.stop()
    restore(daemon, copy)


def assert_one_went_first(api, provider, name):
    for account in ACCOUNTS:
        api.refresh_allowed(account.replace("plain", name))
    provider.ledger.wait_for("refresh", 1, outcome="refused")
    time.sleep(2)
    assert len({line["user"] for line in used_up(provider)}) == 1
    health = api.health().ok()
    assert health["accounts"]["consent_required"] == 0
    [about] = [one for one in health["providers"] if one["name"] == name]
    assert about["paused"] and "copied store" in about["reason"]


def test_an_older_copy_is_noticed(daemon, api, provider):
    daemon.stop()
    copy = backup(daemon)
    daemon.start()
    rotate(api, ACCOUNTS[:1])
    daemon.stop()
    restore(daemon, copy)
    daemon.start()
    assert_paused(api, provider, "older")
    daemon.wait_log("the store is a copy")


def test_a_copy_of_a_moment_ago_is_noticed(daemon, api, provider):
    """One refresh later is enough; taken while the broker runs."""
    copy = backup(daemon)
    rotate(api, ACCOUNTS[:1])
    daemon.kill()
    restore(daemon, copy)
    daemon.start()
    assert_paused(api, provider, "older")


@pytest.mark.slow
def test_it_stays_paused_over_restarts(daemon, api, provider):
    daemon.stop()
    put_fact(daemon, "machine", "0" * 32)
    for _ in range(3):
        daemon.start()
        assert_paused(api, provider, "another machine")
        daemon.kill()
    daemon.start()
    assert api.resume().ok()["resumed"]
    daemon.restart()
    assert copied(api) is None


@pytest.mark.slow
def test_resume_tries_one_account_first(daemon, api, provider):
    daemon.stop()
    put_fact(daemon, "machine", "0" * 32)
    daemon.start()
    assert_paused(api, provider, "another machine")
    before = refreshes(provider)
    assert api.resume().ok()["resumed"]
    api.wait_unpaused("plain")
    assert refreshes(provider) == before + 1
    rotate(api, ACCOUNTS[:3])
    assert not used_up(provider)
    assert api.resume().json == {"resumed": False}
    assert api.health().ok()["status"] == "ok"


@pytest.mark.slow
def test_canary_of_an_older_copy_is_refused(daemon, api, provider, cli):
    """All had been refreshed since: one is spent for the answer, the others are left alone, and
    nobody is asked to consent anew."""
    take_old_copy(daemon, api, provider)
    daemon.start()
    api.resume().ok()
    assert_one_went_first(api, provider, "plain")
    assert "log one of its accounts in anew" in cli.run("doctor").stdout


@pytest.mark.slow
def test_a_section_that_comes_later_has_its_canary_too(daemon, api, provider):
    """It was left out of the new machine's configuration when somebody resumed."""
    take_old_copy(daemon, api, provider)
    section = daemon.config.providers.pop("plain")
    daemon.start()
    api.resume().ok()
    daemon.restart()
    daemon.config.providers["plain"] = section
    daemon.reload()
    assert_one_went_first(api, provider, "plain")


@pytest.mark.slow
def test_a_section_that_is_back_after_the_resume_has_its_canary_too(daemon, api, provider):
    """The broker knew it before."""
    take_old_copy(daemon, api, provider)
    daemon.start()
    section = daemon.config.providers.pop("plain")
    daemon.reload()
    api.resume().ok()
    daemon.config.providers["plain"] = section
    daemon.reload()
    assert_one_went_first(api, provider, "plain")


@pytest.mark.slow
def test_accounts_that_move_to_another_section_are_tried_one_by_one(daemon, api, provider):
    """The section has another name on the new machine."""
    take_old_copy(daemon, api, provider)
    daemon.config.providers["better"] = daemon.config.providers.pop("plain")
    daemon.start()
    api.resume().ok()
    for account in ACCOUNTS:
        api.rename(account, account.replace("plain", "better")).ok()
    assert_one_went_first(api, provider, "better")
    daemon.restart()
    assert_one_went_first(api, provider, "better")


@pytest.mark.slow
def test_a_login_does_not_prove_a_copy(daemon, api, provider, person, cli):
    """The canary of the copy was refused: who logs in has a grant of today, and the others' refresh
    tokens stay where they are until that was refreshed."""
    take_old_copy(daemon, api, provider)
    daemon.start()
    api.resume().ok()
    provider.ledger.wait_for("refresh", 1, outcome="refused")
    assert log_in(api, person, "plain/new")[0]["status"] == "done"
    time.sleep(2)
    [about] = api.health().ok()["providers"]
    assert about["paused"] and "copied store" in about["reason"]
    assert len(used_up(provider)) == 1
    before = provider.ledger.refreshes()
    assert cli.run("retry", "plain").returncode == 0
    api.wait_unpaused("plain")
    assert provider.ledger.refreshes()[len(before)]["user"] == "alice"


@pytest.mark.slow
def test_a_clone_beside_the_broker(daemon, api, provider, schema):
    """Another broker on this machine with a copy of the state folder: it leaves the grants alone."""
    folder = daemon.folder / "clone"
    folder.mkdir()
    copy = backup(daemon)
    clone = Daemon(folder, schema)
    clone.state, clone.cache = copy, daemon.cache
    clone.with_provider("plain", provider).start()
    assert_paused(clone.api, provider, "another broker")
    refused = clone.api.resume()
    assert refused.status == 400 and "stop" in refused.json["error_description"]
    rotate(api, ACCOUNTS[:1])
    daemon.stop()
    clone.api.resume().ok()
    clone.close()


def test_restarts_and_crashes_pause_nothing(daemon, api, provider):
    for _ in range(3):
        daemon.restart()
        daemon.kill()
        daemon.start()
        assert copied(api) is None
    rotate(api, ACCOUNTS[:1])


@pytest.mark.parametrize("loss", ["note", "folder", "unwritable"])
def test_a_lost_note_pauses_nothing(daemon, api, provider, loss):
    """Caches are wiped at times; an older copy on another machine is still noticed by its id."""
    daemon.stop()
    if loss == "note":
        for note in daemon.cache.glob("store-*"):
            note.unlink()
    else:
        shutil.rmtree(daemon.cache)
    if loss == "unwritable":
        daemon.cache.write_text("no folder")
    daemon.start()
    assert copied(api) is None
    rotate(api, ACCOUNTS[:1])
    if loss == "unwritable":
        daemon.wait_log("would not be noticed")


def test_a_store_of_before_is_taken_as_it_is(daemon, api, provider):
    """It was never noted how far it had come."""
    daemon.stop()
    store = sqlite3.connect(daemon.state / "store.sqlite")
    store.execute("DELETE FROM facts WHERE name IN ('generation', 'machine', 'restored')")
    store.commit()
    store.close()
    daemon.start()
    assert copied(api) is None


def test_it_is_said_everywhere(daemon, api, provider, cli, folder):
    """The hook, health, doctor."""
    told = folder / "told"
    hook = folder / "hook"
    hook.write_text(f"#!/bin/sh\ncat >> {told}\n")
    hook.chmod(0o755)
    daemon.config.broker["on_event"] = str(hook)
    daemon.stop()
    put_fact(daemon, "machine", "0" * 32)
    daemon.start()
    assert "resume" in cli.run("health").stdout
    assert "tokenbroker resume" in cli.run("doctor").stdout
    assert "\ntokenbroker_refreshing 0\n" in api.request("GET", "/metrics").text
    assert cli.run("resume").returncode == 0
    assert "\ntokenbroker_refreshing 1\n" in api.request("GET", "/metrics").text
    deadline = time.monotonic() + 10
    while not told.exists() or "broker_resumed" not in told.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # Each event has a process of its own: they come in any order.
    events = {one["event"]: one for one in map(json.loads, told.read_text().splitlines())}
    assert events["broker_paused"].keys() == {"event", "description"}


def test_what_waits_to_be_revoked_waits_on(daemon, api, provider):
    """A revocation of long ago may end a grant of today."""
    daemon.stop()
    put_fact(daemon, "machine", "0" * 32)
    daemon.start()
    api.forget(ACCOUNTS[5]).ok()
    time.sleep(1)
    assert not provider.ledger.lines("revocation")
    api.resume().ok()
    provider.ledger.wait_for("revocation", 1)


def test_only_an_admin_may(daemon, api, provider):
    daemon.config.access["few"] = {"accounts": ["plain/*"], "who": [f"user:{os.getuid()}"],
                                   "may": ["token", "list", "monitor"]}
    daemon.reload()
    assert api.resume().status == 403

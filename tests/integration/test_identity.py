"""The right person's grant: a consent for another company waits for a decision."""

import json
import time

import pytest

from harness.cases import CASES
from harness.ledger import fingerprint
from harness.logins import log_in
from harness.other_user import as_user
from harness.stream import Stream

ACCOUNT = "zenegy/acme"


@pytest.fixture
def zenegy(daemon, api, emulator, person):
    """acme is logged in; a consent for `other` is held."""
    provider = CASES[4].set_up(daemon, emulator)
    log_in(api, person, ACCOUNT, company="acme")
    hold(api, person)
    return provider


def hold(api, person, company="other"):
    login, page = log_in(api, person, ACCOUNT, company=company)
    assert (login["status"], login["error"]) == ("failed", "identity_mismatch")
    return page


def company_of(provider, api, account=ACCOUNT):
    """Which company's data the account's token opens."""
    return provider.call(api.token(account).ok())[1]["company"]


def refresh_tokens(provider):
    """Fingerprints of the refresh tokens that consents brought, the oldest first."""
    return [line["refresh"] for line in provider.ledger.lines("exchange", outcome="accepted")]


def revoked(provider):
    return [line["token"] for line in provider.ledger.lines("revocation")]


def test_held_is_said(zenegy, api):
    account = api.account(ACCOUNT).ok()
    [held] = api.held().ok()["held"]
    assert held["account"] == ACCOUNT
    assert held["identity"] == account["identity"] != held["held_identity"]
    assert held["held_identity"] == account["held_identity"]
    assert abs(held["created_at"] - time.time()) < 60
    assert company_of(zenegy, api) == "acme"


def test_the_event_names_the_company(zenegy, api, person, schema):
    with Stream(api, schema, account=ACCOUNT) as stream:
        hold(api, person)
        text = stream.wait_for("identity_mismatch").data["text"]
    assert api.held().ok()["held"][0]["held_identity"] in text and "accept or discard" in text


def test_nobody_says_whose(daemon, api, emulator, person, schema):
    """A consent that may be anybody's is held; whoever accepts it hears whose it turns out to be."""
    provider = CASES[4].set_up(daemon, emulator)
    log_in(api, person, ACCOUNT, company="acme")
    acme = api.account(ACCOUNT).ok()["identity"]
    fields = provider.dialect.fields
    provider.configure(fields=[])
    with Stream(api, schema, account=ACCOUNT) as stream:
        login, page = log_in(api, person, ACCOUNT, company="other")
        assert (login["status"], login["error"]) == ("failed", "consent_held")
        assert "identity" not in login and acme not in page.text
        assert "tokenbroker held shows how" in page.text
        assert acme not in stream.wait_for("consent_held").data["text"]
    assert company_of(provider, api) == "acme" and not revoked(provider)
    assert api.decide(ACCOUNT, "accept").ok()["identity"] == acme
    provider.configure(fields=list(fields))
    with Stream(api, schema, account=ACCOUNT) as stream:
        api.refresh_allowed(ACCOUNT).ok()
        assert acme in stream.wait_for("identity_changed").data["text"]
    assert company_of(provider, api) == "other"
    assert api.account(ACCOUNT).ok()["identity"] != acme
    # A consent of the first is another's now.
    assert log_in(api, person, ACCOUNT, company="acme")[0]["error"] == "identity_mismatch"


def test_an_imported_grant_says_whose_it_is(daemon, api, emulator, person, schema):
    """Whoever imports replaces the grant: what was recorded of the one before is not true of it."""
    provider = CASES[4].set_up(daemon, emulator)
    log_in(api, person, ACCOUNT, company="acme")
    before = api.account(ACCOUNT).ok()["identity"]
    imported = provider.seed("bob")["bob"]
    api.import_grant(ACCOUNT, refresh_token=imported).ok()
    with Stream(api, schema, account=ACCOUNT) as stream:
        told = api.token(ACCOUNT).ok()["extra"]["company_id"]
        while (name := stream.next().name) != "refreshed":
            assert name != "identity_changed", "what was imported is what it is"
    assert told != before
    assert api.account(ACCOUNT).ok()["identity"] == told
    # From now on the former one is the other.
    assert log_in(api, person, ACCOUNT, company="acme")[0]["error"] == "identity_mismatch"


def test_accept(zenegy, api):
    first, second = refresh_tokens(zenegy)
    before, held = api.account(ACCOUNT).ok(), api.held().ok()["held"][0]
    old_token = api.token(ACCOUNT).ok()
    account = api.decide(ACCOUNT, "accept").ok()
    assert account["identity"] == held["held_identity"] and "held_identity" not in account
    assert account["generation"] == before["generation"] + 1
    assert api.held().ok() == {"held": []}
    # Nothing was spent for it, and the old grant is dead at the provider.
    assert company_of(zenegy, api) == "other"
    assert not zenegy.ledger.token_requests(grant_type="refresh_token")
    line = zenegy.ledger.wait_for("revocation")[0]
    assert (line["token"], line["outcome"]) == (first, "accepted")
    assert zenegy.call(old_token)[0] == 401
    # It lives on like any other.
    api.refresh_allowed(ACCOUNT).ok()
    assert zenegy.ledger.refreshes()[-1]["presented"] == second
    assert company_of(zenegy, api) == "other"
    assert second not in revoked(zenegy)


def test_discard(zenegy, api):
    first, second = refresh_tokens(zenegy)
    token = api.token(ACCOUNT).ok()["access_token"]
    account = api.decide(ACCOUNT, "discard").ok()
    assert "held_identity" not in account and account["generation"] == 1
    assert zenegy.ledger.wait_for("revocation")[0]["token"] == second
    assert api.token(ACCOUNT).ok()["access_token"] == token
    assert company_of(zenegy, api) == "acme"
    assert first not in revoked(zenegy)
    assert api.decide(ACCOUNT, "discard").error == "not_found"


@pytest.mark.slow
def test_a_newer_takes_the_place(zenegy, api, person):
    _, second = refresh_tokens(zenegy)
    before = api.held().ok()["held"][0]["held_identity"]
    hold(api, person, company="third")
    [held] = api.held().ok()["held"]
    assert held["held_identity"] != before
    assert zenegy.ledger.wait_for("revocation", timeout=40)[0]["token"] == second
    api.decide(ACCOUNT, "accept").ok()
    assert company_of(zenegy, api) == "third"


@pytest.mark.parametrize("decision", ["accept", "discard"])
def test_what_nobody_saw_is_not_decided(zenegy, api, person, cli, decision):
    """Another consent came after the admin had looked: neither the API nor the command takes it."""
    seen = api.held_id(ACCOUNT)
    hold(api, person, company="third")
    before = zenegy.ledger.count("revocation")
    late = api.decide(ACCOUNT, decision, held_id=seen)
    assert (late.status, late.error) == (404, "not_found")
    assert "another" in late.json["error_description"]
    assert cli.run(decision, ACCOUNT, "--id", str(seen)).returncode == 1
    assert cli.run(decision, ACCOUNT).returncode == 2
    for body in ({"decision": decision}, {"decision": decision, "id": None}):
        assert api.request("POST", f"/v1/held/{ACCOUNT}", body).error == "bad_request"
    assert company_of(zenegy, api) == "acme" and len(api.held().ok()["held"]) == 1
    time.sleep(1)
    assert zenegy.ledger.count("revocation") - before <= 1, "the one that was replaced, at most"
    assert api.decide(ACCOUNT, decision, held_id=api.held_id(ACCOUNT)).status == 200


def test_the_first_company_again_leaves_it(zenegy, api, person):
    login, _ = log_in(api, person, ACCOUNT, company="acme")
    assert login["status"] == "done"
    assert api.account(ACCOUNT).ok()["held_identity"]
    api.decide(ACCOUNT, "accept").ok()
    assert company_of(zenegy, api) == "other"


def test_it_outlives_a_kill(zenegy, daemon, api):
    daemon.kill()
    daemon.start()
    assert len(api.held().ok()["held"]) == 1
    api.decide(ACCOUNT, "accept").ok()
    daemon.kill()
    daemon.start()
    assert company_of(zenegy, api) == "other"
    assert api.held().ok() == {"held": []}


@pytest.mark.slow
def test_the_account_may_need_it(zenegy, api):
    """The old grant died meanwhile: an accepted consent makes the account whole."""
    zenegy.revoke("alice")
    assert api.refresh_allowed(ACCOUNT).error == "consent_required"
    account = api.decide(ACCOUNT, "accept").ok()
    assert account["state"] == "active"


def test_forget_revokes_both(zenegy, api):
    both = set(refresh_tokens(zenegy))
    api.forget(ACCOUNT).ok()
    zenegy.ledger.wait_for("revocation", 4)
    assert both <= set(revoked(zenegy))


def test_rename_takes_it_along(zenegy, api):
    api.rename(ACCOUNT, "zenegy/renamed").ok()
    assert api.held().ok()["held"][0]["account"] == "zenegy/renamed"
    api.decide("zenegy/renamed", "accept").ok()
    assert company_of(zenegy, api, "zenegy/renamed") == "other"


def test_who_may(zenegy, daemon, api, schema):
    daemon.config.access["some"] = {"accounts": ["zenegy/*"], "who": ["user:nobody"],
                                    "may": ["list", "login", "logout", "import"]}
    daemon.socket.chmod(0o666)
    daemon.folder.chmod(0o755)
    daemon.reload()
    other = as_user(type(api), 65534)(daemon.socket, schema)
    assert other.account(ACCOUNT).ok()["held_identity"]
    assert other.held().error == "forbidden"
    assert other.decide(ACCOUNT, "accept").error == "forbidden"
    assert other.rename(ACCOUNT, "zenegy/mine").error == "forbidden"


@pytest.mark.parametrize("query", ["limit=0", "after=x", "more=1"])
def test_bad_queries(shared, query):
    assert shared.api.request("GET", f"/v1/held?{query}").error == "bad_request"


@pytest.mark.parametrize("path", ["/v1/held/plain/acme", "/v1/rename/plain/acme"])
def test_bad_bodies(shared, path):
    for body in ({}, {"decision": "perhaps", "id": 1}, {"decision": "accept"}, {"account": "x"},
                 {"more": 1}, []):
        assert shared.api.request("POST", path, body).error == "bad_request"
    assert shared.api.request("POST", path, b"x" * 100000).status == 413
    assert shared.api.request("PUT", path).status == 405
    assert shared.api.request("PUT", "/v1/held").status == 405


def test_of_nothing(shared):
    assert shared.api.decide("plain/acme", "accept").error == "unknown_account"
    assert shared.api.decide("nowhere/acme", "accept").error == "unknown_provider"


def test_command(zenegy, api, cli):
    listed = cli.run("held")
    assert listed.returncode == 0 and ACCOUNT in listed.stdout
    assert json.loads(cli.run("held", "--json").stdout) == api.held().ok()
    assert f"tokenbroker accept {ACCOUNT}" in cli.run("status", ACCOUNT).stdout
    number = str(api.held_id(ACCOUNT))
    assert number in listed.stdout
    done = cli.run("accept", ACCOUNT, "--id", number, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["identity"] == api.account(ACCOUNT).ok()["identity"]
    assert company_of(zenegy, api) == "other"
    again = cli.run("discard", ACCOUNT, "--id", number)
    assert again.returncode == 1 and "no consent is held" in again.stderr
    none = cli.run("held")
    assert (none.returncode, none.stdout) == (0, "")


def test_command_discards(zenegy, api, cli):
    _, second = refresh_tokens(zenegy)
    number = str(api.held_id(ACCOUNT))
    assert cli.run("discard", ACCOUNT, "--id", number).returncode == 0
    assert zenegy.ledger.wait_for("revocation")[0]["token"] == second


def test_no_token_lies_open(zenegy, daemon, api):
    """What is held lies sealed, and nothing of it is in the log."""
    api.decide(ACCOUNT, "accept").ok()
    zenegy.ledger.wait_for("revocation")
    daemon.stop()
    stored = b"".join(path.read_bytes() for path in daemon.state.iterdir() if path.is_file())
    for secret in zenegy.secrets():
        assert secret not in daemon.log() and secret.encode() not in stored
        assert fingerprint(secret)

"""Moving in with many accounts, and moving them about."""

import json
import os
import time
from subprocess import PIPE, Popen

import pytest

from harness.ledger import fingerprint
from harness.logins import log_in, start, wait_ended
from harness.relay import relay

ACCOUNT = "plain/acme"


def lines_of(accounts):
    return "".join(json.dumps({"account": account, "refresh_token": token}) + "\n"
                   for account, token in accounts.items())


def seeded(plain, count):
    """Accounts and refresh tokens that were given to some other program."""
    labels = [f"u{number:04}" for number in range(count)]
    return {f"plain/{label}": token for label, token in plain.seed(*labels).items()}


@pytest.mark.slow
def test_many(broker, plain, api, cli, folder):
    accounts = seeded(plain, 1500)
    path = folder / "grants.jsonl"
    path.write_text(lines_of(accounts), encoding="utf-8")
    done = cli.run("import", "--jsonl", str(path), timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{account}: imported" for account in accounts]
    assert "imported 1500, refused 0" in done.stderr
    assert done.stderr.count("must stop using them") == 1
    assert not plain.ledger.token_requests()
    assert api.health().ok()["accounts"]["active"] == 1500
    last = list(accounts)[-1]
    assert api.token(last).status == 200
    assert plain.ledger.refreshes()[0]["presented"] == fingerprint(accounts[last])
    for secret in accounts.values():
        assert secret not in done.stdout and secret not in done.stderr


def test_refused_lines_do_not_stop_the_others(broker, plain, api, cli):
    good = seeded(plain, 2)
    (first, token), (second, other) = good.items()
    text = "\n".join([
        json.dumps({"account": first, "refresh_token": token, "scope": "read"}),
        "not json", "", "[1]", "{}",
        json.dumps({"account": "plain/x"}),
        json.dumps({"account": "plain/x", "refresh_token": "a-secret", "access_token": "b-secret"}),
        json.dumps({"account": "plain/x", "refresh_token": "a-secret", "password": "p-secret"}),
        json.dumps({"account": "plain/x", "refresh_token": 5}),
        json.dumps({"account": "no account", "refresh_token": "a-secret"}),
        json.dumps({"account": "nowhere/x", "refresh_token": "a-secret"}),
        json.dumps({"account": "plain/thief", "refresh_token": token}),
        json.dumps({"account": "plain/x", "access_token": "b-secret"}),
        "x" * 200000,
        json.dumps({"account": second, "refresh_token": other})])
    done = cli.run("import", "--jsonl", "-", input=text)
    assert done.returncode == 1
    report = done.stdout.splitlines()
    assert report[0] == f"{first}: imported" and report[-1] == f"{second}: imported"
    refused = [line.split(":")[0] for line in report[1:-1]]
    assert refused == [f"line {number}" for number in (2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)]
    assert f"another account holds this refresh token already: {first}" in done.stdout
    assert "imported 2, refused 12" in done.stderr
    assert "secret" not in done.stdout + done.stderr
    assert [one["account"] for one in api.accounts().ok()["accounts"]] == [first, second]
    assert api.account(first).ok()["scope"] == "read"


def test_an_account_in_two_lines_is_left_alone(broker, plain, api, cli):
    """Which token is the newer, nobody knows; and a script brings the file at every start."""
    plain.configure(rotation="revoke-on-first-use")
    token, twice = plain.seed("u0000")["u0000"], [plain.seed("acme")["acme"] for _ in range(2)]
    text = "".join(lines_of({account: token}) for account, token in [
        (ACCOUNT, twice[0]), ("plain/u0000", token), (ACCOUNT, twice[1])])
    for _ in range(2):
        done = cli.run("import", "--jsonl", "-", input=text)
        assert done.returncode == 1
        assert done.stdout.splitlines() == [
            f"line 1: {ACCOUNT}: refused: line 3 has a token for it too: leave one",
            "plain/u0000: imported",
            f"line 3: {ACCOUNT}: refused: line 1 has a token for it too: leave one"]
        assert api.token("plain/u0000").status == 200
        assert api.token(ACCOUNT).error == "unknown_account"
    assert cli.run("import", "--jsonl", "-", input=lines_of({ACCOUNT: twice[1]})).returncode == 0
    assert api.token(ACCOUNT).status == 200
    assert not plain.ledger.lines("refresh", outcome="refused")


def test_a_file_that_somebody_else_reads_and_writes(broker, plain, api, cli, folder):
    """What was read of it already is not read again; what is added behind it is not looked at."""
    accounts = seeded(plain, 3)
    path, rest = folder / "grants.jsonl", lines_of(accounts)
    path.write_text("its first line\n" + rest, encoding="utf-8")
    with open(path, "rb", buffering=0) as file:
        file.seek(len("its first line\n"))
        done = cli.run("import", "--jsonl", "-", stdin=file)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3), done.stdout

    def add(*_):
        if path.read_text(encoding="utf-8").count("\n") == 4:
            with open(path, "a", encoding="utf-8") as file:
                file.write(rest)
    with relay(folder / "relay", api, add):
        path.write_text(rest + "\n", encoding="utf-8")
        done = cli.run("--socket", str(folder / "relay"), "import", "--jsonl", str(path))
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3), done.stdout


@pytest.mark.slow
def test_more_than_is_read(broker, plain, api, cli, folder):
    """A file may be of any size, as only a pipe is kept in memory; the lines with tokens are bounded."""
    [(account, token)] = seeded(plain, 1).items()
    path = folder / "grants.jsonl"
    path.write_text(lines_of({account: token}), encoding="utf-8")
    os.truncate(path, 513 * 1024 * 1024)
    done = cli.run("import", "--jsonl", str(path))
    assert done.stdout.splitlines() == [f"{account}: imported", "line 2: refused: the line is too long"]
    done = cli.run("import", "--jsonl", "-", stdin=Popen(["cat", path], stdout=PIPE).stdout)
    assert (done.returncode, done.stdout) == (1, "")
    assert "more than 512 MB" in done.stderr
    path.write_text(lines_of({account: token}) * (1_000_000 + 1), encoding="utf-8")
    done = cli.run("import", "--jsonl", str(path), timeout=300)
    assert (done.returncode, done.stdout) == (1, "")
    assert "more than 1000000 lines with a token: import it in parts" in done.stderr


def test_json_reports(broker, plain, cli):
    [(account, token)] = seeded(plain, 1).items()
    text = lines_of({account: token}) + "{}\n"
    done = cli.run("import", "--jsonl", "-", "--json", input=text)
    good, bad = map(json.loads, done.stdout.splitlines())
    assert good == {"line": 1, "result": "imported", "account": account}
    assert (bad["line"], bad["result"]) == (2, "refused") and bad["why"]


@pytest.mark.slow
def test_verify_spends_each_once(broker, plain, api, cli):
    accounts = seeded(plain, 5)
    dead = list(accounts)[2]
    plain.revoke(dead.partition("/")[2])
    done = cli.run("import", "--jsonl", "-", "--verify", input=lines_of(accounts))
    assert done.returncode == 1
    assert "imported 4, refused 1" in done.stderr
    assert f"line 3: {dead}: imported, but its refresh failed" in done.stdout
    spent = [line["presented"] for line in plain.ledger.refreshes()]
    assert sorted(spent) == sorted(fingerprint(token) for account, token in accounts.items()
                                   if account != dead)
    assert api.account(dead).ok()["state"] == "consent_required"


@pytest.mark.slow
def test_verify_keeps_the_rate(daemon, plain, cli):
    daemon.with_provider("plain", plain, rate_limit="4/2s").start()
    began = time.monotonic()
    done = cli.run("import", "--jsonl", "-", "--verify", input=lines_of(seeded(plain, 12)))
    assert done.returncode == 0, done.stdout
    assert time.monotonic() - began > 3
    assert len(plain.ledger.refreshes()) == 12


def test_usage(broker, cli, folder):
    for arguments in (["import"], ["import", "--verify", ACCOUNT],
                      ["import", "--jsonl", "-", ACCOUNT],
                      ["import", "--jsonl", "-", "--access-token"]):
        assert cli.run(*arguments, input="").returncode == 2, arguments
    assert cli.run("import", "--jsonl", str(folder / "none")).returncode == 1
    empty = cli.run("import", "--jsonl", os.devnull)
    assert (empty.returncode, empty.stdout) == (0, "")


def test_without_a_broker(daemon, cli):
    assert cli.run("import", "--jsonl", "-", input="{}").returncode == 7


# rename


def test_rename(broker, plain, api):
    token = broker.grant(plain, ACCOUNT)
    before, served = api.refresh(ACCOUNT).ok(), api.token(ACCOUNT).ok()
    account = api.rename(ACCOUNT, "plain/better").ok()
    assert account["account"] == "plain/better"
    assert account["generation"] == before["generation"] + 1
    for member in ("created_at", "next_refresh_at", "expires_at"):
        assert account[member] == before[member]
    assert api.token(ACCOUNT).error == "unknown_account"
    assert api.token("plain/better").ok()["access_token"] == served["access_token"]
    assert plain.ledger.count("refresh") == 1 and not plain.ledger.count("revocation")
    api.refresh_allowed("plain/better").ok()
    assert len(plain.ledger.refreshes()) == 2
    assert plain.ledger.refreshes()[0]["presented"] == fingerprint(token)
    assert plain.call(api.token("plain/better").ok())[1]["user"] == "acme"


def test_rename_to_another_provider(daemon, plain, api):
    daemon.with_provider("plain", plain).with_provider("moved", plain).start()
    daemon.grant(plain, ACCOUNT)
    api.token(ACCOUNT).ok()
    api.rename(ACCOUNT, "moved/acme").ok()
    api.refresh_allowed("moved/acme").ok()
    assert plain.call(api.token("moved/acme").ok())[1]["user"] == "acme"


def test_rename_after_the_section_was_renamed(daemon, plain, api):
    daemon.with_provider("plain", plain).start()
    daemon.grant(plain, ACCOUNT)
    daemon.config.providers.clear()
    daemon.with_provider("moved", plain)
    daemon.reload()
    assert api.token(ACCOUNT).error == "unknown_provider"
    api.rename(ACCOUNT, "moved/acme").ok()
    assert api.token("moved/acme").status == 200


def test_rename_outlives_a_kill(broker, plain, api):
    broker.grant(plain, ACCOUNT)
    api.rename(ACCOUNT, "plain/better").ok()
    broker.kill()
    broker.start()
    assert api.account(ACCOUNT).status == 404
    assert api.token("plain/better").status == 200


def test_rename_refused(broker, plain, api):
    broker.grant(plain, ACCOUNT)
    broker.grant(plain, "plain/beta")
    assert api.rename(ACCOUNT, "plain/beta").error == "bad_request"
    assert api.rename(ACCOUNT, ACCOUNT).error == "bad_request"
    assert api.rename(ACCOUNT, "nowhere/acme").error == "unknown_provider"
    assert api.rename("plain/nobody", "plain/x").error == "unknown_account"
    assert [one["account"] for one in api.accounts().ok()["accounts"]] == [ACCOUNT, "plain/beta"]


def test_rename_waits_for_what_is_in_the_air(broker, plain, api):
    """A rotated token that comes back to a name that is gone would be lost."""
    plain.configure(rotation="strict")
    broker.grant(plain, ACCOUNT)
    plain.fault("delay", seconds=2, times=1)
    assert api.token(ACCOUNT, wait=0).error == "timeout"
    plain.ledger.wait_for("fault")
    reply = api.rename(ACCOUNT, "plain/better")
    assert (reply.status, reply.error) == (503, "busy")
    api.token(ACCOUNT).ok()
    api.rename(ACCOUNT, "plain/better").ok()
    api.refresh_allowed("plain/better").ok()


def test_a_login_of_before_a_rename_makes_no_account(daemon, plain, api, person):
    """Under the old name nobody would ask whose it is; nor is the grant of the new name ended."""
    plain.configure(fields=["company_id"], revocation_ends_all=True)
    daemon.with_provider("plain", plain, identity="company_id").start()
    log_in(api, person, ACCOUNT, company="one")
    for company in ("one", "two"):
        started = start(api, ACCOUNT)
        redirect = person.decide(started["start_url"], company=company)
        api.rename(ACCOUNT, "plain/better").ok()
        page = person.open(redirect)
        assert page.status == 410 and "account has changed" in page.text
        assert wait_ended(api, started["login_id"])["status"] in ("cancelled", "failed")
        assert api.account(ACCOUNT).status == 404
        api.rename("plain/better", ACCOUNT).ok()
        api.refresh_allowed(ACCOUNT).ok()


def test_a_login_of_before_a_rename_replaces_no_grant(broker, plain, api, person):
    """It was begun for a name that nobody had; the grant that moved there stays."""
    broker.grant(plain, ACCOUNT)
    started = start(api, "plain/better")
    redirect = person.decide(started["start_url"])
    api.rename(ACCOUNT, "plain/better").ok()
    page = person.open(redirect)
    assert page.status == 410 and "renamed" in page.text
    assert wait_ended(api, started["login_id"])["error"] == "account_gone"
    assert not plain.ledger.token_requests(grant_type="authorization_code")
    api.refresh_allowed("plain/better").ok()


def test_rename_command(broker, plain, api, cli):
    broker.grant(plain, ACCOUNT)
    done = cli.run("rename", ACCOUNT, "plain/better", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["account"] == "plain/better"
    assert cli.run("rename", ACCOUNT, "plain/x").returncode == 5
    assert cli.run("rename", "plain/better", "no account").returncode == 2
    assert api.token("plain/better").status == 200

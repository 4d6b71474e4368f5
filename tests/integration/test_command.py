"""The command: facts on stdout, words on stderr, an exit code for each kind of failure."""

import json
import os

import pytest

from harness.cli import begin_login, follow_login
from harness.large import enlarge
from harness.person import Person

ACCOUNT = "plain/acme"


@pytest.fixture
def granted(broker, plain):
    broker.grant(plain, ACCOUNT)
    return broker


def test_token_alone_on_stdout(granted, cli, api):
    done = cli.run("token", ACCOUNT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == api.token(ACCOUNT).ok()["access_token"] + "\n"


def test_shorthand_of_the_default_account(broker, plain, cli, api):
    broker.grant(plain, "plain/default")
    token = api.token("plain/default").ok()["access_token"]
    assert cli.run("token", "plain").stdout == token + "\n"


@pytest.mark.parametrize("form", ["json", "header", "curl", "env"])
def test_formats(granted, cli, api, form):
    token = api.token(ACCOUNT).ok()
    text = cli.run("token", ACCOUNT, "--format", form).stdout
    assert token["access_token"] in text
    if form == "json":
        assert json.loads(text)["access_token"] == token["access_token"]
    if form == "header":
        assert text == f"Authorization: Bearer {token['access_token']}\n"


def test_min_ttl(granted, cli):
    cli.run("token", ACCOUNT)
    done = cli.run("token", ACCOUNT, "--min-ttl", "3000")
    assert done.returncode == 2 and "1800" in done.stderr


def test_list_and_status(granted, cli, plain, broker):
    broker.grant(plain, "plain/beta")
    listed = cli.run("list")
    assert listed.returncode == 0 and ACCOUNT in listed.stdout and "plain/beta" in listed.stdout
    members = json.loads(cli.run("list", "--json").stdout)
    accounts = members if isinstance(members, list) else members["accounts"]
    assert [account["account"] for account in accounts] == [ACCOUNT, "plain/beta"]
    assert json.loads(cli.run("status", ACCOUNT, "--json").stdout)["state"] == "active"
    assert ACCOUNT in cli.run("status", ACCOUNT).stdout


@pytest.mark.slow
def test_list_of_many_pages(daemon, plain, emulator, cli):
    """Providers of which one's name begins like the other's, and labels that are not plain."""
    daemon.with_provider("plain", plain).with_provider("plain-b", emulator("plain")).start()
    for account in (ACCOUNT, "plain-b/acme"):
        daemon.grant(plain, account)
        enlarge(daemon, account, 600, label="'copy+' || value")
    listed = cli.run("list", "--json")
    assert listed.returncode == 0, listed.stderr
    names = [account["account"] for account in json.loads(listed.stdout)["accounts"]]
    assert len(set(names)) == len(names) == 1202
    assert "1202 have all they need" in cli.run("doctor").stdout


def test_refresh_and_reject(granted, cli, plain):
    first = cli.run("token", ACCOUNT).stdout.strip()
    assert cli.run("refresh", ACCOUNT).returncode == 0
    second = cli.run("token", ACCOUNT).stdout.strip()
    rejected = cli.run("reject", ACCOUNT, input=second + "\n")
    assert rejected.returncode == 0, rejected.stderr
    assert len({first, second, cli.run("token", ACCOUNT).stdout.strip()}) == 3


def test_import_from_stdin(broker, cli, plain):
    """A secret is never an argument."""
    token = plain.seed("acme")["acme"]
    assert cli.run("import", ACCOUNT, input=token + "\n").returncode == 0
    assert cli.run("token", ACCOUNT).returncode == 0


def test_logout(granted, cli, plain):
    cli.run("token", ACCOUNT)
    assert cli.run("logout", ACCOUNT, "--yes").returncode == 0
    plain.ledger.wait_for("revocation", outcome="accepted")
    assert cli.run("token", ACCOUNT).returncode == 5


def test_retry(granted, cli):
    for what in ([], ["plain"], [ACCOUNT]):
        assert cli.run("retry", *what).returncode in (0, 2)
    assert cli.run("retry", ACCOUNT).returncode == 0


def test_exec(granted, cli, api):
    """The command gets the token in its environment alone; its exit code is ours."""
    token = api.token(ACCOUNT).ok()["access_token"]
    done = cli.run("exec", ACCOUNT, "--", "/bin/sh", "-c", "env; exit 9")
    assert done.returncode == 9 and token in done.stdout


@pytest.mark.parametrize("decision, code, words", [
    ("allow", 0, ACCOUNT), ("deny", 1, "not granted")])
def test_login_waits_for_the_person(broker, decision, code, words):
    status, said = follow_login(begin_login(broker, ACCOUNT), "/start/",
                                lambda link: Person().consent(link, decision))
    assert status == code and words in said.lower()


def test_pasted_address(broker, api, plain):
    """--paste reads the address of the page on which the redirect ended."""
    login = begin_login(broker, ACCOUNT, "--paste")

    def paste(link):
        person = Person()
        reply = person.fetch(*person.answer(person.open(link), "allow"))
        login.stdin.write(reply.headers["Location"] + "\n")
        login.stdin.close()

    assert follow_login(login, plain.url, paste)[0] == 0
    assert api.token(ACCOUNT).status == 200


@pytest.mark.parametrize("arguments, code", [
    (["token", "plain/nobody"], 5), (["token", "nowhere/acme"], 5), (["token"], 2), ([], 2),
    (["nonsense"], 2), (["token", "BAD NAME"], 2), (["token", ACCOUNT, "--nonsense"], 2),
    (["token", ACCOUNT, "--format", "nonsense"], 2), (["token", ACCOUNT, "--min-ttl", "x"], 2),
    (["exec", ACCOUNT], 2), (["--help"], 0), (["--version"], 0)], ids=str)
def test_exit_codes(granted, cli, arguments, code):
    done = cli.run(*arguments)
    assert done.returncode == code, done.stderr
    assert bool(done.stdout) == (code == 0), "only facts on stdout"


@pytest.mark.slow
def test_exit_code_of_an_unreachable_provider(granted, cli, plain):
    plain.stop()
    assert cli.run("token", ACCOUNT).returncode == 6


def test_exit_code_of_no_broker(daemon, cli):
    done = cli.run("token", ACCOUNT)
    assert done.returncode == 7 and str(daemon.socket) in done.stderr


@pytest.mark.slow
def test_exit_code_of_consent_required(granted, cli, api, plain):
    plain.fault("invalid_grant", users=["acme"])
    cli.run("token", ACCOUNT)
    api.wait_state(ACCOUNT, "consent_required", timeout=30)
    done = cli.run("token", ACCOUNT)
    assert done.returncode == 3 and "login" in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
def test_exit_code_of_a_refusal(granted, cli):
    granted.folder.chmod(0o711)
    granted.socket.chmod(0o666)
    done = cli.run("token", ACCOUNT, user=61234, group=61234, extra_groups=[], cwd="/")
    assert done.returncode == 4 and "61234" in done.stderr


def test_socket_option_wins(granted, cli):
    done = cli.run("--socket", "/nonexistent/socket", "token", ACCOUNT)
    assert done.returncode == 7 and "/nonexistent/socket" in done.stderr

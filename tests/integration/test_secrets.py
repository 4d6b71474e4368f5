"""Secrets are nowhere but in the answer to who may have them: looked for, not assumed."""

import json
import os

import pytest

from harness.logins import log_in, start
from harness.person import Person

ACCOUNT = "plain/acme"


def _life(broker, api, plain, person):
    """Everything that handles a secret, once, and as much of what goes wrong."""
    log_in(api, person, ACCOUNT)
    token = api.token(ACCOUNT).ok()
    api.reject(ACCOUNT, access_token=token["access_token"]).ok()
    api.token(ACCOUNT).ok()
    broker.grant(plain, "plain/imported")
    api.token("plain/imported").ok()
    for mode in ("not-json", "http500", "truncate", "invalid_grant", "unknown-error"):
        plain.fault(mode, times=1)
        api.refresh_allowed("plain/imported")
    redirect = Person().decide(start(api, ACCOUNT)["authorize_url"])
    Person().open(redirect)
    person.open(redirect + "&code=2")
    plain.fault("invalid_grant", times=1)
    log_in(api, Person(), "plain/failed")
    api.import_grant("plain/bad", refresh_token=["canary-in-a-bad-body"])
    api.request("POST", f"/v1/reject/{ACCOUNT}", {"access_token": "canary", "x": 1})
    api.forget("plain/imported").ok()
    broker.reload()
    broker.restart()
    api.token(ACCOUNT)


def _secrets(plain):
    return [*plain.secrets(), plain.dialect.client_secret, "canary-in-a-bad-body"]


def _assert_absent(plain, where, data):
    found = [secret for secret in _secrets(plain) if secret.encode() in data]
    assert not found, f"{where}: {found}"


@pytest.fixture
def lived(broker, api, plain, person):
    """A broker that did it all."""
    _life(broker, api, plain, person)
    return broker


def test_not_in_the_log(lived, plain):
    log = lived.log()
    assert ACCOUNT in log, "the log must say something"
    _assert_absent(plain, "log", log.encode())


def test_not_in_the_store(lived, plain):
    lived.stop()
    for path in lived.state.rglob("*"):
        if path.is_file():
            _assert_absent(plain, path.name, path.read_bytes())


def test_not_in_proc(lived, plain):
    for name in ("cmdline", "environ", "comm"):
        data = open(f"/proc/{lived.process.pid}/{name}", "rb").read()
        _assert_absent(plain, name, data)


def test_not_in_answers_about_accounts(lived, api, plain):
    answers = [api.accounts(), api.account(ACCOUNT), api.audit(), api.health()]
    for answer in answers:
        _assert_absent(plain, "answer", answer.body)


def test_refresh_tokens_never_leave(lived, api, plain):
    body = json.dumps(api.token(ACCOUNT).ok())
    access = api.token(ACCOUNT).json["access_token"]
    _assert_absent(plain, "token", body.replace(access, "").encode())


def test_forgotten_is_forgotten(lived, api, plain):
    """No sealed blob of a forgotten account stays readable under its name."""
    api.forget(ACCOUNT).ok()
    plain.ledger.wait_for("revocation", 2)
    lived.stop()
    assert os.path.isdir(lived.state)
    names = [account["account"] for account in lived.start().api.accounts().ok()["accounts"]]
    assert ACCOUNT not in names

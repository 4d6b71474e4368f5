"""Secrets are nowhere but in the answer to who may have them: looked for, not assumed."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.lab import plain_broker
from harness.logins import log_in, start
from harness.person import Person

ACCOUNT = "plain/acme"


def _misfortunes(broker, api, plain):
    """Every way in which a refresh goes wrong, each with an account of its own."""
    modes = ("not-json", "http500", "truncate", "invalid_grant", "unknown-error")
    for mode in modes:
        broker.grant(plain, f"plain/{mode}")
        plain.fault(mode, times=1, users=[mode])
    with ThreadPoolExecutor(len(modes)) as pool:
        list(pool.map(lambda mode: api.token(f"plain/{mode}"), modes))


def _life(broker, api, plain, person):
    """Everything that handles a secret, once."""
    log_in(api, person, ACCOUNT)
    token = api.token(ACCOUNT).ok()
    api.reject(ACCOUNT, access_token=token["access_token"]).ok()
    api.token(ACCOUNT).ok()
    broker.grant(plain, "plain/imported")
    api.token("plain/imported").ok()
    _misfortunes(broker, api, plain)
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


@pytest.fixture(scope="module")
def lived(schema):
    """A broker that did it all."""
    with plain_broker(schema) as broker:
        _life(broker, broker.api, broker.plain, Person())
        yield broker


def test_not_in_the_log(lived):
    log = lived.log()
    assert ACCOUNT in log, "the log must say something"
    _assert_absent(lived.plain, "log", log.encode())


def test_not_in_the_store(lived):
    lived.stop()
    for path in lived.state.rglob("*"):
        if path.is_file():
            _assert_absent(lived.plain, path.name, path.read_bytes())
    lived.start()


def test_not_in_proc(lived):
    for name in ("cmdline", "environ", "comm"):
        data = open(f"/proc/{lived.process.pid}/{name}", "rb").read()
        _assert_absent(lived.plain, name, data)


def test_not_in_answers_about_accounts(lived):
    api = lived.api
    answers = [api.accounts(), api.account(ACCOUNT), api.audit(), api.health()]
    for answer in answers:
        _assert_absent(lived.plain, "answer", answer.body)


def test_refresh_tokens_never_leave(lived):
    token = lived.api.token(ACCOUNT).ok()
    body, access = json.dumps(token), token["access_token"]
    _assert_absent(lived.plain, "token", body.replace(access, "").encode())


def test_forgotten_is_forgotten(lived):
    lived.grant(lived.plain, "plain/gone")
    lived.api.forget("plain/gone").ok()
    lived.restart()
    names = [account["account"] for account in lived.api.accounts().ok()["accounts"]]
    assert "plain/gone" not in names and ACCOUNT in names

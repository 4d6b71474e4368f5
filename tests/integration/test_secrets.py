"""Secrets are nowhere but in the answer to who may have them: looked for, not assumed."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from harness.cli import Cli
from harness.devices import enter_code, with_device
from harness.lab import plain_broker
from harness.logins import log_in, start, wait_ended
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


def test_not_in_a_backup(lived):
    kept = lived.folder / "kept"
    done = Cli(lived.socket, lived.folder).run("backup", str(kept), "--key-kept")
    assert done.returncode == 0, done.stderr
    data = kept.read_bytes()
    assert ACCOUNT.partition("/")[2].encode() in data, "there must be something in it"
    _assert_absent(lived.plain, "backup", data)
    assert (lived.state / "key").read_bytes() not in data
    _assert_absent(lived.plain, "what the command says", (done.stdout + done.stderr).encode())


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


NEXT_SECRET = "canary-of-the-next-client-secret"

HOOK = """#!/bin/sh
cat /proc/$$/cmdline /proc/$$/environ /proc/$PPID/cmdline >>{folder}/hook-saw
cat >>{folder}/events
"""


@pytest.fixture
def modern(daemon, emulator, public, folder):
    """A broker behind a proxy whose provider knows device logins and takes only pushed requests."""
    provider = emulator("plain", "device", "push")
    hook = folder / "hook"
    hook.write_text(HOOK.format(folder=folder))
    hook.chmod(0o700)
    daemon.config.broker["on_event"] = str(hook)
    daemon.config.callback["public_url"] = public.url
    with_device(daemon, provider, client_secret_next=NEXT_SECRET,
                pushed_authorization_request_endpoint=provider.url + "/par",
                redirect_uri=public.url + "/callback/plain").start()
    public.nginx.serve(daemon.port)
    return provider


def _modern_life(api, provider, public):
    """Device codes, pushed requests, links and a second client secret; what else was secret."""
    device = start(api, "plain/device", mode="device")
    enter_code(device, user="device")
    wait_ended(api, device["login_id"])
    link = api.request("POST", f"/v1/links/{ACCOUNT}", {}).ok()["url"]
    assert public.person().consent(link + "/go").status == 200
    api.decide(ACCOUNT, "accept").ok()
    login = start(api, ACCOUNT)
    page = public.person().fetch(login["start_url"])
    unused = api.request("POST", "/v1/links/plain/unused", {}).ok()["url"]
    api.refresh_allowed(ACCOUNT).ok()
    provider.revoke("device")
    api.refresh_allowed("plain/device")
    request = parse_qs(urlsplit(page.headers["Location"]).query)["request_uri"][0]
    addresses = (link, unused, login["start_url"])
    return [NEXT_SECRET, request, *(address.rpartition("/")[2] for address in addresses)]


@pytest.mark.slow
def test_newer_secrets(modern, daemon, api, public, folder):
    """Neither in the log nor on disk, while the write-ahead log is still there, nor in /proc; what
    on_event starts gets an address on its standard input alone."""
    more = _modern_life(api, modern, public)
    assert all(len(secret) >= 16 for secret in more)
    deadline = time.monotonic() + 20
    while not (folder / "events").exists() or "plain/device" not in (folder / "events").read_text():
        assert time.monotonic() < deadline, "no event"
        time.sleep(0.05)
    offered = api.request("GET", "/v1/links/plain/device").ok()["url"]
    assert offered in (folder / "events").read_text()
    more.append(offered.rpartition("/")[2])
    places = [path for path in daemon.state.rglob("*") if path.is_file()]
    assert any(path.name.endswith("-wal") and path.stat().st_size for path in places)
    process = f"/proc/{daemon.process.pid}"
    places += [daemon.log_path, folder / "hook-saw"]
    places += [Path(process, name) for name in ("cmdline", "environ")]
    for place in places:
        data = place.read_bytes()
        found = [secret for secret in (*modern.secrets(), modern.dialect.client_secret, *more)
                 if secret.encode() in data]
        assert not found, f"{place}: {found}"

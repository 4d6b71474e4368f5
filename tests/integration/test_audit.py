"""The audit answers what an admin asks: which accounts, who, what came of it, since when."""

import json
import os
import time

import pytest

from harness.client import Api
from harness.other_user import as_user

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs other users")

OTHER = 61234


@pytest.fixture
def audited(daemon, plain, schema):
    """Three accounts that root and another user asked for, one of them in vain."""
    daemon.with_provider("plain", plain)
    daemon.config.access["root"] = {"accounts": ["*/*"], "who": ["user:0"], "may": ["admin"]}
    daemon.config.access["other"] = {"accounts": ["plain/dk-*"], "who": [f"user:{OTHER}"],
                                     "may": ["token"]}
    daemon.config.access["part"] = {"accounts": ["plain/se"], "who": [f"user:{OTHER + 1}"],
                                    "may": ["admin"]}
    daemon.start()
    daemon.folder.chmod(0o711)
    daemon.socket.chmod(0o666)
    for label in ("dk-1", "dk-2", "se"):
        daemon.grant(plain, f"plain/{label}")
        daemon.api.token(f"plain/{label}").ok()
    daemon.other = as_user(Api, OTHER)(daemon.socket, schema)
    daemon.part = as_user(Api, OTHER + 1)(daemon.socket, schema)
    assert [daemon.other.token(f"plain/{label}").status for label in ("dk-1", "se")] == [200, 403]
    return daemon


def rows(cli, *arguments):
    done = cli.run("audit", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["audit"]


def test_each_filter(audited, cli):
    assert {row["account"] for row in rows(cli, "plain/dk-*")} == {"plain/dk-1", "plain/dk-2"}
    assert {row["account"] for row in rows(cli, "plain/s?")} == {"plain/se"}
    assert {row["account"] for row in rows(cli, "plain/se")} == {"plain/se"}
    assert {row["uid"] for row in rows(cli, "--user", str(OTHER))} == {OTHER}
    assert {row["uid"] for row in rows(cli, "--user", "root")} == {0}
    (refused,) = rows(cli, "--verdict", "forbidden")
    assert (refused["account"], refused["uid"]) == ("plain/se", OTHER)
    (both,) = rows(cli, "plain/dk-*", "--user", str(OTHER), "--verdict", "token")
    assert both["account"] == "plain/dk-1"
    assert not rows(cli, "--unit", "no-such-*.service")
    assert rows(cli, "--since", "1h") and rows(cli, "--since", "2020-01-31")
    time.sleep(1.1)
    assert not rows(cli, "--since", "0")


def test_page_by_page(audited, cli, api):
    whole = [row["id"] for row in rows(cli)]
    seen, before = [], None
    while True:
        page = api.audit(limit=2, before=before).ok()
        seen += [row["id"] for row in page["audit"]]
        before = page.get("next")
        if before is None:
            break
    assert seen == whole
    done = cli.run("audit", "--limit", "1")
    assert f"--before {whole[0]}" in done.stderr
    assert rows(cli, "--limit", "1", "--before", str(whole[0]))[0]["id"] == whole[1]


@pytest.mark.parametrize("arguments", [
    ["--since", "yesterday"], ["--since", "2026-13-01"], ["--user", "no-such-user-here"],
    ["--limit", "x"], ["--before", "0"], ["a b"]], ids=" ".join)
def test_what_cannot_be_understood(broker, cli, arguments):
    done = cli.run("audit", *arguments)
    assert done.returncode == 2 and done.stderr and not done.stdout


def test_who_may(audited):
    """A part of the accounts is asked for by their names; a glob is more than that."""
    assert audited.part.audit(account="plain/se").status == 200
    assert audited.part.audit(account="plain/dk-1").status == 403
    assert audited.part.audit(account="plain/s*").status == 403
    assert audited.part.audit().status == 403
    assert audited.other.audit(account="plain/dk-1").status == 403

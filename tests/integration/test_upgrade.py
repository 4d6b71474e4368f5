"""A store of each older schema, with accounts in it, is taken over; a disk that is full loses nothing."""

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from harness.large import enlarge
from harness.spoil import spoil_the_page_of
from test_filling_disk import KB, MB, disk  # noqa: F401

SCHEMA = Path(__file__).resolve().parents[2] / "schema"
MIGRATIONS = sorted(SCHEMA.glob("0*.sql"))
ACCOUNTS = ("plain/acme", "plain/other")
APPLICATION_ID = 1953459042


def _columns(store, schema, table):
    return [row[1] for row in store.execute(f"PRAGMA {schema}.table_info({table})")]


def make_older(daemon, version):
    """The store as it would be had it been made by that version; what it has no place for is gone."""
    path, older = daemon.state / "store.sqlite", daemon.state / "older"
    with contextlib.closing(sqlite3.connect(older)) as store:
        store.execute("PRAGMA page_size = 8192")
        for migration in MIGRATIONS[:version]:
            store.executescript(migration.read_text())
        store.execute("ATTACH ? AS newer", [str(path)])
        tables = [name for (name,) in store.execute(
            "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
        for table in tables:
            names = ", ".join(_columns(store, "main", table))
            store.execute(f"DELETE FROM main.{table}")
            store.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM newer.{table}")
        store.commit()
        store.executescript(f"PRAGMA main.application_id = {APPLICATION_ID};"
                            f"PRAGMA main.user_version = {version}")
    for leftover in daemon.state.glob("store.sqlite*"):
        leftover.unlink()
    os.chmod(older, 0o600)
    os.rename(older, path)


def version_of(daemon):
    with contextlib.closing(sqlite3.connect(daemon.state / "store.sqlite")) as store:
        return store.execute("PRAGMA user_version").fetchone()[0]


def assert_all_serve(api, plain):
    for account in ACCOUNTS:
        assert plain.call(api.token(account).ok())[0] == 200
        assert api.refresh_allowed(account).ok()["state"] == "active"
        assert plain.call(api.token(account).ok())[0] == 200


@pytest.fixture
def kept(daemon, plain):
    """Accounts whose tokens were refreshed once."""
    daemon.with_provider("plain", plain).start()
    for account in ACCOUNTS:
        daemon.grant(plain, account)
        daemon.api.refresh_allowed(account).ok()
    return daemon


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_an_older_store_serves_and_refreshes(kept, api, plain, version):
    kept.stop()
    make_older(kept, version)
    kept.start()
    assert_all_serve(api, plain)
    api.forget(ACCOUNTS[1]).ok()
    kept.restart()
    assert api.token(ACCOUNTS[0]).status == 200 and api.token(ACCOUNTS[1]).status == 404


def test_a_store_that_is_damaged_stays_what_it_was(kept):
    """What a migration cannot read keeps it from nobody: the version before still serves the rest."""
    kept.stop()
    make_older(kept, 1)
    spoil_the_page_of(kept, ACCOUNTS[0])
    said = kept.refuses_to_start()
    assert "the version that wrote it can go on with it" in said and "restore a backup" in said
    assert version_of(kept) == 1


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="needs mount")
def test_a_disk_that_is_full_before_all_is_migrated(disk, kept, api, plain):  # noqa: F811
    """Wherever it stops: the store is as old as it was, or new, and serves once there is room."""
    enlarge(kept, ACCOUNTS[0], 3000)
    kept.stop()
    make_older(kept, 1)
    versions = []
    for left in range(0, 20 * MB, 160 * KB):
        disk.fill(left)
        kept.spawn()
        try:
            kept.notices.wait_for("READY=1", kept.process, 30)
            break
        except AssertionError:
            pass
        assert kept.process.wait(20) == 1
        said = kept.log().splitlines()[-1]
        assert "free some space" in said or "the disk is full" in said, said
        disk.relieve()
        versions.append(version_of(kept))
        if versions[-1] != 1:
            # Behind the commit of it all the start has more to write, for which room may lack too.
            assert versions[-1] == len(MIGRATIONS), said
            make_older(kept, 1)
    assert versions.count(1) > 3
    assert_all_serve(api, plain)

"""Stores of many accounts."""

import sqlite3


def enlarge(daemon, account, rows, **columns):
    """Adds so many rows of 2 kB that look like this one, whose tokens cannot be opened. Columns that
    differ are SQL, in which `value` counts from 1."""
    daemon.stop()
    provider, _, label = account.partition("/")
    store = sqlite3.connect(daemon.state / "store.sqlite")
    names = [row[1] for row in store.execute("PRAGMA table_info(accounts)")]
    other = {"label": "'copy' || value", "sealed": "randomblob(2000)", "id": "NULL", **columns}
    store.execute(
        f"WITH RECURSIVE n(value) AS"
        f" (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < {rows})"
        f" INSERT INTO accounts ({', '.join(names)})"
        f" SELECT {', '.join(other.get(name, name) for name in names)} FROM n, accounts"
        f" WHERE provider = '{provider}' AND label = '{label}'")
    store.commit()
    store.close()
    daemon.start()

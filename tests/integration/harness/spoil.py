"""Damage to single pages of a store whose broker does not run."""

import contextlib
import os
import sqlite3


def leaves_of(daemon, table):
    """The table's pages with rows, in their order: how large one is, and (number, bytes) of each."""
    file = daemon.state / "store.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as store:
        [size] = store.execute("PRAGMA page_size").fetchone()
        numbers = [page for page, in store.execute(
            "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path",
            (table,))]
    data = file.read_bytes()
    return size, [(page, data[(page - 1) * size:page * size]) for page in numbers]


def spoil(daemon, size, page):
    """Overwrites a page."""
    with open(daemon.state / "store.sqlite", "r+b") as store:
        store.seek((page - 1) * size)
        store.write(os.urandom(size))


def spoil_the_page_of(daemon, account):
    """Overwrites the page with that account's row; returns whose rows lie there, too."""
    with contextlib.closing(sqlite3.connect(daemon.state / "store.sqlite")) as store:
        names = [f"{one}/{other}" for one, other in
                 store.execute("SELECT provider, label FROM accounts")]
    size, leaves = leaves_of(daemon, "accounts")
    row = account.replace("/", "", 1).encode()
    [(spoilt, held)] = [(page, held) for page, held in leaves if row in held]
    spoil(daemon, size, spoilt)
    return {name for name in names if name.replace("/", "", 1).encode() in held}

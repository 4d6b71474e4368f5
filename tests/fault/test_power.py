"""The bench of power cuts: its disk forgets what was not synced, and a broken promise is seen."""

import random
import sqlite3
from collections import Counter

import pytest

from fault import power
from fault.disk import SECTOR, Disk, File, Folder, Unseen
from fault.machine import Machine
from fault.place import Lost

TRIES = 200
OLD, NEW = b"a" * 4 * SECTOR, b"b" * 2 * SECTOR


def contents(prepare):
    """What a file may hold after a cut."""
    found = set()
    for seed in range(TRIES):
        file = File(0o600, OLD)
        prepare(file)
        file.cut(random.Random(seed), Counter())
        assert file.now == file.sure and not file.changes
        found.add(bytes(file.now))
    return found


def test_what_was_synced_stays():
    def prepare(file):
        file.change((SECTOR, NEW))
        file.sync()
    assert contents(prepare) == {OLD[:SECTOR] + NEW + OLD[3 * SECTOR:]}


def test_what_was_not_synced_is_there_or_not_or_torn():
    a, b = OLD[:SECTOR], NEW[:SECTOR]
    assert contents(lambda file: file.change((SECTOR, NEW))) == {
        a + a + a + a, a + b + a + a, a + a + b + a, a + b + b + a}


def test_the_later_write_may_come_first():
    def prepare(file):
        file.change((0, NEW[:SECTOR]))
        file.change((SECTOR, NEW[:SECTOR]))
    assert OLD[:SECTOR] + NEW[:SECTOR] + OLD[2 * SECTOR:] in contents(prepare)


def test_a_new_size_is_as_little_certain():
    assert contents(lambda file: file.change(SECTOR)) == {OLD, OLD[:SECTOR]}
    longer = contents(lambda file: file.change((len(OLD), NEW)))
    assert OLD in longer and OLD + NEW in longer and OLD + bytes(len(NEW)) in longer
    assert any(one[len(OLD):].strip(b"b\0") for one in longer)  # what others had left there


def test_what_a_file_held_once_may_be_found_in_its_place():
    def prepare(file):
        file.change(0)
        file.sync()
        file.change((2 * SECTOR, NEW[:SECTOR]))
    assert OLD[:2 * SECTOR] + NEW[:SECTOR] in contents(prepare)


def names(prepare):
    found = set()
    for seed in range(TRIES):
        folder = Folder(0o700)
        prepare(folder)
        folder.cut(random.Random(seed), Counter())
        found.add(tuple(sorted(folder.now.items())))
    return found


def test_names_are_certain_once_the_folder_is_synced():
    def prepare(folder):
        folder.change([("key.new", 1)])
        folder.change([("key.new", None), ("key", 1)])
    assert names(prepare) == {(), (("key.new", 1),), (("key", 1),)}

    def prepare_and_sync(folder):
        prepare(folder)
        folder.sync()
    assert names(prepare_and_sync) == {(("key", 1),)}


def test_a_write_that_the_journal_lacks_is_refused(tmp_path):
    disk = Disk(tmp_path / "disk", tmp_path / "journal")
    disk.put("state", {"store": OLD})
    disk.check()
    (tmp_path / "disk" / "state" / "store").write_bytes(NEW)
    with pytest.raises(Unseen):
        disk.check()
    disk.go_on()
    disk.check()


def test_the_journal_shows_all(tmp_path):
    """A start, an import and an end: the disk is as the journal says."""
    with Machine(1, random.Random(1)) as place:
        place.start()
        place.grant_all()
        place.assert_whole()
        place.daemon.stop()
        place.disk.check()
        assert {one.name for one in place.daemon.state.iterdir()} == {"key", "lock", "store.sqlite"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["files", "folders"])
@pytest.mark.parametrize("run", [power.begin, power.restore, power.serve])
def test_a_sync_that_lies_is_found_out(run, kind, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # where what was lost stays
    with pytest.raises((Lost, sqlite3.DatabaseError)):
        run(40, random.Random(1), lambda count: None, lie=kind)

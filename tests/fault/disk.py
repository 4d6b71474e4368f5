"""What a disk may hold after a loss of power: what was synced is there, of the rest anything.

A sector holds what it held at the last sync, or what any write since then put there; a file has any
of the sizes that it had since then, but is made shorter at once or not at all, and before what is
written after that: file systems keep sizes in their own journals, and SQLite relies on it; a name that was made, changed or removed in a folder that was
not synced is so, or as before. power.c writes down what a program does."""

import os
import shutil
import struct
from collections import Counter

SECTOR = 512
_RECORD = struct.Struct("=IIQQ")  # as in power.c


class Unseen(AssertionError):
    """The disk was written in a way that the journal does not show."""


def _change(content, change):
    """Applies a write (offset, bytes) or a new size to a bytearray."""
    if isinstance(change, int):
        content[change:] = bytes(max(change - len(content), 0))
        return
    offset, data = change
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset:offset + len(data)] = data


def _sectors(change, length):
    """The sectors that a change touches in a file of that length."""
    begin, end = (length, change) if isinstance(change, int) else (
        change[0], change[0] + len(change[1]))
    return range(begin // SECTOR, -(-end // SECTOR))


def _sector(content, number):
    return bytes(content[number * SECTOR:(number + 1) * SECTOR]).ljust(SECTOR, b"\0")


class File:
    """`sure` is on the disk, `now` is what programs see, `changes` lead from one to the other."""

    def __init__(self, mode, content=b"", left=b""):
        """left: what the file of this name held before, which may be found in its place again."""
        self.mode, self._left = mode, left
        self.sure, self.now, self.changes = bytearray(content), bytearray(content), []

    def change(self, change):
        if isinstance(change, int):
            self._left = self.remains()
        _change(self.now, change)
        self.changes.append(change)

    def remains(self):
        """What lies on the disk when the file is gone or shorter."""
        return bytes(self.now) + self._left[len(self.now):]

    def sync(self):
        self._keep(len(self.changes))

    def _keep(self, count):
        for change in self.changes[:count]:
            _change(self.sure, change)
        del self.changes[:count]

    def cut(self, chance, found):
        """Decides what is on the disk."""
        found["changes not synced"] += len(self.changes)
        how = chance.choice(("none", "all", "beginning", "any", "any"))
        if how == "beginning" and self.changes:
            self._keep(chance.randrange(len(self.changes)))
            del self.changes[1:]  # that one is torn
        if how == "all":
            self.sync()
        elif how != "none":
            self.sure = self._torn(chance, found)
        self.now, self.changes = bytearray(self.sure), []

    def _torn(self, chance, found):
        image, sizes, versions = bytearray(self.sure), [len(self.sure)], {}
        for change in self._before_a_shrinking(chance):
            if isinstance(change, int) and change < len(image):
                del self.sure[change:]
                sizes, versions = [], {number: contents for number, contents in versions.items()
                                       if number * SECTOR < change}
            touched = _sectors(change, len(image))
            _change(image, change)
            sizes.append(len(image))
            for number in touched:
                versions.setdefault(number, []).append(_sector(image, number))
        return self._choose(chance, chance.choice(sizes), versions, found)

    def _before_a_shrinking(self, chance):
        """The changes up to one that made the file shorter and that did not come to be, or all."""
        length, places = len(self.sure), [len(self.changes)]
        for place, change in enumerate(self.changes):
            if isinstance(change, int):
                if change < length:
                    places.append(place)
                length = change
            else:
                length = max(length, change[0] + len(change[1]))
        return self.changes[:chance.choice(places)]

    def _choose(self, chance, size, versions, found):
        """A version for each sector; the last number is for what was there before."""
        out = bytearray(self.sure[:size])
        out.extend(self._unwritten(chance, len(out), size))
        for number, contents in versions.items():
            which = chance.randrange(len(contents) + 1)
            if which == len(contents):
                found["sectors lost"] += 1
            elif number * SECTOR < size:
                out[number * SECTOR:(number + 1) * SECTOR] = contents[which]
        return out[:size]


    def _unwritten(self, chance, begin, end):
        """What is read where nothing was written: nothing, anything, or what was there once."""
        room = end - begin
        return chance.choice((bytes(room), bytes(room), chance.randbytes(room),
                              self._left[begin:end].ljust(room, b"\0")))


class Folder:
    """Names and what they stand for, in the same way; a change is a list of (name, node or None)."""

    def __init__(self, mode):
        self.mode = mode
        self.sure, self.now, self.changes = {}, {}, []

    def change(self, change):
        self._apply(self.now, change)
        self.changes.append(change)

    @staticmethod
    def _apply(entries, change):
        for name, node in change:
            entries.pop(name, None)
            if node:
                entries[name] = node

    def sync(self):
        for change in self.changes:
            self._apply(self.sure, change)
        self.changes = []

    def cut(self, chance, found):
        share = chance.choice((0, 1, 0.5, 0.5))
        for change in self.changes:
            if chance.random() < share:
                self._apply(self.sure, change)
            else:
                found["names lost"] += 1
        self.now, self.changes = dict(self.sure), []


class Disk:
    """A folder and the journal of what happens in it."""

    def __init__(self, root, journal):
        self.root, self._journal = root, journal
        root.mkdir()
        journal.touch()
        self._top = Folder(0o700)
        self._inodes, self._left = {}, {}
        self._write_out()

    def put(self, folder, files):
        """All that is there from now on: a folder with files (name → bytes), for certain."""
        self._follow()
        self._top = Folder(0o700)
        if files is not None:
            inner = Folder(0o700)
            inner.sure = {name: File(0o600, content) for name, content in files.items()}
            inner.now = dict(inner.sure)
            self._top.sure, self._top.now = {folder: inner}, {folder: inner}
        self._write_out()

    def cut(self, chance, exactly=False):
        """Loses power, when no program runs: counts of what was lost. exactly: nothing was under
        way at the end, so that the journal has to show all that is there."""
        self._follow()
        if exactly:
            self.check()
        found = Counter()
        self._cut(self._top, chance, found)
        self._write_out()
        return found

    def unsynced(self):
        """The names of files of which something is not certain."""
        self._follow()
        return {name for folder in self._top.now.values() if isinstance(folder, Folder)
                for name, node in folder.now.items() if node.changes}

    def go_on(self):
        """A program has ended and the power is still there: what it was about to do when it was
        killed may be on the disk and not in the journal."""
        self._follow()
        self._compare(self._top, self.root, self._adopt)

    def check(self):
        """Refuses a disk that is not as the journal says."""
        self._follow()
        self._compare(self._top, self.root, self._refuse)

    # The journal

    def _follow(self):
        """Reads the journal to its end; what was cut off there was not done either."""
        book = self._journal.read_bytes()
        os.truncate(self._journal, 0)
        place = 0
        while place + _RECORD.size <= len(book):
            kind, length, inode, number = _RECORD.unpack_from(book, place)
            place += _RECORD.size + length
            if place <= len(book):
                _KINDS[chr(kind)](self, inode, number, book[place - length:place])

    def _find(self, path):
        """(the folder, the last name) of a path."""
        *folders, name = os.path.relpath(os.fsdecode(path), self.root).split(os.sep)
        node = self._top
        for one in folders:
            node = node.now[one]
        return node, name

    def _make(self, node, inode, path):
        folder, name = self._find(path)
        self._inodes[inode] = node
        folder.change([(name, node)])

    def _created(self, inode, mode, path):
        name = os.path.basename(os.fsdecode(path))
        self._make(File(mode, left=self._left.get(name, b"")), inode, path)

    def _made(self, inode, mode, path):
        self._make(Folder(mode), inode, path)

    def _written(self, inode, offset, data):
        self._inodes[inode].change((offset, data))

    def _truncated(self, inode, size, _):
        self._inodes[inode].change(size)

    def _synced(self, inode, *_):
        self._inodes[inode].sync()

    def _renamed(self, _inode, _number, paths):
        (folder, old), (other, new) = map(self._find, paths.split(b"\0"))
        if folder is not other:
            raise Unseen("renamed into another folder")
        folder.change([(old, None), (new, folder.now[old])])

    def _linked(self, _inode, _number, paths):
        (folder, old), (other, new) = map(self._find, paths.split(b"\0"))
        other.change([(new, folder.now[old])])

    def _unlinked(self, _inode, _number, path):
        folder, name = self._find(path)
        gone = folder.now.get(name)
        if isinstance(gone, File):
            self._left[name] = gone.remains()
        folder.change([(name, None)])

    def _mapped(self, inode, *_):
        raise Unseen(f"a file is mapped to be written: inode {inode}")

    # The tree

    def _cut(self, folder, chance, found):
        folder.cut(chance, found)
        for node in folder.now.values():
            if isinstance(node, Folder):
                self._cut(node, chance, found)
            else:
                node.cut(chance, found)

    def _write_out(self):
        shutil.rmtree(self.root)
        self._inodes = {}
        self._write_folder(self._top, self.root)

    def _write_folder(self, folder, path):
        path.mkdir(folder.mode)
        self._inodes[path.stat().st_ino] = folder
        for name, node in folder.now.items():
            below = path / name
            if isinstance(node, Folder):
                self._write_folder(node, below)
            else:
                self._write_file(node, below)

    def _write_file(self, file, path):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode)
        os.write(fd, file.now)
        self._inodes[os.fstat(fd).st_ino] = file
        os.close(fd)

    def _compare(self, folder, path, differs):
        there = {one.name for one in path.iterdir()}
        if there != folder.now.keys():
            differs(folder, path, f"{sorted(there)}, not {sorted(folder.now)}")
        for name, node in folder.now.items():
            below = path / name
            if isinstance(node, Folder):
                self._compare(node, below, differs)
            elif below.read_bytes() != node.now:
                differs(node, below, "another content")

    def _adopt(self, node, path, _why):
        """What one operation did that the journal lacks."""
        if isinstance(node, File):
            self._adopt_content(node, path.read_bytes())
            return
        for name in node.now.keys() - {one.name for one in path.iterdir()}:
            node.change([(name, None)])
        for one in path.iterdir():
            self._adopt_entry(node, one)

    @staticmethod
    def _adopt_content(file, content):
        if len(content) != len(file.now):
            file.change(len(content))
        for number in range(-(-len(content) // SECTOR)):
            data = content[number * SECTOR:(number + 1) * SECTOR]
            if file.now[number * SECTOR:(number + 1) * SECTOR] != data:
                file.change((number * SECTOR, data))

    def _adopt_entry(self, folder, path):
        inode = path.stat().st_ino
        if path.name not in folder.now:
            known = self._inodes.get(inode)
            fresh = Folder(0o700) if path.is_dir() else File(0o600)
            self._inodes[inode] = known or fresh
            folder.change([(path.name, self._inodes[inode])])

    def _refuse(self, _node, path, why):
        raise Unseen(f"{path}: {why}")


_KINDS = {"C": Disk._created, "D": Disk._made, "W": Disk._written, "T": Disk._truncated,
          "S": Disk._synced, "R": Disk._renamed, "L": Disk._linked, "U": Disk._unlinked,
          "M": Disk._mapped}

"""Follows files that grow: reads appended lines, and keeps its place over rotations.  Blocking.

A file is known by its inode, not by its name: it stays the same file when it is renamed.  The place
in it is an offset and a checksum of the bytes before the offset.  If these bytes have changed, the
file was truncated, or another file has its inode.  Then the file is read from the beginning.
"""

from __future__ import annotations

import errno
import glob
import os
import stat
import zlib
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from streamd.sources.errors import SourceError

MAX_FILES = 200
"""The most files that one source follows: each has a descriptor, and its place in the journal."""

CHUNK = 256 * 1024
"""The most bytes of one file in one look; of a line with more bytes only this many are read."""

ROOM = 4 * CHUNK
"""The bytes of all files in one look after which the others wait for the next look."""

FIRST = 64 * 1024
"""The bytes at the end of a file that are read at the first start."""

CHECKED = 256
"""The bytes before an offset that its checksum covers."""

SIBLINGS = 10_000
"""The most files in a folder that are searched for one that was renamed while nobody looked."""

CALM = 5.0
"""Seconds without a new byte after which a renamed file is over: its writer writes to the new one."""


class Mark(NamedTuple):
    """A place in a file.

    :ivar offset: the bytes that were read.
    :ivar check: the checksum of the last :data:`CHECKED` of them.
    :ivar skips: whether the offset is inside a line that is too long, whose rest is skipped.
    """

    offset: int
    check: int
    skips: bool = False


class TailLook(NamedTuple):
    """The result of one look at the files.

    :ivar lines: oldest first for each file.
    :ivar marks: the places after these lines, by the ids of the files.
    :ivar more: whether there are more bytes already.
    :ivar problem: why a file cannot be read, or an empty text.
    """

    lines: list[bytes]
    marks: dict[str, Mark]
    more: bool
    problem: str


class _Open:
    """A file that is open.

    :ivar calm_since: since when it had no new bytes, if it has lost its name.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.calm_since: float | None = None

    def is_over(self, named: bool, now: float) -> bool:
        """Return True if the file lost its name, and had no new bytes since for some time."""
        if named:
            self.calm_since = None
            return False
        if self.calm_since is None:
            self.calm_since = now
        return now - self.calm_since >= CALM


class Tail:
    """Follows the files that a glob matches, and keeps them open between two looks."""

    def __init__(self, pattern: str) -> None:
        """:param pattern: an absolute path, in which ``*``, ``?`` and ``[…]`` match names."""
        self._pattern = pattern
        self._open: dict[str, _Open] = {}
        self._turn = 0

    def close(self) -> None:
        """Close all files."""
        for file in self._open.values():
            os.close(file.descriptor)
        self._open.clear()

    def look(self, marks: Mapping[str, Mark] | None, now: float) -> TailLook:
        """Read the lines that the files have after their places.

        :param marks: the places by the ids of the files; None at the first start, when only the last
            lines of each file count.
        :param now: seconds on a monotonic clock.
        :raises SourceError: if no file can be read.
        """
        named, problem = self._named()
        known = dict(marks or {})
        self._find_moved(known, named)
        self._find_renamed(known)
        lines: list[bytes] = []
        after: dict[str, Mark] = {}
        room, more = ROOM, False
        for id in self._in_turn(named):
            file = self._open[id]
            mark = self._start(file, known.get(id), marks is None)
            if room <= 0:
                after[id], more = mark, True
                continue
            # While some file cannot be found, nobody knows whether it is this one.
            over = file.is_over(id in named or bool(problem), now)
            found, after[id], full = _read(file.descriptor, mark, over)
            lines += found
            if read := after[id].offset - mark.offset:
                file.calm_since = None
            room, more = room - read, more or full
            if over and not full:
                os.close(self._open.pop(id).descriptor)
                del after[id]
        if problem:
            away = (id for id in known if id not in after)
            after |= {id: known[id] for id in islice(away, MAX_FILES - len(after))}
        return TailLook(lines, after, more, problem)

    # -- which files there are ---------------------------------------------------------------------

    def _named(self) -> tuple[dict[str, str], str]:
        """Open the files that the glob matches now.

        :returns: their paths by their ids, and why another one cannot be opened.
        """
        paths = list(islice(glob.iglob(self._pattern), MAX_FILES + 1))
        if len(paths) > MAX_FILES:
            raise SourceError(f"more than {MAX_FILES} files match", key="file")
        named, problem = {}, ""
        for path in sorted(paths):
            try:
                named[self._opened(path)] = path
            except FileNotFoundError:  # it was renamed just now
                continue
            except OSError as error:
                problem = f"{Path(path).name}: {_why(error)}"
        if not named and not problem:
            problem = _missing(self._pattern)
        return named, problem

    def _opened(self, path: str) -> str:
        """Return the id of the file at a path; open it unless it is open."""
        about = os.stat(path)
        if (id := _id(about)) in self._open:
            # An open file stays readable without permission; a restart would then lose it.
            if not os.access(path, os.R_OK, effective_ids=True):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return id
        # Not blocking: a pipe would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or _id(about) in self._open:
            os.close(descriptor)
            if not stat.S_ISREG(about.st_mode):
                raise OSError("not a regular file")
        else:
            self._open[_id(about)] = _Open(descriptor)
        return _id(about)

    def _find_moved(self, known: dict[str, Mark], named: Mapping[str, str]) -> None:
        """Find files whose disk has got another number, as after a boot, by their inodes."""
        by_inode = {id.partition(":")[2]: id for id in known.keys() - self._open.keys()}
        for id in named.keys() - known.keys():
            other = by_inode.get(id.partition(":")[2])
            if other is not None and _is_same(self._open[id].descriptor, known[other]):
                known[id] = known.pop(other)

    def _find_renamed(self, known: Mapping[str, Mark]) -> None:
        """Open files that were renamed while nobody looked: their ends were not read."""
        lost = known.keys() - self._open.keys()
        folder = os.path.dirname(self._pattern)
        if not lost or glob.has_magic(folder):
            return
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in islice(entries, SIBLINGS):
                with suppress(OSError):
                    if _id(entry.stat()) in lost:
                        self._opened(entry.path)

    def _in_turn(self, named: Mapping[str, str]) -> list[str]:
        """Return the ids of the open files: those that were renamed first, then all in turn."""
        self._turn += 1
        ids = list(named)
        first = self._turn % max(1, len(ids))
        return [*(id for id in self._open if id not in named), *ids[first:], *ids[:first]]

    # -- one file ----------------------------------------------------------------------------------

    def _start(self, file: _Open, mark: Mark | None, first: bool) -> Mark:
        """Return the place at which to continue in a file."""
        if mark is not None and _is_same(file.descriptor, mark):
            return mark
        size = os.fstat(file.descriptor).st_size
        if mark is None and first and size > FIRST:
            offset = size - FIRST
            return Mark(offset, _check(file.descriptor, offset), True)
        return Mark(0, 0)


def _read(descriptor: int, mark: Mark, over: bool) -> tuple[list[bytes], Mark, bool]:
    """Read the next lines of a file.

    :param over: whether the file gets no more bytes: then its last line needs no line feed.
    :returns: the lines without their ends, the place after them, and whether there is more.
    """
    data = os.pread(descriptor, CHUNK, mark.offset)
    full = len(data) == CHUNK
    end = data.rfind(b"\n") + 1 or len(data) * (full or over or mark.skips)
    if not end:
        return [], mark, False
    lines = data[:end].split(b"\n")
    rest = lines.pop()  # not empty: a part of a line that does not end in this chunk
    if mark.skips and (lines or not rest):
        del lines[:1]
    elif rest and not mark.skips:
        lines.append(rest)
    skips = bool(rest)
    offset = mark.offset + end
    # A writer that does not append leaves a hole before its line where the file was truncated.
    lines = [line.strip(b"\0").rstrip(b"\r") for line in lines]
    return [line for line in lines if line], Mark(offset, _check(descriptor, offset), skips), full


def _is_same(descriptor: int, mark: Mark) -> bool:
    """Return True if the bytes before the place are those that were read."""
    if os.fstat(descriptor).st_size < mark.offset:
        return False
    return mark.offset == 0 or _check(descriptor, mark.offset) == mark.check


def _check(descriptor: int, offset: int) -> int:
    begin = max(0, offset - CHECKED)
    return zlib.crc32(os.pread(descriptor, offset - begin, begin))


def _id(about: os.stat_result) -> str:
    return f"{about.st_dev}:{about.st_ino}"


def _missing(pattern: str) -> str:
    folder, name = os.path.split(pattern)
    if not glob.has_magic(folder) and not os.path.isdir(folder):
        return f"there is no folder {os.path.basename(folder)}"
    return f"no file is called {name}"


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()

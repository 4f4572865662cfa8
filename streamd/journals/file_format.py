"""The SQLite file that holds a log: its format, its high-water mark, and the texts of its errors."""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
from contextlib import suppress
from functools import cache
from pathlib import Path

from streamd.core.update import LIFE_UNIT, MAX_LIFE, Position, parse_position
from streamd.journals.journal import DOWNGRADE, Unusable

APPLICATION = 0x73747264
"""``strd``: the ``application_id`` by which streamd's SQLite files are recognized."""

UPGRADES = (
    """
    CREATE TABLE about (
        life INTEGER NOT NULL,
        ms INTEGER NOT NULL,  -- the horizon
        i INTEGER NOT NULL,
        boot TEXT,            -- of the system, while the log is open and its end may get lost
        probe BLOB
    );
    INSERT INTO about VALUES (0, 0, 0, NULL, NULL);
    CREATE TABLE updates (
        id INTEGER PRIMARY KEY,  -- in the order of the log
        stream TEXT NOT NULL,
        ms INTEGER NOT NULL,     -- its position: ms, and life * 2**20 + i
        i INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        time REAL NOT NULL,
        value BLOB               -- JSON; NULL: the stream was forgotten
    );
    CREATE INDEX updates_by_stream ON updates (stream, ms, i);
    CREATE TABLE places (source TEXT PRIMARY KEY, place TEXT NOT NULL);
    CREATE TABLE fences (lease TEXT PRIMARY KEY, number INTEGER NOT NULL);  -- 0.1.0 reads it
    CREATE TABLE records (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        data BLOB NOT NULL,
        expires REAL,            -- seconds since the epoch; NULL: never
        PRIMARY KEY (kind, name)
    );
    """,
    """
    CREATE TABLE blocks (
        stream TEXT NOT NULL,
        number INTEGER NOT NULL,
        data BLOB NOT NULL,      -- a part of the stream's long history
        PRIMARY KEY (stream, number)
    );
    """,
    "DROP INDEX updates_by_stream",  # see rows.py
)
"""Script ``n`` upgrades a file from format version ``n`` to ``n + 1``; an empty file has version 0."""

_AT = f"""
    typeof(ms) = 'integer' AND ms BETWEEN 0 AND {10**15 - 1}
    AND typeof(i) = 'integer' AND i BETWEEN 0 AND {LIFE_UNIT - 1}
"""
SOUND = {
    "about": f"{_AT} AND typeof(life) = 'integer' AND life BETWEEN 0 AND {MAX_LIFE}",
    "updates": f"""{_AT} AND typeof(stream) = 'text' AND typeof(seq) = 'integer' AND seq > 0
        AND typeof(value) IN ('blob', 'null')""",
    "places": "typeof(source) = 'text' AND typeof(place) = 'text'",
    "records": """typeof(kind) = 'text' AND typeof(name) = 'text' AND typeof(data) = 'blob'
        AND typeof(expires) IN ('real', 'null')""",
    "blocks": "typeof(stream) = 'text' AND typeof(number) = 'integer' AND typeof(data) = 'blob'",
}
"""Table -> a condition that each of its rows must meet.  SQLite accepts any value in any column, and
has no checksums."""

_MAGIC = b"SQLite format 3\0"
_REASONS = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "the disk is read-only",
    "SQLITE_IOERR": "the disk gives errors",
    "SQLITE_BUSY": "another process has the file open",
    "SQLITE_CANTOPEN": "the file cannot be opened",
}


class Damaged(Exception):
    """The content of the file is damaged: it is not a valid log."""


class HighWaterMark:
    """The newest position that was ever published, in a small file beside the database.

    If the database ends before this position, it is an older copy.  Its next positions would repeat the
    positions of other updates.  If the mark is missing, the database may also be an older copy.

    A lock on this file keeps out a second daemon.  A lock of SQLite would keep out readers, too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def lock(self) -> None:
        """Open the file, and lock it until :meth:`close`.

        :raises BlockingIOError: another process has locked it.
        :raises OSError: it cannot be opened or made.
        """
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def read(self) -> Position | None:
        """Return the mark; None if the file is empty or unreadable."""
        try:
            return parse_position(self.path.read_text("ascii").strip())
        except (OSError, ValueError):
            return None

    def write(self, at: Position) -> None:
        """Overwrite the mark in place: this takes 2 µs, and needs no space on a full disk.

        Errors are ignored: with an outdated mark some older copies are not recognised.
        """
        with suppress(OSError):
            assert self._file is not None  # locked
            os.pwrite(self._file, b"%015d-%019d\n" % (at.ms, at.n), 0)

    def close(self) -> None:
        """Close the file, and release its lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def check_head(path: Path) -> None:
    """Check that a file can be used, and by its head that it is streamd's; change nothing.

    :raises Unusable: the file cannot be made, is read-only, or belongs to another program or a newer
        streamd.
    :raises Damaged: the file is not a database.
    """
    try:
        if not path.parent.is_dir():
            raise unusable(path, f"there is no folder {path.parent}")
        head = path.open("rb").read(100) if path.exists() else b""
    except OSError as error:
        raise unusable(path, str(error.strerror)) from error
    if head and not os.access(path, os.W_OK):
        raise unusable(path, "it is read-only")
    if not os.access(path.parent, os.W_OK | os.X_OK):  # SQLite keeps further files beside the file
        raise unusable(path, f"this user may not write to the folder {path.parent}")
    if not head:
        return
    if not head.startswith(_MAGIC) or len(head) < 100:
        raise Damaged("it is no database")
    version, application = (int.from_bytes(head[i : i + 4], "big") for i in (60, 68))
    if application != APPLICATION and (version or application):
        raise unusable(path, "it is another program's database")
    if version > len(UPGRADES):
        raise unusable(path, newer(version))


def unusable(path: Path, reason: str) -> Unusable:
    """Return the error for a file that cannot be used."""
    return Unusable(f"journal.path: cannot use {path}: {reason}")


def newer(version: int) -> str:
    """Return the reason why a file of a newer version cannot be used."""
    return (
        f"its format is {version}, of a newer streamd; this one knows {len(UPGRADES)}; {DOWNGRADE}"
    )


def damage(error: sqlite3.Error) -> str | None:
    """Return how the file is damaged; None if the error has another cause."""
    name = getattr(error, "sqlite_errorname", str(error))  # Python's own: a text is no UTF-8
    damages = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "Could not decode")
    return str(error) if name.startswith(damages) else None


def explain(error: sqlite3.Error) -> str | None:
    """Return an error as a sentence that walls show; None if the error is unexpected."""
    name = getattr(error, "sqlite_errorname", "")
    return next((words for start, words in _REASONS.items() if name.startswith(start)), None)


@cache
def this_boot() -> str:
    """Return an identifier of this boot of the system, or of this process on systems without one."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return secrets.token_hex()

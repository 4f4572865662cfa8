"""The format of the SQLite file that holds a log, and what its errors say."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import suppress
from functools import cache
from pathlib import Path

from streamd.core.update import LIFE_UNIT, MAX_LIFE
from streamd.journals.journal import Unusable

APPLICATION = 0x73747264
"""``strd``: SQLite's ``application_id`` of our files."""

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
)
"""Script ``n`` makes a file of format version ``n`` one of ``n + 1``; an empty file has version 0."""

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
}
"""A condition that every row of a table meets: SQLite takes any value in any column, and has no
checksums."""

_MAGIC = b"SQLite format 3\0"
_REASONS = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "the disk is read-only",
    "SQLITE_IOERR": "the disk gives errors",
    "SQLITE_BUSY": "another process has the file open",
    "SQLITE_CANTOPEN": "the file cannot be opened",
}


class Damaged(Exception):
    """The file itself says that it is no log any more."""


def check_head(path: Path) -> None:
    """Check by the head of a file that it is ours: any other file stays untouched.

    :raises Unusable: it is another program's, a newer streamd's, or cannot be written.
    :raises Damaged: it is no database.
    """
    try:
        head = path.open("rb").read(100) if path.exists() else b""
    except OSError as error:
        raise unusable(path, str(error.strerror)) from error
    if not head:
        return
    if not os.access(path, os.W_OK):
        raise unusable(path, "it is read-only")
    if not head.startswith(_MAGIC) or len(head) < 100:
        raise Damaged("it is no database")
    version, application = (int.from_bytes(head[i : i + 4], "big") for i in (60, 68))
    if application != APPLICATION and (version or application):
        raise unusable(path, "it is another program's database")
    if version > len(UPGRADES):
        raise unusable(
            path, f"its format is {version}, of a newer streamd; this one knows {len(UPGRADES)}"
        )


def unusable(path: Path, reason: str) -> Unusable:
    """Return the error of a file that cannot be used."""
    return Unusable(f"journal.path: cannot use {path}: {reason}")


def damage(error: sqlite3.Error) -> str | None:
    """Return what is wrong with the file; None if the error is not the file's fault."""
    name = getattr(error, "sqlite_errorname", str(error))  # Python's own: a text is no UTF-8
    damages = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "Could not decode")
    return str(error) if name.startswith(damages) else None


def explain(error: sqlite3.Error) -> str | None:
    """Return the error in words fit for a wall; None if nobody expected it."""
    name = getattr(error, "sqlite_errorname", "")
    return next((words for start, words in _REASONS.items() if name.startswith(start)), None)


@cache
def this_boot() -> str:
    """Return a name for the time since the system started; without one, for that of this process."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return secrets.token_hex()

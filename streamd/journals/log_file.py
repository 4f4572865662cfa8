"""The SQLite file that holds a log: reads and writes it.

All functions here block, and only one thread at a time may use a file.  A second file beside
``streamd.db`` is called ``streamd.db-told``: see :class:`HighWaterMark`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from streamd.core.histories.blocks import StoredBlocks
from streamd.core.update import LIFE_UNIT, MAX_TIME, ORIGIN, Position, Update
from streamd.journals.file_format import (
    APPLICATION,
    SOUND,
    UPGRADES,
    Damaged,
    HighWaterMark,
    check_head,
    damage,
    explain,
    newer,
    this_boot,
    unusable,
)
from streamd.journals.log_state import KEYS, Batch, draw_life, weigh
from streamd.journals.rows import Dropped, Rows

PROBE = 64 * 1024
"""Bytes of free space that a probe requires before appends are accepted again: one largest value."""

WAL_PAGES = 250
"""Pages of 4 KiB in the write-ahead log after which SQLite makes a checkpoint.  Appends wait for it: at
most 10 ms with 250 pages.  With 1000 pages they wait 25 ms, for a sixth more appends a second."""

WAL_LIMIT = 4 * 2**20
"""Bytes to which SQLite cuts the write-ahead log after a large transaction."""

_BESIDE = ("", "-wal", "-shm", "-journal", "-told")
"""The endings of the names of all files that belong to a log."""


class Held(NamedTuple):
    """The content of a file when it is opened.

    :ivar life: the life of the log from now on.
    :ivar renewed: the reason why the log has a new life; None if it keeps its life.
    :ivar horizon: see :meth:`Journal.trim`.
    :ivar updates: in the order of the log.
    :ivar places: source -> its cursor.
    :ivar blocks: stream -> number -> a part of its long history.
    :ivar records: kind, name, data, expiry in seconds since the epoch (None for never), and weight.
    """

    life: int
    renewed: str | None
    horizon: Position
    updates: Sequence[Update]
    places: Mapping[str, str]
    blocks: StoredBlocks
    records: Sequence[tuple[str, str, bytes, float | None, int]]


class LogFile:
    """A log in a SQLite file.  Other processes may read it, but only this one writes."""

    def __init__(self, path: Path, full: bool) -> None:
        """:param full: whether a commit waits until it is on the disk."""
        self._path = path
        self._full = full
        self._synchronous = "FULL" if full else "NORMAL"
        self._told = HighWaterMark(Path(f"{path}-told"))
        self._db: sqlite3.Connection
        self._rows = Rows()
        self._noted = False  # whether the file contains its life and the mark that it is open

    def open(self) -> Held:
        """Open the file, upgrade an older format, and read everything.

        :raises Unusable: the file cannot be opened, or belongs to another program.
        :raises Damaged: the file is not a valid log.
        """
        check_head(self._path)
        with suppress(OSError):  # SQLite says what is wrong
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        try:
            self._connect("NORMAL")
            self._lock()
            return self._take()
        except sqlite3.Error as error:
            self._drop()
            if reason := damage(error):
                raise Damaged(reason) from error
            raise unusable(self._path, explain(error) or str(error)) from error

    def _connect(self, locking: str) -> None:
        """Open the file and read its head.

        :param locking: NORMAL to share it with readers.  That needs 32 KiB for memory that is shared
            with them.  If a full disk has no room for it, the file is opened as EXCLUSIVE.
        """
        self._db = sqlite3.connect(
            self._path, timeout=1.0, isolation_level=None, check_same_thread=False
        )
        try:
            self._run(f"PRAGMA locking_mode = {locking}")
            self._run("PRAGMA schema_version")
        except sqlite3.OperationalError:
            self._db.close()
            if locking == "EXCLUSIVE":
                raise
            self._connect("EXCLUSIVE")

    def _lock(self) -> None:
        try:
            self._told.lock()
        except OSError as error:
            self._drop()
            if isinstance(error, BlockingIOError):
                raise unusable(self._path, "another process has the file open") from error
            raise unusable(self._told.path, str(error.strerror)) from error

    def _make_private(self) -> None:
        """Let only this user read the log.  SQLite gives its other files the same permissions."""
        for end in _BESIDE:
            with suppress(OSError):  # the file is not there, or is another user's
                os.chmod(f"{self._path}{end}", 0o600)

    def _run(self, statement: str) -> list[Any]:
        """Run a statement and return all rows: a statement that is not read to its end holds locks."""
        return self._db.execute(statement).fetchall()

    def _take(self) -> Held:
        run = self._run
        [(found,)] = run("PRAGMA quick_check(1)")
        if found != "ok":
            raise Damaged(found)
        [(version,)] = run("PRAGMA user_version")
        if version > len(UPGRADES):  # only its write-ahead log says so yet
            raise unusable(self._path, newer(version))
        if not version and run("SELECT * FROM sqlite_master LIMIT 1"):
            raise unusable(self._path, "it is another program's database")
        self._make_private()
        for number, script in enumerate(UPGRADES[version:], version + 1):
            self._db.executescript(
                f"BEGIN; {script}; PRAGMA application_id = {APPLICATION};"
                f"PRAGMA user_version = {number}; COMMIT"
            )
        run("PRAGMA journal_mode = WAL")
        run(f"PRAGMA synchronous = {self._synchronous}")
        run(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        run(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
        run("PRAGMA cache_size = -16000")
        held = self._read()
        if version < len(UPGRADES):
            run("PRAGMA wal_checkpoint(TRUNCATE)")  # so that the file's head contains the version
        return held

    def _read(self) -> Held:
        run = self._db.execute
        for table, sound in SOUND.items():
            if run(f"SELECT 1 FROM {table} WHERE NOT ({sound}) LIMIT 1").fetchone():
                raise Damaged(f"the table {table} has invalid entries")
        [(life, ms, i, boot)] = run("SELECT life, ms, i, boot FROM about")
        newest = run("SELECT ms, i FROM updates ORDER BY id DESC LIMIT 1").fetchone() or (0, 0)
        head_ms, head_i = max((ms, i), newest)
        renewed = self._why_renewed(life, boot, Position(head_ms, life * LIFE_UNIT + head_i))
        if not life or renewed is not None:
            life = draw_life()
        self._life = life
        first = life * LIFE_UNIT
        self._head = Position(head_ms, first + head_i)
        horizon = Position(ms, first + i) if ms else ORIGIN
        names: dict[str, str] = {}
        ids = []
        updates = []
        for id, name, seq, ms, i, time, value in run(
            # An impossible time is replaced by the time of the append.
            "SELECT id, stream, seq, ms, i,"
            " CASE WHEN time BETWEEN 0 AND ? THEN time ELSE ms / 1000.0 END, value"
            " FROM updates ORDER BY id",
            (MAX_TIME,),
        ):
            stream = names.setdefault(name, name)
            ids.append((stream, id))
            updates.append(Update(stream, seq, Position(ms, first + i), time, value))
        self._rows = Rows(ids)
        return Held(
            life,
            renewed,
            horizon,
            updates,
            dict(run("SELECT source, place FROM places")),
            _read_blocks(self._db),
            [
                (kind, name, data, expires, _weigh(data) if kind == KEYS else 0)
                for kind, name, data, expires in run(
                    "SELECT kind, name, data, expires FROM records ORDER BY expires"
                )
            ],
        )

    def _why_renewed(self, life: int, boot: str | None, head: Position) -> str | None:
        """Return why the next positions may have been used before; None if they were not."""
        if not life:
            return None
        if boot is not None and boot != this_boot():
            return "its end may be lost: the system stopped while it was open"
        mark = self._told.read()
        if mark is None:
            return f"{self._path.name}-told is missing: it may be an older copy"
        if mark.life != head.life or mark > head:
            return "it is an older copy"
        return None

    def write(self, batch: Batch) -> None:
        """Commit a batch.

        :raises sqlite3.Error: nothing was committed.
        """
        if batch.probing:
            self._probe()
        with self._transaction():
            self._rows.insert(self._db, batch.updates)
            many = self._db.executemany
            many("REPLACE INTO places VALUES (?, ?)", batch.places.items())
            for (kind, name), record in batch.records.items():
                if record is None:
                    many("DELETE FROM records WHERE kind = ? AND name = ?", [(kind, name)])
                    continue
                expires = record.expires and record.expires - batch.elapsed + batch.now
                row = (kind, name, record.data, expires)
                many("REPLACE INTO records VALUES (?, ?, ?, ?)", [row])
            _write_blocks(self._db, batch.blocks)
            dropped = self._trim(batch)
        self._rows.forget(dropped)
        self._rows.add([update.stream for update in batch.updates])
        if batch.updates:
            self._head = batch.head
            self._told.write(self._head)

    def _trim(self, batch: Batch) -> Dropped:
        if not batch.first:
            return {}
        ms, i = batch.horizon.ms, batch.horizon.n % LIFE_UNIT
        self._db.execute("UPDATE about SET ms = ?, i = ?", (ms, i))
        return self._rows.delete(self._db, batch.first, batch.horizon)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        run = self._db.execute
        if not self._noted:
            boot = None if self._full else this_boot()
            # It must be on the disk before the first commit, or a power failure could lose both.
            run("PRAGMA synchronous = FULL")
            run("UPDATE about SET life = ?, boot = ?", (self._life, boot))
            run(f"PRAGMA synchronous = {self._synchronous}")
            self._told.write(self._head)
            self._noted = True
        run("BEGIN IMMEDIATE")
        try:
            yield
            run("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                with suppress(sqlite3.Error):
                    run("ROLLBACK")
            raise

    def _probe(self) -> None:
        """Write and delete as many bytes as the largest value has.

        :raises sqlite3.Error: the disk is full or has errors.
        """
        for size in (PROBE, 0):
            with self._transaction():
                self._db.execute("UPDATE about SET probe = randomblob(?)", (size,))

    def close(self) -> None:
        """Note in the file that no update can be missing, and close it."""
        with suppress(sqlite3.Error):
            if self._noted:
                self._db.execute("UPDATE about SET boot = NULL")
        self._drop()

    def set_aside(self, stamp: str) -> Path:
        """Rename the file and the files that belong to it; return its new path.

        :raises OSError: the file could not be renamed.
        """
        self._make_private()  # it may be of 0.1.0, and was damaged before it was opened
        aside = self._path.with_name(f"{self._path.name}.damaged-{stamp}")
        for end in _BESIDE:
            with suppress(FileNotFoundError):
                os.rename(f"{self._path}{end}", f"{aside}{end}")
        self._drop()
        return aside

    def _drop(self) -> None:
        with suppress(sqlite3.Error, AttributeError):  # it may never have been opened
            self._db.close()
        self._told.close()


def _read_blocks(db: sqlite3.Connection) -> StoredBlocks:
    blocks: dict[str, dict[int, bytes]] = {}
    for stream, number, data in db.execute("SELECT stream, number, data FROM blocks"):
        blocks.setdefault(stream, {})[number] = data
    return blocks


def _write_blocks(db: sqlite3.Connection, blocks: Mapping[tuple[str, int], bytes | None]) -> None:
    for place, data in blocks.items():
        if data is None:
            db.execute("DELETE FROM blocks WHERE stream = ? AND number = ?", place)
        else:
            db.execute("REPLACE INTO blocks VALUES (?, ?, ?)", (*place, data))


def _weigh(data: bytes) -> int:
    try:
        return weigh(data)
    except msgspec.MsgspecError as error:
        raise Damaged(f"the table records has an invalid entry: {error}") from error

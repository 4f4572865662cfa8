"""The log in a file: SQLite, in a thread of its own.

All that waits when the thread becomes free is one transaction: committed first, then told, then
answered.  What a full disk, or one that is read-only or gives errors, does not take is refused, and is
tried again every second.  A damaged file is set aside, and another log begins.

What survives: whatever the process does, ``kill -9`` included, all that was acknowledged.  When the
power fails, with ``synchronous = "full"`` the same, if the disk keeps what it says that it has; with
``"normal"`` the last moments may be missing: the log has another life then, so that nobody takes what
comes for what he was told.
"""

from __future__ import annotations

import gc
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from threading import Thread
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from streamd.config.kind import Kind, Surroundings
from streamd.core.update import LIFE_UNIT, MAX_LIFE, MAX_TIME, ORIGIN, Position, Update
from streamd.journals.journal import KEY_LIFETIME, Away, Follower, Unusable
from streamd.journals.ordering import KEYS, Batch, Book, OrderedJournal, Record, draw_life, weigh
from streamd.reactor.timer import Timer

T = TypeVar("T")

FILE = "streamd.db"
"""What it is called where nothing else is said."""

RETRY = 1.0
"""Seconds between two attempts to write, while that fails."""

HUNG = 5.0
"""Seconds after which a disk that has not answered is away."""

PROBE = 64 * 1024
"""Bytes that have to find room before appends are taken again: as many as the largest value."""

WAL_PAGES = 250
"""Pages of 4 KiB in the write-ahead log, after which they are brought into the file.  Appends wait for
that: 10 ms at most with so many, 25 ms with 1000, for a sixth more appends a second."""

WAL_LIMIT = 4 * 2**20
"""Bytes to which the write-ahead log is cut when a large transaction has made it longer."""

APPLICATION = 0x73747264  # "strd", by which the file is known

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
    CREATE TABLE fences (lease TEXT PRIMARY KEY, number INTEGER NOT NULL);
    CREATE TABLE records (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        data BLOB NOT NULL,
        expires REAL,            -- seconds since the epoch; NULL: never
        PRIMARY KEY (kind, name)
    );
    """,
)
"""Each makes of a file of one format version, its place here, one of the next; 0 is an empty file."""

_AT = f"""
    typeof(ms) = 'integer' AND ms BETWEEN 0 AND {10**15 - 1}
    AND typeof(i) = 'integer' AND i BETWEEN 0 AND {LIFE_UNIT - 1}
"""
SOUND = {
    "about": f"{_AT} AND typeof(life) = 'integer' AND life BETWEEN 0 AND {MAX_LIFE}",
    "updates": f"""{_AT} AND typeof(stream) = 'text' AND typeof(seq) = 'integer' AND seq > 0
        AND typeof(value) IN ('blob', 'null')""",
    "places": "typeof(source) = 'text' AND typeof(place) = 'text'",
    "fences": "typeof(lease) = 'text' AND typeof(number) = 'integer'",
    "records": """typeof(kind) = 'text' AND typeof(name) = 'text' AND typeof(data) = 'blob'
        AND typeof(expires) IN ('real', 'null')""",
}
"""What is true of every row of a table: SQLite takes any value in any column, and has no checksums."""

_MAGIC = b"SQLite format 3\0"
_REASONS = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "the disk is read-only",
    "SQLITE_IOERR": "the disk gives errors",
    "SQLITE_BUSY": "another process has the file open",
    "SQLITE_CANTOPEN": "the file cannot be opened",
}

LOST = "the log was damaged: another one has begun"


class SqliteSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[journal]`` with ``path``.

    :ivar synchronous: ``full``: every commit waits until the disk has it.
    """

    path: str
    synchronous: Literal["normal", "full"] = "normal"


class Damaged(Exception):
    """The file is no log any more."""


class Held(NamedTuple):
    """What a file held when it was opened.

    :ivar records: kind, name, data, and when it expires in seconds since the epoch.
    """

    life: int
    horizon: Position
    updates: Sequence[Update]
    places: Mapping[str, str]
    fences: Mapping[str, int]
    records: Sequence[tuple[str, str, bytes, float | None]]


class LogFile:
    """The file.  Everything here blocks, and one thread at a time may use it."""

    def __init__(self, path: Path, full: bool) -> None:
        self._path = path
        self._full = full
        self._db: sqlite3.Connection
        self._noted = False  # whether the file says whose life it is, and that it is open

    def open(self) -> Held:
        """Take it, mend what a power failure or an older version left, and read it.

        :raises Unusable: if it cannot be had, or is not for us.
        :raises Damaged: if it is no log any more.
        """
        self._look()
        try:
            self._db = sqlite3.connect(
                self._path, timeout=1.0, isolation_level=None, check_same_thread=False
            )
            return self._take()
        except sqlite3.Error as error:
            self._drop()
            if reason := damage(error):
                raise Damaged(reason) from error
            raise self._unusable(explain(error) or str(error)) from error

    def _look(self) -> None:
        """Whose file it is, by its head: one that is not ours stays untouched."""
        try:
            head = self._path.open("rb").read(100) if self._path.exists() else b""
        except OSError as error:
            raise self._unusable(str(error.strerror)) from error
        if not head:
            return
        if not os.access(self._path, os.W_OK):
            raise self._unusable("it is read-only")
        if not head.startswith(_MAGIC) or len(head) < 100:
            raise Damaged("it is no database")
        version, application = (int.from_bytes(head[i : i + 4], "big") for i in (60, 68))
        if application != APPLICATION and (version or application):
            raise self._unusable("it is another program's database")
        if version > len(UPGRADES):
            raise self._unusable(
                f"its format is {version}, of a newer streamd; this one knows {len(UPGRADES)}"
            )

    def _unusable(self, reason: str) -> Unusable:
        return Unusable(f"journal.path: cannot use {self._path}: {reason}")

    def _run(self, statement: str) -> list[Any]:
        """Its rows, all of them: a statement that is not at its end holds locks."""
        return self._db.execute(statement).fetchall()

    def _take(self) -> Held:
        run = self._run
        run("PRAGMA locking_mode = EXCLUSIVE")  # one process; and no shared memory is needed
        [(found,)] = run("PRAGMA quick_check(1)")
        if found != "ok":
            raise Damaged(found)
        [(version,)] = run("PRAGMA user_version")
        if version > len(UPGRADES):  # as only its write-ahead log says yet
            raise self._unusable(f"its format is {version}, of a newer streamd")
        if not version and run("SELECT * FROM sqlite_master LIMIT 1"):
            raise self._unusable("it is another program's database")
        for number, script in enumerate(UPGRADES[version:], version + 1):
            self._db.executescript(
                f"BEGIN; {script}; PRAGMA application_id = {APPLICATION};"
                f"PRAGMA user_version = {number}; COMMIT"
            )
        run("PRAGMA journal_mode = WAL")
        run(f"PRAGMA synchronous = {'FULL' if self._full else 'NORMAL'}")
        run(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        run(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
        run("PRAGMA cache_size = -16000")
        held = self._read()
        if version < len(UPGRADES):
            run("PRAGMA wal_checkpoint(TRUNCATE)")  # the head has to say the version
        return held

    def _read(self) -> Held:
        run = self._db.execute
        for table, sound in SOUND.items():
            if run(f"SELECT 1 FROM {table} WHERE NOT ({sound}) LIMIT 1").fetchone():
                raise Damaged(f"in {table} is what no log can say")
        [(life, ms, i, boot)] = run("SELECT life, ms, i, boot FROM about")
        if not life or (boot is not None and boot != this_boot()):
            life = draw_life()  # it is new, or its end may have been lost
        self._life = life
        first = life * LIFE_UNIT
        names: dict[str, str] = {}
        rows = run(
            # A time that cannot be: it was true when it was appended, as far as anybody knows.
            "SELECT stream, seq, ms, i, CASE WHEN time BETWEEN 0 AND ? THEN time ELSE ms / 1000.0 END,"
            " value FROM updates ORDER BY id",
            (MAX_TIME,),
        )
        return Held(
            life,
            Position(ms, first + i) if ms else ORIGIN,
            [
                Update(names.setdefault(name, name), seq, Position(ms, first + i), time, value)
                for name, seq, ms, i, time, value in rows
            ],
            dict(run("SELECT source, place FROM places")),
            dict(run("SELECT lease, number FROM fences")),
            list(run("SELECT kind, name, data, expires FROM records ORDER BY expires")),
        )

    def write(self, batch: Batch) -> None:
        """Commit what a step changes, all of it or nothing.

        :raises sqlite3.Error: nothing.
        """
        with self._transaction():
            many = self._db.executemany
            many(
                "INSERT INTO updates (stream, seq, ms, i, time, value) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (u.stream, u.seq, u.at.ms, u.at.n % LIFE_UNIT, u.time, u.value)
                    for u in batch.updates
                ),
            )
            many("REPLACE INTO places VALUES (?, ?)", batch.places.items())
            many("REPLACE INTO fences VALUES (?, ?)", batch.fences.items())
            for (kind, name), record in batch.records.items():
                if record is None:
                    many("DELETE FROM records WHERE kind = ? AND name = ?", [(kind, name)])
                    continue
                expires = record.expires and record.expires - batch.elapsed + batch.now
                row = (kind, name, record.data, expires)
                many("REPLACE INTO records VALUES (?, ?, ?, ?)", [row])
            self._trim(batch)

    def _trim(self, batch: Batch) -> None:
        if not batch.first:
            return
        ms, i = batch.horizon.ms, batch.horizon.n % LIFE_UNIT
        self._db.execute("UPDATE about SET ms = ?, i = ?", (ms, i))
        self._db.executemany(
            "DELETE FROM updates WHERE stream = ? AND (ms, i) < (?, ?)",
            ((name, at.ms, at.n % LIFE_UNIT) for name, at in batch.first.items()),
        )
        self._db.executemany(
            "DELETE FROM updates WHERE stream = ? AND ms = ? AND i = ? AND value IS NULL",
            (
                (name, at.ms, at.n % LIFE_UNIT)
                for name, at in batch.first.items()
                if at <= batch.horizon  # a tombstone is the first of what is left
            ),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        run = self._db.execute
        if not self._noted:
            boot = None if self._full else this_boot()
            run("UPDATE about SET life = ?, boot = ?", (self._life, boot))
            # On the disk before anybody is told anything: or it is lost with what it speaks of.
            run("PRAGMA wal_checkpoint(FULL)").fetchall()
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

    def probe(self) -> None:
        """Whether there is room, and the disk takes it.

        :raises sqlite3.Error: no.
        """
        for size in (PROBE, 0):
            with self._transaction():
                self._db.execute("UPDATE about SET probe = randomblob(?)", (size,))

    def close(self) -> None:
        """All is in the file, and on the disk."""
        with suppress(sqlite3.Error):
            if self._noted:
                self._db.execute("UPDATE about SET boot = NULL")
        self._drop()

    def set_aside(self, stamp: str) -> Path:
        """Out of the way, with all that belongs to it; whoever looks finds it there."""
        aside = self._path.with_name(f"{self._path.name}.damaged-{stamp}")
        for end in ("", "-wal", "-shm", "-journal"):
            with suppress(FileNotFoundError):
                os.rename(f"{self._path}{end}", f"{aside}{end}")
        self._drop()
        return aside

    def _drop(self) -> None:
        with suppress(sqlite3.Error, AttributeError):  # it may never have been opened
            self._db.close()


def damage(error: sqlite3.Error) -> str | None:
    """What is wrong with the file, if it is the file."""
    name = getattr(error, "sqlite_errorname", str(error))  # Python's own: a text is no UTF-8
    damages = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "Could not decode")
    return str(error) if name.startswith(damages) else None


def explain(error: sqlite3.Error) -> str | None:
    """The error in words fit for a wall; None if nobody expected it."""
    name = getattr(error, "sqlite_errorname", "")
    return next((words for start, words in _REASONS.items() if name.startswith(start)), None)


@cache
def this_boot() -> str:
    """Names the time since the system was started; where it has no name, this process's own."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return secrets.token_hex()


class SqliteJournal(OrderedJournal):
    """Keeps what the follower keeps, and a mark a stream.

    The file grows to the most that it had to hold at one time: pages that become free are used again.
    """

    def __init__(
        self,
        path: Path,
        now: Callable[[], float],
        elapsed: Callable[[], float],
        reactor: Any,
        full: bool = False,
    ) -> None:
        """:param full: every commit waits until the disk has it."""
        super().__init__(now, elapsed, 0)
        self._path = path
        self._file = LogFile(path, full)
        self._full = full
        self._reactor = reactor
        self._pool = ThreadPool(1, 1, name="journal")
        # A disk that does not answer does not keep the process from ending.
        self._pool.threadFactory = partial(Thread, daemon=True)  # type: ignore[assignment]
        self._retry = Timer(reactor, RETRY, self._try_again)
        self._trying: Deferred[None] | None = None
        self._begin: Callable[[], Held] | None = None  # another log, while the one is damaged

    def start(self, follower: Follower) -> Deferred[None]:
        # In this thread: until it is done nobody can be served anyway.
        self._follower = follower
        gc.disable()  # nothing of what is read now is garbage, and to look takes as long as to read
        try:
            self._take(self._file.open())
        except (Damaged, ValueError, msgspec.MsgspecError) as damaged:  # or a value is no JSON
            try:
                self._take_other(self._replace(str(damaged)))
            except OSError as error:
                raise Unusable(
                    f"journal.path: {self._path} is damaged, and stays: {error}"
                ) from error
        finally:
            gc.enable()
        self._open = True
        self._pool.start()
        return succeed(None)

    def _take(self, held: Held) -> None:
        """This is the log; the follower begins with it."""
        self.life = held.life
        self._book = book = Book()
        for update in held.updates:
            book.seqs[update.stream] = update.seq if update.value is not None else 0
        book.seqs = {name: seq for name, seq in book.seqs.items() if seq}
        book.head = max([held.horizon, *(u.at for u in held.updates[-1:])])
        book.places, book.fences = dict(held.places), dict(held.fences)
        now, elapsed = self._now(), self._elapsed()
        for kind, name, data, expires in held.records:
            # Whatever the clock did meanwhile, nothing lasts longer than if it had been put now.
            left = None if expires is None else expires - now
            weight = 0
            if kind == KEYS:
                weight, left = weigh(data), min(left or 0.0, KEY_LIFETIME)
            record = Record(data, None if left is None else elapsed + left, weight)
            book.records.setdefault(kind, {})[name] = record
            book.recorded += weight
        self._log.info(
            "the log is in {path}: {streams} streams, {updates} updates",
            path=self._path,
            streams=len(book.seqs),
            updates=len(held.updates),
        )
        self._follower.restore(held.life, held.updates, held.horizon)

    def _take_other(self, held: Held) -> None:
        """The log that was is lost, and this is another one."""
        self._begin = None
        self._take(held)
        self._follower.lost(LOST)

    def _replace(self, reason: str) -> Held:
        """Begin another log beside a damaged one."""
        aside = self._file.set_aside(time.strftime("%Y%m%dT%H%M%S", time.gmtime(self._now())))
        self._log.critical(
            "{path} is damaged ({reason}): it is {aside} now, and another log begins",
            path=self._path,
            reason=reason,
            aside=aside,
        )
        self._file = LogFile(self._path, self._full)
        self._begin = self._file.open  # the damaged one is out of the way, whatever comes
        return self._file.open()

    # -- in the thread, and what comes of it -------------------------------------------------------

    async def _store(self, batch: Batch) -> None:
        hung = self._reactor.callLater(HUNG, self._lose, "the disk does not answer")
        try:
            await self._in_thread(self._file.write, batch)
        except sqlite3.Error as error:
            raise await self._failed(error) from error
        finally:
            if hung.active():
                hung.cancel()
        if self._away is not None:  # it took long
            self._find()

    def _in_thread(self, call: Callable[..., T], *args: Any) -> Deferred[T]:
        return deferToThreadPool(self._reactor, self._pool, call, *args)

    async def _failed(self, error: sqlite3.Error) -> Away:
        """Nothing was stored, and why; from now on all is refused until it works again."""
        if reason := damage(error):
            self._begin = partial(self._replace, reason)
            try:
                held = await self._in_thread(self._begin)
            except (Unusable, OSError) as failure:
                self._log.critical("{reason}", reason=str(failure))
                return self._lose("the log is damaged, and there can be no other")
            if self._away is not None:
                self._find()
            self._take_other(held)
            return Away(LOST)
        words = explain(error)
        if words is None:
            self._log.failure("the journal failed", Failure(error))
        return self._lose(words or "the journal failed, see the log")

    def _lose(self, why: str) -> Away:
        """All is refused, until :meth:`_find`."""
        known, self._away = self._away, Away(why)
        if known is None:
            self._retry.start()
        if known is None or known.message != why:
            self._log.error("nothing can be published: {why} ({path})", why=why, path=self._path)
            self._follower.away(why)
        self._refuse_all(self._away)
        return self._away

    def _find(self) -> None:
        self._away = None
        self._retry.stop()
        self._log.info("the journal is back: {path}", path=self._path)
        self._follower.away(None)

    def _try_again(self) -> None:
        if self._idle is None and self._trying is None:
            self._trying = Deferred.fromCoroutine(self._probe())

    async def _probe(self) -> None:
        try:
            other = await self._in_thread(self._begin or self._file.probe)
        except sqlite3.Error as error:
            await self._failed(error)
        except (Unusable, OSError):
            return  # as was said
        except Exception:
            self._log.failure("the journal could not be tried")
        else:
            self._find()
            if other is not None:
                self._take_other(other)
        finally:
            self._trying = None

    async def _end(self) -> None:
        self._retry.stop()
        if self._trying is not None:
            await self._trying
        await self._in_thread(self._file.close)
        self._pool.stop()

    def _close(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._end())


def _make(name: str, settings: SqliteSettings, surroundings: Surroundings) -> SqliteJournal:
    reactor, now = surroundings.reactor, surroundings.now
    path = surroundings.base / settings.path
    return SqliteJournal(path, now, reactor.seconds, reactor, settings.synchronous == "full")


KIND = Kind("sqlite", frozenset(("path",)), SqliteSettings, _make)

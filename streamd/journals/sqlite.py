"""The log in a file: SQLite, in a thread of its own.

All requests that wait when the thread becomes free are one transaction, told and answered after it was
committed.  When a disk is full, read-only or gives errors, requests are refused, and the journal tries
again every second.  A damaged file is set aside, and another log begins.

Acknowledged updates survive any end of the process, ``kill -9`` included.  They survive a power
failure with ``synchronous = "full"``, if the disk keeps what it says it has.  With ``"normal"`` the
last moments may be lost: then the log gets a new life, so that a client cannot mistake its positions
for lost ones.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from sqlite3 import Error as SqliteError
from typing import Any, Literal

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from streamd.config.kind import Kind, Surroundings
from streamd.journals.book import KEYS, Batch, Book, Record
from streamd.journals.file_format import Damaged, damage, explain
from streamd.journals.journal import KEY_LIFETIME, Away, Follower, Unusable
from streamd.journals.local import LocalJournal, Question
from streamd.journals.log_file import Held, LogFile
from streamd.journals.queue import Request
from streamd.reactor.timer import Timer
from streamd.reactor.worker import Worker

FILE = "streamd.db"
"""The name of the file where the configuration names none."""

RETRY = 1.0
"""Seconds between two attempts to write while writing fails."""

HUNG = 5.0
"""Seconds after which a disk that does not answer is away."""

LOST = "the log was damaged: another one has begun"
NO_OTHER = "the log is damaged, and there can be no other"


class SqliteSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[journal]`` with ``path``.

    :ivar synchronous: ``full``: every commit waits until the disk has it.
    """

    path: str
    synchronous: Literal["normal", "full"] = "normal"


class SqliteJournal(LocalJournal):
    """Keeps what the follower keeps, and of each stream the newest update that was let go.

    The file grows to the most that it held at one time: SQLite uses free pages again.
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
        super().__init__(now, elapsed, 0, "the disk")
        self._path = path
        self._full = full
        self._file = LogFile(path, full)
        self._reactor = reactor
        self._worker = Worker(reactor, "journal")
        self._retry = Timer(reactor, RETRY, self._probe)
        self._open_other: Callable[[], Held] | None = None  # while the file is damaged

    def start(self, follower: Follower) -> Deferred[None]:
        """See :meth:`Journal.start`.  The file is opened in this thread: nobody can be served yet.

        :raises Exception: the follower's own, from :meth:`Follower.restore`; the file stays as it is.
        """
        self._follower = follower
        gc.disable()  # nothing that is read now is garbage, and looking takes as long as reading
        try:
            held, damaged = self._open()
            self._keep_book(held)
            follower.restore(held.life, held.updates, held.horizon)
        finally:
            gc.enable()
        if damaged:
            follower.lost(LOST)
        self._queue.admit()
        return succeed(None)

    def _open(self) -> tuple[Held, bool]:
        """Open the file, or another one in place of a damaged one, and say so."""
        try:
            return self._file.open(), False
        except Damaged as damaged:
            try:
                return self._replace(str(damaged)), True
            except OSError as error:
                raise Unusable(
                    f"journal.path: {self._path} is damaged, and stays: {error}"
                ) from error

    def _keep_book(self, held: Held) -> None:
        """Begin the book with what a file holds."""
        self.life = held.life
        self._book = book = Book()
        for update in held.updates:
            book.seqs[update.stream] = update.seq if update.value is not None else 0
        book.seqs = {name: seq for name, seq in book.seqs.items() if seq}
        book.head = max([held.horizon, *(u.at for u in held.updates[-1:])])
        book.places = dict(held.places)
        now, elapsed = self._now(), self._elapsed()
        for kind, name, data, expires, weight in held.records:
            left = None if expires is None else expires - now
            if (
                kind == KEYS
            ):  # however the clock was set meanwhile, no key lasts longer than a new one
                left = min(left or 0.0, KEY_LIFETIME)
            record = Record(data, None if left is None else elapsed + left, weight)
            book.records.setdefault(kind, {})[name] = record
            book.recorded += weight
        self._log.info(
            "the log is in {path}: {streams} streams, {updates} updates",
            path=self._path,
            streams=len(book.seqs),
            updates=len(held.updates),
        )
        if held.renewed is not None:
            self._log.warn(
                "the log in {path} has a new life: {why}", path=self._path, why=held.renewed
            )

    def _replace(self, reason: str) -> Held:
        """Set the damaged file aside, and begin another log.

        :raises OSError: the file stays.
        :raises Unusable: it is out of the way, but there can be no other.
        """
        aside = self._file.set_aside(time.strftime("%Y%m%dT%H%M%S", time.gmtime(self._now())))
        self._log.critical(
            "{path} is damaged ({reason}): it is {aside} now, and another log begins",
            path=self._path,
            reason=reason,
            aside=aside,
        )
        self._file = LogFile(self._path, self._full)
        self._open_other = self._file.open  # whatever comes, the damaged one is out of the way
        held = self._file.open()
        self._open_other = None
        return held

    # -- in the thread, and what comes of it -------------------------------------------------------

    async def _store(self, batch: Batch) -> None:
        hung = self._reactor.callLater(HUNG, self._lose, "the disk does not answer")
        try:
            if self._open_other is not None:
                raise await self._begin_other(self._open_other)
            await self._worker.run(self._file.write, batch)
        except SqliteError as error:
            raise await self._failed(error) from error
        finally:
            if hung.active():
                hung.cancel()
        if self._told_away is not None:  # it took long, or was a probe
            self._find()

    async def _failed(self, error: SqliteError) -> Away:
        """Nothing was stored: return why, and refuse everything until the disk works again."""
        if reason := damage(error):
            return await self._begin_other(partial(self._replace, reason))
        words = explain(error)
        if words is None:
            self._log.failure("the journal failed", Failure(error))
        return self._lose(words or "the journal failed, see the log")

    async def _begin_other(self, open_other: Callable[[], Held]) -> Away:
        """Go on with another log in place of a damaged one."""
        self._open_other = open_other
        try:
            held = await self._worker.run(open_other)
        except (Damaged, Unusable, OSError) as failure:
            if self._told_away != NO_OTHER:
                self._log.critical("{reason}", reason=str(failure))
            return self._lose(NO_OTHER)
        self._open_other = None
        if self._told_away is not None:
            self._find()
        self._keep_book(held)
        try:
            self._follower.restore(held.life, held.updates, held.horizon)
        except Exception:
            self._log.failure("the follower failed on another log")
        self._follower.lost(LOST)
        return Away(LOST)

    def _lose(self, why: str) -> Away:
        if self._told_away is None:
            self._retry.start()
        return super()._lose(why)

    def _find(self) -> None:
        self._retry.stop()
        super()._find()

    def _probe(self) -> None:
        """Try whether the disk works again."""
        if self._queue.idle:
            probe: Request[Question] = Request(Batch.probe, Deferred(), 0, 0)
            self._queue.put(probe).addErrback(lambda failure: failure.trap(Away))

    def backup(self, path: Path) -> Deferred[None]:
        """Copy the log to a new file while it is in use.

        :raises OSError: by the Deferred, as any of :meth:`LogFile.backup`.
        """
        return self._worker.run(self._file.backup, path)

    def _close(self) -> Deferred[None]:
        self._retry.stop()
        return self._worker.run(self._file.close).addCallback(lambda _: self._worker.stop())


def _make(name: str, settings: SqliteSettings, surroundings: Surroundings) -> SqliteJournal:
    reactor, now = surroundings.reactor, surroundings.now
    path = surroundings.base / settings.path
    return SqliteJournal(path, now, reactor.seconds, reactor, settings.synchronous == "full")


KIND = Kind("sqlite", frozenset(("path",)), SqliteSettings, _make)

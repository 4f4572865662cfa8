"""The log in a SQLite file, written in its own thread.

When the thread becomes free, all waiting requests become one transaction.  They are answered after the
commit.  If the disk is full, read-only or has errors, requests are refused, and the journal tries again
every second.  A damaged file is renamed, and a new log begins.

Acknowledged updates survive any end of the process, also ``kill -9``.  With ``synchronous = "full"``
they also survive a power failure, if the disk really stores what it confirms.  With ``"normal"`` a
power failure may lose the last moments.  Then the log gets a new life, so that a client cannot mistake
new positions for lost ones.
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

from streamd.config.fields import ConfigError
from streamd.config.kind import Kind, Surroundings
from streamd.journals.file_format import Damaged, check_head, damage, explain
from streamd.journals.journal import KEY_LIFETIME, Away, Follower, Unusable, publisher_of
from streamd.journals.local import LocalJournal, Question
from streamd.journals.log_file import Held, LogFile
from streamd.journals.log_state import KEYS, Batch, LogState, Record
from streamd.journals.queue import QueuedRequest
from streamd.reactor.timer import Timer
from streamd.reactor.worker import Worker

FILE = "streamd.db"
"""The name of the file if the configuration names none."""

RETRY = 1.0
"""Seconds between two attempts to write while writing fails."""

HUNG = 5.0
"""Seconds without an answer after which the disk counts as away."""

LOST = "the log was damaged: another one has begun"
NO_OTHER = "the log is damaged, and there can be no other"


class SqliteSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[journal]`` with ``path``.

    :ivar synchronous: with ``full``, every commit waits until it is on the disk.
    """

    path: str
    synchronous: Literal["normal", "full"] = "normal"


class SqliteJournal(LocalJournal):
    """The journal in a SQLite file.

    It keeps the updates that the follower keeps, and the newest dropped update of each stream.  The
    file does not shrink, but SQLite uses free pages again.
    """

    def __init__(
        self,
        path: Path,
        now: Callable[[], float],
        elapsed: Callable[[], float],
        reactor: Any,
        full: bool = False,
    ) -> None:
        """:param full: whether every commit waits until it is on the disk."""
        super().__init__(now, elapsed, 0, "the disk")
        self._path = path
        self._full = full
        self._file = LogFile(path, full)
        self._reactor = reactor
        self._worker = Worker(reactor, "journal")
        self._retry = Timer(reactor, RETRY, self._probe)
        self._open_other: Callable[[], Held] | None = None  # while the file is damaged

    def start(self, follower: Follower) -> Deferred[None]:
        """See :meth:`Journal.start`.  This blocks, because requests need the log anyway.

        :raises Exception: an exception of :meth:`Follower.restore`; the file is unchanged.
        """
        self._tell_to(follower)
        gc.disable()  # a log has no garbage, and a collection takes as long as reading it
        try:
            held, damaged = self._open()
            self._take_state(held)
            follower.restore(held.life, held.updates, held.horizon, held.blocks)
        finally:
            gc.enable()
        if damaged:
            follower.lost(LOST)
        self._queue.admit()
        return succeed(None)

    def _open(self) -> tuple[Held, bool]:
        """Open the file; replace a damaged one.

        :returns: the content, and whether the file was damaged.
        """
        try:
            return self._file.open(), False
        except Damaged as damaged:
            try:
                return self._replace(str(damaged)), True
            except OSError as error:
                raise Unusable(
                    f"journal.path: {self._path} is damaged and cannot be renamed: {error}"
                ) from error

    def _take_state(self, held: Held) -> None:
        """Make the state of the log from the content of a file."""
        self.life = held.life
        self._log_state = state = LogState()
        for update in held.updates:
            state.seqs[update.stream] = update.seq if update.value is not None else 0
        state.seqs = {name: seq for name, seq in state.seqs.items() if seq}
        state.head = max([held.horizon, *(u.at for u in held.updates[-1:])])
        state.places = dict(held.places)
        now, elapsed = self._now(), self._elapsed()
        for kind, name, data, expires, weight in held.records:
            left = None if expires is None else expires - now
            if kind == KEYS:  # even if the clock went back, no key lasts longer than a new one
                left = min(left or 0.0, KEY_LIFETIME)
            record = Record(data, None if left is None else elapsed + left, weight)
            state.records.setdefault(kind, {})[name] = record
            if weight:
                publisher = publisher_of(name)
                state.recorded += weight
                state.shares[publisher] = state.shares.get(publisher, 0) + weight
        self._log.info(
            "the log is in {path}: {streams} streams, {updates} updates",
            path=self._path,
            streams=len(state.seqs),
            updates=len(held.updates),
        )
        if held.renewed is not None:
            self._log.warn(
                "the log in {path} has a new life: {why}", path=self._path, why=held.renewed
            )

    def _replace(self, reason: str) -> Held:
        """Rename the damaged file, and begin a new log.

        :raises OSError: the file could not be renamed.
        :raises Unusable: the file was renamed, but no new log could be made.
        """
        aside = self._file.set_aside(time.strftime("%Y%m%dT%H%M%S", time.gmtime(self._now())))
        self._log.critical(
            "{path} is damaged ({reason}): it is {aside} now, and another log begins",
            path=self._path,
            reason=reason,
            aside=aside,
        )
        self._file = LogFile(self._path, self._full)
        self._open_other = self._file.open  # from now on only this step has to be tried again
        held = self._file.open()
        self._open_other = None
        return held

    # -- write in the thread -----------------------------------------------------------------------

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
        if self._told_away is not None:  # the write hung before, or was a probe
            self._find()

    async def _failed(self, error: SqliteError) -> Away:
        """Refuse everything until the disk works again, and return the error; nothing was stored."""
        if reason := damage(error):
            return await self._begin_other(partial(self._replace, reason))
        words = explain(error)
        if words is None:
            self._log.failure("the journal failed", Failure(error))
        return self._lose(words or "the journal failed, see the log")

    async def _begin_other(self, open_other: Callable[[], Held]) -> Away:
        """Replace a damaged log by a new one, and return the error for the waiting requests."""
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
        self._take_state(held)
        try:
            self._follower.restore(held.life, held.updates, held.horizon, held.blocks)
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
        """Test whether the disk works again."""
        if self._queue.idle:
            probe: QueuedRequest[Question] = QueuedRequest(Batch.probe, Deferred())
            self._queue.put(probe).addErrback(lambda failure: failure.trap(Away))

    def _close(self) -> Deferred[None]:
        self._retry.stop()
        return self._worker.run(self._file.close).addCallback(lambda _: self._worker.stop())


def _make(name: str, settings: SqliteSettings, surroundings: Surroundings) -> SqliteJournal:
    reactor, now = surroundings.reactor, surroundings.now
    path = surroundings.base / settings.path
    try:
        check_head(path)
    except Unusable as unusable:
        raise ConfigError([str(unusable)]) from None
    except Damaged:
        pass  # another log begins when the journal starts
    return SqliteJournal(path, now, reactor.seconds, reactor, settings.synchronous == "full")


KIND = Kind("sqlite", frozenset(("path",)), SqliteSettings, _make)

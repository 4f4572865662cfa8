"""The base of journals that only one process uses; a subclass stores the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from streamd.core.histories.blocks import Blocks
from streamd.core.update import ORIGIN, Draft, Position, Update
from streamd.journals.journal import Key, SourceCursor
from streamd.journals.log_state import Batch, LogState
from streamd.journals.queue import TRIM_BYTES, Outcome, cost_of_blocks
from streamd.journals.queued_journal import QueuedJournal

T = TypeVar("T")
Question = Callable[[Batch], Any]
"""A request: a function that changes a batch and returns the answer, or raises and changes nothing."""


class LocalJournal(QueuedJournal[Question]):
    """A journal that only one process uses; a subclass stores the log in :meth:`_store`."""

    shared = False

    def __init__(
        self, now: Callable[[], float], elapsed: Callable[[], float], life: int, store: str
    ) -> None:
        """:param now: returns seconds since the epoch, for positions and times.

        :param elapsed: returns seconds on a monotonic clock, for records that expire.
        """
        super().__init__(life, store, elapsed)
        self._now = now
        self._elapsed = elapsed
        self._log_state = LogState()

    def append(
        self,
        drafts: Sequence[Draft],
        key: Key | None = None,
        cursor: SourceCursor | None = None,
    ) -> Deferred[Sequence[Update]]:
        return self._queue.ask(lambda batch: batch.append(drafts, key, cursor), drafts=drafts)

    def receipt(self, key: Key) -> Deferred[Sequence[Update] | None]:
        return self._queue.ask(lambda batch: batch.receipt(key))

    def place(self, source: str) -> Deferred[str | None]:
        return self._queue.ask(lambda batch: batch.place(source))

    def put(self, kind: str, name: str, record: bytes, seconds: float | None) -> Deferred[None]:
        return self._queue.ask(lambda batch: batch.put(kind, name, record, seconds), len(record))

    def swap(
        self, kind: str, name: str, expected: bytes | None, record: bytes, seconds: float | None
    ) -> Deferred[bool]:
        about = (kind, name, expected, record, seconds)
        return self._queue.ask(lambda batch: batch.swap(*about), len(record))

    def records(self, kind: str) -> Deferred[Mapping[str, bytes]]:
        return self._queue.ask(lambda batch: batch.all(kind))

    def store(self, blocks: Blocks) -> Deferred[None]:
        return self._queue.ask(lambda batch: batch.store(blocks), cost_of_blocks(blocks))

    def trim(self, first: Mapping[str, Position], horizon: Position) -> Deferred[None]:
        return self._queue.ask(lambda batch: batch.trim(first, horizon), TRIM_BYTES * len(first))

    def _carry_out(self, requests: Sequence[Question]) -> Outcome | Awaitable[Outcome]:
        batch = Batch(self._log_state, self.life, self._now(), self._elapsed())
        answers: list[Any] = []
        for question in requests:
            try:
                answers.append(question(batch))
            except Exception:
                answers.append(Failure())
        stored = self._store(batch) if batch else None
        if stored is None:
            return self._committed(batch, answers)
        return self._wait_for(stored, batch, answers)

    async def _wait_for(self, stored: Awaitable[None], batch: Batch, answers: list[Any]) -> Outcome:
        await stored
        return self._committed(batch, answers)

    def _committed(self, batch: Batch, answers: list[Any]) -> Outcome:
        self._log_state.settle(batch)
        self._tell(batch.updates)
        return answers, ORIGIN

    def _store(self, batch: Batch) -> Awaitable[None] | None:
        """Store a batch durably.

        :returns: fires once it is stored; None if it is stored now.
        :raises Away: nothing was stored, and nothing will be stored later.
        """
        raise NotImplementedError

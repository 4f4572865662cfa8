"""What comes next, and whether it may: the log of one process, without the place where it is kept.

What is asked of it is done in order, in steps: a :class:`Batch` is what one step changes, and nothing
of it is true before it is stored.  A kind of journal says how that is done.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.core.errors import Refused
from streamd.core.update import MAX_LIFE, ORIGIN, Draft, Position, Update, size_of
from streamd.journals.journal import (
    KEY_LIFETIME,
    Away,
    Conflict,
    Fence,
    Follower,
    Key,
    Outrun,
    SourceCursor,
)

T = TypeVar("T")
V = TypeVar("V")

MAX_RECORDED = 100_000
"""Keys that are remembered, and updates that they stand for; each takes about 100 bytes."""

MAX_WAITING = 10_000
MAX_WAITING_SIZE = 64 * 2**20
"""Things that may wait for their turn, and bytes of their values: a disk does that in seconds."""

MANY_UPDATES = 5000
MANY_BYTES = 8 * 2**20
"""Updates, and bytes of their values, after which a step takes no more: all else waits for it."""

KEYS = "key"
"""The kind of record that an idempotency key is."""


class Record(NamedTuple):
    """Something small that is kept for a while.

    :ivar expires: on the clock that nobody sets; None: never.
    :ivar weight: what it counts towards :data:`MAX_RECORDED`.
    """

    data: bytes
    expires: float | None
    weight: int = 0


class Receipt(msgspec.Struct, array_like=True, frozen=True):
    """What a key stands for: the request, and of each update stream, seq, position and time."""

    digest: bytes
    updates: Sequence[tuple[str, int, int, int, float]]


def weigh(data: bytes) -> int:
    """That of a key's record."""
    return 1 + len(msgspec.msgpack.decode(data, type=Receipt).updates)


class Book:
    """What ordering has to know.

    :ivar seqs: stream -> its last ``seq``; 0: it was forgotten.
    :ivar places: source -> its cursor.
    :ivar fences: lease -> the newest number.
    :ivar records: kind -> name -> record, each kind in the order in which it was put.
    :ivar recorded: the weight of all records.
    """

    def __init__(self) -> None:
        self.head = ORIGIN
        self.seqs: dict[str, int] = {}
        self.places: dict[str, str] = {}
        self.fences: dict[str, int] = {}
        self.records: dict[str, dict[str, Record]] = {}
        self.recorded = 0

    def settle(self, batch: Batch) -> None:
        """It is stored: it is true."""
        self.head = batch.head
        self.seqs.update(batch.seqs)
        for name in [name for name, seq in batch.seqs.items() if not seq]:
            del self.seqs[name]
        self.places.update(batch.places)
        self.fences.update(batch.fences)
        self.recorded = batch.recorded
        for (kind, name), record in batch.records.items():
            kept = self.records.setdefault(kind, {})
            kept.pop(name, None)
            if record is not None:
                kept[name] = record


class Changes(dict[str, V]):
    """What a step changes; for what it does not, what is known."""

    def __init__(self, known: Mapping[str, V]) -> None:
        super().__init__()
        self._known = known

    def __missing__(self, name: str) -> V | None:
        return self._known.get(name)


class Batch:
    """One step.

    :ivar now: seconds since the epoch; :ivar elapsed: on the clock that nobody sets.
    :ivar updates: to be committed.
    :ivar records: to be kept; None: to be taken away.
    :ivar first: streams and where what is needed of them begins; see :meth:`Journal.trim`.
    """

    def __init__(self, book: Book, life: int, now: float, elapsed: float) -> None:
        self._book = book
        self._life = life
        self.now = now
        self.elapsed = elapsed
        self.head = book.head
        self.seqs = Changes(book.seqs)
        self.places = Changes(book.places)
        self.fences = Changes(book.fences)
        self.recorded = book.recorded
        self.updates: list[Update] = []
        self.records: dict[tuple[str, str], Record | None] = {}
        self.first: dict[str, Position] = {}
        self.horizon = ORIGIN
        self._looked: set[str] = set()  # kinds of which the expired ones are taken away

    def __bool__(self) -> bool:
        """Whether there is something to store."""
        return any((self.updates, self.records, self.places, self.fences, self.first))

    def append(
        self,
        drafts: Sequence[Draft],
        key: Key | None,
        cursor: SourceCursor | None,
        fence: Fence | None,
    ) -> Sequence[Update]:
        """See :meth:`Journal.append`; changes nothing when it raises."""
        if key is not None:
            self._expire(KEYS)
            receipt = self.receipt(key)
            if receipt is not None:
                return receipt
            if self.recorded + 1 + len(drafts) > MAX_RECORDED:
                raise Refused(429, "too-many-keys", "too many idempotency keys in five minutes")
        if fence is not None and fence.number < (self.fences[fence.lease] or 0):
            raise Outrun(f"lease {fence.lease}: {fence.number} is not the newest number")
        if cursor is not None:
            if self.places[cursor.source] != cursor.expected:
                raise Outrun(f"source {cursor.source}: its cursor is elsewhere")
            self.places[cursor.source] = cursor.place
        if fence is not None:
            self.fences[fence.lease] = fence.number
        updates = self._order(drafts)
        self.updates += updates
        if key is not None:
            self._remember(key, updates)
        return updates

    def _order(self, drafts: Sequence[Draft]) -> list[Update]:
        seqs, head, now, life = self.seqs, self.head, self.now, self._life
        now_ms = int(now * 1000)
        updates = []
        for draft in drafts:
            name, value = draft.stream, draft.value
            seq = seqs[name] or 0
            if value is None and not seq:
                continue  # its tombstone would be nobody's, and stay for ever
            head = head.next(now_ms, life)
            time = now if draft.time is None else draft.time
            updates.append(Update(name, seq + 1, head, time, value))
            seqs[name] = 0 if value is None else seq + 1
        self.head = head
        return updates

    def receipt(self, key: Key) -> Sequence[Update] | None:
        """See :meth:`Journal.receipt`."""
        record = self._record((KEYS, key.text))
        if record is None:
            return None
        receipt = msgspec.msgpack.decode(record.data, type=Receipt)
        if receipt.digest != key.digest:
            raise Conflict
        return [
            Update(s, seq, Position(ms, n), time, b"") for s, seq, ms, n, time in receipt.updates
        ]

    def _remember(self, key: Key, updates: Sequence[Update]) -> None:
        said = [(u.stream, u.seq, u.at.ms, u.at.n, u.time) for u in updates]
        data = msgspec.msgpack.encode(Receipt(key.digest, said))
        self._keep((KEYS, key.text), Record(data, self.elapsed + KEY_LIFETIME, 1 + len(updates)))

    def place(self, source: str) -> str | None:
        """See :meth:`Journal.place`."""
        return self.places[source]

    def put(self, kind: str, name: str, data: bytes, seconds: float | None) -> None:
        """See :meth:`Journal.put`."""
        self._expire(kind)
        if seconds is not None and seconds <= 0:
            self._keep((kind, name), None)
        else:
            expires = None if seconds is None else self.elapsed + seconds
            self._keep((kind, name), Record(data, expires))

    def all(self, kind: str) -> Mapping[str, bytes]:
        """See :meth:`Journal.records`."""
        names = [*self._book.records.get(kind, ()), *(n for k, n in self.records if k == kind)]
        found = {name: self._record((kind, name)) for name in names}
        return {name: record.data for name, record in found.items() if record is not None}

    def acquire(self, lease: str) -> Fence:
        """There is one process: it is ours."""
        return Fence(lease, self.fences[lease] or 0)

    def trim(self, first: Mapping[str, Position], horizon: Position) -> None:
        """See :meth:`Journal.trim`."""
        self.first.update(first)
        self.horizon = max(self.horizon, horizon)

    def _known(self, kind: str, name: str) -> Record | None:
        if (kind, name) in self.records:
            return self.records[kind, name]
        return self._book.records.get(kind, {}).get(name)

    def _record(self, place: tuple[str, str]) -> Record | None:
        record = self._known(*place)
        if record is None or (record.expires is not None and record.expires <= self.elapsed):
            return None
        return record

    def _keep(self, place: tuple[str, str], record: Record | None) -> None:
        known = self._known(*place)
        self.recorded += (record.weight if record else 0) - (known.weight if known else 0)
        self.records[place] = record

    def _expire(self, kind: str) -> None:
        """Those of a kind are kept for the same time as a rule: the oldest expire first."""
        if kind in self._looked:
            return
        self._looked.add(kind)
        for name, record in self._book.records.get(kind, {}).items():
            if record.expires is None or record.expires > self.elapsed:
                return
            self._keep((kind, name), None)


class Asked(NamedTuple):
    """What waits for its turn.

    :ivar size: bytes of values.
    """

    question: Callable[[Batch], Any]
    answer: Deferred[Any]
    size: int


class OrderedJournal:
    """Keeps the promise of a journal, but for where the log is kept: :meth:`_store` says that.

    :ivar life: of the log.
    """

    _log = Logger()
    shared = False

    def __init__(self, now: Callable[[], float], elapsed: Callable[[], float], life: int) -> None:
        """:param now: seconds since the epoch, for positions and times.

        :param elapsed: seconds on a clock that nobody sets, for what expires.
        """
        self.life = life
        self._now = now
        self._elapsed = elapsed
        self._book = Book()
        self._follower: Follower
        self._open = False
        self._waiting: deque[Asked] = deque()
        self._under_way: Sequence[Asked] = ()  # in the step that is being stored
        self._size = 0
        self._away: Away | None = None  # why nothing can be stored
        self._idle: Deferred[None] | None = None  # while at work; fires when nothing waits any more

    # -- the promise, see there --------------------------------------------------------------------

    def append(
        self,
        drafts: Sequence[Draft],
        key: Key | None = None,
        cursor: SourceCursor | None = None,
        fence: Fence | None = None,
    ) -> Deferred[Sequence[Update]]:
        return self._ask(lambda batch: batch.append(drafts, key, cursor, fence), size_of(drafts))

    def receipt(self, key: Key) -> Deferred[Sequence[Update] | None]:
        return self._ask(lambda batch: batch.receipt(key))

    def place(self, source: str) -> Deferred[str | None]:
        return self._ask(lambda batch: batch.place(source))

    def put(self, kind: str, name: str, record: bytes, seconds: float | None) -> Deferred[None]:
        return self._ask(lambda batch: batch.put(kind, name, record, seconds))

    def records(self, kind: str) -> Deferred[Mapping[str, bytes]]:
        return self._ask(lambda batch: batch.all(kind))

    def acquire(self, lease: str, seconds: float) -> Deferred[Fence | None]:
        return self._ask(lambda batch: batch.acquire(lease))

    def release(self, lease: str) -> Deferred[None]:
        return succeed(None)

    def trim(self, first: Mapping[str, Position], horizon: Position) -> Deferred[None]:
        return self._ask(lambda batch: batch.trim(first, horizon))

    def stop(self) -> Deferred[None]:
        self._open = False
        if self._idle is None:
            return self._close()
        return self._idle.addCallback(lambda _: self._close())

    # -- one thing after the other -----------------------------------------------------------------

    def _ask(self, question: Callable[[Batch], T], size: int = 0) -> Deferred[T]:
        """Have a question answered in its turn; what it changes is stored then.

        :param size: bytes of values.
        """
        if not self._open:
            return fail(Away("streamd is starting or stopping"))
        if self._away is not None:
            return fail(self._away)
        if len(self._waiting) >= MAX_WAITING or self._size + size > MAX_WAITING_SIZE:
            return fail(Away("too much waits for the disk"))
        answer: Deferred[T] = Deferred()
        self._waiting.append(Asked(question, answer, size))
        self._size += size
        if self._idle is None:
            self._idle = Deferred()
            Deferred.fromCoroutine(self._work()).addErrback(
                lambda failure: self._log.failure("the journal stands still", failure)
            )
        return answer

    async def _work(self) -> None:
        """Take a step after the other while anything waits."""
        while self._waiting:
            batch, answers = self._step()
            try:
                if batch:
                    await self._store(batch)
            except Exception as error:
                answers = [Failure(self._reason(error))] * len(answers)
            else:
                self._book.settle(batch)
                self._tell(batch.updates)
            asked, self._under_way = self._under_way, ()
            self._size -= sum(a.size for a in asked)
            for a, answer in zip(asked, answers, strict=False):  # nobody asks who was refused
                a.answer.callback(answer)
        idle, self._idle = self._idle, None
        if idle is not None:
            idle.callback(None)

    def _refuse_all(self, why: Away) -> None:
        """What has not begun never will; what is under way may be stored nevertheless."""
        refused = [*self._under_way, *self._waiting]
        self._under_way, self._size = (), 0
        self._waiting.clear()
        for asked in refused:
            asked.answer.errback(why)

    def _step(self) -> tuple[Batch, Sequence[Any]]:
        """What one step changes, and the answers to what is under way then, if it is stored."""
        batch = Batch(self._book, self.life, self._now(), self._elapsed())
        asked: list[Asked] = []
        answers: list[Any] = []
        self._under_way = asked
        size = 0
        while self._waiting and len(batch.updates) < MANY_UPDATES and size < MANY_BYTES:
            asked.append(self._waiting.popleft())
            size += asked[-1].size
            try:
                answers.append(asked[-1].question(batch))
            except Exception:
                answers.append(Failure())
        return batch, answers

    def _tell(self, updates: Sequence[Update]) -> None:
        try:
            if updates:
                self._follower.committed(updates)
        except Exception:
            self._log.failure("what was committed could not be followed")

    def _reason(self, error: Exception) -> Away:
        """Why nothing could be stored."""
        if isinstance(error, Away):
            return error
        self._log.failure("the journal failed", Failure(error))
        return Away("the journal failed, see the log")

    # -- what a kind says --------------------------------------------------------------------------

    def _store(self, batch: Batch) -> Awaitable[None]:
        """Make it last.

        :raises Away: it did not, and never will.
        """
        raise NotImplementedError

    def _close(self) -> Deferred[None]:
        """Give back what is open."""
        return succeed(None)


def draw_life() -> int:
    """That of a new log."""
    return random.SystemRandom().randrange(1, MAX_LIFE)

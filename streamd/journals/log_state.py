"""The state of a log that only one process has, and the rules by which a batch changes it.

A batch decides which appends are valid, and collects the changes of one step.  The changes take effect
only when the batch was stored and the state has taken them over.  This module does no I/O.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from streamd.core.histories.blocks import Blocks
from streamd.core.update import MAX_LIFE, ORIGIN, Draft, Position, Update
from streamd.journals.journal import (
    KEY_LIFETIME,
    Conflict,
    Key,
    Outrun,
    SourceCursor,
    TooManyKeys,
    publisher_of,
)

MAX_RECORDED = 200_000
"""The most idempotency keys that are remembered, plus the updates in their receipts: 100 bytes each.

A publisher may hold as much as stays free: one holds at most a half, two at most a third each.
"""

KEYS = "key"
"""The kind of the records for idempotency keys."""


class Record(NamedTuple):
    """A small record.

    :ivar expires: seconds on the monotonic clock; None if it never expires.
    :ivar weight: its share of :data:`MAX_RECORDED`.
    """

    data: bytes
    expires: float | None
    weight: int = 0


class Receipt(msgspec.Struct, array_like=True, frozen=True):
    """The record of an idempotency key.

    :ivar digest: the digest of the request.
    :ivar updates: the stream, seq, position (ms and n) and time of each update.
    """

    digest: bytes
    updates: Sequence[tuple[str, int, int, int, float]]


def draw_life() -> int:
    """Return the life of a new log: a random number."""
    return random.SystemRandom().randrange(1, MAX_LIFE)


def weigh(data: bytes) -> int:
    """Return the weight of an idempotency key's record.

    :raises msgspec.MsgspecError: the data is not such a record.
    """
    return 1 + len(msgspec.msgpack.decode(data, type=Receipt).updates)


class LogState:
    """The current state of the log, without the updates themselves.

    :ivar head: the position of the newest update.
    :ivar seqs: stream -> its last ``seq``; forgotten streams are not in it.
    :ivar places: source -> its cursor.
    :ivar records: kind -> name -> record; each kind in the order in which its records were put.
    :ivar recorded: the weight of all records.
    :ivar shares: publisher -> the weight of the records of its idempotency keys.
    """

    def __init__(self) -> None:
        self.head = ORIGIN
        self.seqs: dict[str, int] = {}
        self.places: dict[str, str] = {}
        self.records: dict[str, dict[str, Record]] = {}
        self.recorded = 0
        self.shares: dict[str, int] = {}

    def settle(self, batch: Batch) -> None:
        """Take over the changes of a batch that has been stored."""
        self.head = batch.head
        self.seqs.update(batch.seqs)
        for name in [name for name, seq in batch.seqs.items() if not seq]:
            del self.seqs[name]
        self.places.update(batch.places)
        self.recorded = batch.recorded
        self.shares.update(batch.shares)
        for name in [name for name, weight in batch.shares.items() if not weight]:
            del self.shares[name]
        for (kind, name), record in batch.records.items():
            kept = self.records.setdefault(kind, {})
            kept.pop(name, None)
            if record is not None:
                kept[name] = record


class Batch:
    """The changes of one step of a log.  Everything else stays as it was.

    :ivar now: seconds since the epoch.
    :ivar elapsed: seconds on the monotonic clock.
    :ivar updates: the updates to commit.
    :ivar records: (kind, name) -> the record to store; None to delete it.
    :ivar blocks: (stream, number) -> the part of a long history to store; None to delete it.
    :ivar first: stream -> the position before which its updates can be deleted; see
        :meth:`Journal.trim`.
    :ivar probing: whether to test that the store can be written.
    """

    def __init__(self, before: LogState, life: int, now: float, elapsed: float) -> None:
        self._before = before
        self._life = life
        self.now = now
        self.elapsed = elapsed
        self.head = before.head
        self.seqs: dict[str, int] = {}
        self.places: dict[str, str] = {}
        self.recorded = before.recorded
        self.shares: dict[str, int] = {}
        self.updates: list[Update] = []
        self.records: dict[tuple[str, str], Record | None] = {}
        self.blocks: dict[tuple[str, int], bytes | None] = {}
        self.first: dict[str, Position] = {}
        self.horizon = ORIGIN
        self.probing = False
        self._expired: set[str] = set()  # kinds whose expired records were deleted

    def __bool__(self) -> bool:
        """Return whether there is anything to store."""
        changes = self.updates, self.records, self.places, self.blocks, self.first, self.probing
        return any(changes)

    def append(
        self,
        drafts: Sequence[Draft],
        key: Key | None,
        cursor: SourceCursor | None,
    ) -> Sequence[Update]:
        """See :meth:`Journal.append`.  If it raises, the batch is unchanged."""
        if key is not None:
            self._expire(KEYS)
            receipt = self.receipt(key)
            if receipt is not None:
                return receipt
            weight = 1 + len(drafts)
            left = MAX_RECORDED - self.recorded - weight
            if self._share(key.publisher) + weight > left:
                raise TooManyKeys
        if cursor is not None:
            if self.place(cursor.source) != cursor.expected:
                raise Outrun(f"source {cursor.source}: another node has moved its cursor")
            self.places[cursor.source] = cursor.place
        updates = self._order(drafts)
        self.updates += updates
        if key is not None:
            self._remember(key, updates)
        return updates

    def _order(self, drafts: Sequence[Draft]) -> list[Update]:
        seqs, known, now = self.seqs, self._before.seqs, self.now
        first = self.head.next(int(now * 1000), self._life, len(drafts))
        ms, n = first.ms, first.n
        updates = []
        for draft in drafts:
            name, value = draft.stream, draft.value
            seq = seqs[name] if name in seqs else known.get(name, 0)
            if value is None and not seq:
                continue  # the tombstone of a stream that never existed would stay forever
            time = now if draft.time is None else draft.time
            updates.append(Update(name, seq + 1, Position(ms, n), time, value))
            n += 1
            seqs[name] = 0 if value is None else seq + 1
        if updates:
            self.head = updates[-1].at
        return updates

    def receipt(self, key: Key) -> Sequence[Update] | None:
        """See :meth:`Journal.receipt`."""
        record = self._record(KEYS, key.name)
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
        expires = self.elapsed + KEY_LIFETIME
        self._keep(KEYS, key.name, Record(data, expires, 1 + len(updates)))

    def place(self, source: str) -> str | None:
        """See :meth:`Journal.place`."""
        return self.places.get(source, self._before.places.get(source))

    def put(self, kind: str, name: str, data: bytes, seconds: float | None) -> None:
        """See :meth:`Journal.put`."""
        self._expire(kind)
        if seconds is not None and seconds <= 0:
            self._keep(kind, name, None)
        else:
            expires = None if seconds is None else self.elapsed + seconds
            self._keep(kind, name, Record(data, expires))

    def swap(
        self, kind: str, name: str, expected: bytes | None, data: bytes, seconds: float | None
    ) -> bool:
        """See :meth:`Journal.swap`."""
        known = self._record(kind, name)
        if (None if known is None else known.data) != expected:
            return False
        self.put(kind, name, data, seconds)
        return True

    def all(self, kind: str) -> Mapping[str, bytes]:
        """See :meth:`Journal.records`."""
        names = [*self._before.records.get(kind, ()), *(n for k, n in self.records if k == kind)]
        found = {name: self._record(kind, name) for name in names}
        return {name: record.data for name, record in found.items() if record is not None}

    def store(self, blocks: Blocks) -> None:
        """See :meth:`Journal.store`."""
        for stream, parts in blocks.items():
            self.blocks.update(((stream, number), data) for number, data in parts.items())

    def trim(self, first: Mapping[str, Position], horizon: Position) -> None:
        """See :meth:`Journal.trim`."""
        self.first.update(first)
        self.horizon = max(self.horizon, horizon)

    def probe(self) -> None:
        """Request a test whether the store can be written."""
        self.probing = True

    def _known(self, kind: str, name: str) -> Record | None:
        if (kind, name) in self.records:
            return self.records[kind, name]
        return self._before.records.get(kind, {}).get(name)

    def _record(self, kind: str, name: str) -> Record | None:
        record = self._known(kind, name)
        if record is None or (record.expires is not None and record.expires <= self.elapsed):
            return None
        return record

    def _keep(self, kind: str, name: str, record: Record | None) -> None:
        known = self._known(kind, name)
        change = (record.weight if record else 0) - (known.weight if known else 0)
        if change:
            publisher = publisher_of(name)
            self.recorded += change
            self.shares[publisher] = self._share(publisher) + change
        self.records[kind, name] = record

    def _share(self, publisher: str) -> int:
        """Return the weight of the records of a publisher's keys."""
        return self.shares.get(publisher, self._before.shares.get(publisher, 0))

    def _expire(self, kind: str) -> None:
        """Delete the expired records of a kind.  All last equally long, so the oldest expire first."""
        if kind in self._expired:
            return
        self._expired.add(kind)
        for name, record in self._before.records.get(kind, {}).items():
            if record.expires is None or record.expires > self.elapsed:
                return
            self._keep(kind, name, None)

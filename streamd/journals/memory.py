"""The log in memory: committed at once, gone with the process."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from twisted.internet.defer import Deferred, maybeDeferred, succeed

from streamd.journal import KEY_LIFETIME, Committed, Conflict, Fence, Key, Outrun, SourceCursor
from streamd.update import MAX_LIFE, ORIGIN, Draft, Refused, Update

MAX_RECORDED = 100_000
"""Keys that are remembered, and updates that they stand for; each takes about 300 bytes."""


class _Receipt(NamedTuple):
    expires: float
    digest: bytes
    updates: Sequence[Update]


class MemoryJournal:
    """Keeps what ordering needs: the last ``seq`` of each stream, keys, cursors, fences.

    History is the state's.
    """

    def __init__(
        self, now: Callable[[], float], elapsed: Callable[[], float], life: int | None = None
    ) -> None:
        """:param now: seconds since the epoch, for positions and times.

        :param elapsed: seconds on a clock that nobody sets, for what expires.
        :param life: for tests; otherwise random.
        """
        self.life = random.SystemRandom().randrange(1, MAX_LIFE) if life is None else life
        self._now = now
        self._elapsed = elapsed
        self._head = ORIGIN
        self._seqs: dict[str, int] = {}
        self._receipts: OrderedDict[str, _Receipt] = OrderedDict()
        self._recorded = 0
        self._places: dict[str, str] = {}
        self._fences: dict[str, int] = {}
        self._committed: Committed = lambda updates: None

    def start(self, committed: Committed) -> Deferred[None]:
        self._committed = committed
        return succeed(None)

    def append(
        self,
        drafts: Sequence[Draft],
        key: Key | None = None,
        cursor: SourceCursor | None = None,
        fence: Fence | None = None,
    ) -> Deferred[Sequence[Update]]:
        return maybeDeferred(self._append, drafts, key, cursor, fence)

    def _append(
        self,
        drafts: Sequence[Draft],
        key: Key | None,
        cursor: SourceCursor | None,
        fence: Fence | None,
    ) -> Sequence[Update]:
        now = self._now()
        if key is not None:
            if receipt := self._receipt(key):
                return receipt
            if self._recorded + 1 + len(drafts) > MAX_RECORDED:
                raise Refused(429, "too-many-keys", "too many idempotency keys in five minutes")
        if fence is not None and fence.number < self._fences.get(fence.lease, 0):
            raise Outrun(f"lease {fence.lease}: {fence.number} is not the newest number")
        if cursor is not None:
            if self._places.get(cursor.source) != cursor.expected:
                raise Outrun(f"source {cursor.source}: its cursor is elsewhere")
            self._places[cursor.source] = cursor.place
        if fence is not None:
            self._fences[fence.lease] = fence.number
        updates = [self._order(draft, now) for draft in drafts]
        if key is not None:
            self._record(key, updates)
        self._committed(updates)
        return updates

    def _order(self, draft: Draft, now: float) -> Update:
        name, value, time = draft
        self._head = self._head.next(int(now * 1000), self.life)
        if value is None:
            seq = self._seqs.pop(name, 0) + 1
        else:
            seq = self._seqs[name] = self._seqs.get(name, 0) + 1
        return Update(name, seq, self._head, now if time is None else time, value)

    def receipt(self, key: Key) -> Deferred[Sequence[Update] | None]:
        return maybeDeferred(self._receipt, key)

    def _receipt(self, key: Key) -> Sequence[Update] | None:
        now = self._elapsed()
        while self._receipts and next(iter(self._receipts.values())).expires <= now:
            self._recorded -= 1 + len(self._receipts.popitem(last=False)[1].updates)
        receipt = self._receipts.get(key.text)
        if receipt is None:
            return None
        if receipt.digest != key.digest:
            raise Conflict
        return receipt.updates

    def _record(self, key: Key, updates: Sequence[Update]) -> None:
        bare = [update._replace(value=b"") for update in updates]
        self._receipts[key.text] = _Receipt(self._elapsed() + KEY_LIFETIME, key.digest, bare)
        self._recorded += 1 + len(updates)

    def place(self, source: str) -> Deferred[str | None]:
        return succeed(self._places.get(source))

    def stop(self) -> Deferred[None]:
        return succeed(None)

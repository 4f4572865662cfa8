"""Retention: which updates are kept, and which were dropped.

The log, the histories of the streams, their sizes and the tombstones must always agree.  Therefore only
this module changes them.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from streamd.core.histories.long_history import LongHistory
from streamd.core.histories.past import Past
from streamd.core.log import Log
from streamd.core.stream import Stream
from streamd.core.update import ORIGIN, Draft, Position, Update, size_of

UPDATE_BYTES = 304
"""Bytes of memory for one update without its value (CPython): itself and its position, four numbers, a
bytes object, and its entries in the log and in its history.  Updates of one batch share two numbers."""


def cost(update: Update | Draft) -> int:
    """Return the bytes that an update takes in memory."""
    return UPDATE_BYTES + len(update.value or b"")


class Retention:
    """The updates that are kept.

    :ivar streams: by name, tombstones included.
    :ivar tombs: the tombstones, oldest first.
    :ivar log: all updates that are still in the history of a stream.
    :ivar recent: streams with history, in the order of their last update.  So a search for new
        updates stops at the first stream without one.
    :ivar lost: the position of the newest update that was dropped from any history.
    :ivar horizon: the position of the newest update of any tombstone that was removed.
    :ivar razed: the newest revision at which a stream was forgotten whose tombstone was removed.
    :ivar size: bytes of all history.
    :ivar added: bytes of all updates that were ever appended to a history.
    :ivar long: bytes of all long histories, as of the last :meth:`weigh`.
    :ivar pinned: bytes of the newest updates of the existing streams, which are never dropped.
    :ivar max_streams: the most streams, and the most tombstones that are kept.
    :ivar max_state: the most bytes of all history.
    """

    def __init__(self, max_streams: int, max_state: int) -> None:
        self.max_streams = max_streams
        self.max_state = max_state
        self.streams: dict[str, Stream] = {}
        self.added = 0
        self.clear()

    def clear(self) -> None:
        """Drop all streams, tombstones and updates."""
        self.streams.clear()
        self.tombs: OrderedDict[str, Stream] = OrderedDict()
        self.log = Log()
        self.recent: OrderedDict[str, Stream] = OrderedDict()
        self.lost = self.horizon = ORIGIN
        self.razed = 0
        self.size = self.long = self.pinned = 0
        self._replaced: list[Update] = []  # removed from their histories since settle()
        self._first: dict[str, Position] = {}  # stream -> newest update dropped since losses()

    @property
    def count(self) -> int:
        """The number of streams, without tombstones."""
        return len(self.streams) - len(self.tombs)

    @property
    def dropped(self) -> int:
        """Bytes of all updates that were ever dropped; an answer may keep some of them alive."""
        return self.added - self.size

    def find(self, name: str) -> Stream | None:
        """Return the stream of this name, unless it is a tombstone."""
        stream = self.streams.get(name)
        return None if stream is None or stream.gone else stream

    def losses(self) -> tuple[Mapping[str, Position], Position]:
        """Return the arguments of ``Journal.trim`` for the updates dropped since the last call."""
        first, self._first = self._first, {}
        return first, self.horizon

    def follow(self, stream: Stream, update: Update) -> None:
        """Append a stream's newest update, and remove the oldest if it exceeds ``keep``.

        :meth:`settle` has to be called next, for many updates at once.
        """
        history = stream.history
        if history:
            last = history[-1].value
            self.pinned += len(update.value or b"") - len(last or b"")
            self.recent.move_to_end(stream.name)
            if last is None:
                self.drop(stream)
        else:
            self.pinned += cost(update)
            self.recent[stream.name] = stream
            self.recent.move_to_end(stream.name)
        history.append(update)
        most = stream.description.keep.updates
        if most is not None and len(history) > most:
            oldest = history.popleft()
            if stream.long is not None:
                stream.long.drop(oldest)
            stream.lost = oldest.at
            self._replaced.append(oldest)

    def settle(self, updates: Sequence[Update]) -> None:
        """Enter the updates into the log that streams follow now, and drop those that they replace."""
        size = UPDATE_BYTES * len(updates) + size_of(updates)
        self.size += size
        self.added += size
        self.log.extend(updates)
        if self._replaced:
            replaced, self._replaced = self._replaced, []
            self._drop(replaced)

    def _drop(self, updates: list[Update]) -> None:
        """Drop updates that were removed from their histories."""
        self.size -= UPDATE_BYTES * len(updates) + size_of(updates)
        for update in updates:
            self._first[update.stream] = update.at
        newest = self.log.drop(updates)
        if newest > self.lost:
            self.lost = newest

    def limit(self, stream: Stream) -> None:
        """Drop the oldest updates of a stream that exceed its ``keep``."""
        most = stream.description.keep.updates
        if most is not None:
            while len(stream.history) > most:
                self.drop(stream)

    def drop(self, stream: Stream) -> None:
        """Drop the oldest update of a stream."""
        update = stream.history.popleft()
        if stream.long is not None:
            stream.long.drop(update)
        stream.lost = update.at
        self._drop([update])

    def empty(self, stream: Stream) -> None:
        """Drop every update of a stream."""
        if stream.history:
            self.pinned -= cost(stream.history[-1])
        while stream.history:
            self.drop(stream)
        self.recent.pop(stream.name, None)

    def lose(self, stream: Stream, at: Position) -> None:
        """Note that the update at this position was dropped from the history of a stream."""
        stream.lost = self._first[stream.name] = at
        if at > self.lost:
            self.lost = at

    def expire(self, stream: Stream, before: Position) -> None:
        """Drop the updates of a stream up to the position ``before``, except its newest one."""
        history = stream.history
        while len(history) > 1 and history[0].at <= before:
            self.drop(stream)

    # -- tombstones --------------------------------------------------------------------------------

    def bury(self, stream: Stream) -> None:
        """Turn a stream into a tombstone."""
        stream.gone = True
        if stream.history:
            self.pinned -= cost(stream.history[-1])
        self.tombs[stream.name] = stream

    def unbury(self, stream: Stream) -> None:
        """Turn a tombstone into a stream again."""
        stream.gone = False
        del self.tombs[stream.name]
        if stream.history:
            self.pinned += cost(stream.history[-1])

    def raze(self) -> list[Stream]:
        """Remove the oldest tombstones while there are too many, and return them."""
        razed = []
        while len(self.tombs) > self.max_streams:
            razed.append(self._raze(self.tombs[next(iter(self.tombs))]))
        return razed

    def weigh(self) -> None:
        """Sum up the long histories, and drop their oldest blocks if they alone exceed the bound."""
        streams = self.streams.values()
        histories: list[LongHistory | Past] = [s.long for s in streams if s.long is not None]
        histories += [s.past for s in streams if s.past is not None]
        self.long = sum(long.size for long in histories)
        while histories and self.long > self.max_state:
            histories = [long for long in histories if long.shorten()]
            self.long = sum(long.size for long in histories)

    def shed(self) -> list[Stream]:
        """If history exceeds its bound, drop the oldest updates and tombstones.

        The newest update of each stream and the long histories stay.  A sixteenth of the bound is
        freed at once, because the search for the oldest updates is expensive.

        :returns: the tombstones that were removed.
        """
        razed: list[Stream] = []
        if self.size + self.long <= self.max_state:
            return razed
        enough = self.max_state - self.max_state // 16 - self.long
        heap = [
            (s.history[0].at, s)
            for s in self.streams.values()
            if len(s.history) > 1 or (s.gone and s.history)
        ]
        heapq.heapify(heap)
        while heap and self.size > enough:
            stream = heap[0][1]
            if stream.gone:
                razed.append(self._raze(stream))
            else:
                self.drop(stream)
            if len(stream.history) > 1:
                heapq.heapreplace(heap, (stream.history[0].at, stream))
            else:
                heapq.heappop(heap)
        return razed

    def _raze(self, stream: Stream) -> Stream:
        """Remove a tombstone; a cursor before it can no longer resume."""
        self.horizon = max(self.horizon, stream.lost)
        self.razed = max(self.razed, stream.buried)
        for update in stream.history:
            self.log.drop([update])
            self.size -= cost(update)
            self._first[stream.name] = update.at
        for index in (self.streams, self.recent, self.tombs):
            index.pop(stream.name, None)
        return stream

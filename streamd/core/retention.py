"""Retention: which updates are kept, and what was let go.

The log, the histories of the streams, their bytes and the tombstones have to stay in step: they change
here and nowhere else.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Mapping

from streamd.core.log import Log
from streamd.core.stream import Stream
from streamd.core.update import ORIGIN, Draft, Position, Update

UPDATE_BYTES = 304
"""What one update costs beside its value (CPython): itself and its position, four numbers, a bytes
object, and its places in the log and in its history; those of one batch share two of the numbers."""


def cost(update: Update | Draft) -> int:
    """Bytes that an update takes in memory."""
    return UPDATE_BYTES + len(update.value or b"")


class Retention:
    """The updates that are kept.

    :ivar streams: by name, tombstones included.
    :ivar tombs: the tombstones, oldest first.
    :ivar log: the updates that some history still has.
    :ivar recent: streams with history in the order of their last update: to ask for what is new costs
        what is new.
    :ivar lost: the newest update that any history no longer has.
    :ivar horizon: the newest update of a tombstone that is gone itself.
    :ivar razed: the revision at which the stream of that tombstone was forgotten.
    :ivar size: bytes that history takes.
    :ivar pinned: bytes of the newest updates of the streams there are, which stay.
    """

    def __init__(self, max_streams: int, max_state: int) -> None:
        """:param max_streams: tombstones that are kept at most.

        :param max_state: bytes of all history.
        """
        self._max_tombs = max_streams
        self._max_state = max_state
        self.streams: dict[str, Stream] = {}
        self.clear()

    def clear(self) -> None:
        """Keep nothing."""
        self.streams.clear()
        self.tombs: OrderedDict[str, Stream] = OrderedDict()
        self.log = Log()
        self.recent: OrderedDict[str, Stream] = OrderedDict()
        self.lost = self.horizon = ORIGIN
        self.razed = 0
        self.size = self.pinned = 0
        self._first: dict[str, Position] = {}  # what has been let go since losses() was asked

    @property
    def count(self) -> int:
        """The number of streams there are."""
        return len(self.streams) - len(self.tombs)

    def find(self, name: str) -> Stream | None:
        """Return the stream of this name, unless it is a tombstone."""
        stream = self.streams.get(name)
        return None if stream is None or stream.gone else stream

    def losses(self) -> tuple[Mapping[str, Position], Position]:
        """Return what was let go since the last call; see the journal's ``trim``."""
        first, self._first = self._first, {}
        return first, self.horizon

    def follow(self, stream: Stream, update: Update) -> None:
        """Append a stream's newest update, and let go of what it keeps no longer."""
        history, size = stream.history, cost(update)
        if history:
            last = history[-1]
            self.pinned -= cost(last)
            if last.value is None:
                self.drop(stream)
        self.size += size
        self.pinned += size
        history.append(update)
        self.log.append(update)
        self.recent[stream.name] = stream
        self.recent.move_to_end(stream.name)
        most = stream.description.keep.updates
        if most is not None and len(history) > most:
            self.limit(stream)

    def limit(self, stream: Stream) -> None:
        """Let go of what a stream has beyond the number of updates that it keeps."""
        most = stream.description.keep.updates
        if most is not None:
            while len(stream.history) > most:
                self.drop(stream)

    def drop(self, stream: Stream) -> None:
        """Let go of the oldest update of a stream."""
        update = stream.history.popleft()
        self.log.drop(update)
        self.size -= cost(update)
        self.lose(stream, update.at)

    def empty(self, stream: Stream) -> None:
        """Let go of every update of a stream."""
        if stream.history:
            self.pinned -= cost(stream.history[-1])
        while stream.history:
            self.drop(stream)
        self.recent.pop(stream.name, None)

    def lose(self, stream: Stream, at: Position) -> None:
        """Note that the history of a stream begins after this update from now on."""
        stream.lost = self._first[stream.name] = at
        if at > self.lost:
            self.lost = at

    def expire(self, stream: Stream, before: Position) -> None:
        """Let go of what a stream that keeps history for a time said up to here, but for its newest."""
        history = stream.history
        while len(history) > 1 and history[0].at <= before:
            self.drop(stream)

    # -- tombstones --------------------------------------------------------------------------------

    def bury(self, stream: Stream) -> None:
        """Make a tombstone of a stream."""
        stream.gone = True
        if stream.history:
            self.pinned -= cost(stream.history[-1])
        self.tombs[stream.name] = stream

    def unbury(self, stream: Stream) -> None:
        """Make a stream of a tombstone again."""
        stream.gone = False
        del self.tombs[stream.name]
        if stream.history:
            self.pinned += cost(stream.history[-1])

    def raze(self) -> list[Stream]:
        """Take the oldest tombstones away where there are too many, and return them."""
        razed = []
        while len(self.tombs) > self._max_tombs:
            razed.append(self._raze(self.tombs[next(iter(self.tombs))]))
        return razed

    def shed(self) -> list[Stream]:
        """Let the oldest go, over all streams and tombstones, while there is too much.

        The newest update of each stream stays.  A sixteenth of the bound goes at once, so that finding
        the oldest is paid for rarely.

        :returns: the tombstones that went.
        """
        razed: list[Stream] = []
        if self.size <= self._max_state:
            return razed
        enough = self._max_state - self._max_state // 16
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
        """Take a tombstone away; cursors before it are worth nothing then."""
        self.horizon = max(self.horizon, stream.lost)
        self.razed = max(self.razed, stream.buried)
        for update in stream.history:
            self.log.drop(update)
            self.size -= cost(update)
            self._first[stream.name] = update.at
        for index in (self.streams, self.recent, self.tombs):
            index.pop(stream.name, None)
        return stream

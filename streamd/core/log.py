"""The log in memory: the updates that are still in some history, in the order of their positions.

Cursors point into the log.  An update that its stream drops leaves a hole.  The holes are removed when
they are half of the log, so that memory is proportional to the updates that are kept.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from streamd.core.update import Position, Update

FEW = 1024
"""Up to this number, holes are not worth removing; also how many updates are read together."""


class Log:
    """The updates in the order of their positions."""

    def __init__(self) -> None:
        self._ats: list[Position] = []
        self._updates: list[Update | None] = []
        self._holes = 0
        self._after_last = 0  # the index after that of the newest hole

    def __len__(self) -> int:
        return len(self._updates) - self._holes

    def extend(self, updates: Sequence[Update]) -> None:
        """Add the newest updates."""
        for update in updates:
            self._ats.append(update.at)
        self._updates += updates

    def drop(self, updates: list[Update]) -> Position:
        """Drop one or more updates, which must be in the log; return the newest position."""
        # Streams that are published in turn also drop their updates in turn.  Then no search is needed.
        after, count = self._after_last, len(updates)
        if count > 1 and self._updates[after : after + count] == updates:
            self._updates[after : after + count] = [None] * count
            last = after + count - 1
            self._after_last = last + 1
        else:
            last = 0
            for update in updates:
                index = self._after_last
                if index >= len(self._updates) or self._updates[index] is not update:
                    index = bisect_left(self._ats, update.at)
                self._updates[index] = None
                self._after_last = index + 1
                if index > last:
                    last = index
        newest = self._ats[last]
        self._holes += count
        if self._holes > FEW and 2 * self._holes > len(self._updates):
            self._updates = [kept for kept in self._updates if kept is not None]
            self._ats = [kept.at for kept in self._updates if kept is not None]
            self._holes = self._after_last = 0
        return newest

    def after(self, at: Position) -> Iterator[Update]:
        """Yield the updates after a position, in order; the log must not change meanwhile."""
        begin = bisect_right(self._ats, at)
        for start in range(begin, len(self._updates), FEW):
            yield from filter(None, self._updates[start : start + FEW])

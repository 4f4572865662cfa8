"""The log in memory: the updates that are still in some history, in the order of their positions.

Cursors point into the log.  An update that its stream drops leaves a hole.  The holes are removed when
they are half of the log, so that memory is proportional to the updates that are kept.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

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

    def append(self, update: Update) -> None:
        """Add the newest update."""
        self._ats.append(update.at)
        self._updates.append(update)

    def drop(self, update: Update) -> None:
        """Drop an update; it must be in the log."""
        # Streams that are published in turn also drop their updates in turn.  Then no search is needed.
        index = self._after_last
        if index >= len(self._updates) or self._updates[index] is not update:
            index = bisect_left(self._ats, update.at)
        self._updates[index] = None
        self._after_last = index + 1
        self._holes += 1
        if self._holes > FEW and 2 * self._holes > len(self._updates):
            self._updates = [kept for kept in self._updates if kept is not None]
            self._ats = [kept.at for kept in self._updates if kept is not None]
            self._holes = self._after_last = 0

    def after(self, at: Position) -> Iterator[Update]:
        """Yield the updates after a position, in order; the log must not change meanwhile."""
        begin = bisect_right(self._ats, at)
        for start in range(begin, len(self._updates), FEW):
            yield from filter(None, self._updates[start : start + FEW])

"""When updates were appended, on a clock that nobody sets.

A position carries the wall clock of the node that appended the update.  That clock may have been wrong
once, and every later position is later still: what is old cannot be told from positions.  Pure.
"""

from __future__ import annotations

from bisect import bisect_left

from streamd.core.update import ORIGIN, Position

PRECISION = 512
"""An age is known to one part in so many: a minute to a quarter of a second, a day to three minutes."""

FEW = 1024
"""Notes that are kept before any are thinned out."""


class Timeline:
    """Notes how far the log had come, so that ages are read from a monotonic clock.

    Memory stays small however long the daemon runs: some 4000 notes for a day.
    """

    def __init__(self) -> None:
        self._times: list[float] = []
        self._heads: list[Position] = []
        self._thin_at = FEW

    def note(self, elapsed: float, head: Position) -> None:
        """Note that every update up to ``head`` was appended by now.

        :param elapsed: seconds on the monotonic clock, never less than the last time.
        """
        if self._heads and self._heads[-1] == head:
            return
        self._times.append(elapsed)
        self._heads.append(head)
        if len(self._times) > self._thin_at:
            self._thin(elapsed)

    def before(self, elapsed: float) -> Position:
        """Return a position up to which every update was appended before this time."""
        found = bisect_left(self._times, elapsed)
        return self._heads[found - 1] if found else ORIGIN

    def _thin(self, elapsed: float) -> None:
        """Drop notes that lie closer together than their age asks for."""
        kept: list[int] = []
        for index, time in enumerate(self._times):
            if not kept or time - self._times[kept[-1]] >= (elapsed - time) / PRECISION:
                kept.append(index)
        self._times = [self._times[index] for index in kept]
        self._heads = [self._heads[index] for index in kept]
        self._thin_at = max(FEW, 2 * len(kept))

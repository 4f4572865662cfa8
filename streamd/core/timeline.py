"""The timeline: when updates were appended, on a monotonic clock.

A position contains the wall-clock time of the node that appended the update.  If that clock was once
ahead, all later positions are ahead, too.  Therefore the age of an update cannot be computed from its
position.  This module is pure.
"""

from __future__ import annotations

from bisect import bisect_left

from streamd.core.update import ORIGIN, Position

PRECISION = 512
"""The relative precision of an age is one part in this number.

The age of a minute is known to a quarter of a second, the age of a day to three minutes.
"""

FEW = 1024
"""The number of notes that are kept before old ones are thinned out."""


class Timeline:
    """Notes the head of the log at many times, so that the age of an update can be looked up.

    Old notes are thinned out, so memory stays bounded: some 4000 notes for a day.
    """

    def __init__(self) -> None:
        self._times: list[float] = []
        self._heads: list[Position] = []
        self._thin_at = FEW

    def note(self, elapsed: float, head: Position) -> None:
        """Note that every update up to ``head`` was appended at ``elapsed`` or earlier.

        :param elapsed: seconds on the monotonic clock, not less than at the last call.
        """
        if self._heads and self._heads[-1] == head:
            return
        self._times.append(elapsed)
        self._heads.append(head)
        if len(self._times) > self._thin_at:
            self._thin(elapsed)

    def before(self, elapsed: float) -> Position:
        """Return the newest position known to be appended before ``elapsed``, or ``ORIGIN``."""
        found = bisect_left(self._times, elapsed)
        return self._heads[found - 1] if found else ORIGIN

    def _thin(self, elapsed: float) -> None:
        """Drop notes that lie closer together than the precision at their age requires."""
        kept: list[int] = []
        for index, time in enumerate(self._times):
            if not kept or time - self._times[kept[-1]] >= (elapsed - time) / PRECISION:
                kept.append(index)
        self._times = [self._times[index] for index in kept]
        self._heads = [self._heads[index] for index in kept]
        self._thin_at = max(FEW, 2 * len(kept))

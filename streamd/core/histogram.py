"""Histograms: counts of durations between fixed bounds.  Pure.

A histogram has a fixed number of counters, so it costs the same memory after a year as after a second.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Bounds in seconds for work inside the daemon: from a flush to one viewer up to a stalled reactor."""

SLOW = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bounds in seconds for work of others: a database, a command, a disk."""


class Histogram:
    """Counts durations by size.

    :ivar total: the sum of all durations.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        """:param bounds: the largest duration of each counter, in ascending order.

        One more counter takes the longer durations.
        """
        self.bounds = bounds
        self.total = 0.0
        self._counts = [0] * (len(bounds) + 1)

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return sum(self._counts)

    def add(self, duration: float) -> None:
        """Count a duration."""
        self._counts[bisect_left(self.bounds, duration)] += 1
        self.total += duration

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Yield each bound in seconds, and how many durations are within it; the last is
        infinite."""
        count = 0
        for bound, more in zip((*self.bounds, float("inf")), self._counts, strict=True):
            count += more
            yield bound, count

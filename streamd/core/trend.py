"""Trends: facts about a number within a window of time that moves with the clock.

A window has at most some :data:`FINE` points, however many updates there are.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from streamd.core.histories.slot import Slot

FINE = 3600
"""The most points in a window.  Its beginning is exact to one part in this number."""

RESTART = 0.1
"""A counter that falls to less than this part of its last number has started again from 0."""


class TrendPoint(NamedTuple):
    """A time, and the facts about the number between the point before it and this time.

    :ivar time: seconds since the epoch.
    :ivar number: the number that holds since then; None if it is unknown.
    :ivar last: the number, or the last known number if it is unknown.
    :ivar area: the sum of numbers, each multiplied with the seconds for which it held.
    :ivar known: the seconds in which a number was known.
    :ivar growth: how much a counter grew.
    :ivar total: the sum of the updates.
    :ivar updates: how many updates there were.
    :ivar low: the lowest number.
    :ivar high: the highest number.
    """

    time: float
    number: float | None
    last: float | None
    area: float = 0.0
    known: float = 0.0
    growth: float = 0.0
    total: float = 0.0
    updates: int = 0
    low: float = math.inf
    high: float = -math.inf

    def then(self, time: float, number: float | None, counts: bool = True) -> TrendPoint:
        """Return the next point: it sums up the time since this one, and a new number holds from it on.

        :param number: the new number; None if the number is unknown from this time on.
        :param counts: False if the number is not an update: after an unknown time it is known again.
        """
        known = 0.0 if self.number is None else time - self.time
        area = (self.number or 0.0) * known
        if number is None:
            return TrendPoint(time, None, self.last, area, known)
        growth = _growth(self.last, number)
        return TrendPoint(
            time, number, number, area, known, growth, number * counts, +counts, number, number
        )

    def joined(self, later: TrendPoint) -> TrendPoint:
        """Return the point that replaces this one and the next."""
        return later._replace(
            area=self.area + later.area,
            known=self.known + later.known,
            growth=self.growth + later.growth,
            total=self.total + later.total,
            updates=self.updates + later.updates,
            low=min(self.low, later.low),
            high=max(self.high, later.high),
        )


class Window:
    """The facts about a number within a window of time.

    They are summed up when they are read.  The difference of two running sums would be wrong for ever
    after one huge number.

    :ivar begin: its beginning, in seconds since the epoch.
    :ivar whole: whether the stream was followed since then.
    :ivar counted: whether every update since then was counted.
    :ivar first: the number at its beginning; None if it was unknown then.
    """

    def __init__(self, points: deque[TrendPoint], begin: float, end: float, counted: bool) -> None:
        self._points = points
        self.begin, self._end = begin, end
        self.whole = points[0].time <= begin
        self.counted = counted
        self.first = points[0].number

    @property
    def mean(self) -> float | None:
        """The mean over the time in which the number is known; None if it never is."""
        first, newest = self._points[0], self._points[-1]
        before = first.then(max(self.begin, first.time), None)  # the part before the window
        after = newest.then(self._end, None)
        known = math.fsum((self._sum("known"), after.known, -before.known))
        if known <= 0:
            return newest.number
        return math.fsum((self._sum("area"), after.area, -before.area)) / known

    @property
    def growth(self) -> float:
        """How much a counter grew within the window."""
        return self._sum("growth")

    @property
    def total(self) -> float:
        """The sum of the updates within the window."""
        return self._sum("total")

    @property
    def updates(self) -> int:
        """How many updates came within the window."""
        return int(self._sum("updates"))

    def _sum(self, member: str) -> float:
        return math.fsum(map(attrgetter(member), islice(self._points, 1, None)))

    @property
    def low(self) -> float | None:
        """The lowest number; None if no number is known."""
        low = min((point.low for point in islice(self._points, 1, None)), default=math.inf)
        low = low if self.first is None else min(low, self.first)
        return low if low < math.inf else None

    @property
    def high(self) -> float | None:
        """The highest number; None if no number is known."""
        high = max((point.high for point in islice(self._points, 1, None)), default=-math.inf)
        high = high if self.first is None else max(high, self.first)
        return high if high > -math.inf else None


class Trend:
    """Follows the number of one stream, for windows of one length."""

    def __init__(self, seconds: float) -> None:
        """:param seconds: the length of the windows."""
        self._seconds = seconds
        self._points: deque[TrendPoint] = deque()
        self._counted_since = math.inf  # the time of the oldest update that was heard

    def hear(self, time: float, number: float | None, counts: bool = True) -> None:
        """Add an update.

        :param time: seconds since the epoch; a time before the newest one counts as the newest one.
        :param number: None if the number is unknown from then on.
        :param counts: see :meth:`TrendPoint.then`.
        """
        point = self._begin(time)
        time = max(time, point.time)
        self._counted_since = min(self._counted_since, time)
        self._add(point.then(time, number, counts))

    def hear_slot(self, slot: Slot, width: float) -> None:
        """Add a slot of a long history, which lacks the count and the sum of its updates.

        :param width: the seconds of the slot.
        """
        if self._points and self._points[-1].time < slot.time:
            self.hear(self._points[-1].time, None)  # between the slots the number was unknown
        point = self._begin(slot.time)
        growth = _growth(point.last, slot.last)
        area = slot.mean * slot.known
        end = slot.time + width
        self._add(
            TrendPoint(
                end, slot.last, slot.last, area, slot.known, growth, 0.0, 0, slot.low, slot.high
            )
        )

    @property
    def time(self) -> float:
        """The time of the newest point; 0 without any point."""
        return self._points[-1].time if self._points else 0.0

    def lose(self, time: float) -> None:
        """Note that updates until a time are missing."""
        self._counted_since = time

    def _begin(self, time: float) -> TrendPoint:
        """Return the newest point; make one at this time if no point exists."""
        if not self._points:
            self._points.append(TrendPoint(time, None, None))
        return self._points[-1]

    def _add(self, point: TrendPoint) -> None:
        points = self._points
        if len(points) > 1 and point.time - points[-2].time < self._seconds / FINE:
            point = points.pop().joined(point)
        points.append(point)
        while len(points) > 1 and points[1].time <= point.time - self._seconds:
            points.popleft()

    def window(self, now: float) -> Window | None:
        """Return the window that ends now; None before the first update.

        :param now: seconds since the epoch.
        """
        points = self._points
        if not points:
            return None
        begin = now - self._seconds
        while len(points) > 1 and points[1].time <= begin:
            points.popleft()
        return Window(points, begin, max(now, points[-1].time), self._counted_since <= begin)


def _growth(last: float | None, number: float) -> float:
    """Return how much a counter grew from one number to the next."""
    if last is None:
        return 0.0
    return number if last > 0 and 0 <= number < last * RESTART else number - last

"""Trends: what happened to a number within a window of time that moves with the clock.

A window costs the same however often it is read: each point has the sums of everything before it, so a
window is the difference of two points.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import islice
from typing import NamedTuple

from streamd.core.slots import Slot

FINE = 3600
"""The most points in a window.  Its beginning is exact to one part in this number."""

RESTART = 0.1
"""A counter that falls to less than this part of its last number has started again from 0."""


class Point(NamedTuple):
    """A time, and the sums of everything up to then.

    :ivar time: seconds since the epoch.
    :ivar number: the number that holds since then; None if it is unknown.
    :ivar last: the number, or the last one before it became unknown.
    :ivar area: the sum of numbers, each multiplied with the seconds for which it held.
    :ivar known: the seconds in which a number was known.
    :ivar growth: how much a counter grew.
    :ivar total: the sum of the updates.
    :ivar updates: how many updates there were.
    :ivar low: the lowest number since the point before.
    :ivar high: the highest number since the point before.
    """

    time: float
    number: float | None
    last: float | None
    area: float
    known: float
    growth: float
    total: float
    updates: int
    low: float
    high: float

    def at(self, time: float) -> Point:
        """Return the point at which this one's number has held until ``time``."""
        if self.number is None:
            return self._replace(time=time)
        seconds = time - self.time
        area = self.area + self.number * seconds
        return self._replace(time=time, area=area, known=self.known + seconds)

    def then(self, time: float, number: float | None, counts: bool = True) -> Point:
        """Return the point at which another number begins; None if it is unknown from then on.

        :param counts: whether the number is an update, and not an old one that is known again.
        """
        held = self.at(time)
        if number is None:
            return held._replace(number=None, low=math.inf, high=-math.inf)
        return held._replace(
            number=number,
            last=number,
            growth=held.growth + _growth(self.last, number),
            total=held.total + number * counts,
            updates=held.updates + counts,
            low=number,
            high=number,
        )


class Window:
    """The facts about a number within a window of time.

    :ivar begin: its beginning, in seconds since the epoch.
    :ivar whole: whether the stream was followed since then.
    :ivar counted: whether every update since then was counted.
    :ivar first: the number at its beginning; None if it was unknown then.
    :ivar mean: the mean over the time in which the number is known; None if it never is.
    :ivar growth: how much a counter grew.
    :ivar total: the sum of the updates.
    :ivar updates: how many updates there were.
    """

    def __init__(self, points: deque[Point], begin: float, end: float, counted: bool) -> None:
        start, stop = points[0].at(max(begin, points[0].time)), points[-1].at(end)
        self._points = points
        self.begin = begin
        self.whole = points[0].time <= begin
        self.counted = counted
        self.first = start.number
        known = stop.known - start.known
        self.mean = (stop.area - start.area) / known if known > 0 else stop.number
        self.growth = stop.growth - start.growth
        self.total = stop.total - start.total
        self.updates = stop.updates - start.updates

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
        self._points: deque[Point] = deque()
        self._counted_since = math.inf  # the time of the oldest update that was heard

    def hear(self, time: float, number: float | None, counts: bool = True) -> None:
        """Add an update.

        :param time: seconds since the epoch; a time before the newest one counts as the newest one.
        :param number: None if the number is unknown from then on.
        :param counts: see :meth:`Point.then`.
        """
        point = self._begin(time)
        time = max(time, point.time)
        self._counted_since = min(self._counted_since, time)
        self._add(point.then(time, number, counts))

    def hear_slot(self, slot: Slot, width: float) -> None:
        """Add a slot of a long history, which lacks the count and the sum of its updates.

        :param width: the seconds of the slot.
        """
        point = self._begin(slot.time)
        if point.number is not None and point.time < slot.time:
            point = point.then(point.time, None)  # between the slots the number was unknown
        self._add(
            point._replace(
                time=slot.time + width,
                number=slot.last,
                last=slot.last,
                area=point.area + slot.mean * slot.known,
                known=point.known + slot.known,
                growth=point.growth + _growth(point.last, slot.last),
                low=slot.low,
                high=slot.high,
            )
        )

    def _begin(self, time: float) -> Point:
        """Return the newest point; make one at this time if no point exists."""
        if not self._points:
            self._points.append(Point(time, None, None, 0.0, 0.0, 0.0, 0.0, 0, math.inf, -math.inf))
        return self._points[-1]

    def _add(self, point: Point) -> None:
        points = self._points
        if len(points) > 1 and point.time - points[-2].time < self._seconds / FINE:
            former = points.pop()
            point = point._replace(
                low=min(former.low, point.low), high=max(former.high, point.high)
            )
        points.append(point)
        while len(points) > 1 and points[1].time <= point.time - self._seconds:
            points.popleft()

    def window(self, now: float) -> Window | None:
        """Return the window that ends now; None if no update was heard yet.

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

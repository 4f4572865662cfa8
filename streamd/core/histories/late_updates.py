"""Updates that come late: which parts of a long history they change.  This module is pure.

A value holds until the next update by time.  So a late update changes nothing after the next
update.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from streamd.core.histories.segments import Change

NEAR = 10
"""The most updates between two stretches that are joined: one more stretch takes as long as some ten
updates."""


def stretches(
    late: Sequence[float], times: Sequence[float], width: int
) -> list[tuple[float, float]]:
    """Return the stretches of time that late updates change.

    A stretch begins with the slot of a late update, and ends with the slot of the next update.  Both
    times are in seconds since the epoch.  The end is infinite if no update is later.

    :param late: the times of the late updates, ascending.
    :param times: the times of all updates, ascending.
    :param width: seconds of a slot.
    """
    found: list[tuple[float, float]] = []
    for time in late:
        after = bisect_right(times, time)
        end = (times[after] // width + 1) * width if after < len(times) else math.inf
        begin = time // width * width
        if found and bisect_left(times, begin) - bisect_left(times, found[-1][1]) <= NEAR:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((begin, end))
    return found


def within(changes: Sequence[Change], begin: float, end: float) -> Sequence[Change]:
    """Return the changes of a stretch of time, and the last one before it."""
    first = bisect_left(changes, begin, key=_time_of_change)
    return changes[max(0, first - 1) : bisect_left(changes, end, key=_time_of_change)]


def _time_of_change(change: Change) -> float:
    return change[0]

"""One slot: the lowest, highest, mean and last number of a stretch of time.  This module is pure."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple

from streamd.core.steps import steps_of

Fields = tuple[float, float, float, float, float]
"""The fields of a :class:`Slot` without its time."""


class Slot(NamedTuple):
    """The numbers of one slot, or of several slots that were combined.

    :ivar time: its beginning, or a time in it; seconds since the epoch.
    :ivar last: the number at its end, or at the last moment for which a number is known.
    :ivar known: the seconds for which a number is known; 0 if every number was replaced at the time
        when it began.
    """

    time: float
    low: float
    high: float
    mean: float
    last: float
    known: float

    def joined(self, later: Slot) -> Slot:
        """Return this slot combined with a later one."""
        known = self.known + later.known
        share = later.known / known if known else 1.0
        mean = self.mean
        if later.mean != mean:  # equal numbers stay exact
            mean = mean * (1 - share) + later.mean * share  # their sum could overflow
        return Slot(
            self.time,
            min(self.low, later.low),
            max(self.high, later.high),
            mean,
            later.last,
            known,
        )


def held(begin: float, end: float, number: float) -> Slot:
    """Return a part of a slot in which one number held."""
    return Slot(begin, number, number, number, number, end - begin)


def stretches(begin: float, end: float, number: float, width: int) -> Iterator[Slot]:
    """Yield the slots, or parts of them, of a time in which one number held."""
    while begin < end:
        after = min((begin // width + 1) * width, end)
        yield held(begin, after, number)
        begin = after


def combined(parts: Iterable[Slot], width: int) -> Generator[None, None, list[Slot]]:
    """Return slots of ``width`` seconds.

    The generator yields about every millisecond: 12,000 slots take 17 ms.

    :param parts: slots, or parts of them, in the order of time.
    :param width: a multiple of their width.
    """
    slots: list[Slot] = []
    for some in steps_of(parts):
        for part in some:
            time = int(part.time // width) * width
            if slots and slots[-1].time == time:
                slots[-1] = slots[-1].joined(part)
            else:
                slots.append(part._replace(time=time))
        yield
    return slots


def heard(fields: Fields, seconds: float, number: float) -> Fields:
    """Return the fields of a slot after a number began in it, as :meth:`Slot.joined` computes them.

    :param seconds: for how many seconds the number before it held.
    """
    low, high, mean, last, known = fields
    if seconds > 0:
        known += seconds
        if last != mean:
            share = seconds / known
            mean = mean * (1 - share) + last * share
    low = number if number < low else low
    high = number if number > high else high
    return low, high, mean if known else number, number, known

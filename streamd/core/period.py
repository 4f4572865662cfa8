"""A period of a stream's past, in as many slots as a chart can show."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import NamedTuple

from streamd.core.long_history import LongHistory
from streamd.core.slots import MOST, WIDTHS, Slot
from streamd.core.stream import Stream

Segment = tuple[float, float, str]
"""A begin and an end in seconds since the epoch, and the word of that time."""


class Period(NamedTuple):
    """The known past of a stream in a period.

    :ivar width: seconds of one slot.
    :ivar slots: in the order of time; slots without a number are left out.
    :ivar words: the segments of its texts, ``true`` and ``false``.
    :ivar levels: the segments of its levels; empty if the stream has no limits.
    :ivar silences: the segments in which the value was not known.
    :ivar rough: whether the mean of a slot lacks an update that came too late.
    """

    width: int
    slots: list[Slot]
    words: list[Segment]
    levels: list[Segment]
    silences: list[Segment]
    rough: bool


def look_back(stream: Stream, begin: float, end: float, most: int) -> Generator[None, None, Period]:
    """Return the known past of a stream from ``begin`` until ``end``.

    Slots are shorter than those of the long history if raw history has all of the period.  The
    generator yields about every millisecond.

    :param begin: seconds since the epoch; the first slot may begin before.
    :param end: seconds since the epoch, not in the future: the newest value holds until then.
    :param most: the most slots, apart from the ones that reach over the ends.
    """
    long = stream.long
    if long is not None:
        long.settle()
    wanted = _width(1, end - begin, most)
    # What is told to lie after the end begins after the last slot.
    stretch = begin // wanted * wanted, math.ceil(end / wanted) * wanted
    if long is None:
        long = yield from _only_raw(stream).replayed([*stream.history], wanted * MOST, *stretch)
    elif wanted < long.slots.width and (long.raw_since or 0.0) <= begin:
        long = yield from long.replayed([*stream.history], wanted * MOST, *stretch)
    width = _width(long.slots.width, end - begin, most)
    words, levels, silences = (list(segments.read(begin, end)) for segments in long.segments)
    slots: list[Slot] = []
    for slot in long.slots.frozen().read(begin, end, width):
        slots.append(slot)
        yield
    rough = stream.long is not None and (stream.long.rough or -1.0) >= begin
    return Period(width, slots, words, levels, silences, rough)


def _width(least: int, seconds: float, most: int) -> int:
    """Return the shortest width that is a multiple of ``least`` and makes at most so many slots."""
    fitting = (w for w in WIDTHS if w % least == 0 and seconds / w <= most)
    return next(fitting, math.ceil(seconds / most / WIDTHS[-1]) * WIDTHS[-1])


def _only_raw(stream: Stream) -> LongHistory:
    """Return an empty long history with the silences of a stream that keeps none."""
    long = LongHistory(0.0, stream.level_of)
    for begin, end in stream.silences:
        long.note_silence(begin, end)
    return long

"""A period of a stream's past, in as many slots as a chart can show."""

from __future__ import annotations

import math
from collections.abc import Generator
from itertools import chain
from typing import NamedTuple

from streamd.core.histories.long_history import LongHistory
from streamd.core.histories.past import Past
from streamd.core.histories.slot import Slot, combined
from streamd.core.histories.slots import MOST, WIDTHS
from streamd.core.steps import steps_of
from streamd.core.stream import Stream
from streamd.core.update import Update, time_of

Segment = tuple[float, float, str]
"""A begin and an end in seconds since the epoch, and the word of that time."""


class PeriodBackfill(NamedTuple):
    """The progress of the backfill of a stream.

    :ivar reached: the past is filled up to this time, in seconds since the epoch, as ``until`` is.
    :ivar until: the time at which the backfill will be complete.
    :ivar error: why it cannot continue now; None if it can.
    """

    reached: float
    until: float
    error: str | None


class Period(NamedTuple):
    """The known past of a stream in a period.

    :ivar begin: seconds since the epoch; the beginning of a slot, and of the words and levels.
    :ivar width: seconds of one slot.
    :ivar slots: in the order of time; slots without a number are left out.
    :ivar words: the segments of its texts, ``true`` and ``false``.
    :ivar levels: the segments of its levels; empty if the stream has no limits.
    :ivar silences: the segments in which the value was not known.
    :ivar backfill: the progress of the backfill; None if it is complete, or the stream has none.
    :ivar rough: whether the mean of a slot lacks an update that came too late.
    """

    begin: float
    width: int
    slots: list[Slot]
    words: list[Segment]
    levels: list[Segment]
    silences: list[Segment]
    rough: bool
    backfill: PeriodBackfill | None = None


Looking = Generator[None, None, tuple[Period, float]]
"""Computes a period, and its end in seconds since the epoch; it yields about every millisecond."""


def look_back(stream: Stream, begin: float, end: float, most: int) -> Generator[None, None, Period]:
    """Return the known past of a stream from the slot of ``begin`` until ``end``.

    If raw history has the whole period, slots are shorter than in the long history.  The period
    before this one ends at its ``begin``: no time is in both, and none is left out.  The generator
    yields about every millisecond.

    :param begin: seconds since the epoch.
    :param end: seconds since the epoch, not in the future: the newest value holds until then.  If raw
        history lacks the slot of this time, the last slot reaches over it.
    :param most: the most slots, apart from the ones that reach over the ends.
    """
    long = stream.long
    if long is not None:
        long.settle()
    wanted = _width(1, end - begin, most)
    base = 1 if long is None else long.slots.width
    cut = end
    last: list[Slot] = []
    if long is None:
        long = yield from _replayed(stream, _only_raw(stream), wanted, begin, end)
    elif wanted < base and _has_raw(stream, begin):
        long = yield from _replayed(stream, long, wanted, begin, end)
    elif end < long.slots.began and _has_raw(stream, end):
        cut = end // base * base
        tail = yield from _replayed(stream, long, base, cut, end)
        last = tail.slots.read(cut, end)
    width = _width(long.slots.width, end - begin, most)
    begin = begin // width * width
    past = stream.past if long is stream.long else None
    kept = long.slots.frozen() if past is None else past.before(long.slots)
    told = long.segments if past is None else past.before_segments(long.segments)
    words, levels, silences = (list(segments.read(begin, end)) for segments in told)
    parts = chain(kept.parts(begin, cut), last)
    slots = yield from combined(parts, width)
    rough = stream.long is not None and (stream.long.rough or -1.0) >= begin
    return Period(begin, width, slots, words, levels, silences, rough, _backfill(stream.past))


def look_before(stream: Stream, now: float, most: int) -> Looking | None:
    """Return a computation of the past that raw history has dropped; None if it has dropped none.

    The computation returns the period and its end.  Updates since the end are in raw history.  The end
    is the end of a slot, or the time of the newest update if the open slot has all updates.

    :param now: seconds since the epoch.
    :param most: the most slots, apart from the ones that reach over the ends.
    """
    long, rollup, newest = stream.long, stream.description.rollup, stream.newest
    if long is None or rollup is None or newest is None:
        return None
    since = long.raw_since
    if since is None and stream.past is not None:
        since = stream.past.until
    if since is None:
        return None
    width = long.slots.width
    end = min((since // width + 1) * width, time_of(newest))
    # A young stream gets short slots.
    begin = max(0.0, now - rollup, _oldest(stream, long))
    return None if begin >= end else _with_end(look_back(stream, begin, end, most), end)


def _oldest(stream: Stream, long: LongHistory) -> float:
    """Return a time before which nothing is known."""
    past = stream.past
    told = long.segments if past is None else past.before_segments(long.segments)
    begins = [segments.changes[0][0] for segments in told if segments.changes]
    begins += [] if past is None else [past.slots.since]
    return min([long.slots.since, *begins])


def _with_end(looking: Generator[None, None, Period], end: float) -> Looking:
    period = yield from looking
    return period, end


def _backfill(past: Past | None) -> PeriodBackfill | None:
    if past is None or past.complete:
        return None
    return PeriodBackfill(past.reached, past.until, past.trouble)


def _has_raw(stream: Stream, time: float) -> bool:
    """Return whether raw history has everything that is known since the slot of a time began."""
    long, past = stream.long, stream.past
    assert long is not None
    begin = time // long.slots.width * long.slots.width
    if past is not None and past.until > begin:
        return False
    return long.covers(time)


def _replayed(
    stream: Stream, long: LongHistory, width: int, begin: float, end: float
) -> Generator[None, None, LongHistory]:
    """Return a history with slots of a width, made of the updates before ``end``."""
    known: list[Update] = []
    for some in steps_of(long.since_cut(stream.history)):
        known += [update for update in some if time_of(update) < end]
        yield
    return (yield from long.replayed(known, width * MOST, begin // width * width))


def _width(least: int, seconds: float, most: int) -> int:
    """Return the shortest width that is a multiple of ``least`` and makes at most this many slots."""
    fitting = (w for w in WIDTHS if w % least == 0 and seconds / w <= most)
    return next(fitting, math.ceil(seconds / most / WIDTHS[-1]) * WIDTHS[-1])


def _only_raw(stream: Stream) -> LongHistory:
    """Return an empty long history with the silences of a stream that keeps none."""
    long = LongHistory(0.0, stream.level_of)
    for begin, end in stream.silences:
        long.note_silence(begin, end)
    return long

"""Turns the points of series into rows of a backfill.  Pure.

A range query computes the instant query at many times, one step apart.  So a series without a point
at one of these times did not exist then, and the value of its stream is unknown from then on.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

from streamd.core.histories.slots import width_for
from streamd.sources.backfills.rows import SOME_VALUES, PastRow, PastRows, json_or_null
from streamd.sources.prometheus.answers import Series, end_by_labels, no_prometheus, number

IN_A_SLOT = 5
"""Points in a slot, so that its mean, lowest and highest are near those of the live values."""


class Steps(NamedTuple):
    """The times at which a range query computes: ``first``, ``first + step`` and so on.

    :ivar first: in seconds since the epoch.
    :ivar step: in seconds.
    :ivar number: how many times there are.
    """

    first: float
    step: float
    number: int

    @property
    def last(self) -> float:
        """The last time."""
        return self.first + (self.number - 1) * self.step


def steps_of(begin: float, end: float, step: float) -> Steps:
    """Return the multiples of a step from ``begin`` up to but not including ``end``.

    They do not depend on how time is divided into windows.  So an interrupted backfill finds the
    same points as an uninterrupted one.
    """
    first, after = ceil(begin / step), ceil(end / step)
    return Steps(first * step, step, after - first)


def step_for(widths: Collection[int]) -> float:
    """Return the seconds between two points that suit the slots of streams."""
    return float(max(1, min(widths, default=width_for(0)) // IN_A_SLOT))


def past_points(
    found: Sequence[Series[Sequence[Any]]],
    key: Sequence[str],
    steps: Steps,
    known: Collection[str],
) -> Generator[None, None, PastRows]:
    """Return the values of streams at the times of a range query; yield every millisecond or two.

    :param found: the series, with their points.
    :param key: the labels that name a stream.
    :param known: the ends of the names of all streams to fill.
    :raises SourceError: if a point does not come from Prometheus.
    """
    streams: dict[str, dict[int, bytes]] = {end: {} for end in known}
    faults: dict[str, str] = {}
    for labels, points in found:
        end = end_by_labels(labels, key)
        stream = streams.setdefault(end, {})
        for n, point in enumerate(points):
            index, value = _read(point, steps)
            if index in stream:  # which one is meant, is not known
                value = b"null"
                faults["key" if key else "promql"] = (
                    f"two series are {end or 'one stream'} at the same time: left out there"
                )
            stream[index] = value
            if n % SOME_VALUES == 0:
                yield
    rows: dict[int, dict[str, bytes]] = {}
    for end, stream in streams.items():
        for index, value in _with_gaps(stream, steps.number):
            rows.setdefault(index, {})[end] = value
        yield
    times = sorted(rows)
    return PastRows([PastRow(steps.first + n * steps.step, rows[n]) for n in times], faults)


def _read(point: Any, steps: Steps) -> tuple[int, bytes]:
    """Return the number of a point's step, and its value as JSON text."""
    try:
        time, text = point
        return round((time - steps.first) / steps.step), json_or_null(number(text))
    except (TypeError, ValueError, OverflowError):
        raise no_prometheus() from None


def _with_gaps(stream: Mapping[int, bytes], count: int) -> Iterator[tuple[int, bytes]]:
    """Yield the points of a stream, and null for the first step of each stretch without any."""
    expected = 0
    for index in sorted(stream):
        if index > expected:
            yield expected, b"null"
        yield index, stream[index]
        expected = index + 1
    if expected < count:
        yield expected, b"null"

"""A stream's past by a naive computation over all of its updates, to compare long histories with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from streamd.core.histories.slot import Slot

Said = Sequence[tuple[float, float | None]]
Moments = Sequence[tuple[float, bytes | None]]
"""When which value began, in the order of time; None while it was not known."""

Silences = Iterable[Sequence[float | None]]


def naive(said: Said, end: float, width: int, first: int = 0) -> dict[int, Slot]:
    """Compute each slot by itself from all numbers: the number of the slot -> its content."""
    slots = {}
    ends = [*(time for time, _ in said[1:]), end]
    for index in range(first, math.ceil(end / width)):
        begin, stop = index * width, (index + 1) * width
        numbers, area, known, last = [], 0.0, 0.0, math.nan
        for (time, number), until in zip(said, ends, strict=True):
            if number is None:
                continue
            seconds = min(until, stop) - max(time, begin)
            if seconds > 0 or begin <= time < stop:
                numbers.append(number)
                last = number
            if seconds > 0:
                area += number * seconds
                known += seconds
        if numbers:
            mean = area / known if known else math.nan
            slots[index] = Slot(begin, min(numbers), max(numbers), mean, last, known)
    return slots


def moments_of(updates: Iterable[tuple[float, bytes]], silences: Silences) -> Moments:
    """Combine updates with silences.

    :param updates: their times and values, in the order of their ``seq``.
    :param silences: their begins and ends; an end is None while the silence lasts.
    """
    updates, silences = list(updates), list(silences)
    at: list[tuple[float, int, bytes | None]] = [(time, 0, value) for time, value in updates]
    at += [(begin or 0.0, 1, None) for begin, end in silences if begin != end]
    at += [(end, -1, None) for begin, end in silences if end is not None and begin != end]
    held: bytes | None = None
    found: list[tuple[float, bytes | None]] = []
    times = {time for time, _ in updates}
    for time, kind, value in sorted(at, key=lambda moment: moment[:2]):
        if kind == 0:
            held = value
            found.append((time, value))
            if any(
                (begin or 0.0) < time < (math.inf if end is None else end)
                for begin, end in silences
            ):
                found.append((time, None))  # within a silence it holds for no time
        elif kind == 1:
            found.append((time, None))
        elif time not in times:
            found.append((time, held))
    return found


def naive_segments(
    moments: Moments, end: float, word_of: Callable[[bytes], str | None]
) -> list[tuple[float, float, str]]:
    """Compute the segments of a word: from, to, word."""
    found: list[tuple[float, float, str]] = []
    for (begin, value), (stop, _) in pairwise([*moments, (end, None)]):
        word = word_of(value) if value else None
        if word is None or begin == stop:
            continue
        if found and found[-1][1:] == (begin, word):
            found[-1] = found[-1][0], stop, word
        else:
            found.append((begin, stop, word))
    return found


def close(one: float, two: float, size: float = 1.0) -> bool:
    """Whether two numbers are equal, apart from rounding; anything is as good as no number."""
    return math.isnan(two) or math.isclose(one, two, rel_tol=1e-9, abs_tol=1e-9 * size)

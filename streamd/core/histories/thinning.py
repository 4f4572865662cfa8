"""Thins out a long history to a few points that keep the shape and the gaps of its chart."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from typing import Any

from streamd.core.steps import steps_of
from streamd.core.update import Update

SHAPE = 4
"""Points that are kept of one slot: its first, last, lowest and highest number."""


def thin(updates: Sequence[Update], points: int) -> Generator[None, None, Sequence[Update]]:
    """Return about ``points`` of the updates, in the same order; all of them if there are fewer.

    The time is divided into slots of equal length.  Of the numbers in each slot the first, last, lowest
    and highest are kept.  A value that is not a number is a gap in the line.  The first and last value
    of each gap are kept, so many gaps make the result longer than ``points``.

    The generator yields after every :data:`~streamd.core.steps.STEP` updates and after each slot.
    """
    if len(updates) <= points:
        return updates
    numbers: list[float | None] = []
    begin, end = math.inf, 0.0
    for some in steps_of(updates):
        numbers += [_number(update.value or b"null") for update in some]
        times = [update.time for update in some]
        begin, end = min(begin, *times), max(end, *times)
        yield
    # At least a millisecond, to avoid a division by zero.  The factor keeps the last update within the
    # last slot.
    span = max(end - begin, 0.001) * 1.000_000_1
    per_second = max(1, points // SHAPE) / span
    slots: defaultdict[int, list[int]] = defaultdict(list)
    kept = set()
    last = len(numbers) - 1
    for indexes in steps_of(range(len(numbers))):
        for n in indexes:
            if numbers[n] is not None:
                slots[int((updates[n].time - begin) * per_second)].append(n)
            elif n in (0, last) or numbers[n - 1] is not None or numbers[n + 1] is not None:
                kept.add(n)
        yield
    size: Callable[[int], Any] = numbers.__getitem__  # slots contain numbers only
    for slot in slots.values():
        kept |= {slot[0], slot[-1], min(slot, key=size), max(slot, key=size)}
        yield
    return [updates[n] for n in sorted(kept)]


def _number(value: bytes) -> float | None:
    return float(value) if value[0] in b"-0123456789" else None

"""A long history in few points: its shape and its gaps stay."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar

from streamd.core.update import Update

T = TypeVar("T")

SHAPE = 4
"""Points that show what a slot has: its first, last, lowest and highest number."""

STEP = 1000
"""Updates between two yields: about a millisecond."""


def thin(updates: Sequence[Update], points: int) -> Generator[None, None, Sequence[Update]]:
    """Return about ``points`` of more updates than that, in the same order, each once.

    The updates are cut into slots of equal time.  Of the numbers in each slot the first, last, lowest
    and highest stay.  A value that is no number is a break in the line: the first and last of each run
    of them stay, however many runs there are.

    The generator yields at least every :data:`STEP` updates and for each slot, and returns the result.
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
    # At least a millisecond, not to divide by nothing; and the last is in the last slot, not beyond.
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
    size: Callable[[int], Any] = numbers.__getitem__  # of a number: slots have no others
    for slot in slots.values():
        kept |= {slot[0], slot[-1], min(slot, key=size), max(slot, key=size)}
        yield
    return [updates[n] for n in sorted(kept)]


def steps_of(items: Iterable[T]) -> Iterable[list[T]]:
    """Return the items in lists of :data:`STEP`."""
    remaining = iter(items)
    return iter(lambda: list(islice(remaining, STEP)), [])


def _number(value: bytes) -> float | None:
    return float(value) if value[0] in b"-0123456789" else None

"""What is left of a long history when few points have to show it: its shape, and its gaps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from streamd.core.update import Update

SHAPE = 4
"""Points that show what a slot has: its first, last, lowest and highest number."""


def thin(updates: Sequence[Update], points: int) -> Sequence[Update]:
    """Of more than ``points`` updates about so many, in the same order, each once.

    They are cut into slots of equal time; of the numbers in each slot the first, last, lowest and
    highest stay.  What is no number is a break in the line: the first and last of each run of them
    stay, however many runs there are.
    """
    if len(updates) <= points:
        return updates
    numbers = [_number(update.value or b"null") for update in updates]
    size: Callable[[int], Any] = numbers.__getitem__  # of a number: slots have no others
    times = [update.time for update in updates]
    begin = min(times)
    # At least a millisecond, not to divide by nothing; and the last is in the last slot, not beyond.
    span = max(max(times) - begin, 0.001) * 1.000_000_1
    per_second = max(1, points // SHAPE) / span
    slots: defaultdict[int, list[int]] = defaultdict(list)
    kept = set()
    last = len(numbers) - 1
    for n, (time, number) in enumerate(zip(times, numbers, strict=True)):
        if number is not None:
            slots[int((time - begin) * per_second)].append(n)
        elif n in (0, last) or numbers[n - 1] is not None or numbers[n + 1] is not None:
            kept.add(n)
    for slot in slots.values():
        kept |= {slot[0], slot[-1], min(slot, key=size), max(slot, key=size)}
    return [updates[n] for n in sorted(kept)]


def _number(value: bytes) -> float | None:
    return float(value) if value[0] in b"-0123456789" else None

"""Long computations in steps: generators that yield about every millisecond, and return the result."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

STEP = 1000
"""Items between two yields: about a millisecond, if an item takes one microsecond."""

SHORT_STEP = STEP // 5
"""The same, if an item takes six microseconds."""


def steps_of(items: Iterable[T], size: int = STEP) -> Iterable[list[T]]:
    """Yield the items in lists of ``size`` items."""
    remaining = iter(items)
    return iter(lambda: list(islice(remaining, size)), [])


def finish(steps: Generator[None, None, T]) -> T:
    """Run a computation to its end, without a pause, and return its result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result

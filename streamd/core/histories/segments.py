"""Segments: stretches of time in which a stream had one word, such as a state or a level."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise

MOST = 1000
"""The most segments that are kept; older ones are dropped."""

WORD_LENGTH = 100
"""The most characters of a word; longer texts are cut."""

SEGMENT_BYTES = 240
"""Bytes of memory for one segment (CPython): a tuple, a float, and a word of the greatest length."""

Change = tuple[float, str | None]
"""The time when a word began, in seconds since the epoch; None if there is no word from then on."""


class Segments:
    """The changes of a word, in the order of time."""

    def __init__(self, changes: list[Change] | None = None) -> None:
        self.changes = changes or []

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return SEGMENT_BYTES * len(self.changes)

    @property
    def word(self) -> str | None:
        """The newest word."""
        return self.changes[-1][1] if self.changes else None

    def hear(self, time: float, word: str | None) -> None:
        """Begin a word.

        :param time: seconds since the epoch, not before the newest change.
        """
        word = word and word[:WORD_LENGTH]
        if word != self.word:
            while self.changes and self.changes[-1][0] >= time:
                self.changes.pop()  # it lasted for no time
            if word != self.word:
                self.changes.append((time, word))
                del self.changes[:-MOST]

    def replace(self, begin: float, other: Segments, end: float = math.inf) -> None:
        """Take over a stretch of time from another object, by default everything since ``begin``."""
        first = bisect_left(self.changes, begin, key=_time_of)
        after = bisect_right(self.changes, end, key=_time_of)
        later = [(end, self.changes[after - 1][1] if after else None), *self.changes[after:]]
        del self.changes[first:]
        for time, word in [(begin, None), *other.changes]:
            if time < end:
                self.hear(max(time, begin), word)
        if end < math.inf:
            self.hear(*later[0])
            self.changes += later[1:]
            del self.changes[:-MOST]

    def cut(self, time: float) -> None:
        """Forget the words that began after a time; the newest word holds since then."""
        self.replace(time, Segments([(time, self.word)]))

    def read(self, begin: float, end: float) -> Iterator[tuple[float, float, str]]:
        """Yield the segments that overlap a stretch of time, each as (begin, end, word).

        :param end: seconds since the epoch; the newest word holds until then.
        """
        for (start, word), (stop, _) in pairwise([*self.changes, (end, None)]):
            if word is not None and start < end and stop > begin:
                yield max(start, begin), min(stop, end), word


def _time_of(change: Change) -> float:
    return change[0]

"""Moments: the number and the words that begin at a time in a long history."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from streamd.core.histories.segments import Change

SILENT = "silent"
"""The word of a segment in which the value was not known."""


class Moment(NamedTuple):
    """The number and the words that begin at a time.

    :ivar time: seconds since the epoch.
    :ivar number: the number of the stream, or None.
    :ivar words: its word, its level and its silence, or None for each: see the ``segments`` of a
        :class:`~streamd.core.histories.long_history.LongHistory`.
    """

    time: float
    number: float | None
    words: tuple[str | None, str | None, str | None]

    def says_as(self, other: Moment) -> bool:
        """Return whether both have the same number and the same word."""
        return (self.number, self.words[0]) == (other.number, other.words[0])


NOTHING = Moment(0.0, None, (None, None, None))
"""The moment before the first update."""


def silence(time: float) -> Moment:
    """Return the moment at which the value becomes unknown."""
    return Moment(time, None, (None, None, SILENT))


def with_silences(values: Iterable[Moment], silences: Iterable[Change]) -> Iterator[Moment]:
    """Yield the moments, and those at which a silence begins or ends, in the order of time.

    The value of an update within a silence holds for no time.

    :param values: in the order of time.
    :param silences: the times at which silences begin and end, with the word of the silence or None.
    """
    changes = deque(silences)
    held, silent = NOTHING, False
    for moment in chain(values, [NOTHING._replace(time=math.inf)]):
        while changes and (changes[0][0], bool(changes[0][1])) <= (moment.time, False):
            begin, word = changes.popleft()  # a silence begins after an update of the same time
            silent = bool(word)
            if silent:
                yield silence(begin)
            elif begin < moment.time:  # else the update itself ended the silence
                yield held._replace(time=begin)
        if moment.time < math.inf:
            yield moment
            if silent:
                yield silence(moment.time)
        held = moment


def since(begin: float, moments: Iterable[Moment]) -> Iterator[Moment]:
    """Yield the last moment before a time, and all since."""
    before = None
    for moment in moments:
        if moment.time < begin:
            before = moment
            continue
        if before is not None:
            yield before
            before = None
        yield moment
    if before is not None:
        yield before

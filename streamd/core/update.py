"""The basic types: names of streams, positions in the log, drafts and updates.

All other modules use these types.  This module is pure: no Twisted, no clock, no I/O.

There may be a million updates.  They cannot be part of a reference cycle, so the garbage collector does
not track them (``gc=False``); ``docs/performance.rst`` says how much time that saves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import msgspec

from streamd.core.errors import Refused, shorten

MAX_NAME = 128

LIFE_UNIT = 2**20
"""Positions within one millisecond and one life of the log: ``n = life * LIFE_UNIT + i``."""

MAX_LIFE = 2**43
"""Lives are random numbers below this, so that ``n`` stays below 2**63: the id of a Redis Stream."""

MAX_TIME = 253402300799.0
"""The end of the year 9999 in seconds since the epoch: the last date that Python can represent."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_POSITION = re.compile(r"([0-9]{1,15})-([0-9]{1,19})")
Name = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^{_NAME.pattern}\Z",
        description="a name of at most 128 letters, digits, . _ -, with a letter or digit first",
    ),
]
At = Annotated[str, msgspec.Meta(pattern=rf"^{_POSITION.pattern}\Z")]


class Position(msgspec.Struct, frozen=True, order=True, gc=False):
    """A place in the log, written ``"<milliseconds>-<n>"``; positions sort in the order of the log."""

    ms: int
    n: int

    def __str__(self) -> str:
        return f"{self.ms}-{self.n}"

    def __bytes__(self) -> bytes:
        return b"%d-%d" % (self.ms, self.n)

    @property
    def life(self) -> int:
        """The life of the log that this position belongs to."""
        return self.n // LIFE_UNIT

    def next(self, now_ms: int, life: int, count: int = 1) -> Position:
        """Return the position of the next update: later than this one, even if the clock went back.

        :param count: how many updates follow.  As many positions are free in the same millisecond.
        """
        ms, n = self.ms, self.n
        if ms >= now_ms and n // LIFE_UNIT == life and (n + count) // LIFE_UNIT == life:
            return Position(ms, n + 1)
        first = Position(now_ms, life * LIFE_UNIT)
        return first if first > self else Position(ms + 1, life * LIFE_UNIT)


ORIGIN = Position(0, 0)
"""The position before the first update: valid in every log."""


def parse_position(text: str) -> Position | None:
    """Return the position that a text describes; None if the text is not a position."""
    match = _POSITION.fullmatch(text)
    return Position(int(match[1]), int(match[2])) if match else None


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An update before it is appended: it has no ``seq`` and no position yet.

    :ivar value: JSON text as :func:`~streamd.core.values.from_json` returns it; None to forget the
        stream.
    :ivar time: when the value was true, in seconds since the epoch; None for the time of the append.
    """

    stream: str
    value: bytes | None
    time: float | None = None


class Update(msgspec.Struct, frozen=True, gc=False):
    """One new value of one stream.

    :ivar seq: 1, 2, 3, … within the stream, without gaps.
    :ivar at: its position in the log.
    :ivar time: when the value was true, in seconds since the epoch.
    :ivar value: canonical JSON text; None if the stream was forgotten.
    """

    stream: str
    seq: int
    at: Position
    time: float
    value: bytes | None


Place = tuple[int, int]
"""A position without the life of the log, which may have a new life when it is opened again."""


def place_of(update: Update) -> Place:
    """Return the place of an update."""
    return update.at.ms, update.at.n % LIFE_UNIT


def time_of(update: Update) -> float:
    """Return the time of an update, or the time of its append if that is earlier."""
    return min(update.time, (update.at.ms + 1) / 1000)


def size_of(updates: Sequence[Draft] | Sequence[Update]) -> int:
    """Return the bytes of the values of updates or drafts."""
    size = 0
    for update in updates:  # a comprehension takes longer for one update, which is the usual case
        if update.value is not None:
            size += len(update.value)
    return size


def check_name(name: str) -> str:
    """Return ``name`` if it is a valid name of a stream.

    :raises Refused: 400; the message has the rule.
    """
    if _NAME.fullmatch(name):
        return name
    raise Refused(
        400,
        "bad-name",
        f"{shorten(name)} is not a name: 1 to {MAX_NAME} of A-Z a-z 0-9 _ . -, "
        "beginning with a letter or digit",
    )


def check_time(time: float | None) -> None:
    """Check that a time is from 1970 to 9999; None is allowed.

    :raises Refused: 400.
    """
    if time is not None and not 0 <= time <= MAX_TIME:  # nor is NaN
        raise Refused(400, "bad-time", f"{time} is no time: expected seconds since 1970-01-01, UTC")

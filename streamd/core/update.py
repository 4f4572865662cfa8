"""What happened, and where in the log: streams' names, values, positions, updates.

Everything else in streamd speaks in these nouns.  This module is pure: no Twisted, no clock, no I/O.

There may be a million updates: nothing in them can be part of a cycle, so the garbage collector is not
told of them (``gc=False``); docs/performance.rst says what that gains.
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
"""Lives are drawn below this, so that ``n`` stays below 2**63, legal in a Redis Stream id."""

MAX_TIME = 253402300799.0
"""The end of the year 9999, in seconds since the epoch: JavaScript and Python agree on dates so far."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_POSITION = re.compile(r"([0-9]{1,15})-([0-9]{1,19})")
Name = Annotated[str, msgspec.Meta(pattern=rf"^{_NAME.pattern}\Z")]
At = Annotated[str, msgspec.Meta(pattern=rf"^{_POSITION.pattern}\Z")]


class Position(msgspec.Struct, frozen=True, order=True, gc=False):
    """A place in the log, ordered as the log is; written ``"<milliseconds>-<n>"``."""

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

    def next(self, now_ms: int, life: int) -> Position:
        """The position of the next update: later than this one whatever the clock says."""
        ms, n = self.ms, self.n
        if ms >= now_ms and n // LIFE_UNIT == life and (n + 1) // LIFE_UNIT == life:
            return Position(ms, n + 1)
        first = Position(now_ms, life * LIFE_UNIT)
        return first if first > self else Position(ms + 1, life * LIFE_UNIT)


ORIGIN = Position(0, 0)
"""Before the first update: valid in every log."""


def parse_position(text: str) -> Position | None:
    """The position that a client sent back; None if it is not one."""
    match = _POSITION.fullmatch(text)
    return Position(int(match[1]), int(match[2])) if match else None


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An update that the log has not ordered yet.

    :ivar value: JSON text as :func:`from_json` gives it, or None: forget the stream.
    :ivar time: seconds since the epoch when the value was true; None: when it is appended.
    """

    stream: str
    value: bytes | None
    time: float | None = None


class Update(msgspec.Struct, frozen=True, gc=False):
    """One new value of one stream.

    :ivar seq: 1, 2, 3, … within the stream, without holes.
    :ivar at: its position in the log.
    :ivar time: seconds since the epoch when the value was true.
    :ivar value: canonical JSON text, or None: the stream was forgotten.
    """

    stream: str
    seq: int
    at: Position
    time: float
    value: bytes | None


def size_of(drafts: Sequence[Draft]) -> int:
    """Bytes of the values."""
    return sum([len(draft.value) for draft in drafts if draft.value is not None])


def check_name(name: str) -> str:
    """Return ``name`` if a stream may be called so.

    :raises Refused: 400, with the rule.
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
    """Whether something may have been true then.

    :raises Refused: 400.
    """
    if time is not None and not 0 <= time <= MAX_TIME:  # nor is NaN
        raise Refused(400, "bad-time", f"{time} is no time: expected seconds since 1970-01-01, UTC")

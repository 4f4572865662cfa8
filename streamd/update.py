"""What happened, and where in the log: streams' names, values, positions, updates.

Everything else in streamd speaks in these nouns.  This module is pure: no Twisted, no clock, no I/O.

There may be a million updates: nothing in them can be part of a cycle, so the garbage collector is not
told of them (``gc=False``); docs/performance.rst says what that gains.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fnmatch import translate
from typing import Annotated, Any
from uuid import UUID

import msgspec

MAX_NAME = 128
MAX_VALUE = 64 * 1024
"""Bytes of JSON text; one value then fits one message of every transport."""

LIFE_UNIT = 2**20
"""Positions within one millisecond and one life of the log: ``n = life * LIFE_UNIT + i``."""

MAX_LIFE = 2**43
"""Lives are drawn below this, so that ``n`` stays below 2**63, legal in a Redis Stream id."""

MAX_TIME = 253402300799.0
"""The end of the year 9999, in seconds since the epoch: JavaScript and Python agree on dates so far."""

MAX_DEPTH = 100
"""Arrays and objects within each other: JSON readers give up somewhere beyond (Python's at about 990
less what runs already), and a value is never to be accepted here and a failure where it is read."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_POSITION = re.compile(r"([0-9]{1,15})-([0-9]{1,19})")
Name = Annotated[str, msgspec.Meta(pattern=rf"^{_NAME.pattern}\Z")]
At = Annotated[str, msgspec.Meta(pattern=rf"^{_POSITION.pattern}\Z")]
Pattern = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.*?-]{1,128}\Z")]
"""A name, a position, a name or glob, in what is read as a structure."""

_MAYBE_OVERFLOW = re.compile(rb"[0-9]{309}")
"""The largest double has 309 digits; a text without such a run holds no whole number beyond it."""


class Refused(Exception):
    """A request that cannot be served, told in words that whoever sent it may read.

    Its counterpart is every other exception: those go to the log, and never further.

    :ivar status: the HTTP status that says it best.
    :ivar code: a short, stable word for programs, such as ``bad-name``.
    :ivar message: one sentence for people: what was wrong, and what would be right.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


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


def from_json(text: bytes) -> bytes:
    """The canonical form of a value given as JSON text: no white space, each key once.

    :raises Refused: 413 if longer than :data:`MAX_VALUE`; 400 if it is not JSON, nested deeper than
        :data:`MAX_DEPTH`, or if a number in it overflows a double (browsers would show infinity).
    """
    if len(text) > MAX_VALUE:
        raise _too_large()
    try:
        value = msgspec.json.decode(text)
        canonical = msgspec.json.encode(value)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Refused(400, "bad-value", f"the value is not JSON: {error}") from None
    if len(canonical) <= MAX_DEPTH:
        return canonical  # too short for anything below
    if canonical.count(b"[") + canonical.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise _too_deep()
    if len(canonical) > MAX_VALUE:
        raise _too_large()
    if _MAYBE_OVERFLOW.search(canonical) and _overflows(value):
        raise Refused(400, "bad-value", "a number in the value is too large")
    return canonical


def from_text(text: bytes) -> bytes:
    """The value that is this text: a JSON string.

    :raises Refused: 413 if too long, 400 if it is not UTF-8.
    """
    if len(text) > MAX_VALUE:
        raise _too_large()
    try:
        value = msgspec.json.encode(text.decode())
    except UnicodeError:
        raise Refused(400, "bad-value", "the value is neither JSON nor UTF-8 text") from None
    if len(value) > MAX_VALUE:
        raise _too_large()
    return value


def from_python(value: Any) -> bytes:
    """The JSON text of a Python value made of dicts, lists, strings, numbers, bools and None.

    A Decimal is a number; dates and times are ISO 8601, a naive time being this machine's, with its
    offset; a timedelta is in seconds; a UUID is text.

    :raises Refused: 400 for anything else (a set, bytes, NaN), 413 if it is too long.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, default=_simpler)
        return from_json(text.encode())
    except RecursionError:
        raise _too_deep() from None
    except (TypeError, ValueError, OverflowError) as error:
        raise Refused(400, "bad-value", f"the value cannot be JSON: {error}") from None


def _simpler(value: Any) -> Any:
    """What JSON has for a value that databases and programs have besides."""
    if isinstance(value, Decimal):
        # Decimal("1e999999") is one, too: as a whole number it would take minutes.
        whole = value.is_finite() and value.adjusted() < 309 and value == value.to_integral_value()
        return int(value) if whole else float(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.astimezone()).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no value")


def to_python(value: bytes) -> Any:
    """What a value's JSON text says."""
    return msgspec.json.decode(value)


def shorten(text: str, limit: int = 40) -> str:
    """``text`` quoted for a message, its middle left out when it is long."""
    if len(text) > limit:
        text = f"{text[: limit // 2]}…{text[-limit // 4 :]}"
    return json.dumps(text, ensure_ascii=True)


def _too_large() -> Refused:
    return Refused(413, "too-large", f"a value may have {MAX_VALUE // 1024} KiB of JSON text")


def _too_deep() -> Refused:
    return Refused(400, "bad-value", f"a value may have {MAX_DEPTH} levels, this has more")


def _depth(value: Any) -> int:
    """How many arrays and objects are within each other; counted level by level."""
    depth, level = 0, [value]
    while level := [part for part in level if isinstance(part, dict | list)]:
        depth += 1
        level = [
            p for outer in level for p in (outer if isinstance(outer, list) else outer.values())
        ]
    return depth


def _overflows(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_overflows, value.values()))
    if isinstance(value, list):
        return any(map(_overflows, value))
    return isinstance(value, int) and abs(value) > 1.7976931348623157e308


class Selection:
    """Which streams a viewer wants: names and globs (``*`` any characters, ``?`` one).

    Equal selections are equal objects for a dict, however they were written.
    """

    MAX_PATTERNS = 32
    _PATTERN = re.compile(r"[A-Za-z0-9_.*?-]{1,128}")

    def __init__(self, patterns: Iterable[str] | None = None) -> None:
        """:param patterns: names and globs; None selects all, an empty list nothing.

        :raises Refused: 400 if there are too many, or one can match no name.
        """
        wanted = frozenset(("*",) if patterns is None else patterns)
        if len(wanted) > self.MAX_PATTERNS:
            raise Refused(
                400,
                "bad-selection",
                f"at most {self.MAX_PATTERNS} names and globs, not {len(wanted)}",
            )
        for pattern in wanted:
            if not self._PATTERN.fullmatch(pattern):
                raise Refused(400, "bad-selection", f"{shorten(pattern)} is neither name nor glob")
        self.patterns = frozenset(("*",)) if "*" in wanted else wanted
        self.all = "*" in wanted
        self._names = frozenset(p for p in self.patterns if not set(p) & {"*", "?"})
        # fnmatch.translate makes atomic groups: no pattern takes more than linear time a name.
        globs = [translate(p) for p in sorted(self.patterns - self._names)]
        self._globs = re.compile("|".join(globs)) if globs else None

    def __contains__(self, name: str) -> bool:
        return (
            self.all
            or name in self._names
            or (self._globs is not None and self._globs.fullmatch(name) is not None)
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selection) and self.patterns == other.patterns

    def __hash__(self) -> int:
        return hash(self.patterns)

    def __repr__(self) -> str:
        return f"Selection({sorted(self.patterns)})"

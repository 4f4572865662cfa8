"""How a stream's value is presented: words, format, goal and comparison with the past.

The daemon checks these settings and sends them to viewers.  The page applies them (``web/text``).
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, tzinfo
from typing import Annotated, Any

import msgspec

from streamd.core.parsed_text import FormedText, ParsedText

FORMATS = (
    "number",
    "percent",
    "money",
    "bytes",
    "duration",
    "time",
    "date",
    "since",
    "until",
)
"""The formats of values.

The list is the same as in ``web/text/values.js``, in the same order; a test compares them.
"""

OF_TIMES = frozenset(("time", "date", "since", "until"))
"""The formats whose values are times: ISO 8601 texts, or seconds since the epoch."""

OWN_UNIT = OF_TIMES | {"percent", "bytes", "duration"}
"""The formats that write a unit themselves, or need none."""

WHOLE = OF_TIMES | {"duration"}
"""The formats that have no decimals."""

ValueFormat = Annotated[str, msgspec.Meta(pattern=rf"^({'|'.join(FORMATS)})\Z")]
"""The name of a format, checked when a structure is decoded."""

Decimals = Annotated[int, msgspec.Meta(ge=0, le=10)]
"""A number of digits after the decimal point."""

Words = Annotated[
    dict[str, Annotated[str, msgspec.Meta(min_length=1, max_length=100)]],
    msgspec.Meta(min_length=1, max_length=100),
]
"""The words for values, by the text of the value: see :func:`word_of`.

The bounds keep a description small: viewers get all descriptions when they connect.
"""


class Currency(FormedText):
    """A currency by its ISO 4217 code, such as ``EUR``.  Whether it exists is not checked."""

    FORM = re.compile("[A-Z]{3}")
    EXPECTED = 'expected the code of a currency, such as "EUR"'


class Days(int):
    """A number of calendar days, written ``"1d"`` or ``"7d"``."""

    @classmethod
    def parse(cls, written: Any) -> Days:
        match = _DAYS.fullmatch(written) if isinstance(written, str) else None
        if not match:
            raise ValueError('expected whole days, such as "1d" or "7d"')
        return cls(int(match[1]))

    @property
    def seconds(self) -> float:
        """The seconds of these days without a clock change."""
        return 86400.0 * self


_DAYS = re.compile(r"([1-9][0-9]{0,3})d")

_KINDS = (date, datetime, time)


class DateOrTime(ParsedText):
    """A date, a date with a time, or a time of every day, from a configuration.

    A moment without an offset is in the time zone of the wall that shows it.

    :ivar at: the date, the datetime or the time.
    """

    def __init__(self, at: date | time) -> None:
        self.at = at

    @classmethod
    def parse(cls, written: Any) -> DateOrTime:
        """Parse a date or time of TOML, or a text in ISO 8601; a ValueError has an example."""
        found = next((at for kind in _KINDS if (at := _read(kind, written)) is not None), None)
        if found is None:
            raise ValueError('expected a date or time: "2026-12-31", "2026-12-31T18:00" or "18:00"')
        return cls(found)

    @property
    def text(self) -> str:
        """The moment in ISO 8601."""
        return self.at.isoformat()

    def is_before(self, end: DateOrTime) -> bool:
        """Return whether a period can begin with this moment and last up to and including ``end``.

        :raises ValueError: if the two cannot be compared, such as a date with a time of every day.
        """
        try:
            return bool(_edge(self.at, time.min) < _edge(end.at, time.max))
        except TypeError:
            raise ValueError(f"expected the same form as {end.text}") from None


_OF_DAY = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?")
"""A time of day.  Python would also read 20:26 in the text "2026", which is a year."""


def _read(kind: Any, written: Any) -> Any:
    """Return a date, datetime or time if it is written so, or None."""
    if type(written) is kind:  # a datetime is a date, too
        return written
    if not isinstance(written, str) or (kind is time and not _OF_DAY.fullmatch(written)):
        return None
    try:
        return kind.fromisoformat(written)
    except ValueError:
        return None


def _edge(at: Any, of_day: time) -> Any:
    """Return a moment; for a whole day, this time of the day."""
    return datetime.combine(at, of_day) if type(at) is date else at


def time_text(at: float, now: float, zone: tzinfo | None) -> str:
    """Return a time for an error on a wall: ``14:02``, with the date if it is more than a day old.

    :param at: seconds since the epoch, as is ``now``.
    :param zone: the time zone; None for the machine's.
    """
    form = "%H:%M" if now - at < 86400 else "%Y-%m-%d %H:%M"
    return datetime.fromtimestamp(at, zone).strftime(form)


def duration_text(seconds: float) -> str:
    """Return a duration in its two largest units: ``2 d 4 h``, ``12 min``, ``40 s``."""
    parts: list[tuple[int, str]] = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append((int(count), unit))
    shown = [f"{count} {unit}" for count, unit in parts[:2] if count]
    return " ".join(shown) or "less than 1 s"


def word_of(words: dict[str, str], value: bytes) -> str | None:
    """Return the configured word for a value; None if it has no word.

    ``true`` and ``false`` have the keys ``"true"`` and ``"false"``, texts their own text, and numbers
    their shortest decimal form: ``"1"`` for 1.0, ``"0.5"``.

    :param value: JSON text.
    """
    if value[:1] in b"[{n":  # an object, a list, null
        return None
    scalar = msgspec.json.decode(value)
    if isinstance(scalar, float) and scalar.is_integer():
        scalar = int(scalar)
    return words.get(value.decode() if isinstance(scalar, bool) else str(scalar))

"""Values as one line of text, with the word, the format and the unit of their stream.

The page formats values for the language and the time zone of a wall (``web/text``).  Here the
reader may be a program, or a person in any country: digits have no groups, and times are in UTC.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

from streamd.core.description import Description
from streamd.core.presentation import OF_TIMES, duration_text
from streamd.core.printable import printable
from streamd.core.values import to_python

MAX_LINE = 300
"""The most characters of a line: a bar of a terminal shows less."""

MAX_UNIT = 24
"""The most characters of a unit, as on walls."""

_SPACES = re.compile(r"\s+")

_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}
"""The currencies with a sign that stands before the amount, as it does on walls."""

_BYTES = ("B", "kB", "MB", "GB", "TB", "PB", "EB")

_EXTREME = 1e15
"""From this size on, a number has an exponent, as on walls."""


def single(text: str, limit: int = MAX_LINE) -> str:
    """Return a text on one line, without control characters; an ellipsis marks where it was cut."""
    line = printable(_SPACES.sub(" ", text[: 4 * limit]).strip())
    return line if len(line) <= limit and len(text) <= 4 * limit else line[: limit - 1] + "…"


def one_line(value: bytes, description: Description, now: float) -> str:
    """Return a value as one line of at most :data:`MAX_LINE` characters; it is never empty.

    Null is a dash.  Lists, objects and blank texts are JSON.

    :param value: JSON text.
    :param now: seconds since the epoch.
    """
    word = description.word(value)
    if word is not None:
        return single(word)
    if value[:1] in b"[{":
        return single(value.decode())
    scalar = to_python(value)
    if scalar is None:
        return "—"
    if isinstance(scalar, bool):
        return "yes" if scalar else "no"
    if description.format in OF_TIMES and (at := _instant(scalar)) is not None:
        return _time(at, now, description.format)
    if isinstance(scalar, str):
        return single(scalar) or single(value.decode())
    if isinstance(scalar, int) and _is_plain(description):
        return single(_with_unit(value.decode(), description))  # also with thousands of digits
    number = float(value)
    return single(_number(number, description) if math.isfinite(number) else value.decode())


def _is_plain(description: Description) -> bool:
    return description.format in (None, "number") and description.decimals is None


def _number(number: float, description: Description) -> str:
    decimals = description.decimals
    if description.format == "percent":
        return f"{_digits(number, decimals)} %"
    if description.format == "bytes":
        return _bytes(number, decimals)
    if description.format == "duration":
        return _duration(number)
    if description.format == "money":
        return _money(number, description)
    return _with_unit(_digits(number, decimals), description)


def _with_unit(digits: str, description: Description) -> str:
    unit = single(description.unit or "", MAX_UNIT)
    if unit in _SIGNS.values():
        return _signed(digits, unit)
    return f"{digits} {unit}" if unit else digits


def _signed(digits: str, sign: str) -> str:
    """Return an amount with a currency's sign before it: ``-€ 5``."""
    minus = "-" if digits.startswith("-") else ""
    return f"{minus}{sign} {digits.removeprefix('-')}"


def _digits(number: float, decimals: int | None) -> str:
    """Return a number in four digits or all before the point, as walls do; never ``-0``."""
    size = abs(number)
    if size >= _EXTREME or (0 < size < 1e-4 and decimals is None):
        return f"{number:.3g}"
    if decimals is not None:
        return f"{number:z.{decimals}f}"
    return f"{number:z.0f}" if size >= 1000 or number.is_integer() else f"{number:.4g}"


def _money(number: float, description: Description) -> str:
    # Cents of more than a thousand are noise, and so are cents of whole amounts.
    cents = 0 if number.is_integer() or abs(number) >= 1000 else 2
    digits = _digits(number, cents if description.decimals is None else description.decimals)
    currency = str(description.currency)
    amount = _signed(digits, _SIGNS.get(currency, currency))
    return f"{amount} {single(description.unit, MAX_UNIT)}" if description.unit else amount


def _bytes(number: float, decimals: int | None) -> str:
    power = 0
    while abs(number) >= 999.5 and power < len(_BYTES) - 1:
        number, power = number / 1000, power + 1
    digits = f"{number:.3g}" if decimals is None or not power else f"{number:z.{decimals}f}"
    return f"{digits} {_BYTES[power]}"


def _duration(seconds: float) -> str:
    size = abs(seconds)
    if 99.95 <= size < _EXTREME:
        return ("-" if seconds < 0 else "") + duration_text(round(size))
    return f"{seconds * 1000:.3g} ms" if 0 < size < 0.9995 else f"{seconds:.3g} s"


def _instant(value: Any) -> datetime | None:
    """Return a time; None for a text without an offset, which says no certain time."""
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            return at.astimezone(UTC) if at.tzinfo else None
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _time(at: datetime, now: float, format: str | None) -> str:
    if format in ("since", "until"):
        away = at.timestamp() - now
        text = duration_text(max(1, abs(round(away))))
        if away <= 0:
            return f"{text} ago"
        return text if format == "until" else f"in {text}"
    today = datetime.fromtimestamp(now, UTC).date()
    if format == "date":
        return f"{at:%Y-%m-%d}"
    return f"{at:%H:%M} UTC" if at.date() == today else f"{at:%Y-%m-%d %H:%M} UTC"

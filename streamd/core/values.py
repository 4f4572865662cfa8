"""Values: each is checked and turned into canonical JSON text once, when it comes in."""

from __future__ import annotations

import json
import math
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from streamd.core.errors import Refused

MAX_VALUE = 64 * 1024
"""The most bytes of a value's JSON text: one value fits one message of every transport."""

MAX_DEPTH = 100
"""The most levels of nested arrays and objects.  JSON readers fail at some depth (Python's at about 990
minus the current stack), and no reader may fail on a value that was accepted here."""

_MAYBE_OVERFLOW = re.compile(rb"[0-9]{309}")
"""The largest double has 309 digits: only a text with this many digits in a row may exceed it."""


def from_json(text: bytes | msgspec.Raw) -> bytes:
    """Return the canonical form of a value given as JSON text: no white space, each key once.

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
        return canonical  # too short to break any rule below
    if canonical.count(b"[") + canonical.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise _too_deep()
    if len(canonical) > MAX_VALUE:
        raise _too_large()
    if _MAYBE_OVERFLOW.search(canonical) and _overflows(value):
        raise Refused(400, "bad-value", "a number in the value is too large")
    return canonical


def from_text(text: bytes) -> bytes:
    """Return a text as a value: a JSON string.

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


class BadValue:
    """A placeholder in a reading for a value that no stream can hold, so that only its stream fails.

    :ivar reason: the error, a sentence that walls show.
    :ivar key: the key of the source's table that the error refers to; empty for its main key.
    """

    def __init__(self, reason: str, key: str = "") -> None:
        self.reason, self.key = reason, key


def from_python(value: Any) -> bytes:
    """Return the JSON text of a Python value made of dicts, lists, strings, numbers, bools and None.

    A Decimal becomes a number, a timedelta a number of seconds, a UUID a text.  Dates and times become
    ISO 8601 texts.  A naive datetime is taken as local time and gets its offset.

    :raises Refused: 400 for anything else (a set, bytes, NaN) and for a :class:`BadValue` anywhere
        in the value, whose reason is the message; 413 if the text is too long.
    """
    try:
        return from_json(_encode(value).encode())
    except RecursionError:
        raise _too_deep() from None
    except (TypeError, ValueError, OverflowError) as error:
        raise Refused(400, "bad-value", f"the value cannot be JSON: {error}") from None


def _simpler(value: Any) -> Any:
    """Convert a value without a JSON type, such as a Decimal or a date, to a value of JSON."""
    if isinstance(value, BadValue):
        raise Refused(400, "bad-value", value.reason, key=value.key)
    if isinstance(value, Decimal):
        # To convert Decimal("1e999999") to an int would take minutes.
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


# Made once: json.dumps with these arguments would make an encoder for each value.
_encode = json.JSONEncoder(
    allow_nan=False, ensure_ascii=False, default=_simpler, separators=(",", ":")
).encode


def to_python(value: bytes) -> Any:
    """Decode a value's JSON text."""
    return msgspec.json.decode(value)


def number_and_word(value: bytes | None) -> tuple[float | None, str | None]:
    """Return a value as a number, or as a word; at least one of them is None.

    :param value: JSON text.
    """
    if value is None or value[:1] in b"[{n":  # an object, a list, null
        return None, None
    if value[:1] in b"tf":
        return None, value.decode()
    if value[:1] == b'"':
        return None, to_python(value)
    number = float(value)
    return (number if math.isfinite(number) else None), None


def _too_large() -> Refused:
    return Refused(413, "too-large", f"a value may have {MAX_VALUE // 1024} KiB of JSON text")


def _too_deep() -> Refused:
    return Refused(400, "bad-value", f"a value may have {MAX_DEPTH} levels, this has more")


def _depth(value: Any) -> int:
    """Return how many levels of arrays and objects are nested, without recursion."""
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

"""The line protocol of InfluxDB, as Telegraf and other programs write it.

A line is one point: ``measurement,tag=value field=1.5,other="text" 1763790000000000000``.  The
rules are in InfluxDB's documentation, "Line protocol reference".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from streamd.core.errors import Refused, shorten

PRECISIONS: Mapping[str, float] = {
    "ns": 1e-9,
    "n": 1e-9,
    "us": 1e-6,
    "u": 1e-6,
    "µ": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
"""The units of time stamps in seconds: those of the second version, and the letters of the first."""

MAX_LINE = 64 * 1024
"""The most characters of a line."""

_ESCAPED = re.compile(r"\\([,= ])")
_IN_TEXT = re.compile(r'\\(["\\])')
# A backslash before another character is a character, as in InfluxDB.  Each text matches in one way
# only: with a choice at each backslash, forty of them would take hours.
_KEY = r"(?:\\[,= ]|[^,= ])+"
_HEAD = re.compile(rf"((?:\\[, ]|[^, ])+)((?:,{_KEY}={_KEY})*)")
_TAG = re.compile(rf",({_KEY})=({_KEY})")
_FIELD = re.compile(rf'({_KEY})=("(?:\\.|[^"\\])*"|[^", ]+)')
_STAMP = re.compile(r" +(-?[0-9]{1,20})")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"(-?[0-9]{1,19})i|([0-9]{1,20})u")
_TRUTHS = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), b"true"),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), b"false"),
}


class Point(NamedTuple):
    """One line.

    :ivar tags: by name.
    :ivar fields: name -> its value as JSON text.
    :ivar time: in seconds since the epoch; None if the line has none.
    """

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, bytes]
    time: float | None


def split_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line that is neither empty nor a comment.

    A line break in a quoted text does not end the line.
    """
    begun: list[str] = []
    opened = 1
    for number, line in enumerate(text.split("\n"), 1):
        if not begun:
            opened = number
            if not line.strip(" \r\t") or line.lstrip().startswith("#"):
                continue
        is_open = bool(begun) != _has_odd_quotes(line)
        begun.append(line)
        if not is_open:
            yield opened, "\n".join(begun).strip(" \r\t")
            begun.clear()
    if begun:
        yield opened, "\n".join(begun)


def _has_odd_quotes(line: str) -> bool:
    """Return whether a quoted text begins or ends in a line, and does not do both."""
    return '"' in line and re.sub(r'\\["\\]', "", line).count('"') % 2 == 1


def parse_point(line: str, unit: float) -> Point:
    """Parse one line.

    :param unit: the seconds of the unit of time stamps; see :data:`PRECISIONS`.
    :raises Refused: 400; the message says what is expected, and where.
    """
    if len(line) > MAX_LINE:
        raise _bad(f"a line may have {MAX_LINE // 1024} KiB")
    head = _HEAD.match(line)
    if head is None or line[head.end() : head.end() + 1] != " ":
        raise _bad("expected measurement,tag=value field=value, with one space between")
    tags = {_plain(key): _plain(value) for key, value in _TAG.findall(head[2])}
    fields, end = _fields(line, head.end() + 1)
    stamp = _STAMP.fullmatch(line, end) if end < len(line) else None
    if stamp is None and line[end:].strip():
        raise _bad(f"expected a comma, or a time stamp, instead of {shorten(line[end:])}")
    time = None if stamp is None else int(stamp[1]) * unit
    return Point(_plain(head[1]), tags, fields, time)


def _fields(line: str, start: int) -> tuple[dict[str, bytes], int]:
    """Return the fields from a place in a line on, and the place where they end."""
    fields: dict[str, bytes] = {}
    while True:
        match = _FIELD.match(line, start)
        if match is None:
            raise _bad(f"expected field=value instead of {shorten(line[start:])}")
        fields[_plain(match[1])] = _value(match[2])
        start = match.end()
        if line[start : start + 1] != ",":
            return fields, start
        start += 1


def _value(text: str) -> bytes:
    """Return a field's value as JSON text."""
    if text.startswith('"'):
        return msgspec.json.encode(_IN_TEXT.sub(r"\1", text[1:-1]))
    if text in _TRUTHS:
        return _TRUTHS[text]
    whole = _WHOLE.fullmatch(text)
    if whole is not None:
        return b"%d" % int(whole[1] or whole[2])
    if not _NUMBER.fullmatch(text):
        raise _bad(f'{shorten(text)} is no value: expected 1.5, 1i, 1u, true or "text"')
    number = float(text)
    if number - number != 0:
        raise _bad(f"{shorten(text)} is too large")
    return msgspec.json.encode(
        int(number) if number.is_integer() and abs(number) < 1e15 else number
    )


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _bad(message: str) -> Refused:
    return Refused(400, "bad-line", message)

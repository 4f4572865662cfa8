"""Turns the rows of a query into values and streams.  Pure, because it also runs in a thread.

A cell that no stream can hold becomes a :class:`BadValue`, so that only its own stream fails.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from streamd.core.errors import Refused
from streamd.core.names import by_name, end_of_name
from streamd.core.values import MAX_VALUE, BadValue, from_python
from streamd.sources.errors import SourceError

T = TypeVar("T")

_EXPRESSION = re.compile(r"[(?*+'\"]")
"""Matches the name that databases give an unnamed column, such as ``count(*)`` or ``?column?``."""

_PLAIN = frozenset((type(None), bool, int, str, BadValue))
_KNOWN = (list, tuple, dict, date, time, timedelta, UUID)

EXACT = 2**53
"""From this number on a double cannot hold a fraction, so a DECIMAL with one would lose it."""


class Table(NamedTuple):
    """The result of a query.

    :ivar columns: the names of the columns, all different.
    :ivar rows: the rows; each cell is a Python value that JSON can express, or a :class:`BadValue`.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def make_table(description: Any, rows: Iterable[Sequence[Any]]) -> Table:
    """Make a table from the description and the rows of a DB-API cursor.

    :raises SourceError: if there are no columns, or two with the same name.
    """
    if description is None:
        raise SourceError("the query gives no columns")
    columns = [each[0] for each in description]
    for column in columns:
        if columns.count(column) > 1:
            raise SourceError(f"two columns are called {column}: name one by AS")
    return Table(columns, [[*map(_cell, columns, row)] for row in rows])


def _cell(column: str, value: Any) -> Any:
    """Return a cell as a value that JSON can express; as text if JSON has no such type."""
    if type(value) in _PLAIN:
        if type(value) is BadValue:
            return BadValue(f"column {column}: {value.reason}")
        return value
    if isinstance(value, float | Decimal):
        return _number(column, value)
    if isinstance(value, bytes | bytearray | memoryview):
        advice = f"make them text, or a BIT a number: {column} + 0"
        return BadValue(f"column {column}: bytes are no value; {advice}")
    if isinstance(value, datetime):
        return value if _has_instant(value) else value.isoformat(" ")
    return value if isinstance(value, _KNOWN) else str(value)


def _number(column: str, value: float | Decimal) -> Any:
    if not math.isfinite(value):
        name = "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
        advice = f"write NULLIF({column}, '{name}')"
        return BadValue(f"column {column}: JSON has no {name}; {advice}")
    # Not "% 1", which Decimal refuses for more than 28 digits.
    if isinstance(value, Decimal) and abs(value) >= EXACT and value != value.to_integral_value():
        return str(value)
    return value


def _has_instant(value: datetime) -> bool:
    """Return True if a time has an offset, or can get the local one.

    Python cannot compute the local offset near the years 1 and 9999.
    """
    with suppress(ValueError, OverflowError):
        return value.tzinfo is not None or value.astimezone() is not None
    return False


def decode(data: bytes) -> str | BadValue:
    """Decode the text of a cell that a database sent as bytes."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return BadValue("the text is not UTF-8")


def objects(table: Table) -> list[dict[str, Any]]:
    """Return each row as an object: column -> cell."""
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def fitting(table: Table) -> list[dict[str, Any]]:
    """Return the rows as objects for one value; a last row counts those that do not fit."""

    def rest(count: int) -> dict[str, Any]:
        return {table.columns[0]: f"… and {count} rows more"}

    # The column of the last row may have a long name.
    return fitted(objects(table), 100 + max(map(len, table.columns)), rest)


def fitted(items: list[T], room: int, rest: Callable[[int], T]) -> list[T]:
    """Return the first items that fit into one value, and a last one that counts the rest.

    :param room: bytes to keep for the last one.
    :param rest: returns the last one, for the number of items that do not fit.
    """
    size = room
    for number, item in enumerate(items):
        try:
            size += len(from_python(item)) + 1
        except Refused:  # then the feed refuses the whole value, with the reason of this item
            return items
        if size > MAX_VALUE and number:
            return [*items[:number], rest(len(items) - number)]
    return items


def first_row(table: Table, whole: bool) -> dict[str, Any]:
    """Return the first row: end of a stream's name -> value; all NULL without a row.

    :param whole: the row becomes one value, so its columns need no valid names.
    """
    values = table.rows[0] if table.rows else [None] * len(table.columns)
    cells = dict(zip(table.columns, values, strict=True))
    return cells if whole else by_name(with_names(cells))


def with_names(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cells; a cell of an unnamed column becomes a :class:`BadValue`."""
    return {
        column: BadValue(
            f"the column has no name: write {column.replace('?column?', '…')} AS a_name"
        )
        if _EXPRESSION.search(column)
        else cell
        for column, cell in cells.items()
    }


def by_key(table: Table, key: str, whole: bool) -> dict[str, Any]:
    """Return the cells of all rows, without the key column: end of a stream's name -> value.

    :param whole: each row becomes one value.
    :raises SourceError: if two rows would get the same name, or the key of a row is bytes.
    """
    index(table, key, "key")
    found: dict[str, dict[str, Any]] = {}
    written: dict[str, Any] = {}
    for parts in objects(table):
        own = parts.pop(key)
        if isinstance(own, BadValue):
            raise SourceError(own.reason, key="key")
        name = end_of_name("null" if own is None else str(own))
        if name in found:
            text = f"two rows are {name}: {key} is {written[name]!r} and {own!r}"
            raise SourceError(text, key="key")
        found[name], written[name] = parts, own
    if whole:
        return dict(found)
    streams: dict[str, Any] = {}
    for name, parts in found.items():
        for end, cell in by_name(with_names(parts)).items():
            full = f"{name}.{end}"  # the row a.b may have a column c, and the row a a column b.c
            streams[full] = BadValue(f"two cells are called {full}") if full in streams else cell
    return streams


def index(table: Table, column: str, key: str) -> int:
    """Return the index of a column.

    :param key: the configuration key that names the column, for the error.
    :raises SourceError: if the query has no such column.
    """
    if column not in table.columns:
        raise SourceError(f"the query gives no column {column}", key=key)
    return list(table.columns).index(column)


def seconds(value: Any, column: str) -> float | None:
    """Return the time when a row was true, in seconds since the epoch; None for NULL.

    :param value: a date, a datetime, an ISO 8601 text, or seconds since the epoch.
    :raises SourceError: for anything else.
    """
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
        if value is None:
            return None
        if isinstance(value, datetime):
            # Converted by astimezone(), like the value of the cell itself: in the hour that daylight
            # saving time skips, timestamp() of a naive time gives another instant.
            return (value if value.tzinfo else value.astimezone()).timestamp()
        found = float(value)
        if not math.isfinite(found):
            raise ValueError
        return found
    except (TypeError, ValueError, OverflowError):
        raise SourceError(f"column {column}: {str(value)[:40]!r} is no time") from None


def plain(value: Any) -> Any:
    """Return a value of ``after`` in a form that JSON can store and every driver accepts again."""
    return value if isinstance(value, int | float | str) else str(value)

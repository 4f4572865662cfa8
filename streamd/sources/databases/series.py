"""Turns rows into series: pairs of a time or a name and a number, for a chart or bars.  Pure.

A series is an array such as ``[["2026-11-30T09:00:00+01:00", 12], ["2026-11-30T10:00:00+01:00", 0]]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from streamd.core.names import by_name
from streamd.core.values import BadValue
from streamd.sources.databases.rows import Table, fitted, index, with_names
from streamd.sources.errors import SourceError

Pair = tuple[Any, Any]
"""A time with an offset or a name, and a number; each of them may be None."""

_TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?")
"""A text that is a time, because SQLite has no type for it.  ``20261130`` may be a product's number."""

_NAMES = (str, int, float, Decimal)

COUNT = 100
"""Bytes for the pair that counts the rows that are left out."""


def series_of(table: Table, axis: str, whole: bool) -> dict[str, Any]:
    """Return a series for each other column: end of a stream's name -> pairs, or a BadValue.

    Times become times with an offset, in ascending order.  Names stay in the order of the rows.

    :param axis: the column with the times or names.
    :param whole: the series become one value, so the columns need no valid names.
    :raises SourceError: if the column is missing, is the only one, has a cell that cannot be a
        value, or has the same cell in two rows.
    """
    at = index(table, axis, "series")
    others = [number for number in range(len(table.columns)) if number != at]
    if not others:
        raise SourceError(f"the query gives no column beside {axis}", key="series")
    are_times, places = _places(axis, [row[at] for row in table.rows])
    found = {}
    for number in others:
        pairs = zip(places, (row[number] for row in table.rows), strict=True)
        found[table.columns[number]] = _series(table.columns[number], pairs, are_times)
    return found if whole else by_name(with_names(found))


def _places(axis: str, cells: Sequence[Any]) -> tuple[bool, Sequence[Any]]:
    """Return whether all cells of the axis are times, and the cells as times or as names."""
    seen = set()
    for cell in cells:
        if isinstance(cell, BadValue):
            raise SourceError(cell.reason, key="series")
        written = "NULL" if cell is None else str(cell)
        if written in seen:
            advice = f"write GROUP BY {axis}, or name another column"
            raise SourceError(f"two rows have the {axis} {written[:40]!r}: {advice}", key="series")
        seen.add(written)
    times = [cell if cell is None else _time(cell) for cell in cells]
    if all((cell is None) == (time is None) for cell, time in zip(cells, times, strict=True)):
        return any(times), times
    return False, [c if c is None or isinstance(c, _NAMES) else str(c) for c in cells]


def _time(cell: Any) -> datetime | None:
    """Return a cell as a time with an offset; None if it is not a time.

    A time without a zone is local.  A date is its first moment.
    """
    with suppress(ValueError, OverflowError):
        if isinstance(cell, str) and _TIME.fullmatch(cell):
            cell = datetime.fromisoformat(cell)
        elif isinstance(cell, date) and not isinstance(cell, datetime):
            cell = datetime(cell.year, cell.month, cell.day)
        if isinstance(cell, datetime):
            return cell if cell.tzinfo else cell.astimezone()
    return None


def _series(column: str, pairs: Iterable[Pair], are_times: bool) -> Any:
    found = []
    for place, cell in pairs:
        number = cell.total_seconds() if isinstance(cell, timedelta) else cell
        if isinstance(cell, BadValue):
            return cell
        if isinstance(number, bool) or not isinstance(number, int | float | Decimal | None):
            return BadValue(f"column {column}: {str(cell)[:40]!r} is no number")
        found.append((place, number))
    if not are_times:
        return _fitting(found, "more")
    found.sort(key=lambda pair: (pair[0] is None, pair[0] and pair[0].timestamp()))
    return _fitting(found[::-1], "before")[::-1]


def _fitting(pairs: list[Pair], where: str) -> list[Pair]:
    """Return the first pairs, as many as fit into a value; a last one counts the rest."""
    return fitted(pairs, COUNT, lambda count: (f"… and {count} rows {where}", None))

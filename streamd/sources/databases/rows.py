"""What the rows of a query become: one value, a stream each, updates."""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from typing import Any

from streamd.sources.databases.session import Table
from streamd.sources.errors import SourceError

_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]")


def objects(table: Table) -> list[dict[str, Any]]:
    """Each row by its columns.

    :raises SourceError: for bytes, naming the column.
    """
    for row in table.rows:
        for column, value in zip(table.columns, row, strict=True):
            if isinstance(value, bytes | memoryview):
                raise SourceError(f"column {column}: bytes are no value; make them text")
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def by_key(table: Table, key: str, whole: bool) -> dict[str, Any]:
    """End of a stream's name -> value, for each row and column but the key.

    :param whole: a row is one value.
    :raises SourceError: if two rows would have the same name.
    """
    index(table, key, "key")
    found: dict[str, dict[str, Any]] = {}
    written: dict[str, Any] = {}
    for row in table.rows:
        parts = dict(zip(table.columns, row, strict=True))
        own = parts.pop(key)
        name = _NO_NAME.sub("_", "null" if own is None else str(own)) or "_"
        if name in found:
            raise SourceError(f"two rows are {name}: {key} is {written[name]!r} and {own!r}")
        found[name], written[name] = parts, own
    if whole:
        return dict(found)
    return {f"{n}.{column}": value for n, parts in found.items() for column, value in parts.items()}


def index(table: Table, column: str, key: str) -> int:
    """Where a column is.

    :param key: that names it.
    :raises SourceError: if there is none of that name.
    """
    if column not in table.columns:
        raise SourceError(f"the query gives no column {column}", key=key)
    return list(table.columns).index(column)


def seconds(value: Any, column: str) -> float | None:
    """When a row was true: of a date and time, ISO 8601, or seconds since the epoch.

    :raises SourceError: for anything else.
    """
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
        if value is None:
            return None
        found = float(getattr(value, "timestamp", lambda: value)())
        if not math.isfinite(found):
            raise ValueError
        return found
    except (TypeError, ValueError, OverflowError):
        raise SourceError(f"column {column}: {str(value)[:40]!r} is no time") from None


def plain(value: Any) -> Any:
    """A value of ``after`` as it can be stored, and as every driver takes it again."""
    return value if isinstance(value, int | float | str) else str(value)

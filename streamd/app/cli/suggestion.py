"""Suggests a ``streamd.toml`` for the result of a SELECT.  Pure.

Of a single row, each column becomes a tile.  Of several rows whose first column has times, each
further column becomes a line.  Of several rows whose first column identifies them, each cell
becomes a tile.  All other results become a list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from streamd.core.errors import Refused
from streamd.core.printable import printable
from streamd.core.update import check_name
from streamd.sources.databases.rows import Table
from streamd.sources.databases.series import series_of
from streamd.sources.errors import SourceError

MAX_TILES = 24
"""The most tiles for one query; a result that needs more becomes a list."""

UNITS = {"percent": "%", "pct": "%", "eur": "€", "usd": "$", "ms": "ms", "seconds": "s", "c": "°C"}
"""The last word of a column's name, as in ``latency_ms`` -> the unit that it means."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")

Rows = Sequence[Mapping[str, Any]]


def database_url(written: str) -> str:
    """Return the URL of a database; a path means a SQLite file, and a relative path stays relative."""
    return written if "://" in written else f"sqlite:///{quote(written)}"


def source_name(url: str) -> str:
    """Return a name for the source: the name of the file or the database."""
    last = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", last.partition(".")[0]).strip("-_")
    return name[:40] or "query"


def source_table(name: str, **keys: str | bool) -> str:
    """Return a table ``[sources.NAME]`` with these keys as TOML."""
    # A JSON string is also a TOML string, if control characters are escaped.
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items())
    return "\n".join([f"[sources.{name}]", *map(printable, lines)]) + "\n"


def suggest(name: str, rows: Rows, **keys: str) -> str:
    """Return a configuration that shows the result of a query.

    :param name: the name of the source.
    :param rows: the result of its query.
    :param keys: the keys of the source's table.
    :raises ValueError: the message names a column that cannot be the name of a stream.
    """
    if len(rows) == 1:
        for column in rows[0]:
            if not _is_name(column):
                raise ValueError(f"{column} is no name for a stream: write {column} AS a_name")
        tiles = (_tile(name, column, value) for column, value in rows[0].items())
        return source_table(name, **keys) + "".join(tiles) + _backfill(name, [*rows[0]])
    axis, *columns = _series(rows)
    if columns:
        tiles = (_tile(name, column) for column in columns)
        return source_table(name, **keys, series=axis) + "".join(tiles)
    key = _key(rows)
    if key is not None:
        titled = "".join(
            _tile(name, f"{_safe(row[key])}.{column}", value, str(row[key]))
            for row in rows
            for column, value in row.items()
            if column != key
        )
        return source_table(name, **keys, key=key) + titled + _backfill(name, [*rows[0]])
    return source_table(name, **keys, table=True) + f'\n[streams.{name}]\nshow = "list"\n'


def _series(rows: Rows) -> Sequence[str]:
    """Return the first column, and the others if it has times and they have numbers."""
    columns = [*rows[0]] if rows else [""]
    first, *others = columns
    # A row with fewer columns counts those that are left out.
    table = Table(columns, [[*row.values()] for row in rows if len(row) == len(columns)])
    if len(others) > MAX_TILES or not all(map(_is_name, others)):
        return [first]
    try:
        found = series_of(table, first, whole=False).values()
    except SourceError:
        return [first]
    are_lines = all(
        isinstance(pairs, list) and isinstance(pairs[0][0], datetime) for pairs in found
    )
    return columns if are_lines else [first]


def _key(rows: Rows) -> str | None:
    """Return the first column if its values identify the rows and can be names of streams; or None."""
    if not rows:
        return None
    first, *others = rows[0]
    names = {_safe(row[first]) for row in rows if isinstance(row[first], str)}
    tells_apart = len(names) == len(rows) and all(map(_is_name, [*names, *others]))
    return first if others and tells_apart and len(rows) * len(others) <= MAX_TILES else None


def _safe(text: str) -> str:
    """Return the part of a stream's name that a text becomes, as in ``databases.rows.by_key``."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text)


def _tile(name: str, end: str, value: Any = None, row: str = "") -> str:
    """Return a table for a stream.

    :param end: of the stream's name: the column, and before it the row if there are several.
    :param value: of the stream now.
    :param row: what the row is called.
    """
    column = end.rpartition(".")[2] if row else end
    words = re.split(r"[_.-]+", column.strip("_.-"))
    unit = UNITS.get(words[-1].lower(), "") if len(words) > 1 else ""
    title = " ".join([row, *(words[:-1] if unit else words)]).strip()
    format = "time" if isinstance(value, str) and _TIME.fullmatch(value) else ""
    said = {"title": title[:1].upper() + title[1:], "unit": unit, "format": format}
    lines = (f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in said.items() if v)
    table = json.dumps(f"{name}.{end}") if row else f"{name}.{end}"
    return "\n".join(["", f"[streams.{table}]", *lines]) + "\n"


def _backfill(name: str, columns: Sequence[str]) -> str:
    """Return comments that show how the source could read what the database knows of the past.

    :param columns: all columns of its query.
    """
    given = ", ".join(f"… AS {column}" for column in dict.fromkeys(["time", *columns]))
    lines = (
        "What the database knows of the time before, for charts and comparisons:",
        f"[sources.{name}.backfill]",
        f'query = "SELECT {given} FROM … WHERE … >= :from AND … < :to"',
        f'Its streams need rollup = "8d" in their [streams.{name}.…].',
    )
    return "".join(["\n", *(f"# {printable(line)}\n" for line in lines)])


def _is_name(end: str) -> bool:
    """Return True if the name of a stream can end with this text."""
    try:
        return bool(check_name(f"x.{end}"))
    except Refused:
        return False

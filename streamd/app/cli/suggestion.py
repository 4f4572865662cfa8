"""Suggests a ``streamd.toml`` for the result of a SELECT.  Pure.

Each column of a single row becomes a tile.  Of several rows, each row and column becomes a tile if the
first column identifies the rows.  Otherwise, or if there are too many rows or none, they become a list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from streamd.core.errors import Refused
from streamd.core.printable import printable
from streamd.core.update import check_name

MAX_TILES = 24
"""The most tiles for one query; a result that needs more becomes a list."""

UNITS = {"percent": "%", "pct": "%", "eur": "€", "usd": "$", "ms": "ms", "seconds": "s", "c": "°C"}
"""The last word of a column's name, as in ``latency_ms`` -> the unit that it means."""

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
        return source_table(name, **keys) + "".join(_tile(name, column) for column in rows[0])
    key = _key(rows)
    if key is not None:
        return source_table(name, **keys, key=key)
    return source_table(name, **keys, table=True) + f'\n[streams.{name}]\nshow = "list"\n'


def _key(rows: Rows) -> str | None:
    """Return the first column if its values identify the rows and can be names of streams; or None."""
    if not rows:
        return None
    first, *others = rows[0]
    # The same names as in databases.rows.by_key.
    texts = (row[first] for row in rows if isinstance(row[first], str))
    names = {re.sub(r"[^A-Za-z0-9_.-]", "_", text) for text in texts}
    tells_apart = len(names) == len(rows) and all(map(_is_name, [*names, *others]))
    return first if others and tells_apart and len(rows) * len(others) <= MAX_TILES else None


def _tile(name: str, column: str) -> str:
    words = re.split(r"[_.-]+", column.strip("_.-"))
    unit = UNITS.get(words[-1].lower(), "") if len(words) > 1 else ""
    title = " ".join(words[:-1] if unit else words)
    said = {"title": title[:1].upper() + title[1:], "unit": unit}
    lines = (f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in said.items() if v)
    return "\n".join(["", f"[streams.{name}.{column}]", *lines]) + "\n"


def _is_name(end: str) -> bool:
    """Return True if the name of a stream can end with this text."""
    try:
        return bool(check_name(f"x.{end}"))
    except Refused:
        return False

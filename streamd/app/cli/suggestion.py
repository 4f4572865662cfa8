"""The ``streamd.toml`` that fits the result of a SELECT.  Pure.

One row becomes a tile a column.  Several rows become a tile a row and column if the first column tells
them apart.  Otherwise they become one list, as do no rows and too many.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from streamd.core.errors import Refused
from streamd.core.update import check_name

MAX_TILES = 24
"""The most tiles of one query: more become a list."""

UNITS = {"percent": "%", "pct": "%", "eur": "€", "usd": "$", "ms": "ms", "seconds": "s", "c": "°C"}
"""The last word of a column's name -> the unit that it tells: ``latency_ms``."""

Rows = Sequence[Mapping[str, Any]]


def database_url(written: str) -> str:
    """The URL of a database; a path is a SQLite file, and a relative path stays relative."""
    return written if "://" in written else f"sqlite:///{quote(written)}"


def source_name(url: str) -> str:
    """The name of the source: that of the file or the database."""
    last = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", last.partition(".")[0]).strip("-_")
    return name[:40] or "query"


def source_table(name: str, **keys: str | bool) -> str:
    """``[sources.NAME]``."""
    # A text in JSON is one in TOML too, but for DEL.
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items())
    return "\n".join([f"[sources.{name}]", *lines]).replace("\x7f", "\\u007f") + "\n"


def suggest(name: str, rows: Rows, **keys: str) -> str:
    """The configuration that shows ``rows``.

    :param keys: of the source.
    :raises ValueError: naming a column that cannot be the name of a stream.
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
    """The first column, if its values tell the rows apart and can be names of streams."""
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
    """Whether the name of a stream can end in this."""
    try:
        return bool(check_name(f"x.{end}"))
    except Refused:
        return False

"""Turns the rows that a database gives to a backfill into values of streams.  Pure.

The rows have the columns of the live query, and one with the time when each was true.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Sequence
from operator import itemgetter
from typing import Any

from streamd.core.names import end_of_name
from streamd.core.values import BadValue
from streamd.sources.backfills.rows import PastRow, PastRows, json_or_null
from streamd.sources.databases.rows import Table, index, seconds
from streamd.sources.errors import SourceError

SOME_ROWS = 50
"""Rows between two pauses: one or two milliseconds."""


def past_rows(table: Table, time: str, key: str | None) -> Generator[None, None, PastRows]:
    """Return the rows of a table with their times and values; yield every one or two milliseconds.

    A row without a valid time is left out.

    :param time: the name of the column with the time.
    :param key: the name of the column that identifies streams, as in the live query.
    :raises SourceError: if one of these columns is missing.
    """
    places = {column: number for number, column in enumerate(table.columns)}
    when = index(table, time, "backfill.time")
    which = None if key is None else index(table, key, "key")
    others = [(end_of_name(c), n) for c, n in places.items() if n not in (when, which)]
    if not others:
        raise SourceError(f"the query gives only {time}: a value is missing", key="backfill.query")
    found = []
    for number, cells in enumerate(table.rows, 1):
        at = _time(cells[when], time)
        if at is not None:
            prefix = "" if which is None else f"{_key(cells[which])}."
            values = {f"{prefix}{end}": json_or_null(cells[place]) for end, place in others}
            found.append(PastRow(at, values))
        if number % SOME_ROWS == 0:
            yield
    found.sort(key=itemgetter(0))
    timeless = f"rows without a time in {time} are left out"
    return PastRows(found, {"backfill.time": timeless} if len(found) < len(table.rows) else {})


def check_columns(
    columns: Sequence[str],
    live: Sequence[str],
    apart: Collection[str | None],
    streams: Collection[str],
) -> None:
    """Check that a backfill gives the columns of the live query.

    :param columns: the columns of the backfill.
    :param live: the columns of the live query.  A column whose streams have no rollup may be
        missing.
    :param apart: the columns that hold no value: the time and the key.
    :param streams: the names of the streams that the backfill fills.
    :raises SourceError: if a column is missing, or the live query has no such column.
    """
    ours, theirs = (
        {end_of_name(column): column for column in some if column not in apart}
        for some in (columns, live)
    )
    missing = [theirs[end] for end in theirs.keys() - ours if any(map(_ends(end), streams))]
    unknown = [ours[end] for end in ours.keys() - theirs]
    told = [f"{', '.join(sorted(missing))} missing"] if missing else []
    told += [f"{', '.join(sorted(unknown))} unknown to the query"] if unknown else []
    if told:
        why = f"its columns are not those of the source's query: {'; '.join(told)}"
        raise SourceError(why, key="backfill.query")


def _ends(end: str) -> Callable[[str], bool]:
    return lambda name: name.endswith(f".{end}")


def _time(cell: Any, column: str) -> float | None:
    try:
        return seconds(cell, column)
    except SourceError:
        return None


def _key(cell: Any) -> str:
    return end_of_name("null" if cell is None or isinstance(cell, BadValue) else str(cell))

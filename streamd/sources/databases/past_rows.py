"""Turns the rows of a backfill into values of streams, and time into windows.  Pure.

The rows have the columns of the live query, and one with the time when each was true.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from operator import itemgetter
from typing import Any, NamedTuple

from streamd.core.errors import Refused
from streamd.core.names import end_of_name
from streamd.core.past import Past
from streamd.core.values import BadValue, from_python
from streamd.sources.databases.rows import Table, index, seconds
from streamd.sources.errors import SourceError

DAY = 86_400

PARTS = (43_200, 21_600, 10_800, 3600, 1800, 600, 60, 10, 1)
"""Windows shorter than a day, in seconds, for days with too many rows."""

LONGEST = 64 * DAY
"""The longest window: the past becomes visible window by window."""

SOME_ROWS = 50
"""Rows between two pauses: one or two milliseconds."""


class PastRow(NamedTuple):
    """A row of a backfill.

    :ivar time: when it was true, in seconds since the epoch.
    :ivar values: the end of a stream's name -> JSON text.
    """

    time: float
    values: Mapping[str, bytes]


class PastRows(NamedTuple):
    """The rows of a window.

    :ivar rows: in the order of time.
    :ivar timeless: how many more rows there are that have no valid time.
    """

    rows: Sequence[PastRow]
    timeless: int


def past_rows(table: Table, time: str, key: str | None) -> Generator[None, None, PastRows]:
    """Return the rows of a table with their times and values; yield every one or two milliseconds.

    :param time: the name of the column with the time.
    :param key: the name of the column that tells streams apart, as in the live query.
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
            values = {f"{prefix}{end}": _json(cells[place]) for end, place in others}
            found.append(PastRow(at, values))
        if number % SOME_ROWS == 0:
            yield
    found.sort(key=itemgetter(0))
    return PastRows(found, len(table.rows) - len(found))


def check_columns(
    columns: Sequence[str],
    live: Sequence[str],
    apart: Collection[str | None],
    streams: Collection[str],
) -> None:
    """Check that a backfill gives the columns of the live query.

    :param columns: those of the backfill.
    :param live: those of the live query.  A column whose streams have no rollup may be missing.
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


def _json(cell: Any) -> bytes:
    """Return a cell as JSON text; null, so unknown, if no stream can hold it."""
    try:
        return from_python(cell)
    except Refused:
        return b"null"


def fill(
    pasts: Mapping[str, Past], source: str, rows: Sequence[PastRow]
) -> Generator[None, None, Collection[str]]:
    """Fill pasts with rows, in steps of one or two milliseconds.

    :param pasts: by the names of their streams.
    :returns: the streams in the rows that have no past.
    """
    strange: set[str] = set()
    for number, row in enumerate(rows, 1):
        for end, value in row.values.items():
            past = pasts.get(f"{source}.{end}")
            if past is None:
                strange.add(f"{source}.{end}")
            else:
                past.hear(row.time, value)
        if number % SOME_ROWS == 0:
            yield
    return strange


# -- windows ---------------------------------------------------------------------------------------


def midnight(time: float, zone: tzinfo | None) -> float:
    """Return the last midnight up to a time.

    :param zone: None for the zone of this machine.
    """
    return _local(time, zone).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def end_of_window(begin: float, size: int, zone: tzinfo | None) -> float:
    """Return the end of a window: whole days end at midnight, so that no day is cut in two.

    A query that groups by the hour or the day then finds all rows of an hour or a day in one window.

    :param begin: seconds since the epoch.
    :param size: seconds; whole days, or one of :data:`PARTS`.
    """
    noon = _local(begin, zone).replace(hour=12, minute=0, second=0, microsecond=0)
    after = midnight((noon + timedelta(days=max(1, size // DAY))).timestamp(), zone)
    return after if size >= DAY else min(begin + size, after)


def _local(time: float, zone: tzinfo | None) -> datetime:
    # Without a zone the time stays naive, so that timestamp() takes the offset of its own day.
    return datetime.fromtimestamp(time, zone)


def shorter(size: int, least: int = PARTS[-1]) -> int | None:
    """Return the next shorter window; None if none is at least ``least`` seconds long."""
    half = size // DAY // 2 * DAY
    found = half or next((part for part in PARTS if part < size), 0)
    return found if found >= least else None


def longer(size: int) -> int:
    """Return the next longer window."""
    if size >= DAY:
        return min(2 * size, LONGEST)
    return next((part for part in reversed(PARTS) if part > size), DAY)

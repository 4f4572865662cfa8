"""Finds the new rows of a query, even if rows are committed in another order than their values.

Every run reads again from a low-water mark, and drops the rows that it has read before.  The mark
moves past a row ``settle`` after the row was read.  On PostgreSQL it also waits for the end of all
transactions that were running then.  So no lower value can appear later.  The mark and the values
above it are the source's cursor, which is stored with the updates.

Some rows are still missed: late rows after :data:`MAX_SEEN` newer ones, and rows with a value that
was used before, such as a rowid.  On databases other than PostgreSQL, so are rows of a transaction
that takes longer than ``settle``.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any, NamedTuple

from streamd.core.values import BadValue
from streamd.journals.journal import SourceCursor
from streamd.sources.databases.rows import Table, index, objects, plain, seconds
from streamd.sources.databases.session import DatabaseSession
from streamd.sources.databases.statements import Lowest
from streamd.sources.entries import Entries, Entry
from streamd.sources.errors import SourceError
from streamd.sources.feed import Feed

BATCH = 1000
"""The most rows that become updates in one step: they take some ten milliseconds of the reactor."""

MAX_FIRST = 10_000
"""The most rows that one step reads at the first start, when only the newest become updates."""

MAX_SEEN = 10_000
"""The most remembered rows above the low-water mark: a thousand a second with ``settle`` = 10 s."""

WITNESSES = 10
"""The most rows that stay above the mark although ``settle`` is over.

If the newest of them is gone and all others have changed, the table was emptied and its numbers began
again.  Then all its rows are new."""


class Seen(NamedTuple):
    """A row above the mark that has been read.

    :ivar since: when the row was first read, or a little later, in seconds on the reactor's clock.
    :ivar newest: the lowest transaction id that had not begun at that time.
    """

    since: float
    newest: int


class Row(NamedTuple):
    """A new row: the value of its ``after`` column, its update, and a hash of its content."""

    value: Any
    entry: Entry
    content: int


class NewRows:
    """Publishes the rows that are new since the last run, each once."""

    def __init__(
        self,
        session: DatabaseSession,
        query: str,
        after: str,
        start: Any,
        time: str | None,
        settle: float,
        reactor: Any,
    ) -> None:
        """For the parameters see :class:`~streamd.sources.databases.queries.QuerySettings`."""
        self._session, self._query, self._after = session, query, after
        self._start, self._time, self._settle = start, time, settle
        self._reactor = reactor
        self._loaded = False
        self._stored: str | None = None
        self._low: Any = None
        # value -> when it was seen.  None: read by the last run; the next run enters its own time,
        # because a transaction may have begun between a run's horizon and its rows.
        self._seen: dict[Any, Seen | None] = {}
        self._entries: Entries | None = None
        self._told: dict[Any, int] = {}  # value -> content of the newest rows that became updates

    async def run(self, feed: Feed) -> None:
        """Publish the rows that are new since the last run."""
        if self._entries is None:
            self._entries = Entries(feed)
        try:
            if not self._loaded:
                await self._load(feed)
            await (self._first(feed) if self._stored is None else self._look(feed))
        except BaseException:
            self._loaded = False  # it is unknown what was stored: read the cursor again
            raise
        self._entries.unchanged()

    async def _load(self, feed: Feed) -> None:
        self._stored = await feed.place()
        seen: list[Any] = []
        if self._stored is not None:
            low, seen = json.loads(self._stored)
            self._low = Lowest(*low) if isinstance(low, list) else low
        else:
            self._low = await self._beginning()
        self._seen = dict.fromkeys(seen)
        self._loaded = True

    async def _beginning(self) -> Any:
        """Return the value of ``:after`` for the first run."""
        if self._start is None or self._start == "now":
            return await self._session.lowest(self._query, self._after)
        return plain(self._start)

    async def _first(self, feed: Feed) -> None:
        """Publish only the newest rows of those that existed before the first start."""
        keep = min(feed.keep.updates or MAX_SEEN, MAX_SEEN)
        last: deque[Row] = deque(maxlen=0 if self._start == "now" else keep)
        scan = self._low
        while rows := await self._batch(scan, MAX_FIRST):
            last.extend(rows)
            scan = rows[-1].value
            self._seen.update((row.value, None) for row in rows)
            self._drop(len(self._seen) - MAX_SEEN)
        await self._add(feed, list(last), self._seen)

    async def _look(self, feed: Feed) -> None:
        now = self._reactor.seconds()
        oldest, newest = await self._session.horizon()
        # What the last run read was read at the latest now.
        known = {value: seen or Seen(now, newest) for value, seen in self._seen.items()}
        told: dict[Any, int] = {}
        rows = await self._batch(self._low, BATCH)
        if known and self._is_other_table(known, rows):
            known, told, self._low = {}, self._told, await self._beginning()
            rows = await self._batch(self._low, BATCH)
        self._seen = {}
        while rows:
            new = [r for r in rows if r.value not in known and told.get(r.value) != r.content]
            for row in rows:
                self._seen.setdefault(row.value, known.pop(row.value, None))
            self._drop(len(self._seen) - MAX_SEEN)
            if new:
                await self._add(feed, new, [*self._seen, *known])
            rows = await self._batch(rows[-1].value, BATCH)
        settled = 0
        for number, seen in enumerate(self._seen.values(), 1):
            if seen and now - seen.since >= self._settle and seen.newest <= oldest:
                settled = number
        self._drop(min(settled, len(self._seen) - WITNESSES))

    def _is_other_table(self, known: Mapping[Any, Seen], rows: Sequence[Row]) -> bool:
        """Return True if the table was emptied since the last run; see :data:`WITNESSES`."""
        content = {row.value: row.content for row in rows}
        return not (
            len(rows) == BATCH
            or next(reversed([*known])) in content
            or any(content.get(v) == self._told.get(v, content.get(v, -1)) for v in known)
        )

    async def _add(self, feed: Feed, rows: Sequence[Row], seen: Iterable[Any]) -> None:
        assert self._entries is not None
        stored = json.dumps([self._low, list(seen)])
        cursor = SourceCursor(feed.name, self._stored, stored)
        await self._entries.add([row.entry for row in rows], cursor)
        self._stored = stored
        self._told.update((row.value, row.content) for row in rows)
        for value in list(islice(self._told, max(0, len(self._told) - MAX_SEEN))):
            del self._told[value]

    def _drop(self, count: int) -> None:
        """Move the mark past the next ``count`` rows."""
        for value in list(islice(self._seen, max(0, count))):
            self._low = value
            del self._seen[value]

    async def _batch(self, after: Any, limit: int) -> list[Row]:
        """Read the next rows, in order."""
        assert self._entries is not None
        self._entries.asks()
        table = await self._session.read(self._query, limit, after=after)
        column = index(table, self._after, "after")
        found = [row[column] for row in table.rows]
        _check_order(found, self._after)
        values = [plain(value) for value in found]
        if values and values[-1] == after:  # it would come for ever
            raise SourceError(f"the query has to say WHERE {self._after} > :after")
        entries = map(self._entry, values, objects(table), self._times(table))
        contents = (hash(str(row)) for row in table.rows)
        rows = list(map(Row, values, entries, contents))
        if len(rows) == limit and values[0] != values[-1]:  # more may follow of the last value
            del rows[values.index(values[-1]) :]
        return rows

    def _entry(self, value: Any, row: Any, time: float | SourceError | None) -> Entry:
        """Make the entry of a row; ``time`` may be an error."""
        if isinstance(time, SourceError):
            row, time = BadValue(time.message, "time"), None
        return Entry(f"the row with {self._after} {value}", row, time)

    def _times(self, table: Table) -> Iterable[float | SourceError | None]:
        """Return the time when each row was true, or the error if it is unknown."""
        if self._time is None:
            return [None] * len(table.rows)
        place = index(table, self._time, "time")
        return [_time(row[place], self._time) for row in table.rows]


def _time(cell: Any, column: str) -> float | SourceError | None:
    try:
        return seconds(cell, column)
    except SourceError as error:
        return error


def _check_order(values: Sequence[Any], column: str) -> None:
    """Check that a batch is sorted: otherwise the mark would move past unread rows.

    Texts are not checked, because each database has its own order.

    :raises SourceError: if the rows are not sorted, or a value is missing or bad.
    """
    for value in values:
        if value is None:
            raise SourceError(f"column {column} is NULL in a row", key="after")
        if isinstance(value, BadValue):
            raise SourceError(value.reason, key="after")
    comparable = len({*map(type, values)}) == 1 and not isinstance(values[0], str)
    if comparable and any(b < a for a, b in pairwise(values)):
        raise SourceError(f"the query has to say ORDER BY {column}")

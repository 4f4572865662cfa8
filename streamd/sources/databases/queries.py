"""Queries: what a table with ``query`` may say, how it is run, and which of its rows are new.

Shared by the kinds of source that read databases.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import islice, pairwise
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock

from streamd.config.fields import ConfigError
from streamd.config.kind import Surroundings
from streamd.core.duration import Duration
from streamd.journals.journal import SourceCursor
from streamd.sources.databases.drivers import make_driver
from streamd.sources.databases.rows import by_key, index, objects, plain, seconds
from streamd.sources.databases.session import Address, DatabaseSession, Table
from streamd.sources.errors import SourceError
from streamd.sources.feed import Feed
from streamd.sources.polling import TOLD
from streamd.sources.settings import SourceSettings

MAX_ROWS = 10_000
"""Rows of one reading."""

BATCH = 1000
"""Rows that become updates in one step: some ten milliseconds, which everybody else waits for."""

MAX_SEEN = 10_000
"""Rows above the low-water mark that are remembered: in ``settle``, a thousand a second."""


class Query(str):
    """A SELECT."""

    @classmethod
    def parse(cls, written: Any) -> Query:
        """:raises ValueError: with what would be right."""
        if not isinstance(written, str) or not written.strip(" \n\t;"):
            raise ValueError("expected a SELECT")
        return cls(written.strip(" \n\t;"))


class QuerySettings(SourceSettings, frozen=True, kw_only=True):
    """Keys of every table with ``query``.

    :ivar key: a column that tells the rows apart: one stream a row and column.
    :ivar table: all rows are one value.
    :ivar after: a column that grows: each new row is an update.
    :ivar start: where ``after`` starts: a value, or ``"now"``; None: below everything.
    :ivar time: the column that says when a row of ``after`` was true.
    :ivar settle: how long a transaction may take from drawing a value of ``after`` to its commit.
    :ivar timeout: for connecting and reading.
    """

    database: Address
    query: Query | None = None
    key: str | None = None
    table: bool = False
    after: str | None = None
    start: Any = None
    time: str | None = None
    settle: Duration = Duration(10)
    timeout: Duration = Duration(3)

    def __post_init__(self) -> None:
        shapes = (self.key is not None) + self.table + (self.after is not None)
        if shapes > 1:
            raise ValueError("key, table and after exclude each other")
        if shapes and self.query is None:
            raise ValueError("key, table and after are for a query")
        if self.after is None and (self.start is not None or self.time is not None):
            raise ValueError("start and time are for a query with after")
        if self.after is not None and ":after" not in (self.query or ""):
            raise ValueError('with after, the query says where: "… WHERE id > :after ORDER BY id"')
        if type(self.start) is bool or not isinstance(self.start, int | float | str | date | None):
            raise ValueError('start is "now" or a value of the column')


def open_session(name: str, settings: QuerySettings, surroundings: Surroundings) -> DatabaseSession:
    """A session on the database of a source; connects to nothing yet.

    :raises ConfigError: if the address is wrong, or its driver is not installed.
    """
    address = surroundings.reveal(f"sources.{name}.database", settings.database)
    try:
        driver = make_driver(address, surroundings.base, settings.timeout)
    except ValueError as error:
        raise ConfigError([f"sources.{name}.database: {error}"]) from None
    return DatabaseSession(driver, settings.timeout, surroundings.reactor)


class Reading:
    """Runs a query, and tells a feed what its rows mean."""

    def __init__(self, session: DatabaseSession, settings: QuerySettings, reactor: Any) -> None:
        self._session = session
        self._settings = settings
        self._query = str(settings.query)
        self._recent = Recent(session, settings, reactor) if settings.after is not None else None
        self._lock = DeferredLock()

    def run(self, feed: Feed) -> Deferred[object]:
        """Read and tell; never twice at a time.

        :returns: fires with :data:`~streamd.journals.redis.TOLD`.
        :raises SourceError: if the rows cannot be had, or make no streams.
        """
        return self._lock.run(self._run, feed)

    async def _run(self, feed: Feed) -> object:
        key = self._settings.key
        if self._recent is not None:
            await self._recent.run(feed)
        elif self._settings.table:
            await feed.put(objects(await self._rows()))
        elif key is not None:
            await feed.put_all(by_key(await self._rows(), key, self._settings.whole))
        else:
            table = await self._session.read(self._query, 1)
            row = table.rows[0] if table.rows else [None] * len(table.columns)
            await feed.put(dict(zip(table.columns, row, strict=True)))
        return TOLD

    async def _rows(self) -> Table:
        table = await self._session.read(self._query, MAX_ROWS + 1)
        if len(table.rows) > MAX_ROWS:
            raise SourceError(f"the query gives more than {MAX_ROWS} rows")
        return table


class Recent:
    """Rows that are new since the last look, each once, although values do not commit in order.

    Every look reads again from a low-water mark and drops what was seen.  The mark moves past a row
    when whatever drew a lower value has ended: ``settle`` after it was seen, and on PostgreSQL not
    before all that was in flight then has ended.  The mark and what was seen above it are the source's
    place, stored with the updates.

    What remains: elsewhere a transaction of more than ``settle``; more than :data:`MAX_SEEN` rows in
    that time; a value that is used again, be it a rowid or a timestamp.
    """

    def __init__(self, session: DatabaseSession, settings: QuerySettings, reactor: Any) -> None:
        assert settings.after is not None
        self._session = session
        self._settings = settings
        self._query, self._after = str(settings.query), settings.after
        self._reactor = reactor
        self._loaded = False

    async def run(self, feed: Feed) -> None:
        """Tell what is new."""
        try:
            if not self._loaded:
                await self._load(feed)
            await (self._first(feed) if self._stored is None else self._look(feed))
        except BaseException:
            self._loaded = False  # the place that was stored is the truth
            raise
        feed.proved()

    async def _load(self, feed: Feed) -> None:
        self._stored = await feed.place()
        start = self._settings.start
        seen: list[Any] = []
        if self._stored is not None:
            self._low, seen = json.loads(self._stored)
        elif start is None or start == "now":
            self._low = await self._session.lowest(self._query, self._after)
        else:
            self._low = plain(start)
        # Since when, and the first transaction that had not begun by then; None: this is to be said.
        self._seen: dict[Any, tuple[float, int] | None] = dict.fromkeys(seen)
        self._loaded = True

    async def _first(self, feed: Feed) -> None:
        """Of what is there already, only the last is told."""
        keep = min(feed.keep.updates or MAX_SEEN, MAX_SEEN)
        last: deque[tuple[Any, float | None]] = deque(
            maxlen=0 if self._settings.start == "now" else keep
        )
        scan = self._low
        while rows := await self._batch(scan, MAX_ROWS):
            last.extend(update for _, update in rows)
            scan = rows[-1][0]
            self._seen.update((value, None) for value, _ in rows)
            self._drop(len(self._seen) - MAX_SEEN)
        await self._add(feed, list(last), self._seen)

    async def _look(self, feed: Feed) -> None:
        now = self._reactor.seconds()
        oldest, newest = await self._session.horizon()
        # Seen by an earlier look, so at the latest now.
        known = {value: seen or (now, newest) for value, seen in self._seen.items()}
        self._seen, scan = {}, self._low
        while rows := await self._batch(scan, BATCH):
            scan = rows[-1][0]
            new = [update for value, update in rows if value not in known]
            for value, _ in rows:
                self._seen.setdefault(value, known.pop(value, None))
            self._drop(len(self._seen) - MAX_SEEN)
            if new:
                await self._add(feed, new, [*self._seen, *known])
        settled = 0
        for number, seen in enumerate(self._seen.values(), 1):
            if seen and now - seen[0] >= self._settings.settle and seen[1] <= oldest:
                settled = number
        self._drop(settled)

    async def _add(
        self, feed: Feed, updates: Sequence[tuple[Any, float | None]], seen: Iterable[Any]
    ) -> None:
        stored = json.dumps([self._low, list(seen)])
        await feed.add(updates, SourceCursor(feed.name, self._stored, stored))
        self._stored = stored

    def _drop(self, count: int) -> None:
        """The mark moves past so many rows."""
        for value in list(islice(self._seen, max(0, count))):
            self._low = value
            del self._seen[value]

    async def _batch(self, after: Any, limit: int) -> list[tuple[Any, tuple[Any, float | None]]]:
        """The next rows: the value of each, and the update that it is."""
        table = await self._session.read(self._query, limit, after)
        column = index(table, self._after, "after")
        _check_order([row[column] for row in table.rows], self._after)
        values = [plain(row[column]) for row in table.rows]
        if values and values[-1] == after:  # it would come for ever
            raise SourceError(f"the query has to say WHERE {self._after} > :after")
        found = list(zip(values, zip(objects(table), self._times(table), strict=True), strict=True))
        if len(found) == limit and values[0] != values[-1]:  # more may follow of the last value
            del found[values.index(values[-1]) :]
        return found

    def _times(self, table: Table) -> list[float | None]:
        """When each row was true."""
        column = self._settings.time
        if column is None:
            return [None] * len(table.rows)
        place = index(table, column, "time")
        return [seconds(row[place], column) for row in table.rows]


def _check_order(values: Sequence[Any], column: str) -> None:
    """What a batch leaves out comes later; texts are left to the database, which sorts its own way."""
    if None in values:
        raise SourceError(f"column {column} is NULL in a row")
    if values and not isinstance(values[0], str) and any(b < a for a, b in pairwise(values)):
        raise SourceError(f"the query has to say ORDER BY {column}")

"""Queries: the settings of a table with ``query``, and how its rows are published.

The kinds of source that read databases share this module.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, DeferredLock

from streamd.config.fields import ConfigError
from streamd.config.kind import Surroundings
from streamd.core.duration import Duration
from streamd.sources.databases.drivers import make_driver
from streamd.sources.databases.new_rows import NewRows
from streamd.sources.databases.rows import Table, by_key, first_row, fitting
from streamd.sources.databases.series import series_of
from streamd.sources.databases.session import Address, DatabaseSession
from streamd.sources.errors import SourceError
from streamd.sources.feed import Feed
from streamd.sources.polling import DONE
from streamd.sources.settings import SourceSettings

MAX_ROWS = 10_000
"""The most rows of one reading."""


class Query(str):
    """A SELECT."""

    @classmethod
    def parse(cls, written: Any) -> Query:
        """Parse a configured query; a ValueError says that it is empty."""
        if not isinstance(written, str) or not written.strip(" \n\t;"):
            raise ValueError("expected a SELECT")
        return cls(written.strip(" \n\t;"))


class BackfillQuery(Query):
    """A SELECT with the parameters of a backfill."""

    @classmethod
    def parse(cls, written: Any) -> BackfillQuery:
        """Parse a configured query; a ValueError names the missing parameter."""
        query = super().parse(written)
        if not re.search(r":from(_epoch)?\b", query) or not re.search(r":to(_epoch)?\b", query):
            raise ValueError(
                'the query needs its times: "… WHERE created >= :from AND created < :to"'
            )
        return cls(query)


class BackfillSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[sources.NAME.backfill]``.

    :ivar query: gives the rows from ``:from`` until ``:to``, with the columns of the live query.
    :ivar time: the column with the time when a row was true.
    :ivar timeout: the most seconds to connect and to read.
    """

    query: BackfillQuery
    time: str = "time"
    timeout: Duration = Duration(30)


class QuerySettings(SourceSettings, frozen=True, kw_only=True):
    """The keys of every table with ``query``.

    :ivar key: a column that identifies the rows; each row and column then becomes a stream.
    :ivar table: publish all rows as one value.
    :ivar series: a column of times or names; each other column then becomes one value, a series.
    :ivar after: a column whose values grow; each new row then becomes an update.
    :ivar start: where ``after`` starts: a value, or ``"now"``; None for the lowest value.
    :ivar time: with ``after``, the column with the time when a row was true.
    :ivar settle: the most seconds between the time when a row takes its value of ``after`` and its
        commit.
    :ivar timeout: the most seconds to connect and to read.
    :ivar backfill: the query for the streams' past; None for no backfill.
    """

    database: Address
    query: Query | None = None
    key: str | None = None
    table: bool = False
    series: str | None = None
    after: str | None = None
    start: Any = None
    time: str | None = None
    settle: Duration = Duration(10)
    timeout: Duration = Duration(3)
    backfill: BackfillSettings | None = None

    def __post_init__(self) -> None:
        columns = (self.key, self.series, self.after)
        shapes = self.table + sum(column is not None for column in columns)
        if shapes > 1:
            raise ValueError("key, table, series and after exclude each other")
        if shapes and self.query is None:
            raise ValueError("key, table, series and after are for a query")
        if self.after is None and (self.start is not None or self.time is not None):
            raise ValueError("start and time are for a query with after")
        if self.after is not None and ":after" not in (self.query or ""):
            raise ValueError(
                'with after, the query needs a condition: "… WHERE id > :after ORDER BY id"'
            )
        if self.backfill is not None and (
            self.query is None or self.table or self.series or self.after or self.whole
        ):
            raise ValueError(
                "backfill is for a query whose columns become streams: "
                "without table, series, after and whole"
            )
        if type(self.start) is bool or not isinstance(self.start, int | float | str | date | None):
            raise ValueError('start is "now" or a value of the column')


def open_session(
    name: str, settings: QuerySettings, surroundings: Surroundings, timeout: float | None = None
) -> DatabaseSession:
    """Return a session for the database of a source; it does not connect yet.

    :param timeout: the most seconds to connect and to read; None for the ``timeout`` of the
        settings.
    :raises ConfigError: if the address is invalid, or its driver is not installed.
    """
    address = surroundings.reveal(f"sources.{name}.database", settings.database)
    timeout = timeout or settings.timeout
    try:
        driver = make_driver(address, surroundings.base, timeout)
    except ValueError as error:
        raise ConfigError([f"sources.{name}.database: {error}"]) from None
    return DatabaseSession(driver, timeout, surroundings.reactor)


class QueryReading:
    """Runs a query, and publishes its rows through a feed."""

    def __init__(
        self,
        session: DatabaseSession,
        settings: QuerySettings,
        reactor: Any,
        read: Callable[[Feed, Sequence[str]], None] = lambda feed, columns: None,
    ) -> None:
        """:param read: called after each reading, with the columns of its rows."""
        self._read = read
        self._session = session
        self._settings = settings
        self._query = str(settings.query)
        self._new_rows = None
        if settings.after is not None:
            start, time, settle = settings.start, settings.time, settings.settle
            of = (session, self._query, settings.after, start, time, settle)
            self._new_rows = NewRows(*of, reactor)
        self._lock = DeferredLock()

    def run(self, feed: Feed) -> Deferred[object]:
        """Run the query once; a second call waits until the first has ended.

        :returns: fires with :data:`~streamd.sources.polling.DONE`.
        :raises SourceError: if the rows cannot be read, or cannot become streams.
        """
        return self._lock.run(self._run, feed)

    async def _run(self, feed: Feed) -> object:
        key, axis, whole = self._settings.key, self._settings.series, self._settings.whole
        if self._new_rows is not None:
            await self._new_rows.run(feed)
            return DONE
        feed.asks()
        table = await self._rows()
        if self._settings.table:
            await feed.put(fitting(table))
        elif key is not None:
            await feed.put_all(by_key(table, key, whole))
        elif axis is not None:
            await feed.put(series_of(table, axis, whole))
        else:
            await feed.put(first_row(table, whole))
        self._read(feed, table.columns)
        return DONE

    async def _rows(self) -> Table:
        settings = self._settings
        if not settings.table and settings.key is None and settings.series is None:
            return await self._session.read(self._query, 1)
        table = await self._session.read(self._query, MAX_ROWS + 1)
        if len(table.rows) > MAX_ROWS:
            raise SourceError(f"the query gives more than {MAX_ROWS} rows")
        return table

"""Reads the rows of a backfill in windows of time, small enough for memory and for the database."""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Mapping
from datetime import tzinfo
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred

from streamd.config.kind import Surroundings
from streamd.core.steps import finish
from streamd.sources.databases.past_rows import (
    DAY,
    LONGEST,
    PastRow,
    PastRows,
    check_columns,
    end_of_window,
    longer,
    midnight,
    past_rows,
    shorter,
)
from streamd.sources.databases.queries import (
    MAX_ROWS,
    BackfillSettings,
    QuerySettings,
    open_session,
)
from streamd.sources.databases.rows import Table
from streamd.sources.errors import SourceError, Unreachable

FEW_ROWS, MANY_ROWS = 1000, 4000
"""With fewer rows in a window the next one is longer, with more it is shorter, but not below a day.

The thread that reads 4000 rows delays the reactor for some hundredths of a second."""

QUICK = 1 / 4
"""The part of ``timeout`` after which the next window is not longer."""

SAMPLE = 3
"""The rows that ``streamd check`` shows."""


class Window(NamedTuple):
    """A window that was read.

    :ivar end: in seconds since the epoch.
    :ivar table: its rows.
    :ivar asked: seconds that the database took.
    :ivar next_size: the seconds of the next window.
    """

    end: float
    table: Table
    asked: float
    next_size: int


class Sample(NamedTuple):
    """The plan of a backfill: where it would begin, and what it would read.

    :ivar begin: the beginning of its oldest window, in seconds since the epoch.
    :ivar rows: some of its rows.
    """

    begin: float
    rows: list[PastRow]


class WindowReader:
    """Runs the query of one backfill, on a connection of its own."""

    def __init__(
        self, name: str, settings: QuerySettings, table: BackfillSettings, around: Surroundings
    ) -> None:
        self._table, self._key, self._query = table, settings.key, str(settings.query)
        self._session = open_session(name, settings, around, table.timeout)
        self._clock = around.reactor
        self._longest = LONGEST

    def stop(self) -> Deferred[None]:
        """Close the connection; see :meth:`DatabaseSession.stop`."""
        return self._session.stop()

    async def begin_at(self, time: float) -> float:
        """Return the beginning of a window with this time: a midnight."""
        return midnight(time, await self._zone())

    def _zone(self) -> Deferred[tzinfo | None]:
        return self._session.zone()

    async def read(self, begin: float, size: int, most: float) -> Window:
        """Read the window that begins at a time; a window with too many rows is cut.

        :param size: the seconds of the window, if it needs not be cut.
        :param most: the window ends at the latest at this time.
        :raises SourceError: if the database fails, or a second has too many rows.
        """
        began = self._clock.seconds()
        zone = await self._zone()
        cut: int | None = min(size, self._longest)
        while cut is not None:
            size = cut
            end = min(end_of_window(begin, size, zone), most)
            table = await self._rows(begin, end, size)
            if len(table.rows) <= MAX_ROWS:
                asked = self._clock.seconds() - began
                return Window(end, table, asked, self._next_size(size, len(table.rows), asked))
            cut = shorter(size)
        many = f"the query gives more than {MAX_ROWS} rows for a second: let it group them"
        raise SourceError(many, key="backfill.query")

    def _next_size(self, size: int, rows: int, asked: float) -> int:
        """Return the seconds of the next window, from those of the last one and its rows."""
        if rows > MANY_ROWS:
            return shorter(size, DAY) or size
        return longer(size) if rows < FEW_ROWS and asked < self._table.timeout * QUICK else size

    async def _rows(self, begin: float, end: float, size: int) -> Table:
        try:
            return await self._select(begin, end, MAX_ROWS + 1)
        except Unreachable:
            raise
        except SourceError:  # a shorter window takes less time
            self._longest = shorter(size, DAY) or max(size, DAY)
            raise

    async def sample(self, begin: float, end: float, streams: Collection[str]) -> Sample:
        """Return what a backfill of a time would do; see :meth:`read`.

        :param streams: the names of the streams that it fills.
        :raises SourceError: also if its columns are not those of the live query.
        """
        begin = await self.begin_at(begin)
        table = await self._select(begin, math.ceil(end), SAMPLE)
        live = await self._session.read(self._query, 1)
        check_columns(table.columns, live.columns, (self._table.time, self._key), streams)
        return Sample(begin, list(finish(self.rows(table)).rows))

    def rows(self, table: Table) -> Generator[None, None, PastRows]:
        """Return the rows of a table; see :func:`~streamd.sources.databases.past_rows.past_rows`."""
        return past_rows(table, self._table.time, self._key)

    async def _select(self, begin: float, end: float, limit: int) -> Table:
        bounds: Mapping[str, float] = {"from": begin, "to": end}
        values: dict[str, Any] = {key: self._session.when(time) for key, time in bounds.items()}
        values |= {f"{key}_epoch": int(time) for key, time in bounds.items()}
        try:
            return await self._session.read(self._table.query, limit, **values)
        except Unreachable:
            raise
        except SourceError as error:
            raise SourceError(error.message, error.detail, f"backfill.{error.key}") from None

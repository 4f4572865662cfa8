"""Reads the past of a source's streams from a database, by the query of its backfill."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import tzinfo
from functools import partial
from math import inf
from typing import Any

from twisted.internet.defer import Deferred

from streamd.config.kind import Surroundings
from streamd.sources.backfills.backfill import Backfill, NoBackfill
from streamd.sources.backfills.windows import Found, TooMany, Widths
from streamd.sources.databases.past_rows import check_columns, past_rows
from streamd.sources.databases.queries import (
    MAX_ROWS,
    BackfillSettings,
    QuerySettings,
    open_session,
)
from streamd.sources.databases.rows import Table
from streamd.sources.errors import SourceError, Unreachable

SAMPLE = 3
"""The rows that ``streamd check`` shows."""


class DatabasePast:
    """Runs the query of one backfill, on its own connection.

    See :class:`~streamd.sources.backfills.windows.PastQuery`.
    """

    key = "backfill.query"

    def __init__(
        self, name: str, settings: QuerySettings, table: BackfillSettings, around: Surroundings
    ) -> None:
        self._table, self._key, self._query = table, settings.key, str(settings.query)
        self._session = open_session(name, settings, around, table.timeout)
        self.timeout: float = table.timeout
        self.keyed = settings.key is not None
        self.identity: Sequence[Any] = (str(table.query), table.time, settings.key)

    def stop(self) -> Deferred[None]:
        return self._session.stop()

    async def zone(self) -> tzinfo | None:
        return await self._session.zone()

    def longest(self, widths: Widths) -> float:
        return inf

    async def read(self, begin: float, end: float, live: Sequence[str], widths: Widths) -> Found:
        table = await self._select(begin, end, MAX_ROWS + 1)
        if len(table.rows) > MAX_ROWS:
            many = f"the query gives more than {MAX_ROWS} rows for a second: let it group them"
            raise TooMany(many, key=self.key)
        return self._found(table, live, widths)

    async def some(self, begin: float, end: float, widths: Widths) -> Found:
        table = await self._select(begin, math.ceil(end), SAMPLE)
        live = await self._session.read(self._query, 1)
        return self._found(table, live.columns, widths)

    def _found(self, table: Table, live: Sequence[str], streams: Collection[str]) -> Found:
        check_columns(table.columns, live, (self._table.time, self._key), streams)
        return Found(len(table.rows), past_rows(table, self._table.time, self._key))

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


def open_backfill(
    name: str, settings: QuerySettings, surroundings: Surroundings
) -> Backfill | NoBackfill:
    """Return the backfill of a source; it does not connect yet.

    :raises ConfigError: see :func:`~streamd.sources.databases.queries.open_session`.
    """
    if settings.backfill is None:
        return NoBackfill()
    opening = partial(DatabasePast, name, settings, settings.backfill, surroundings)
    return Backfill(name, opening, surroundings)

"""Runs a query at an interval: SQLite, PostgreSQL, MySQL and MariaDB."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, DeferredList

from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.sources.databases.past_query import open_backfill
from streamd.sources.databases.queries import Query, QueryReading, QuerySettings, open_session
from streamd.sources.polling import PolledSource, Polling


class SqlSettings(QuerySettings, frozen=True, kw_only=True):
    """The table ``[sources.NAME]`` with ``query``."""

    query: Query
    every: Duration = Duration(5)


class SqlSource(PolledSource):
    """Runs a query at an interval, less often if the database is slow.

    Between two runs it pings the database.  So the wall shows a lost database soon, even if the
    interval is an hour.
    """

    def __init__(self, name: str, settings: SqlSettings, surroundings: Surroundings) -> None:
        reactor = surroundings.reactor
        self._session = open_session(name, settings, surroundings)
        self.backfill = open_backfill(name, settings, surroundings)
        self._reading = QueryReading(self._session, settings, reactor, self.backfill.start)
        ping = self._session.ping
        self._polling = Polling(self._read, settings.every, reactor, gently=True, ping=ping)

    def stop(self) -> Deferred[Any]:
        self._polling.stop()
        stopping = [self._session.stop(), self.backfill.stop()]
        return DeferredList(stopping, consumeErrors=True)

    def _read(self) -> Deferred[object]:
        return self._reading.run(self._feed)


KIND = Kind("sql", frozenset(("query",)), SqlSettings, SqlSource)

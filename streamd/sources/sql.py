"""What a query says, every so often: SQLite."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread, deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from streamd.config import Duration
from streamd.source import Feed, Polling, SourceError, SourceSettings, Surroundings

LOCK_TIMEOUT = 2.0
"""Seconds for which a run waits for a writer to finish."""

RUN_TIMEOUT = 5.0
"""Seconds for which a run may work."""

_STEPS = 10_000
"""Instructions of SQLite's machine between two looks at the clock: some hundred microseconds."""


class Database(str):
    """``sqlite:///shop.db``, relative to the configuration, or ``sqlite:////srv/shop.db``."""

    SCHEME = "sqlite:///"

    @classmethod
    def parse(cls, written: Any) -> Database:
        """:raises ValueError: with what would be right."""
        if (
            not isinstance(written, str)
            or not written.removeprefix(cls.SCHEME)
            or (not written.startswith(cls.SCHEME))
        ):
            raise ValueError('expected "sqlite:///FILE"')
        return cls(written)

    def file(self, base: Path) -> Path:
        """The file that is meant."""
        return base / unquote(self.removeprefix(self.SCHEME))


class Query(str):
    """A SELECT."""

    @classmethod
    def parse(cls, written: Any) -> Query:
        """:raises ValueError: with what would be right."""
        if not isinstance(written, str) or not written.strip():
            raise ValueError("expected a SELECT")
        return cls(written)


class Settings(SourceSettings, frozen=True):
    """``[sources.NAME]`` with ``query``: its first row becomes one stream a column."""

    database: Database
    query: Query
    every: Duration = Duration(5)


class Sql:
    """Runs a query in a thread of its own.

    The file is opened for each run, read-only, and never made: one that was replaced is seen at once.
    """

    def __init__(self, settings: Settings, surroundings: Surroundings) -> None:
        file = settings.database.file(surroundings.base).absolute()
        self._uri = f"file:{quote(str(file))}?mode=ro"
        self._query = str(settings.query)
        self._reactor = surroundings.reactor
        self._pool = ThreadPool(0, 1, name="sql")
        self._stopping = False
        self._polling = Polling(self._read, settings.every, surroundings.reactor)

    def start(self, feed: Feed) -> None:
        self._pool.start()
        self._polling.start(feed)

    def stop(self) -> Deferred[None]:
        self._polling.stop()
        self._stopping = True
        return deferToThread(self._pool.stop)

    def _read(self) -> Deferred[dict[str, Any]]:
        running = deferToThreadPool(self._reactor, self._pool, self._first_row)
        return running.addErrback(_explain)

    def _first_row(self) -> dict[str, Any]:
        """In the pool's thread."""
        connection = sqlite3.connect(self._uri, uri=True, timeout=LOCK_TIMEOUT)
        try:
            end = time.monotonic() + RUN_TIMEOUT
            connection.set_progress_handler(
                lambda: self._stopping or time.monotonic() > end, _STEPS
            )
            cursor = connection.execute(self._query)
            if cursor.description is None:
                raise SourceError("the query gives no columns")
            columns = [column[0] for column in cursor.description]
            row = cursor.fetchone() or [None] * len(columns)
            return dict(zip(columns, row, strict=True))
        finally:
            connection.close()


def _explain(failure: Failure) -> Any:
    """Say on the wall what can be said there."""
    error = failure.value
    if not isinstance(error, sqlite3.Error | sqlite3.Warning):
        return failure
    text = str(error)
    if "unable to open" in text:
        text = "database file missing or not readable"
    elif text == "interrupted":
        text = f"the query took longer than {RUN_TIMEOUT:g} s"
    raise SourceError(text[:200], f"({type(error).__name__})")


class _Kind:
    name = "sql"
    told_by = frozenset(("query",))
    settings = Settings

    def make(self, name: str, settings: Settings, surroundings: Surroundings) -> Sql:
        return Sql(settings, surroundings)


KIND = _Kind()

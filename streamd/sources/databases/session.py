"""What a query gives, read in a thread, within a time, and never changed.

:class:`DatabaseSession` is one connection and its thread; a :class:`DatabaseDriver` is what each
kind of database does in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from twisted.internet.defer import Deferred, TimeoutError, fail
from twisted.python.failure import Failure

from streamd.config.fields import Secret
from streamd.reactor.worker import Worker
from streamd.sources.errors import SourceError, Unreachable

T = TypeVar("T")

GRACE = 0.5
"""Seconds beyond its time that a database has to say itself that a query took too long."""

LOWEST = -(2**63)
"""Below every whole number that a database counts with."""

_SCHEMES = ("sqlite:///", "postgresql://", "postgres://", "mysql://", "mariadb://")


class Address(Secret):
    """Where a database is; holds a password, so it may be kept where secrets are."""

    @classmethod
    def parse(cls, written: Any) -> Address:
        """:raises ValueError: with what would be right."""
        address = super().parse(written)
        if address.text is not None:
            check_address(address.text)
        return cls(address.text, address.env, address.file)


def check_address(address: str) -> str:
    """:raises ValueError: with what would be right."""
    if not any(address.startswith(scheme) and address != scheme for scheme in _SCHEMES):
        raise ValueError(
            'expected "sqlite:///FILE", "postgresql://HOST/NAME" or "mysql://HOST/NAME"'
        )
    return address


class Table(NamedTuple):
    """What a query gave.

    :ivar columns: their names, each another.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


class DatabaseDriver:
    """One kind of database.  All but :meth:`abort` and :meth:`explain` is called in a thread."""

    def connect(self) -> Any:
        """A connection on which nothing can be changed, and no query takes longer than it may."""
        raise NotImplementedError

    def prepare(self, connection: Any) -> None:
        """What a new connection is told first; from here on it can be aborted."""

    def lost(self, connection: Any) -> bool:
        """Whether the connection is of no use any more."""
        raise NotImplementedError

    def ping(self, connection: Any) -> None:
        """Fails if the server does not answer; where there is none, to connect was enough."""

    def read(self, connection: Any, query: str, after: Any, limit: int) -> tuple[Any, Any]:
        """The DB-API's description of what the query gives, and its first rows, at most ``limit``."""
        raise NotImplementedError

    def lowest(self, type: Any) -> Any:
        """What is less than everything in a column of this type, of a description."""
        return LOWEST

    def horizon(self, connection: Any) -> tuple[int, int]:
        """Numbers of transactions: all below the first have ended, all from the second on not begun.

        Where that cannot be known, 0 and 0: nothing is waited for.
        """
        return 0, 0

    def hear(self, connection: Any, channel: str, seconds: float) -> tuple[bool, list[str]]:
        """Wait for notifications, no longer than so.

        :returns: whether listening began, which is all that is done then; what came.
        """
        raise NotImplementedError

    def abort(self, connection: Any) -> None:
        """Let the thread that waits for the connection fail, if it does not by itself."""

    def explain(self, error: BaseException | None) -> str | None:
        """The error for the wall; None if it is not the database's."""
        raise NotImplementedError


class DatabaseSession:
    """A connection and the thread that uses it; made, and made again, when it is needed."""

    def __init__(self, driver: DatabaseDriver, timeout: float, reactor: Any) -> None:
        """:param timeout: seconds for which a reading may take, connecting included."""
        self._driver = driver
        self._timeout = timeout
        self._reactor = reactor
        self._worker = Worker(reactor, "database")
        self._connection: Any = None
        self._busy = False
        self._given_up = False
        self._reached = False
        self._running: Deferred[Any] | None = None

    def stop(self) -> Deferred[None]:
        """Fires when the connection is closed, which is at the latest when its time is over."""
        self._abort()
        if self._running is not None:
            self._running.cancel()
        closed = self._worker.run(self._close)
        self._worker.stop()
        return closed

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def read(self, query: str, limit: int, after: Any = None) -> Deferred[Table]:
        """Run a query.

        :param after: the value of ``:after`` in it.
        :raises SourceError: if the database fails; :class:`Unreachable` if it is silent for too long.
        """
        return self._run(lambda c: _table(*self._driver.read(c, query, after, limit)), "query")

    def lowest(self, query: str, column: str) -> Deferred[Any]:
        """What is less than everything in this column."""

        def find(connection: Any) -> Any:
            description, _ = self._driver.read(connection, query, None, 1)
            types = {each[0]: each[1] for each in description or ()}
            if column not in types:
                raise SourceError(f"the query gives no column {column}", key="after")
            return self._driver.lowest(types[column])

        return self._run(find, "query")

    def horizon(self) -> Deferred[tuple[int, int]]:
        """See :meth:`DatabaseDriver.horizon`."""
        return self._run(self._driver.horizon)

    def look(self) -> Deferred[None]:
        """Whether the database is there.

        :raises Unreachable: if it is not.
        """
        return self._run(self._driver.ping)

    def hear(self, channel: str) -> Deferred[tuple[bool, list[str]]]:
        """See :meth:`DatabaseDriver.hear`; a server that hangs is found out by it, too."""
        return self._run(lambda c: self._driver.hear(c, channel, min(1, self._timeout / 2)))

    def _run(self, use: Callable[[Any], T], key: str = "") -> Deferred[T]:
        """:param key: of the source's table, which it is about when the database says no."""
        if self._busy:  # a thread cannot be ended from outside
            return fail(Unreachable("the database does not answer", key="database"))
        self._busy, self._given_up = True, False
        running = self._worker.run(self._in_thread, use)
        running.addTimeout(self._timeout + GRACE, self._reactor)
        self._running = running
        return running.addErrback(self._failed, key)

    def _in_thread(self, use: Callable[[Any], T]) -> T:
        try:
            known = self._connection is not None
            try:
                return self._use(use)
            except Exception:
                if not known or self._connection is not None or self._given_up:
                    raise
            return self._use(use)  # it broke while it was idle: the server was started again
        finally:
            self._busy = False

    def _use(self, use: Callable[[Any], T]) -> T:
        self._reached = self._connection is not None
        if not self._reached:
            self._connection = self._driver.connect()
        try:
            if not self._reached:
                self._driver.prepare(self._connection)
                self._reached = True
            return use(self._connection)
        finally:
            if not self._reached or self._driver.lost(self._connection):
                connection, self._connection = self._connection, None
                connection.close()

    def _failed(self, failure: Failure, key: str) -> Any:
        if failure.check(TimeoutError):
            self._abort()
            raise Unreachable(
                f"the database did not answer within {self._timeout:g} s", key="database"
            )
        message = self._driver.explain(failure.value)
        if message is None:
            return failure
        message, detail = message[:200], f"({type(failure.value).__name__}: {failure.value})"
        if not self._reached:
            raise Unreachable(message, detail, "database")
        raise SourceError(message, detail, key)

    def _abort(self) -> None:
        self._given_up = True
        connection = self._connection
        if connection is not None and self._busy:
            with suppress(Exception):  # the thread may be closing it
                self._driver.abort(connection)


def _table(description: Any, rows: Any) -> Table:
    if description is None:
        raise SourceError("the query gives no columns")
    columns = [each[0] for each in description]
    for column in columns:
        if columns.count(column) > 1:
            raise SourceError(f"two columns are called {column}: name one by AS")
    return Table(columns, rows)

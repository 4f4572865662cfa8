"""One connection to a database and its thread; each call has a time limit.

:class:`DatabaseSession` is the same for all databases; each has its own :class:`DatabaseDriver`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, tzinfo
from functools import partial
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, TimeoutError, fail
from twisted.python.failure import Failure

from streamd.config.fields import Secret
from streamd.reactor.worker import Worker
from streamd.sources.databases.rows import Table, make_table
from streamd.sources.errors import SourceError, Unreachable

T = TypeVar("T")

GRACE = 0.5
"""Seconds after ``timeout`` in which the database itself may report that a query took too long."""

ANSWER = 3.0
"""Seconds that a server has to answer a ping, even if a query may take longer."""

CONNECT = 5.0
"""Seconds that a server has to accept a connection, even if a query may take longer.

With the longest pause between two attempts, a source works again ten seconds after its link does."""

UNREACHABLE = "the database cannot be reached"
LOST = "the connection to the database was lost"
LOGIN = "the database refused the login"
"""Error messages that more than one driver uses."""

_SCHEME = re.compile(r"([a-z][a-z0-9_]*)(\+[a-z][a-z0-9_]*)?://(?=.)", re.DOTALL)
"""An address as SQLAlchemy takes it: a dialect, and perhaps a driver."""


class Address(Secret):
    """The address of a database.  It may contain a password, so it is configured like a secret."""

    @classmethod
    def parse(cls, written: Any) -> Address:
        address = super().parse(written)
        if address.text is not None:
            check_address(address.text)
        return cls(address.text, address.env, address.file, address.credential)


def check_address(address: str) -> str:
    """Return ``address`` if it begins with a known scheme, or with one for SQLAlchemy.

    :raises ValueError: if it begins with another one; the message has examples.
    """
    found = _SCHEME.match(address)
    is_file = address.startswith("sqlite://")
    if found is None or (is_file and (address[9] != "/" or not address[10:])):
        raise ValueError(
            'expected "sqlite:///FILE", "postgresql://HOST/NAME" or "mysql://HOST/NAME", or as '
            'SQLAlchemy takes it "mssql+pymssql://HOST/NAME"'
        )
    return address


def too_long(timeout: float) -> str:
    """Return the error message for a query that took longer than ``timeout`` seconds."""
    return f"the query took longer than {timeout:g} s"


class DatabaseDriver:
    """The interface to one kind of database.

    All methods except :meth:`abort` and :meth:`explain` run in the session's thread.
    """

    def connect(self) -> Any:
        """Open a read-only connection on which no query takes longer than ``timeout``."""
        raise NotImplementedError

    def lost(self, connection: Any) -> bool:
        """Return True if the connection can no longer be used."""
        raise NotImplementedError

    def ping(self, connection: Any) -> None:
        """Raise an exception if the server does not answer."""

    def read(
        self, connection: Any, query: str, values: Mapping[str, Any], limit: int
    ) -> tuple[Any, Any]:
        """Run a query.

        :param values: the values of parameters such as ``:after``, by their names.
        :returns: the DB-API's description of the columns, and at most ``limit`` rows.
        """
        raise NotImplementedError

    def zone(self, connection: Any) -> tzinfo | None:
        """Return the time zone in which the database counts days; None for this machine's."""
        return None

    def when(self, time: float) -> str:
        """Return an instant in the form in which a query compares it with a column.

        This is the local time without an offset, as MySQL and SQLite write it.

        :param time: seconds since the epoch.
        """
        return str(datetime.fromtimestamp(time))

    def lowest(self, type: Any) -> Any:
        """Return a value for ``:after`` that is lower than all values of a column.

        If no value is lower: a :class:`~streamd.sources.databases.statements.Lowest`.

        :param type: the type of the column, from the DB-API's description.
        """
        raise NotImplementedError

    def horizon(self, connection: Any) -> tuple[int, int]:
        """Return two transaction ids, or 0 and 0 if the database has none.

        All transactions below the first id have ended.  No transaction from the second id on has begun.
        """
        return 0, 0

    def listen(self, connection: Any, channel: str) -> None:
        """Begin to receive the notifications of a channel.

        :raises SourceError: if a connection pool would lose them.
        """
        raise NotImplementedError

    def notifications(self, connection: Any, seconds: float) -> list[str]:
        """Wait at most ``seconds`` for notifications, and return their payloads."""
        raise NotImplementedError

    def abort(self, connection: Any) -> None:
        """Interrupt the thread that waits for this connection."""

    def explain(self, error: BaseException | None) -> str | None:
        """Return an error as a sentence that walls show; None if it is not an error of the database."""
        raise NotImplementedError


def no_answer(seconds: float) -> str:
    """Return the error message for a server that did not answer for ``seconds``."""
    return f"the database did not answer within {seconds:g} s"


class DatabaseSession:
    """A connection and the thread that uses it; connects at the first call, and again when needed."""

    def __init__(self, driver: DatabaseDriver, timeout: float, reactor: Any) -> None:
        """:param timeout: seconds that one call may take, including the time to connect."""
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
        """Close the connection.

        :returns: fires when it is closed; a running call is interrupted or reaches its time limit.
        """
        self._abort()
        if self._running is not None:
            self._running.cancel()
        closed = self._worker.run(self._close)
        self._worker.stop()
        return closed

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def read(self, query: str, limit: int, **values: Any) -> Deferred[Table]:
        """Run a query; see :meth:`DatabaseDriver.read`.

        :raises SourceError: if the database fails; :class:`Unreachable` if it does not answer.
        """
        return self._run(lambda c: make_table(*self._driver.read(c, query, values, limit)), "query")

    def zone(self) -> Deferred[tzinfo | None]:
        """See :meth:`DatabaseDriver.zone`."""
        return self._run(self._driver.zone)

    def when(self, time: float) -> str:
        """See :meth:`DatabaseDriver.when`."""
        return self._driver.when(time)

    def lowest(self, query: str, column: str) -> Deferred[Any]:
        """Return the first ``:after`` for a column of the query: see :meth:`DatabaseDriver.lowest`."""

        def find(connection: Any) -> Any:
            description, _ = self._driver.read(connection, query, {"after": None}, 1)
            types = {each[0]: each[1] for each in description or ()}
            if column not in types:
                raise SourceError(f"the query gives no column {column}", key="after")
            return self._driver.lowest(types[column])

        return self._run(find, "query")

    def horizon(self) -> Deferred[tuple[int, int]]:
        """See :meth:`DatabaseDriver.horizon`."""
        return self._run(self._driver.horizon)

    def ping(self) -> Deferred[None]:
        """Check that the database answers.

        :raises Unreachable: if it does not.
        """
        return self._run(self._driver.ping, within=ANSWER)

    def listen(self, channel: str) -> Deferred[None]:
        """See :meth:`DatabaseDriver.listen`."""
        return self._run(lambda connection: self._driver.listen(connection, channel), "listen")

    def notifications(self) -> Deferred[list[str]]:
        """Wait up to a second for notifications; see :meth:`DatabaseDriver.notifications`.

        If the connection is lost, this does not connect again: a new connection would have no LISTEN.
        """
        wait = min(1, self._timeout / 2)
        ask = partial(self._driver.notifications, seconds=wait)
        return self._run(ask, anew=False, within=wait + ANSWER)

    def _run(
        self,
        use: Callable[[Any], T],
        key: str = "",
        anew: bool = True,
        within: float = math.inf,
    ) -> Deferred[T]:
        """Call ``use`` with the connection, in the thread.

        :param key: the configuration key that an error of the database refers to.
        :param anew: whether to connect again if the connection was lost.
        :param within: the most seconds that the call may take, if that is less than ``timeout``.
        """
        within = min(within, self._timeout)
        if self._busy:  # a thread cannot be ended from outside
            return fail(Unreachable("the database does not answer", key="database"))
        self._busy, self._given_up = True, False
        running = self._worker.run(self._in_thread, use, anew)
        running.addTimeout(within + GRACE, self._reactor)
        self._running = running
        return running.addErrback(self._failed, key, within)

    def _in_thread(self, use: Callable[[Any], T], anew: bool) -> T:
        try:
            known = self._connection is not None
            if not (known or anew):
                raise Unreachable(LOST, key="database")
            try:
                return self._use(use)
            except Exception:
                if not (known and anew) or self._connection is not None or self._given_up:
                    raise
            return self._use(use)  # the idle connection was broken: the server was restarted
        finally:
            self._busy = False

    def _use(self, use: Callable[[Any], T]) -> T:
        self._reached = self._connection is not None
        if not self._reached:
            self._connection = self._driver.connect()
            self._reached = True
        try:
            return use(self._connection)
        finally:
            if self._driver.lost(self._connection):
                connection, self._connection = self._connection, None
                connection.close()

    def _failed(self, failure: Failure, key: str, within: float) -> Any:
        if failure.check(TimeoutError):
            self._abort()
            raise Unreachable(no_answer(within), key="database")
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

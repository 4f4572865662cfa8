"""PostgreSQL by psycopg, directly or through PgBouncer."""

from __future__ import annotations

import math
import os
import secrets
import select
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, tzinfo
from typing import Any

from streamd.sources.databases.rows import decode
from streamd.sources.databases.session import (
    CONNECT,
    LOGIN,
    LOST,
    UNREACHABLE,
    DatabaseDriver,
    no_answer,
    too_long,
)
from streamd.sources.databases.statements import Lowest, with_parameters
from streamd.sources.errors import SourceError

POOLED = (
    "a connection pool is in between, which loses notifications: "
    "give the database's own address, or that of a pool in session mode"
)

_KEEPALIVES = {
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}
"""End a connection whose packets are lost five seconds later, also while a long query runs.

In seconds, and in milliseconds: see libpq, 34.1.2. An address may say otherwise."""

_UUID = "00000000-0000-0000-0000-000000000000"


class PostgresDriver(DatabaseDriver):
    """PostgreSQL by psycopg, directly or through PgBouncer.

    Behind PgBouncer other programs share the server's session.  Therefore no setting and no prepared
    statement of streamd outlives a transaction.
    """

    def __init__(self, psycopg: Any, address: str, timeout: float) -> None:
        self._psycopg = psycopg
        self._address = address
        self._timeout = timeout
        self._connect = max(2, round(min(timeout, CONNECT)))
        self._channel = ""
        self._notified: list[Any] = []
        try:
            given = psycopg.conninfo.conninfo_to_dict(address)
        except psycopg.Error:
            raise ValueError("not a valid address of PostgreSQL") from None
        self._options = {key: value for key, value in _KEEPALIVES.items() if key not in given}

    def connect(self) -> Any:
        connection = self._psycopg.connect(
            self._address,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=self._connect,
            client_encoding="utf8",
            fallback_application_name="streamd",
            **self._options,
        )
        connection.read_only = True
        # Once for each connection: a second handler would hear every notification again.
        connection.add_notify_handler(lambda notify: self._notified.append(notify))
        tolerate(self._psycopg, connection)
        return connection

    def lost(self, connection: Any) -> bool:
        return bool(connection.closed)

    def ping(self, connection: Any) -> None:
        connection.execute("SELECT 1")

    @contextmanager
    def _transaction(self, connection: Any) -> Iterator[None]:
        with connection.transaction():
            connection.execute(f"SET LOCAL statement_timeout = {self._timeout * 1000:.0f}")
            yield

    def read(
        self, connection: Any, query: str, values: Mapping[str, Any], limit: int
    ) -> tuple[Any, Any]:
        # A server-side cursor: rows beyond the limit are not sent.
        with self._transaction(connection), connection.cursor("streamd") as cursor:
            cursor.execute(*with_parameters(query, "postgresql", values))
            description = [(column.name, column.type_code) for column in cursor.description or ()]
            if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
                # With UTF-8 the server would refuse all rows because of one invalid text.
                connection.execute("SET LOCAL client_encoding = 'SQL_ASCII'")
            return description, cursor.fetchmany(limit)

    def zone(self, connection: Any) -> tzinfo:
        self.ping(connection)  # a lost connection still has a zone
        zone: tzinfo = connection.info.timezone
        return zone

    def when(self, time: float) -> str:
        return str(datetime.fromtimestamp(time).astimezone())  # a timestamp ignores the offset

    def lowest(self, type: Any) -> Lowest:
        types = self._psycopg.adapters.types
        if type == self._psycopg.DATETIME:
            return Lowest("-infinity")
        if type == types["uuid"].oid:
            return Lowest(_UUID)
        if type in [types[name].oid for name in ("numeric", "float4", "float8")]:
            return Lowest(-math.inf)
        return Lowest(-(2**63) if type == self._psycopg.NUMBER else "")

    def horizon(self, connection: Any) -> tuple[int, int]:
        with self._transaction(connection):
            cursor = connection.execute(
                "SELECT txid_snapshot_xmin(s), txid_snapshot_xmax(s) "
                "FROM txid_current_snapshot() AS s"
            )
            xmin, xmax = cursor.fetchone()
        return xmin, xmax

    def listen(self, connection: Any, channel: str) -> None:
        self._channel, self._notified = channel, []
        connection.execute(f'LISTEN "{channel}"')
        # PgBouncer sends an invented backend id at login.
        [pid] = connection.execute("SELECT pg_backend_pid()").fetchone()
        if pid != connection.info.backend_pid and not self._hears(connection):
            connection.execute(f'UNLISTEN "{channel}"')
            raise SourceError(POOLED, key="database")

    def _hears(self, connection: Any) -> bool:
        """Return whether a notification arrives while the connection is idle.

        In transaction mode a pool gives the listening session to others meanwhile, and drops it.  To
        ask the session itself proves nothing, because an idle pool gives the same one again.
        """
        probe = f"streamd_{secrets.token_hex(8)}"
        connection.execute(f"LISTEN {probe}")
        with closing(self.connect()) as other:
            # Sent without waiting: in a full pool this connection waits for a session for minutes.
            other.pgconn.send_query(f"NOTIFY {probe}".encode())
            heard = _readable(connection, min(1, self._timeout / 2))
        connection.execute(f"UNLISTEN {probe}")
        return heard

    def notifications(self, connection: Any, seconds: float) -> list[str]:
        _readable(connection, seconds)
        self.ping(connection)  # reads the notifications that arrived
        notified, self._notified[:] = [*self._notified], []
        return [notify.payload for notify in notified if notify.channel == self._channel]

    def abort(self, connection: Any) -> None:
        # A server that hangs answers no request to cancel: to end the connection ends the wait.
        shut_down(connection.fileno())

    def explain(self, error: BaseException | None) -> str | None:
        if not isinstance(error, self._psycopg.Error):
            return None
        if isinstance(error, self._psycopg.errors.QueryCanceled):
            return too_long(self._timeout)
        if error.diag.message_primary:
            return str(error.diag.message_primary)
        if isinstance(error, self._psycopg.errors.ConnectionTimeout):
            return no_answer(self._connect)
        if not isinstance(error, self._psycopg.OperationalError):
            return str(error)
        _, fatal, reason = str(error).partition("FATAL:")
        refused = ("authentication", "pg_hba.conf")  # the latter would tell addresses
        if any(word in reason for word in refused) or "no password supplied" in str(error):
            return LOGIN
        if fatal:
            return reason.partition("\n")[0].strip()
        known = "closed the connection" in str(error) or "is lost" in str(error)
        return LOST if known else UNREACHABLE


def shut_down(descriptor: int) -> None:
    """End a connection by its file descriptor, and so the wait of the thread that reads it."""
    with socket.socket(fileno=os.dup(descriptor)) as wire:
        wire.shutdown(socket.SHUT_RDWR)


def tolerate(psycopg: Any, connection: Any) -> None:
    """Make psycopg return a value that it cannot load as a text."""
    for name, loader in _loaders(psycopg):
        connection.adapters.register_loader(name, loader)


def _readable(connection: Any, seconds: float) -> bool:
    """Wait until something arrives at an idle connection; return False if nothing does."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _loaders(psycopg: Any) -> Iterator[tuple[str, Any]]:
    """Yield a loader for each type with values that psycopg cannot load: they would fail all rows."""
    types = psycopg.types
    for name in ("date", "time", "timetz", "timestamp", "timestamptz", "interval"):
        yield name, _forgiving(getattr(types.datetime, f"{name.title()}Loader"))
    for name in ("text", "varchar", "bpchar", "name", "json", "jsonb"):
        loader = getattr(types.json, f"{name.title()}Loader", types.string.TextLoader)
        yield name, _forgiving(loader)
    for info in psycopg.adapters.types:
        if isinstance(info, types.range.RangeInfo | types.multirange.MultirangeInfo):
            yield info.name, _forgiving(types.string.TextLoader)
    for name in ("inet", "cidr"):
        yield name, types.string.TextLoader


def _forgiving(loader: Any) -> Any:
    """Return a loader that falls back to the text that PostgreSQL sent, such as ``infinity``."""

    class Forgiving(loader):  # type: ignore[misc]
        def load(self, data: Any) -> Any:
            try:
                value = super().load(data)
            except Exception:
                value = bytes(data)
            return decode(value) if isinstance(value, bytes) else value

    return Forgiving

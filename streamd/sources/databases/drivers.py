"""What SQLite, PostgreSQL, MySQL and MariaDB do each in their own way, imported when configured."""

from __future__ import annotations

import importlib
import os
import re
import select
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from streamd.config.extras import needs_extra
from streamd.sources.databases.session import GRACE, LOWEST, DatabaseDriver, check_address

_STEPS = 10_000
"""Instructions of SQLite's machine between two looks at the clock: some hundred microseconds."""

_MYSQL_OPTIONS = {"charset", "ssl_ca", "ssl_cert", "ssl_key", "unix_socket"}

# Quoted text, comments and casts (::after) are passed over.
_PARAMETER = re.compile(r"""('[^']*'|"[^"]*"|--[^\n]*|::\w+)|:after\b""")

_USER = re.compile(r" (for|to) user '[^']*'@'[^']*'")

UNREACHABLE = "the database cannot be reached"
LOST = "the connection to the database was lost"
LOGIN = "the database refused the login"


def make_driver(address: str, base: Path, timeout: float) -> DatabaseDriver:
    """The driver for a database.

    :raises ValueError: if it is not installed, or the address is wrong.
    """
    scheme = check_address(address).partition(":")[0]
    if scheme == "sqlite":
        return SqliteDriver(base / unquote(address.removeprefix("sqlite:///")), timeout)
    if scheme.startswith("postgres"):
        return PostgresDriver(_import("psycopg", "PostgreSQL", "postgres"), address, timeout)
    return MySqlDriver(_import("pymysql", "MySQL", "mysql"), address, timeout)


def _import(module: str, database: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ValueError(needs_extra(database, module, extra)) from None


def _execute(cursor: Any, query: str, after: Any) -> None:
    """Run a query with ``:after`` as drivers of the style "pyformat" write it."""
    if ":after" in query:
        query = _PARAMETER.sub(lambda match: match[1] or "%(after)s", query.replace("%", "%%"))
        cursor.execute(query, {"after": after})
    else:
        cursor.execute(query)


def _too_long(timeout: float) -> str:
    return f"the query took longer than {timeout:g} s"


class SqliteDriver(DatabaseDriver):
    """Opens the file for each run, and never makes it: one that was replaced is seen at once."""

    def __init__(self, file: Path, timeout: float) -> None:
        self._uri = f"file:{quote(str(file.absolute()))}?mode=ro"
        self._timeout = timeout

    def connect(self) -> sqlite3.Connection:
        # Half of the time at most is spent on waiting for a writer to finish.
        connection = sqlite3.connect(
            self._uri, self._timeout / 2, uri=True, check_same_thread=False
        )
        end = time.monotonic() + self._timeout
        connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        connection.execute("PRAGMA schema_version")  # is it a database, and may one read now?
        return connection

    def lost(self, connection: Any) -> bool:
        return True

    def read(self, connection: Any, query: str, after: Any, limit: int) -> tuple[Any, Any]:
        cursor = connection.execute(query, {"after": after})
        return cursor.description, cursor.fetchmany(limit)

    def abort(self, connection: Any) -> None:
        connection.interrupt()

    def explain(self, error: BaseException | None) -> str | None:
        if not isinstance(error, sqlite3.Error | sqlite3.Warning):
            return None
        text = str(error)
        if "unable to open" in text:
            return "database file missing or not readable"
        return _too_long(self._timeout) if text == "interrupted" else text


class PostgresDriver(DatabaseDriver):
    """PostgreSQL by psycopg."""

    def __init__(self, psycopg: Any, address: str, timeout: float) -> None:
        self._psycopg = psycopg
        self._address = address
        self._timeout = timeout
        self._listening: Any = None
        try:
            psycopg.conninfo.conninfo_to_dict(address)
        except psycopg.Error:
            raise ValueError("not an address as PostgreSQL has it") from None

    def connect(self) -> Any:
        connection = self._psycopg.connect(
            self._address,
            autocommit=True,
            connect_timeout=max(2, round(self._timeout)),
            fallback_application_name="streamd",
        )
        connection.read_only = True
        return connection

    def prepare(self, connection: Any) -> None:
        connection.execute(f"SET statement_timeout = {self._timeout * 1000:.0f}")
        for type in ("inet", "cidr"):
            loader = self._psycopg.types.string.TextLoader
            connection.adapters.register_loader(type, loader)

    def lost(self, connection: Any) -> bool:
        return bool(connection.closed)

    def ping(self, connection: Any) -> None:
        connection.execute("SELECT 1")

    def read(self, connection: Any, query: str, after: Any, limit: int) -> tuple[Any, Any]:
        # A cursor of the server's: what is beyond the limit stays there.
        with connection.transaction(), connection.cursor("streamd") as cursor:
            _execute(cursor, query, after)
            return cursor.description, cursor.fetchmany(limit)

    def lowest(self, type: Any) -> Any:
        if type == self._psycopg.NUMBER:
            return LOWEST
        if type == self._psycopg.DATETIME:
            return "-infinity"
        uuid = self._psycopg.adapters.types["uuid"].oid
        return "00000000-0000-0000-0000-000000000000" if type == uuid else ""

    def horizon(self, connection: Any) -> tuple[int, int]:
        cursor = connection.execute(
            "SELECT txid_snapshot_xmin(s), txid_snapshot_xmax(s) FROM txid_current_snapshot() AS s"
        )
        xmin, xmax = cursor.fetchone()
        return xmin, xmax

    def hear(self, connection: Any, channel: str, seconds: float) -> tuple[bool, list[str]]:
        if connection is not self._listening:
            self._heard: list[str] = []
            connection.add_notify_handler(lambda notify: self._heard.append(notify.payload))
            connection.execute(f'LISTEN "{channel}"')
            self._listening = connection
            return True, []
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        poll.poll(seconds * 1000)
        self.ping(connection)  # takes in what came
        heard, self._heard = self._heard, []
        return False, heard

    def abort(self, connection: Any) -> None:
        # A server that hangs answers no request to cancel: to end the connection ends the wait.
        with socket.socket(fileno=os.dup(connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    def explain(self, error: BaseException | None) -> str | None:
        if not isinstance(error, self._psycopg.Error):
            return None
        if isinstance(error, self._psycopg.errors.QueryCanceled):
            return _too_long(self._timeout)
        if error.diag.message_primary:
            return str(error.diag.message_primary)
        if isinstance(error, self._psycopg.errors.ConnectionTimeout):
            return f"the database did not answer within {self._timeout:g} s"
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


class MySqlDriver(DatabaseDriver):
    """MySQL and MariaDB by PyMySQL."""

    def __init__(self, pymysql: Any, address: str, timeout: float) -> None:
        self._pymysql = pymysql
        self._timeout = timeout
        try:
            url = urlsplit(address)
            parts = {
                "host": url.hostname,
                "port": url.port,
                "user": unquote(url.username or ""),
                "password": unquote(url.password or ""),
                "database": unquote(url.path[1:]),
                **dict(parse_qsl(url.query, strict_parsing=bool(url.query))),
            }
        except ValueError:
            raise ValueError('expected "mysql://USER:PASSWORD@HOST:PORT/NAME"') from None
        self._where = {key: value for key, value in parts.items() if value}
        if unknown := dict(parse_qsl(url.query)).keys() - _MYSQL_OPTIONS:
            raise ValueError(
                f"unknown option {min(unknown)}; there are {', '.join(sorted(_MYSQL_OPTIONS))}"
            )

    def connect(self) -> Any:
        connection = self._pymysql.connect(
            **self._where,
            autocommit=True,
            connect_timeout=self._timeout,
            read_timeout=self._timeout + GRACE,
            write_timeout=self._timeout,
            init_command="SET SESSION TRANSACTION READ ONLY",
        )
        if "MariaDB" in connection.get_server_info():
            limit = f"max_statement_time = {self._timeout:g}"
        else:
            limit = f"max_execution_time = {self._timeout * 1000:.0f}"
        connection.query(f"SET SESSION {limit}")
        return connection

    def lost(self, connection: Any) -> bool:
        return not connection.open

    def ping(self, connection: Any) -> None:
        connection.ping(reconnect=False)

    def read(self, connection: Any, query: str, after: Any, limit: int) -> tuple[Any, Any]:
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION sql_select_limit = {limit}")
            _execute(cursor, query, after)
            return cursor.description, cursor.fetchmany(limit)

    def lowest(self, type: Any) -> Any:
        if type == self._pymysql.DATETIME or type == self._pymysql.DATE:
            return "0001-01-01"
        return "" if type == self._pymysql.STRING else LOWEST

    def explain(self, error: BaseException | None) -> str | None:
        if not isinstance(error, self._pymysql.Error):
            return None
        code, text = (*error.args, None, None)[:2]
        known = dict.fromkeys((1045, 1129, 1130), LOGIN)
        known |= {1969: _too_long(self._timeout), 3024: _too_long(self._timeout)}
        known |= dict.fromkeys((2002, 2003, 2005), UNREACHABLE)
        known |= dict.fromkeys((2006, 2013), LOST)
        return known.get(code, _USER.sub("", str(text or error)))

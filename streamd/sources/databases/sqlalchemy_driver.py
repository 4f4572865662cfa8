"""Any database that SQLAlchemy has a dialect for.

PostgreSQL, MySQL, MariaDB and SQLite also have drivers of their own, which read more.  An address
without a plus sign chooses them.  This driver treats all databases alike; the tables below have the
exceptions.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from streamd.config.extras import needs_package
from streamd.core.printable import showable
from streamd.sources.databases.postgres_driver import shut_down, tolerate
from streamd.sources.databases.rows import decode
from streamd.sources.databases.session import (
    CONNECT,
    GRACE,
    LOGIN,
    LOST,
    UNREACHABLE,
    DatabaseDriver,
    too_long,
)
from streamd.sources.databases.sqlite_driver import authorize
from streamd.sources.databases.statements import Dialect, Lowest, as_text
from streamd.sources.errors import SourceError

FORM = 'expected "DIALECT+DRIVER://USER:PASSWORD@HOST:PORT/NAME"'
READS = "a query may only read"
MISSING = "database file missing or not readable"

_DIALECTS = {
    "awsathena": "PyAthena[SQLAlchemy]",
    "bigquery": "sqlalchemy-bigquery",
    "clickhouse": "clickhouse-sqlalchemy",
    "clickhousedb": "clickhouse-connect",
    "cockroachdb": "sqlalchemy-cockroachdb",
    "crate": "sqlalchemy-cratedb",
    "databricks": "databricks-sqlalchemy",
    "db2": "ibm_db_sa",
    "duckdb": "duckdb-engine",
    "exa": "sqlalchemy-exasol",
    "firebird": "sqlalchemy-firebird",
    "hana": "sqlalchemy-hana",
    "redshift": "sqlalchemy-redshift",
    "snowflake": "snowflake-sqlalchemy",
    "teradatasql": "teradatasqlalchemy",
    "trino": "trino[sqlalchemy]",
}
"""The package of each dialect that SQLAlchemy itself lacks, from the list in its documentation."""

_PACKAGES = {"MySQLdb": "mysqlclient", "psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary"}
"""The packages whose names differ from those of their modules."""

_FILES = ("duckdb", "sqlite")
"""The dialects whose database is a file.  It is opened for each run, because it may be replaced, and
because other programs may write between two runs."""

_MYSQL = ("mysql", "mariadb")

_INSTANTS = ("mssql", "oracle")
"""The dialects that do not take every text in the form of ISO 8601 as a time."""

_TIME = re.compile("DATE|TIME", re.IGNORECASE)
_NUMBER = re.compile("INT|NUM|DEC|DOUBLE|FLOAT|REAL|SERIAL", re.IGNORECASE)
_TEXT = re.compile("CHAR|STR|TEXT|CLOB|UUID", re.IGNORECASE)
"""Match the names of column types, for drivers that lack the type objects of the DB-API."""

_TOO_LONG = re.compile(
    "statement timeout|max_statement_time|execution time|interrupted|timed out|call timeout",
    re.IGNORECASE,
)
_LOCKED = re.compile("Could not set lock|different configuration")
"""What DuckDB says while another program has the file open for writing."""

_REFUSED = re.compile(
    r"authenticat|password|pg_hba|log[io]n|access denied for user \S+ \(", re.IGNORECASE
)
_USER = re.compile(r" (for|to) user '[^']*'@'[^']*'")


class DatabaseError(Exception):
    """An error of a database, without its password.

    :ivar message: a sentence for walls.
    """

    def __init__(self, message: str, text: str) -> None:
        """:param text: what the database said, for the log."""
        super().__init__(text)
        self.message = message


class OpenConnection:
    """A connection.

    :ivar connection: SQLAlchemy's.
    :ivar raw: the driver's.
    :ivar lost: whether the connection has failed and must be closed.
    """

    def __init__(self, connection: Any, lost: bool) -> None:
        self.connection = connection
        self.raw = connection.connection.driver_connection
        self.lost = lost

    def close(self) -> None:
        """Close the connection without a rollback, which a server that hangs would not answer."""
        with suppress(Exception):
            self.connection.invalidate()
        with suppress(Exception):
            self.connection.close()


class SqlAlchemyDriver(DatabaseDriver):
    """A database by SQLAlchemy.

    Each query is rolled back, because not every connection is read-only.
    """

    def __init__(self, sqlalchemy: Any, address: str, base: Path, timeout: float) -> None:
        """:param base: the folder of relative paths of database files.

        :raises ValueError: if the address is invalid, or a package is missing.
        """
        self._sqlalchemy = sqlalchemy
        self._timeout = timeout
        try:
            self._url = sqlalchemy.make_url(address)
            self._engine = self._make_engine(base)
        except sqlalchemy.exc.NoSuchModuleError:
            raise ValueError(_no_dialect(self._url)) from None
        except (sqlalchemy.exc.ArgumentError, TypeError, ValueError):
            raise ValueError(FORM) from None
        except ImportError as error:
            package = _PACKAGES.get(error.name or "", error.name)
            raise ValueError(needs_package(self._url.drivername, str(package))) from None
        self._dialect = self._engine.dialect
        self._name: str = self._dialect.name
        if self._dialect.is_async:
            raise ValueError(f"{self._url.drivername} is for asyncio: name another driver")

    def _make_engine(self, base: Path) -> Any:
        url, name, arguments = self._url, self._url.get_backend_name(), {}
        if name in _FILES and url.database not in (None, "", ":memory:"):
            url = url.set(database=str(base / url.database))
            if name == "duckdb":
                arguments["read_only"] = True
            else:  # otherwise SQLite would make a missing file
                file = f"file:{quote(url.database)}"
                url = url.set(database=file).update_query_dict({"mode": "ro", "uri": "true"})
        arguments |= self._limits(url.get_driver_name())
        pool = self._sqlalchemy.pool.NullPool
        return self._sqlalchemy.create_engine(url, poolclass=pool, connect_args=arguments)

    def _limits(self, driver: str) -> dict[str, Any]:
        """Return the arguments with the time limits for a driver, if they are known."""
        connect = max(2, round(min(self._timeout, CONNECT)))
        read = math.ceil(self._timeout + GRACE)
        if driver in ("pymysql", "mysqldb"):
            return {"connect_timeout": connect, "read_timeout": read, "write_timeout": read}
        if driver == "pymssql":
            return {"login_timeout": connect, "timeout": read}
        known = {"oracledb": "tcp_connect_timeout", "pyodbc": "timeout", "pysqlite": "timeout"}
        known |= dict.fromkeys(("psycopg", "psycopg2"), "connect_timeout")
        return {known[driver]: connect} if driver in known else {}

    # -- the connection ----------------------------------------------------------------------------

    def connect(self) -> OpenConnection:
        end = time.monotonic() + self._timeout / 2
        while True:
            try:
                link = OpenConnection(self._engine.connect(), self._name in _FILES)
                self._prepare(link)
            except Exception as error:
                text = self._text(error)
                if _LOCKED.search(text) and time.monotonic() < end:
                    time.sleep(0.05)  # another program writes
                    continue
                raise DatabaseError(self._refusal(text), text) from None
            return link

    def _prepare(self, link: OpenConnection) -> None:
        """Let a session only read, and end its queries in time, if it is known how."""
        milliseconds, statements = math.ceil(self._timeout * 1000), []
        if self._name == "postgresql":
            statements.append("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
            statements.append(f"SET statement_timeout = {milliseconds}")
        elif self._name in _MYSQL:
            statements.append("SET SESSION TRANSACTION READ ONLY")
            maria = f"max_statement_time = {self._timeout:g}"
            other = f"max_execution_time = {milliseconds}"
            statements.append(f"SET SESSION {maria if self._dialect.is_mariadb else other}")
        elif self._name == "oracle":
            link.raw.call_timeout = milliseconds
        elif self._name == "sqlite":
            link.raw.text_factory = decode
            link.raw.set_authorizer(authorize)
        for statement in statements:
            link.connection.exec_driver_sql(statement)
        link.connection.commit()  # PostgreSQL forgets a setting that is rolled back
        if self._dialect.driver == "psycopg":
            tolerate(self._dialect.dbapi, link.raw)

    def lost(self, connection: OpenConnection) -> bool:
        return connection.lost

    def ping(self, connection: OpenConnection) -> None:
        with self._asked(connection):
            self._dialect.do_ping(connection.raw)

    @contextmanager
    def _asked(self, link: OpenConnection) -> Iterator[None]:
        """Explain errors, and roll back whatever was done."""
        errors = self._sqlalchemy.exc
        harmless = (errors.ProgrammingError, errors.DataError, errors.NotSupportedError)
        try:
            yield
            link.connection.rollback()
        except Exception as error:
            gone = getattr(error, "connection_invalidated", False)
            link.lost = link.lost or gone or not isinstance(error, harmless)
            if not link.lost:
                link.connection.rollback()
            text = self._text(error)
            raise DatabaseError(LOST if gone else self._why(text), text) from None

    def _why(self, text: str) -> str:
        if _TOO_LONG.search(text):
            return too_long(self._timeout)
        return READS if text == "not authorized" else _USER.sub("", text)

    def abort(self, connection: OpenConnection) -> None:
        if hasattr(connection.raw, "fileno"):
            shut_down(connection.raw.fileno())
        elif hasattr(connection.raw, "interrupt"):
            connection.raw.interrupt()
        elif hasattr(connection.raw, "cancel"):
            connection.raw.cancel()

    # -- queries -----------------------------------------------------------------------------------

    def read(
        self, connection: OpenConnection, query: str, values: Mapping[str, Any], limit: int
    ) -> tuple[Any, Any]:
        text, names = as_text(query, _language(self._name), values)
        untyped = self._sqlalchemy.types.NULLTYPE  # of a type, PostgreSQL would compare as text
        bound = [
            self._sqlalchemy.bindparam(name, self._value(values[name]), type_=untyped)
            for name in dict.fromkeys(names)
        ]
        with self._asked(connection):
            if self._name in _MYSQL:
                here = datetime.now().astimezone().isoformat()[-6:]
                setting = f"sql_select_limit = {limit}, time_zone = '{here}'"
                connection.connection.exec_driver_sql(f"SET SESSION {setting}")
            # Rows beyond the limit are not sent, if the driver knows a way.
            result = connection.connection.execution_options(
                stream_results=True, max_row_buffer=limit
            ).execute(self._sqlalchemy.text(text).bindparams(*bound))
            if not result.returns_rows:
                return None, ()
            description, rows = result.cursor.description, result.fetchmany(limit)
            result.close()
        return description, rows

    def _value(self, value: Any) -> Any:
        if isinstance(value, Lowest):
            value = value.value
        return instant(value) if self._name in _INSTANTS else value

    def when(self, time: float) -> str:
        local = datetime.fromtimestamp(time)
        return str(local.astimezone() if self._name == "postgresql" else local)

    def lowest(self, type: Any) -> Any:
        if self._name == "sqlite":
            return -math.inf
        dbapi, name = self._dialect.dbapi, str(type)
        if type == getattr(dbapi, "DATETIME", ...) or _TIME.search(name):
            return Lowest("1753-01-01 00:00:00" if self._name == "mssql" else "0001-01-01 00:00:00")
        if type == getattr(dbapi, "STRING", ...) or _TEXT.search(name):
            return Lowest("")
        is_number = type == getattr(dbapi, "NUMBER", ...) or _NUMBER.search(name)
        if is_number or self._name in _MYSQL:  # PyMySQL does not count DECIMAL among the numbers
            return Lowest(-(2**63))
        raise SourceError("it is unknown which value of the column is the lowest", key="start")

    # -- errors ------------------------------------------------------------------------------------

    def explain(self, error: BaseException | None) -> str | None:
        return error.message if isinstance(error, DatabaseError) else None

    def _text(self, error: Exception) -> str:
        """Return the first line of what the database said, without the password."""
        cause: Any = getattr(error, "orig", None) or error
        words = [w.decode(errors="replace") if isinstance(w, bytes) else w for w in cause.args]
        texts = [word for word in words if isinstance(word, str)]
        text = texts[-1] if texts else str(cause)
        password = str(self._url.password or "")
        for secret in (password, quote_plus(password)):
            text = text.replace(secret, "…") if secret else text
        _, fatal, reason = text.partition("FATAL:")
        lines = (reason if fatal else text).strip().splitlines()
        return showable(lines[0].strip() if lines else type(cause).__name__)

    def _refusal(self, text: str) -> str:
        """Return why there is no connection, without the address."""
        if self._name in _FILES:
            missing = "does not exist" in text or "unable to open" in text
            return MISSING if missing else text.replace(str(self._engine.url.database), "…")
        if _REFUSED.search(text):
            return LOGIN
        name = self._url.database
        is_about_name = name and name in text and str(self._url.host) not in _USER.sub("", text)
        return _USER.sub("", text) if is_about_name else UNREACHABLE


def instant(value: Any) -> Any:
    """Turn a text that :func:`~streamd.sources.databases.rows.plain` made back into a time."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value
    return found if value in (str(found), str(found.date())) else value


def _language(name: str) -> Dialect:
    if name in _MYSQL:
        return "mysql"
    return "postgresql" if name == "postgresql" else "standard"


def _no_dialect(url: Any) -> str:
    name = url.get_backend_name()
    if package := _DIALECTS.get(name):
        return needs_package(name, package)
    return f"SQLAlchemy has no dialect {url.drivername}: install the package that brings it"

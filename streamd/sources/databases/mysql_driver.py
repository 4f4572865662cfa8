"""The driver for MySQL and MariaDB, by PyMySQL."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from streamd.sources.databases.session import (
    GRACE,
    LOGIN,
    LOST,
    UNREACHABLE,
    DatabaseDriver,
    too_long,
)
from streamd.sources.databases.statements import Dialect, Lowest, with_parameters

_OPTIONS = {"charset", "ssl_ca", "ssl_cert", "ssl_key", "unix_socket"}

_NO_BACKSLASH_ESCAPES = 512
"""SERVER_STATUS_NO_BACKSLASH_ESCAPES, a flag in MySQL's protocol."""

_USER = re.compile(r" (for|to) user '[^']*'@'[^']*'")


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
        if unknown := dict(parse_qsl(url.query)).keys() - _OPTIONS:
            raise ValueError(
                f"unknown option {min(unknown)}; there are {', '.join(sorted(_OPTIONS))}"
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

    def read(
        self, connection: Any, query: str, values: Mapping[str, Any], limit: int
    ) -> tuple[Any, Any]:
        with connection.cursor() as cursor:
            # A TIMESTAMP comes in the session's zone, which is that of this machine now.
            here = datetime.now().astimezone().tzinfo
            zone = datetime.now(here).isoformat()[-6:]
            cursor.execute(f"SET SESSION sql_select_limit = {limit}, time_zone = '{zone}'")
            local = {name: _in_zone(value, here) for name, value in values.items()}
            cursor.execute(*with_parameters(query, _dialect(connection), local))
            if cursor.description is None:
                return None, ()
            stamp = self._pymysql.FIELD_TYPE.TIMESTAMP
            stamps = [n for n, each in enumerate(cursor.description) if each[1] == stamp]
            return cursor.description, [
                _stamped(row, stamps, here) for row in cursor.fetchmany(limit)
            ]

    def lowest(self, type: Any) -> Lowest:
        if type == self._pymysql.DATETIME or type == self._pymysql.DATE:
            return Lowest(0)  # the date 0000-00-00, which MySQL may refuse as a text
        return Lowest("" if type == self._pymysql.STRING else -sys.float_info.max)

    def explain(self, error: BaseException | None) -> str | None:
        if not isinstance(error, self._pymysql.Error):
            return None
        code, text = (*error.args, None, None)[:2]
        known = dict.fromkeys((1045, 1129, 1130), LOGIN)
        known |= {1969: too_long(self._timeout), 3024: too_long(self._timeout)}
        known |= dict.fromkeys((2002, 2003, 2005), UNREACHABLE)
        known |= dict.fromkeys((2006, 2013), LOST)
        return known.get(code, _USER.sub("", str(text or error)))


def _dialect(connection: Any) -> Dialect:
    """Return how the server reads texts; each of its answers has the status of the session."""
    plain = connection.server_status & _NO_BACKSLASH_ESCAPES
    return "mysql without escapes" if plain else "mysql"


def _stamped(row: Sequence[Any], stamps: Sequence[int], zone: tzinfo | None) -> Sequence[Any]:
    """Return the row; its naive datetimes at these indexes get the zone."""
    if not stamps:
        return row
    cells = list(row)
    for place in stamps:
        if isinstance(cells[place], datetime):
            cells[place] = cells[place].replace(tzinfo=zone)
    return cells


def _in_zone(value: Any, zone: tzinfo | None) -> Any:
    """Return a stored instant as a naive text in the session's zone; other values are unchanged."""
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value
    if instant.tzinfo is None or str(instant) != value:
        return value
    return str(instant.astimezone(zone).replace(tzinfo=None))

"""Chooses the driver for the address of a database; imports it only when it is needed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from streamd.config.extras import needs_extra
from streamd.sources.databases.mysql_driver import MySqlDriver
from streamd.sources.databases.postgres_driver import PostgresDriver
from streamd.sources.databases.session import DatabaseDriver, check_address
from streamd.sources.databases.sqlalchemy_driver import SqlAlchemyDriver
from streamd.sources.databases.sqlite_driver import SqliteDriver


def make_driver(address: str, base: Path, timeout: float) -> DatabaseDriver:
    """Return the driver for a database.

    :raises ValueError: if the driver is not installed, or the address is invalid.
    """
    scheme = check_address(address).partition(":")[0]
    if scheme == "sqlite":
        return SqliteDriver(base / unquote(address.removeprefix("sqlite:///")), timeout)
    if scheme in ("postgres", "postgresql"):
        return PostgresDriver(_import("psycopg", "PostgreSQL", "postgres"), address, timeout)
    if scheme in ("mysql", "mariadb"):
        return MySqlDriver(_import("pymysql", "MySQL", "mysql"), address, timeout)
    sqlalchemy = _import("sqlalchemy", scheme, "sqlalchemy")
    return SqlAlchemyDriver(sqlalchemy, address, base, timeout)


def _import(module: str, database: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ValueError(needs_extra(database, module, extra)) from None

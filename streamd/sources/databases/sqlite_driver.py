"""The driver for SQLite: opens the file for each run, read-only."""

from __future__ import annotations

import math
import re
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from streamd.sources.databases.rows import decode
from streamd.sources.databases.session import DatabaseDriver, too_long

_STEPS = 10_000
"""SQLite instructions between two checks of the time limit: some hundred microseconds."""

_READING = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
    # An R*Tree prepares these when it is opened; the file itself is read-only.
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE,
    sqlite3.SQLITE_DELETE,
}
"""The actions that a query on SQLite may take.  ATTACH and VACUUM INTO would write other files."""

_PRAGMA = re.compile(
    "(table|index|foreign_key|collation|function|database|module|pragma)_.*list|.*info"
)
"""Matches the pragmas whose argument is a name; the argument of others would change a setting."""

_ACTING = frozenset(("incremental_vacuum", "optimize", "shrink_memory", "wal_checkpoint"))
"""The pragmas that do something without an argument."""


class SqliteDriver(DatabaseDriver):
    """Opens the file for each run, so that a replaced file is noticed; never creates it."""

    def __init__(self, file: Path, timeout: float) -> None:
        self._file = file.absolute()
        self._uri = f"file:{quote(str(self._file))}?mode=ro"
        self._timeout = timeout

    def connect(self) -> sqlite3.Connection:
        # Half of the time at most is spent on waiting for a writer to finish.
        try:
            connection = sqlite3.connect(
                self._uri, self._timeout / 2, uri=True, check_same_thread=False
            )
        except sqlite3.OperationalError as error:  # SQLite does not say which file
            raise sqlite3.OperationalError(f"{error}: {self._file}") from None
        end = time.monotonic() + self._timeout
        connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        connection.text_factory = decode
        connection.execute("PRAGMA schema_version")  # is it a database, and may one read now?
        connection.set_authorizer(authorize)
        return connection

    def lost(self, connection: Any) -> bool:
        return True

    def read(
        self, connection: Any, query: str, values: Mapping[str, Any], limit: int
    ) -> tuple[Any, Any]:
        cursor = connection.execute(query, values)
        return cursor.description, cursor.fetchmany(limit)

    def lowest(self, type: Any) -> Any:
        return -math.inf  # below all numbers, and numbers are below all texts

    def abort(self, connection: Any) -> None:
        connection.interrupt()

    def explain(self, error: BaseException | None) -> str | None:
        if not isinstance(error, sqlite3.Error | sqlite3.Warning):
            return None
        text = str(error)
        if "unable to open" in text:
            return "database file missing or not readable"
        if text in ("not authorized", "authorization denied"):
            return "a query may only read"
        return too_long(self._timeout) if text == "interrupted" else text


def authorize(action: int, what: str | None, argument: str | None, *place: Any) -> int:
    """Allow or deny an action of a statement, as ``sqlite3.Connection.set_authorizer`` asks."""
    reads = action in _READING
    if action == sqlite3.SQLITE_PRAGMA:
        name = (what or "").lower()
        reads = name not in _ACTING and (argument is None or bool(_PRAGMA.fullmatch(name)))
    return sqlite3.SQLITE_OK if reads else sqlite3.SQLITE_DENY

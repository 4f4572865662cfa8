"""MySQL and MariaDB: their types."""

from __future__ import annotations

from datetime import datetime

from tests.support.databases import MariaServer
from tests.support.net import wait_until
from tests.support.served import Serve, in_thread
from tests.support.streams import Streams, check_types

NAIVE = datetime(2026, 1, 2, 3, 4, 5)
"""Taken for this machine's."""

TYPES = {
    "NULL": None,
    "CAST(1.50 AS DECIMAL(9, 2))": 1.5,
    "CAST(18446744073709551615 AS UNSIGNED)": 18446744073709551615,
    "1e0 / 4": 0.25,
    "TIMESTAMP '2026-01-02 03:04:05'": NAIVE.astimezone().isoformat(),
    "DATE '2026-01-02'": "2026-01-02",
    "TIME '01:30:00'": 5400,
    "'50% ÄÖ 🍰'": "50% ÄÖ 🍰",
}


@in_thread
def test_types(mariadb: MariaServer, serve: Serve) -> None:
    check_types(serve, mariadb.url, TYPES, "CAST('x' AS BINARY)")


@in_thread
def test_after_a_date(mariadb: MariaServer, serve: Serve) -> None:
    mariadb.sql(
        "CREATE TABLE visits (at DATETIME(3) PRIMARY KEY)",
        "INSERT INTO visits VALUES ('2026-01-02 03:04:05.25'), ('2026-01-02 03:04:06')",
    )
    streams = Streams(
        serve(
            f"""
            [sources.visits]
            database = "{mariadb.url}"
            query = "SELECT at, 1 AS n FROM visits WHERE at > :after ORDER BY at"
            after = "at"
            every = "100ms"
            """
        )
    )
    wait_until(lambda: len(streams.history("visits")) == 2)
    mariadb.sql("INSERT INTO visits VALUES ('2026-01-02 03:04:05.5')")
    wait_until(lambda: len(streams.history("visits")) == 3)
    assert [visit["at"][17:21] for visit in streams.history("visits")][::2] == ["05.2", "05.5"]

"""MySQL and MariaDB: their types, and the time zone of the session."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from tests.support.databases import MariaServer
from tests.support.net import wait_until
from tests.support.served import Serve, in_thread
from tests.support.streams import Streams, check_series, check_types

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
def test_a_series(mariadb: MariaServer, serve: Serve) -> None:
    check_series(serve, mariadb.url, "CAST(DATE_FORMAT(at, '%Y-%m-%d %H:00') AS DATETIME)")


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


@in_thread
def test_a_timestamp_is_an_instant(
    mariadb: MariaServer, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")  # the server has another zone
    time.tzset()
    mariadb.sql(
        "SET SESSION time_zone = '+05:00'",
        "CREATE TABLE visits (id INT, at TIMESTAMP, day DATETIME)",
        "INSERT INTO visits VALUES (1, '2026-01-02 08:04:05', '2026-01-02 08:04:05')",
    )
    table = f'database = "{mariadb.url}"\nquery = '
    streams = Streams(
        serve(
            f"""
            [sources.visit]
            {table} "SELECT at, day, NOW() AS now FROM visits"
            [sources.visits]
            {table} "SELECT at FROM visits WHERE at > :after ORDER BY at"
            after = "at"
            time = "at"
            every = "100ms"
            """
        )
    )
    wait_until(lambda: streams.value("visit.at"))
    instant = datetime.fromisoformat("2026-01-02T03:04:05+00:00")
    assert datetime.fromisoformat(streams.value("visit.at")) == instant
    assert datetime.fromisoformat(streams.value("visit.day")).replace(tzinfo=None) == datetime(
        2026, 1, 2, 8, 4, 5
    )
    now = datetime.fromisoformat(streams.value("visit.now"))
    assert abs((datetime.now().astimezone() - now).total_seconds()) < 60
    wait_until(lambda: len(streams.history("visits")) == 1)
    assert streams.all()["visits"]["time"] == instant.timestamp()
    mariadb.sql("INSERT INTO visits VALUES (2, FROM_UNIXTIME(1767323046), NULL)")
    wait_until(lambda: len(streams.history("visits")) == 2)
    monkeypatch.undo()
    time.tzset()


@in_thread
def test_a_bit_says_what_to_write(mariadb: MariaServer, serve: Serve) -> None:
    mariadb.sql("CREATE TABLE doors (open BIT(1))", "INSERT INTO doors VALUES (b'1')")
    query = "SELECT 1 AS ok, open, open + 0 AS number, CAST('0000-00-00' AS DATE) AS d FROM doors"
    streams = Streams(serve(f'[sources.door]\ndatabase = "{mariadb.url}"\nquery = "{query}"'))
    streams.expect("door.ok", 1)
    streams.expect("door.number", 1)
    assert "open + 0" in (streams.expect_health("door", "failed") or "")


@in_thread
def test_a_parameter_behind_an_escaped_quote(mariadb: MariaServer, serve: Serve) -> None:
    mariadb.sql("CREATE TABLE visits (id INT)", "INSERT INTO visits VALUES (1)")
    streams = Streams(
        serve(
            f"""
            [sources.visits]
            database = "{mariadb.url}"
            query = '''SELECT id, 'it\\'s :after' AS text FROM visits /* don't */
                WHERE id > :after ORDER BY id'''
            after = "id"
            """
        )
    )
    streams.expect("visits", {"id": 1, "text": "it's :after"})

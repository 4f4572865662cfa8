"""Databases by SQLAlchemy: DuckDB and SQLite files, and what is missing for others.

What servers do by SQLAlchemy is in test_session.py, test_backfill.py and test_bad_days.py.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from streamd.sources.databases.drivers import make_driver
from streamd.sources.databases.sqlalchemy_driver import SqlAlchemyDriver, instant
from streamd.sources.databases.statements import Lowest
from streamd.sources.errors import SourceError
from tests.support.daemon import StartDaemon
from tests.support.databases import PASSWORD, DuckFile
from tests.support.net import wait_until
from tests.support.served import Serve, in_thread
from tests.support.streams import Streams, check_series, check_types, configuration, mistake

TYPES = {
    "NULL": None,
    "1.50::DECIMAL(9, 2)": 1.5,
    "18446744073709551615::UBIGINT": 18446744073709551615,
    "TIMESTAMPTZ '2026-01-02 03:04:05+00'": "2026-01-02T03:04:05+00:00",
    "DATE '2026-01-02'": "2026-01-02",
    "DATE '290000-01-01'": "290000-01-01",
    "INTERVAL '90 minutes'": 5400,
    "[1, 2]": [1, 2],
    "{'a': 1}": {"a": 1},
    "'50% :after ÄÖ 🍰'": "50% :after ÄÖ 🍰",
}


@pytest.fixture
def duck(tmp_path: Path) -> DuckFile:
    found = DuckFile(tmp_path / "shop.duckdb")
    found.sql("CREATE TABLE orders (id INTEGER, amount INTEGER, made TIMESTAMP)")
    return found


def driver(address: str, base: Path = Path(), timeout: float = 3.0) -> Any:
    return make_driver(address, base, timeout)


@in_thread
def test_types(duck: DuckFile, serve: Serve) -> None:
    check_types(serve, duck.url, TYPES, "'x'::BLOB")


@in_thread
def test_a_series(duck: DuckFile, serve: Serve) -> None:
    check_series(serve, duck.url, "date_trunc('hour', CAST(\"at\" AS TIMESTAMP))")


@in_thread
def test_new_rows_come_once_after_a_restart(duck: DuckFile, serve: Serve, tmp_path: Path) -> None:
    duck.sql("INSERT INTO orders VALUES (1, 10, '2026-01-02 03:04:05.25')")
    text = f"""
        [journal]
        path = "{tmp_path}/log.db"
        [streams.sold]
        keep = 50
        [streams.times]
        keep = 50
        [sources.sold]
        database = "{duck.url}"
        query = "SELECT id, amount FROM orders WHERE id > :after ORDER BY id"
        after = "id"
        every = "100ms"
        [sources.times]
        database = "{duck.url}"
        query = "SELECT made, id FROM orders WHERE made > :after ORDER BY made"
        after = "made"
        time = "made"
        every = "100ms"
        """
    served = serve(text)
    streams = Streams(served)
    wait_until(lambda: ids(streams, "sold") == ids(streams, "times") == [1])
    served.run(served.service.stopService)
    duck.sql(
        "INSERT INTO orders VALUES (2, 20, '2026-01-02 03:04:06'), (3, 5, '2026-01-02 03:04:07')"
    )
    streams = Streams(serve(text))
    wait_until(lambda: ids(streams, "sold") == ids(streams, "times") == [1, 2, 3])


def ids(streams: Streams, name: str) -> list[int]:
    return [value["id"] for value in streams.history(name)]


@in_thread
def test_a_backfill(duck: DuckFile, serve: Serve) -> None:
    long_ago = time.time() // 3600 * 3600 - 5 * 86_400
    local = datetime.fromtimestamp(long_ago)
    duck.sql(f"INSERT INTO orders VALUES (1, 10, '{local}'), (2, 30, '{datetime.now()}')")
    served = serve(
        f"""
        [sources.shop]
        database = "{duck.url}"
        query = "SELECT amount FROM orders ORDER BY made DESC LIMIT 1"
        [sources.shop.backfill]
        query = "SELECT made AS time, amount FROM orders WHERE made >= :from AND made < :to"
        [streams.shop.amount]
        rollup = "8d"
        """
    )
    path = f"/streams/shop.amount?from={long_ago - 3600}&to={long_ago + 60}&points=500"

    def lows() -> list[float]:
        return [point[1] for point in served.request("GET", path).json()["points"]]

    wait_until(lambda: lows() == [10], what="the slot of that minute, and none before")


@in_thread
def test_bad_days_of_a_file(duck: DuckFile, serve: Serve) -> None:
    table = f'database = "{duck.url}"\nevery = "100ms"\n'
    streams = Streams(
        serve(
            f"""
            [sources.shop]
            {table}query = "SELECT count(*) AS orders, 'nan'::DOUBLE AS bad FROM orders"
            [sources.wrong]
            {table}query = "DELETE FROM orders"
            [sources.endless]
            {table}query = "SELECT count(*) AS n FROM range(100000000000) AS a, range(1000) AS b"
            timeout = "300ms"
            """
        )
    )
    streams.expect("shop.orders", 0)
    assert "JSON has no NaN" in (streams.expect_health("shop", "failed") or "")
    assert "read-only" in (streams.expect_health("wrong", "failed") or "")
    assert " 0.3 s" in (streams.expect_health("endless", "failed") or "")
    away = duck.file.rename(duck.file.with_suffix(".away"))
    assert streams.expect_health("shop.orders", "failed") == "database file missing or not readable"
    duck.file.write_text("this is no database" * 500)
    wait_until(lambda: "not a valid DuckDB" in (streams.health("shop.orders")[1] or ""))
    assert str(duck.file) not in (streams.health("shop.orders")[1] or "")
    away.rename(duck.file)
    streams.expect_health("shop.orders", "fresh")
    duck.sql("INSERT INTO orders VALUES (1, 10, NULL)")
    streams.expect("shop.orders", 1)


def test_the_configuration_of_the_documentation(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_daemon(config=configuration("sqlalchemy"))
    duck = DuckFile(daemon.folder / "shop.duckdb")
    duck.sql(
        "CREATE TABLE orders (id INTEGER, amount INTEGER, made TIMESTAMP)",
        "INSERT INTO orders VALUES (1, 10, '2026-01-02 03:04:05'), (2, 15, '2026-01-02 03:04:06')",
    )
    streams = Streams(daemon)
    streams.expect("shop.revenue", 25)
    wait_until(lambda: ids(streams, "sales") == [1, 2])
    assert streams.all()["sales"]["time"] == datetime(2026, 1, 2, 3, 4, 6).timestamp()


def test_sqlite_is_only_read(tmp_path: Path) -> None:
    missing = driver("sqlite+pysqlite:///shop.db", tmp_path)
    with pytest.raises(Exception, match="unable to open") as caught:
        missing.connect()
    assert missing.explain(caught.value) == "database file missing or not readable"
    assert not (tmp_path / "shop.db").exists()
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE orders (name TEXT)")
        connection.execute("INSERT INTO orders VALUES (CAST(x'e9' AS TEXT)), ('b:after')")
    for query in "INSERT INTO orders VALUES (1)", f"ATTACH '{tmp_path}/new.db' AS other":
        with (
            closing(missing.connect()) as link,
            pytest.raises(Exception, match="not auth") as caught,
        ):
            missing.read(link, query, {}, 1)
        assert missing.explain(caught.value) == "a query may only read"
    with closing(missing.connect()) as link:
        query = "SELECT name, ':after' AS text FROM orders WHERE rowid > :after"
        _, rows = missing.read(link, query, {"after": missing.lowest(None)}, 9)
    assert rows[1:] == [("b:after", ":after")]
    assert rows[0][0].reason == "the text is not UTF-8"


@pytest.mark.parametrize(
    ("database", "why"),
    [
        ("mssql+pymssql://h/d", 'mssql+pymssql needs pymssql: run pip install "pymssql"'),
        ("oracle+oracledb://h/d", 'oracle+oracledb needs oracledb: run pip install "oracledb"'),
        ("mysql+mysqldb://h/d", 'mysql+mysqldb needs mysqlclient: run pip install "mysqlclient"'),
        (
            "snowflake://h/d",
            'snowflake needs snowflake-sqlalchemy: run pip install "snowflake-sqlalchemy"',
        ),
        ("nothing://h/d", "SQLAlchemy has no dialect nothing: install the package that brings it"),
        (
            "postgresql+psycopg://h:port/d",
            'expected "DIALECT+DRIVER://USER:PASSWORD@HOST:PORT/NAME"',
        ),
        (
            "shop.db",
            'expected "sqlite:///FILE", "postgresql://HOST/NAME" or "mysql://HOST/NAME", or as '
            'SQLAlchemy takes it "mssql+pymssql://HOST/NAME"',
        ),
    ],
)
def test_a_missing_package_is_named(database: str, why: str) -> None:
    text = f'[sources.shop]\ndatabase = "{database}"\nquery = "SELECT 1 AS one"'
    assert mistake(text) == f"sources.shop.database: {why}"


def test_a_channel_needs_the_driver_of_postgresql() -> None:
    text = '[sources.shop]\ndatabase = "postgresql+psycopg://h/d"\nlisten = "sold"'
    assert "expected PostgreSQL" in mistake(text)


def test_passwords_are_left_out() -> None:
    made = driver(f"postgresql+psycopg://shop:{PASSWORD}@127.0.0.1:1/shop")
    assert made._text(Exception(f"no, {PASSWORD}")) == "no, …"
    assert "p%40ss" not in driver("postgresql+psycopg://shop:p%40ss@h/d")._text(Exception("p%40ss"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-01-02 03:04:05.250000", datetime(2026, 1, 2, 3, 4, 5, 250000)),
        ("2026-01-02", datetime(2026, 1, 2)),
        ("20260102", "20260102"),
        ("north", "north"),
        (7, 7),
        (None, None),
    ],
)
def test_texts_of_times_become_times_for_some_databases(text: Any, value: Any) -> None:
    assert instant(text) == value
    if isinstance(value, datetime) and text == str(date(2026, 1, 2)):
        assert instant(str(value.date())) == value


def test_the_lowest_value_of_each_type(duck: DuckFile) -> None:
    made: SqlAlchemyDriver = driver(duck.url)
    lowest = {
        "DB_TYPE_NUMBER": -(2**63),
        "Nullable(UInt64)": -(2**63),
        str(float): -(2**63),
        "TIMESTAMP WITH TIME ZONE": "0001-01-01 00:00:00",
        str(datetime): "0001-01-01 00:00:00",
        "VARCHAR": "",
        str(str): "",
    }
    assert {name: Lowest(value) for name, value in lowest.items()} == {
        name: made.lowest(name) for name in lowest
    }
    with pytest.raises(SourceError) as caught:
        made.lowest("BLOB")
    assert caught.value.key == "start"


def test_a_writer_is_waited_for(duck: DuckFile) -> None:
    made = driver(duck.url, timeout=0.4)
    with closing(duck.connect()):
        began = time.monotonic()
        with pytest.raises(Exception, match="different configuration"):
            made.connect()
        assert time.monotonic() - began >= 0.2
    made.connect().close()

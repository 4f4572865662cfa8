"""SQLite: a query reads this file and nothing else, and one bad cell stays one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from streamd.sources.databases.sqlite_driver import SqliteDriver
from tests.support.served import Serve, in_thread
from tests.support.streams import Streams, check_series


@in_thread
def test_a_text_that_is_not_utf8_fails_alone(serve: Serve, tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "shop.db").close()
    streams = Streams(
        serve(
            f"""
            [sources.shop]
            database = "sqlite:///{tmp_path}/shop.db"
            query = "SELECT 1 AS ok, CAST(x'e9' AS TEXT) AS name"
            """
        )
    )
    streams.expect("shop.ok", 1)
    error = streams.expect_health("shop", "failed")
    assert error == "shop.name: column name: the text is not UTF-8"
    assert streams.health("shop.ok") == ("fresh", None)


@in_thread
def test_a_series(serve: Serve, tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "shop.db").close()
    check_series(serve, f"sqlite:///{tmp_path}/shop.db", "strftime('%Y-%m-%d %H:00', at)")


@pytest.mark.parametrize(
    "query",
    [
        "VACUUM INTO '{}/copy.db'",
        "ATTACH '{}/copy.db' AS other",
        "CREATE TEMP TABLE t (a)",
        "PRAGMA temp_store_directory = '{}'",
        "PRAGMA wal_checkpoint",
        "PRAGMA main.Optimize",
        "PRAGMA main.user_version = 5",
        "INSERT INTO orders VALUES (1)",
        "DETACH main",
        "SAVEPOINT a",
        "BEGIN",
    ],
)
def test_a_query_writes_nothing(query: str, tmp_path: Path) -> None:
    driver = make(tmp_path)
    with closing(driver.connect()) as connection, pytest.raises(sqlite3.Error) as caught:
        driver.read(connection, query.format(tmp_path), {"after": None}, 1)
    assert driver.explain(caught.value) == "a query may only read"
    assert [file.name for file in tmp_path.iterdir()] == ["shop.db"]


@pytest.mark.parametrize(
    ("query", "row"),
    [
        ("SELECT * FROM pragma_table_info('orders')", (0, "id", "", 0, None, 0)),
        ("PRAGMA table_info(orders)", (0, "id", "", 0, None, 0)),
        ("PRAGMA user_version", (0,)),
        ("SELECT value FROM json_each('[7]')", (7,)),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n) SELECT i FROM n", (1,)),
        ("SELECT id FROM boxes WHERE x0 > 0", (1,)),
        ("SELECT text FROM words WHERE words MATCH 'b'", ("a b c",)),
        ("SELECT max(id) OVER () FROM boxes ORDER BY random()", (1,)),
    ],
)
def test_a_query_reads_everything(query: str, row: tuple[object, ...], tmp_path: Path) -> None:
    driver = make(tmp_path)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1)")
        database.execute("INSERT INTO boxes VALUES (1, 1, 2)")
        database.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
        database.execute("INSERT INTO words VALUES ('a b c')")
    with closing(driver.connect()) as connection:
        assert driver.read(connection, query, {"after": None}, 1)[1] == [row]


def make(folder: Path) -> SqliteDriver:
    """The driver of a file with a table."""
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        database.execute("CREATE TABLE orders (id)")
    return SqliteDriver(folder / "shop.db", 3)

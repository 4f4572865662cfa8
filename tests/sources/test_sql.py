"""Polled SQL on real SQLite files: what is in a row is a stream, what goes wrong is health."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import deferLater

from streamd.config.kind import Surroundings
from streamd.core.duration import Duration
from streamd.sources.databases.queries import Query
from streamd.sources.databases.session import Address
from streamd.sources.sql import KIND, SqlSettings, SqlSource
from tests.support.fakes import Daemonette, about

EVERY = 0.05

QUERY = "SELECT count(*) AS orders, sum(amount) AS revenue FROM orders"


async def pause(seconds: float) -> None:
    await deferLater(reactor, seconds)


class Shop:
    """A database, and the source that reads it into a log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "my shop?#1.db"
        self.daemon = Daemonette()
        self._sources: list[SqlSource] = []

    def create(self) -> None:
        self.change("CREATE TABLE orders (amount REAL)", "INSERT INTO orders VALUES (2.5)")

    def change(self, *statements: str) -> None:
        """Commit these statements."""
        with closing(sqlite3.connect(self.file)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Somebody writes, and nobody else may read."""
        with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield

    def start(self, query: str = QUERY, **settings: Any) -> None:
        """Read the database from now on."""
        table = SqlSettings(
            database=Address("sqlite:///my%20shop%3F%231.db"),
            query=Query(query),
            every=Duration(EVERY),
            **settings,
        )
        source = KIND.make("shop", table, Surroundings(reactor, self.folder))
        self._sources.append(source)
        shared = {key: settings[key] for key in settings.keys() & {"whole", "repeat", "expect"}}
        source.start(self.daemon.feed("shop", every=EVERY, **shared))

    async def stop(self) -> None:
        while self._sources:
            await maybeDeferred(self._sources.pop().stop)

    def values(self) -> dict[str, Any]:
        return self.daemon.values()

    def error(self, stream: str = "shop") -> str | None:
        """The error of a stream, or of the source before it had streams; None if there is none."""
        if not self.daemon.state.get(stream):
            return None
        return self.daemon.health(stream)[1]

    async def until(self, question: Callable[[], Any], seconds: float = 30) -> Any:
        """Wait for a true answer."""
        end = time.monotonic() + seconds
        while not (answer := question()):
            assert time.monotonic() < end, (self.values(), about(self.daemon.state))
            await pause(0.005)
        return answer


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    made = Shop(tmp_path)
    made.create()
    yield made
    await made.stop()


async def test_a_row_appears(shop: Shop) -> None:
    shop.start()
    await shop.until(lambda: shop.values() == {"shop.orders": 1, "shop.revenue": 2.5})
    shop.change("INSERT INTO orders VALUES (7.5)")
    await shop.until(lambda: shop.values() == {"shop.orders": 2, "shop.revenue": 10.0})


async def test_only_what_changed_is_in_the_log(shop: Shop) -> None:
    shop.start()
    await shop.until(lambda: shop.values())
    shop.change("INSERT INTO orders VALUES (0)")
    await shop.until(lambda: shop.values()["shop.orders"] == 2)
    await pause(4 * EVERY)
    assert shop.daemon.log == [("shop.orders", 1), ("shop.revenue", 2.5), ("shop.orders", 2)]


async def test_no_rows_and_null(shop: Shop) -> None:
    shop.change("DELETE FROM orders")
    shop.start()
    await shop.until(lambda: shop.values() == {"shop.orders": 0, "shop.revenue": None})
    await shop.stop()
    shop.start("SELECT amount FROM orders")
    await shop.until(lambda: shop.values().get("shop.amount", 0) is None)


async def test_the_file_is_missing_and_comes(shop: Shop) -> None:
    shop.file.unlink()
    shop.start()
    await shop.until(lambda: shop.error())
    assert shop.error() == "database file missing or not readable"
    assert not shop.file.exists()
    shop.create()
    await shop.until(lambda: shop.values())
    assert shop.daemon.state.get("shop") is None
    assert shop.error("shop.orders") is None


async def test_the_file_is_replaced(shop: Shop) -> None:
    shop.start()
    await shop.until(lambda: shop.values())
    shop.file.rename(shop.folder / "old.db")
    await shop.until(lambda: shop.error("shop.orders"))
    assert shop.error("shop.revenue") == "database file missing or not readable"
    assert shop.values() == {"shop.orders": 1, "shop.revenue": 2.5}
    shop.change("CREATE TABLE orders (amount REAL)")
    await shop.until(lambda: shop.values() == {"shop.orders": 0, "shop.revenue": None})
    assert shop.error("shop.orders") is None


async def test_the_table_is_dropped(shop: Shop) -> None:
    shop.start()
    await shop.until(lambda: shop.values())
    shop.change("ALTER TABLE orders RENAME TO elsewhere")
    await shop.until(lambda: shop.error("shop.orders"))
    assert shop.error("shop.orders") == "no such table: orders"
    shop.change("ALTER TABLE elsewhere RENAME TO orders")
    await shop.until(lambda: shop.error("shop.orders") is None)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("SELECT nowhere FROM orders", "no such column: nowhere"),
        ("SELEC 1", 'near "SELEC": syntax error'),
        ("SELECT 1; SELECT 2", "You can only execute one statement at a time."),
        ("DELETE FROM orders", "a query may only read"),
        ("-- nothing", "the query gives no columns"),
        ("SELECT x'00' AS blob", "bytes"),
        ("SELECT 9e999 AS much", "NULLIF(much, 'Infinity')"),
        ("SELECT count(*) FROM orders", "write count(*) AS a_name"),
        ("SELECT replace(hex(zeroblob(40000)), '0', 'x') AS long", "64 KiB"),
    ],
)
async def test_a_wrong_query(shop: Shop, query: str, error: str) -> None:
    shop.start(query)
    assert error in await shop.until(lambda: shop.error())
    assert shop.values() == {}


async def test_a_file_that_is_no_database(shop: Shop) -> None:
    shop.file.write_bytes(b"x" * 10_000)
    shop.start()
    assert await shop.until(lambda: shop.error()) == "file is not a database"


async def test_locked(shop: Shop) -> None:
    shop.start(timeout=Duration(0.2))
    await shop.until(lambda: shop.values())
    with shop.locked():
        await shop.until(lambda: shop.error("shop.orders") == "database is locked")
    await shop.until(lambda: shop.error("shop.orders") is None)


async def test_a_writer_that_is_soon_done_is_waited_for(shop: Shop) -> None:
    with shop.locked():
        shop.start()
        await pause(0.2)
        assert shop.error() is None
    await shop.until(lambda: shop.values())


ENDLESS = (
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) AS m FROM n"
)


async def test_a_query_that_takes_too_long(shop: Shop) -> None:
    shop.start(ENDLESS, timeout=Duration(0.1))
    # All the while the reactor turns, or this would not come back.
    assert await shop.until(lambda: shop.error()) == "the query took longer than 0.1 s"


async def test_stop_ends_a_run_under_way(shop: Shop) -> None:
    shop.start(ENDLESS)
    await pause(0.1)
    await shop.stop()
    assert shop.daemon.log == []
    for thread in [t for t in threading.enumerate() if "database" in t.name]:
        thread.join(20)
        assert not thread.is_alive()


async def test_stop_before_the_first_run_and_without_one(shop: Shop) -> None:
    shop.start()
    await shop.stop()
    source = KIND.make(
        "shop",
        SqlSettings(database=Address("sqlite:///x"), query=Query("SELECT 1")),
        Surroundings(reactor, shop.folder),
    )
    await maybeDeferred(source.stop)

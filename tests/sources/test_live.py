"""A table in a SQLite file, on every viewer: the daemon as a process, and the file's bad days."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from websockets.sync.client import connect

from tests.support.daemon import Daemon, StartDaemon
from tests.support.net import wait_until
from tests.support.served import Serve, in_thread

EVERY = 0.2
WAIT = 20.0
"""Seconds that a viewer waits for a message before the test fails."""

CONFIG = """
[access]
publish = "loopback"
[sources.shop]
database = "sqlite:///shop.db"
query = "SELECT count(*) AS orders, sum(amount) AS revenue FROM orders"
every = "200ms"
[streams.shop.revenue]
unit = "€"
warn = "< 10"
"""


class Shop:
    """The file, and the daemon that reads it."""

    daemon: Daemon

    def __init__(self, file: Path) -> None:
        self.file = file

    def sql(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.file)) as database, database:
            for statement in statements:
                database.execute(statement)

    def create(self) -> None:
        self.sql("CREATE TABLE orders (amount REAL)", "INSERT INTO orders VALUES (5)")

    def streams(self) -> Any:
        return self.daemon.request("GET", "/streams").json()["streams"]

    def health(self, name: str) -> Any:
        return self.streams().get(name, {}).get("health", {})

    def lines(self, text: str) -> list[str]:
        return [line for line in self.daemon.log().splitlines() if text in line]


Open = Callable[..., Shop]


@pytest.fixture
def open_shop(start_daemon: StartDaemon, tmp_path: Path) -> Open:
    def start(config: str = CONFIG, exists: bool = True) -> Shop:
        shop = Shop(tmp_path / "shop.db")
        if exists:
            shop.create()
        shop.daemon = start_daemon(config=config.replace("///shop.db", f"///{shop.file}"))
        return shop

    return start


@pytest.fixture
def shop(open_shop: Open) -> Shop:
    shop = open_shop()
    wait_until(lambda: "shop.orders" in shop.daemon.request("GET", "/state").json())
    return shop


def test_inserted_row_is_on_every_viewer(shop: Shop) -> None:
    with connect(shop.daemon.ws_url) as one, connect(shop.daemon.ws_url) as other:
        first = {"shop.orders": 1, "shop.revenue": 5.0}
        assert json.loads(one.recv(WAIT)) == json.loads(other.recv(WAIT)) == first
        for count in (2, 3):
            shop.sql("INSERT INTO orders VALUES (2.5)")
            changed = {"shop.orders": count, "shop.revenue": 2.5 + 2.5 * count}
            assert json.loads(one.recv(WAIT)) == json.loads(other.recv(WAIT)) == changed


def test_inserted_row_is_on_the_page(shop: Shop, page: Page) -> None:
    page.goto(shop.daemon.url)
    expect(page.locator(".value")).to_have_text(["5", "1"])
    shop.sql("INSERT INTO orders VALUES (2.5)")
    expect(page.locator(".value")).to_have_text(["7.5", "2"])


def test_only_what_changed_is_an_update(shop: Shop) -> None:
    shop.sql("INSERT INTO orders VALUES (0)")
    wait_until(lambda: shop.streams()["shop.orders"]["value"] == 2)
    time.sleep(3 * EVERY)
    streams = shop.streams()
    assert (streams["shop.orders"]["seq"], streams["shop.revenue"]["seq"]) == (2, 1)
    assert streams["shop.revenue"]["health"]["proof"] > streams["shop.revenue"]["time"]


def test_viewers_make_no_query_run_more_often(shop: Shop) -> None:
    """A proof a run: this many runs there were."""

    def proofs() -> list[float]:
        seen = set()
        end = time.monotonic() + 1
        while time.monotonic() < end:
            seen.add(shop.health("shop.orders")["proof"])
            time.sleep(0.01)
        return sorted(seen)

    with connect(shop.daemon.ws_url), connect(shop.daemon.ws_url), connect(shop.daemon.ws_url):
        seen = proofs()
    assert len(seen) <= (seen[-1] - seen[0]) / EVERY + 2


def test_levels_and_descriptions(shop: Shop) -> None:
    revenue = shop.streams()["shop.revenue"]
    assert (revenue["unit"], revenue["health"]["level"]) == ("€", "warn")
    shop.sql("INSERT INTO orders VALUES (100)")
    wait_until(lambda: shop.health("shop.revenue")["level"] == "ok")


def test_file_that_is_not_there_yet(open_shop: Open) -> None:
    shop = open_shop(exists=False)
    wait_until(lambda: shop.health("shop").get("state") == "failed")
    assert shop.health("shop")["error"] == "database file missing or not readable"
    assert shop.streams()["shop"]["seq"] == 0
    assert shop.streams()["shop.revenue"]["value"] is None  # it is configured
    assert not shop.file.exists(), "it must not be made"
    shop.create()
    wait_until(lambda: shop.daemon.request("GET", "/state").json().get("shop.orders") == 1)
    wait_until(lambda: "shop" not in shop.streams())
    assert shop.health("shop.orders")["state"] == "fresh"


def lose_file(shop: Shop) -> None:
    shop.file.unlink()


def drop_table(shop: Shop) -> None:
    shop.sql("DROP TABLE orders")


def break_file(shop: Shop) -> None:
    with shop.file.open("r+b") as file:  # an empty one would be a database
        file.write(b"this is no database, however one looks at it" * 100)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lose_file, "missing or not readable"),
        (drop_table, "no such table: orders"),
        (break_file, "not a database"),
    ],
)
def test_failure_is_health_and_one_line_and_it_recovers(
    shop: Shop, spoil: Callable[[Shop], None], why: str
) -> None:
    with connect(shop.daemon.ws_url) as viewer:
        viewer.recv(WAIT)
        spoil(shop)
        wait_until(lambda: shop.health("shop.orders")["state"] == "failed")
        for name in ("shop.orders", "shop.revenue"):
            stream = shop.streams()[name]
            assert why in stream["health"]["error"]
            assert stream["health"]["state"] == "failed"
            assert stream["value"] is not None, "the last value is kept, beside the failure"
            assert str(shop.daemon.folder) not in stream["health"]["error"]
        time.sleep(1.5)  # at least one more attempt
        assert len(shop.lines(why)) == 1, shop.daemon.log()

        mended = Shop(shop.file.with_name("mended.db"))
        mended.create()
        mended.sql("INSERT INTO orders VALUES (1)")
        mended.file.replace(shop.file)  # all of it at once
        assert json.loads(viewer.recv(WAIT)) == {"shop.orders": 2, "shop.revenue": 6.0}
        wait_until(lambda: shop.health("shop.orders")["state"] == "fresh")
        assert shop.health("shop.orders")["error"] is None
        assert len(shop.lines("is back")) == 1


WRONG = {
    "SELEKT 1": "syntax error",
    "SELECT price FROM orders": "no such column: price",
    "SELECT * FROM nowhere": "no such table: nowhere",
    "DELETE FROM orders": "a query may only read",
    "SELECT 1; SELECT 2": "one statement at a time",
    "PRAGMA query_only = 0": "a query may only read",
    "SELECT load_extension('x')": "a query may only read",
}


def test_wrong_queries_each_say_why(open_shop: Open) -> None:
    tables = [
        f'[sources.q{number}]\ndatabase = "sqlite:///shop.db"\nquery = "{query}"\n'
        for number, query in enumerate(WRONG)
    ]
    shop = open_shop(CONFIG + "".join(tables))
    last = f"q{len(WRONG) - 1}"
    for number, why in enumerate(WRONG.values()):
        found = wait_until(
            lambda name=f"q{number}": shop.health(name).get("error"),  # type: ignore[misc]
            what=last,
        )
        assert why in found
    assert wait_until(lambda: shop.health("shop.orders").get("state")) == "fresh"
    assert shop.streams()["shop.orders"]["value"] == 1


@in_thread
def test_query_that_takes_too_long(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    sqlite3.connect(file).close()
    file.touch()
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n"
    served = serve(
        f"""
        [sources.long]
        database = "sqlite:///{file}"
        query = "{endless}"
        timeout = "200ms"
        """
    )
    wait_until(lambda: served.request("GET", "/streams").json()["streams"])
    assert served.request("GET", "/healthz").status == 200, "the daemon waits for no query"
    [health] = [s["health"] for s in served.request("GET", "/streams").json()["streams"].values()]
    assert health["error"] == "the query took longer than 0.2 s"


def test_path_is_relative_to_the_configuration(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(config=CONFIG)
    shop = Shop(daemon.folder / "shop.db")
    shop.create()
    wait_until(lambda: daemon.request("GET", "/state").json().get("shop.orders") == 1)


def test_one_bad_source_stops_no_other(open_shop: Open) -> None:
    shop = open_shop(
        CONFIG
        + """
[sources.bad]
database = "sqlite:///shop.db"
query = "SELEKT 1"
every = "200ms"
[sources.walk]
kind = "random_walk"
"""
    )
    wait_until(lambda: shop.health("bad").get("state") == "failed")
    wait_until(lambda: {"shop.orders", "walk"} <= set(shop.daemon.request("GET", "/state").json()))
    wait_until(lambda: shop.health("shop.orders")["state"] == "fresh")


def test_column_that_cannot_be_a_value_fails_alone(open_shop: Open) -> None:
    columns = "count(*) AS orders, x'00ff' AS picture, max(1)"
    shop = open_shop(CONFIG.replace("count(*) AS orders, sum(amount) AS revenue", columns))
    wait_until(lambda: shop.daemon.request("GET", "/state").json() == {"shop.orders": 1})
    shop.sql("INSERT INTO orders VALUES (1)")
    wait_until(lambda: shop.daemon.request("GET", "/state").json() == {"shop.orders": 2})
    assert any("picture" in (s["health"]["error"] or "") for s in shop.streams().values())
    time.sleep(3 * EVERY)
    assert len(shop.lines("picture")) == 1
    assert len(shop.lines("write max(1) AS a_name")) == 1

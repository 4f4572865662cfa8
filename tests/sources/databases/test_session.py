"""Queries on real servers, PostgreSQL and MariaDB: what the rows become, and what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.daemon import StartDaemon
from tests.support.databases import PASSWORD, DatabaseServer
from tests.support.net import wait_until
from tests.support.served import Serve, in_thread
from tests.support.streams import Streams

REGIONS = (
    "CREATE TABLE orders (region varchar(20), amount int)",
    "INSERT INTO orders VALUES ('north', 1), ('north', 2), ('far east', 5)",
)
BY_REGION = "SELECT region, count(*) AS orders, max(amount) AS most FROM orders GROUP BY region"


@pytest.fixture(params=["postgres", "mariadb", "postgres_by_sqlalchemy", "mariadb_by_sqlalchemy"])
def server(request: pytest.FixtureRequest) -> DatabaseServer:
    found: DatabaseServer = request.getfixturevalue(request.param)
    return found


class Shop:
    """A source `shop` on a server, in a daemon."""

    def __init__(
        self, server: DatabaseServer, serve: Serve, *lines: str, every: str = "1s"
    ) -> None:
        self.server = server
        text = "\n".join(lines)
        database = "" if "database" in text else f'database = "{server.url}"\n'
        text = f'[sources.shop]\n{database}every = "{every}"\n{text}'
        self.served = serve(text)
        self.streams = Streams(self.served)

    def names(self) -> set[str]:
        return set(self.streams.all())


Start = Callable[..., Shop]


@pytest.fixture
def start(server: DatabaseServer, serve: Serve) -> Start:
    return lambda *lines, **options: Shop(server, serve, *lines, **options)


@in_thread
def test_a_row(server: DatabaseServer, start: Start) -> None:
    server.sql(*REGIONS)
    shop = start('query = "SELECT count(*) AS orders FROM orders WHERE 1 % 2 = 1"', every="200ms")
    shop.streams.expect("shop.orders", 3)
    server.sql("INSERT INTO orders VALUES ('north', 4)")
    shop.streams.expect("shop.orders", 4)


def test_on_the_wall(server: DatabaseServer, start_daemon: StartDaemon, page: Page) -> None:
    server.sql(*REGIONS)
    query = "SELECT count(*) AS orders FROM orders"
    daemon = start_daemon(
        config=f'[sources.shop]\ndatabase = "{server.url}"\nquery = "{query}"\nevery = "200ms"'
    )
    page.goto(f"{daemon.url}/")
    expect(page.locator(".value")).to_have_text(["3"])
    server.sql("INSERT INTO orders VALUES ('north', 4)")
    expect(page.locator(".value")).to_have_text(["4"])


@in_thread
def test_a_stream_a_row_and_column(server: DatabaseServer, start: Start) -> None:
    server.sql(*REGIONS)
    shop = start(f'query = "{BY_REGION}"\nkey = "region"', every="100ms")
    shop.streams.expect("shop.north.orders", 2)
    shop.streams.expect("shop.far_east.most", 5)
    server.sql("DELETE FROM orders WHERE region = 'north'")
    wait_until(lambda: shop.names() == {"shop.far_east.most", "shop.far_east.orders"})
    server.sql("INSERT INTO orders VALUES ('far_east', 1)")
    error = shop.streams.expect_health("shop.far_east.most", "failed")
    assert error == "two rows are far_east: region is 'far east' and 'far_east'"


@in_thread
def test_a_row_and_column_without_a_name(server: DatabaseServer, start: Start) -> None:
    server.sql(*REGIONS, "INSERT INTO orders VALUES (NULL, 9)")
    shop = start(
        'query = "SELECT region, sum(amount) AS amount FROM orders GROUP BY region"',
        'key = "region"',
    )
    shop.streams.expect("shop.null.amount", 9)
    assert shop.names() == {"shop.null.amount", "shop.north.amount", "shop.far_east.amount"}


@in_thread
def test_a_table(server: DatabaseServer, start: Start) -> None:
    server.sql(*REGIONS)
    shop = start(
        'query = "SELECT region, amount FROM orders ORDER BY amount DESC LIMIT 2"',
        "table = true",
        every="100ms",
    )
    far = {"region": "far east", "amount": 5}
    shop.streams.expect("shop", [far, {"region": "north", "amount": 2}])
    server.sql("DELETE FROM orders WHERE amount < 5")
    shop.streams.expect("shop", [far])
    server.sql("DELETE FROM orders")
    shop.streams.expect("shop", [])


@in_thread
def test_a_restart_between_two_runs_is_no_failure(server: DatabaseServer, start: Start) -> None:
    shop = start('query = "SELECT 1 AS one"')
    shop.streams.expect("shop.one", 1)
    [(source, _)] = shop.served.service.sources
    session = source._session  # type: ignore[attr-defined]

    def restarted() -> bool:
        """On the reactor, where no run can begin meanwhile."""
        if session._busy:
            return False
        server.restart()
        return True

    wait_until(lambda: shop.served.run(restarted), what="a moment between two runs")
    restart = time.time()

    def has_run() -> bool:
        about = shop.streams.all()["shop.one"]["health"]
        assert about["state"] != "failed", about  # but late, if the restart took long
        return bool(about["state"] == "fresh" and about["proof"] > restart)

    wait_until(has_run)


@in_thread
def test_stop_while_the_server_stands_still(server: DatabaseServer, start: Start) -> None:
    shop = start('query = "SELECT 1 AS one"\ntimeout = "1s"', every="100ms")
    shop.streams.expect("shop.one", 1)
    server.freeze()
    time.sleep(0.5)
    # The end of the test stops the daemon.


WRONG = {
    "postgres": {
        "SELECT nothing FROM orders": 'column "nothing" does not exist',
        "SELECT 1 FROM nowhere": 'relation "nowhere" does not exist',
        "SELEC 1": 'syntax error at or near "SELEC"',
        "DELETE FROM orders": 'syntax error at or near "DELETE"',
        "SELECT change()": "cannot execute INSERT in a read-only transaction",
        "SELECT pg_sleep(5) AS slept": " 1 s",
    },
    "mariadb": {
        "SELECT nothing FROM orders": "Unknown column 'nothing' in 'SELECT'",
        "SELECT 1 FROM nowhere": "Table 'shop.nowhere' doesn't exist",
        "SELEC 1": "You have an error in your SQL syntax",
        "DELETE FROM orders": "DELETE command denied",
        "INSERT INTO orders VALUES (NULL, 1)": "Cannot execute statement in a READ ONLY transaction",
        "SELECT sleep(5) AS slept": " 1 s",
    },
}
FOR_BOTH = {
    "SELECT 1 AS a, 2 AS a": "two columns are called a: name one by AS",
    "SELECT 1 + 1": "the column has no name: write ",
}


@in_thread
def test_wrong_queries(server: DatabaseServer, serve: Serve) -> None:
    postgres = server.url.startswith("postgres")
    server.sql(*REGIONS)
    if postgres:
        server.sql(
            "CREATE FUNCTION change() RETURNS int LANGUAGE sql SECURITY DEFINER "
            "AS 'INSERT INTO orders VALUES (NULL, 1) RETURNING 1'"
        )
    wrong = WRONG["postgres" if postgres else "mariadb"] | FOR_BOTH
    tables = [
        f'[sources.q{number}]\nquery = "{query}"\ndatabase = "{server.url}"\n'
        f'timeout = "{1 if "sleep" in query else 20}s"'
        for number, query in enumerate(wrong)
    ]
    streams = Streams(serve("\n".join(tables)))
    for number, error in enumerate(wrong.values()):
        found = streams.expect_health(f"q{number}", "failed")
        assert error in (found or "")
        assert PASSWORD not in (found or "")
        assert "127.0.0.1" not in (found or "")
    assert len(server.sql("SELECT * FROM orders")) == 3


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (PASSWORD, "wrong", "the database refused the login"),
        ("127.0.0.1", "nowhere.invalid", "the database cannot be reached"),
        (":{port}/", ":1/", "the database cannot be reached"),
        ("{port}/{name}", "{port}/elsewhere", "elsewhere"),
    ],
)
@in_thread
def test_wrong_addresses(
    server: DatabaseServer, start: Start, old: str, new: str, error: str
) -> None:
    names = {"port": server.port, "name": server.url.rpartition("/")[2]}
    database = server.url.replace(old.format(**names), new.format(**names))
    assert database != server.url
    shop = start(f'database = "{database}"\nquery = "SELECT 1 AS one"')
    found = shop.streams.expect_health("shop", "failed")
    assert error in (found or "")
    assert PASSWORD not in (found or "")


@pytest.mark.parametrize("way", ["env", "file"])
@in_thread
def test_an_address_that_is_secret(
    server: DatabaseServer, start: Start, way: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DATABASE", server.url)
    (tmp_path / "database").write_text(server.url + "\n")
    where = {"env": "SHOP_DATABASE", "file": str(tmp_path / "database")}[way]
    shop = start(f'database = {{ {way} = "{where}" }}\nquery = "SELECT 1 AS one"')
    shop.streams.expect("shop.one", 1)

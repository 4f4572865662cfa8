"""Recent developments, `after`: every new row once, whatever the order in which they commit."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from streamd.sources.databases import new_rows
from tests.support.net import wait_until
from tests.support.served import Serve, Served, in_thread
from tests.support.streams import Streams

QUERY = 'query = "SELECT id, amount FROM orders WHERE id > :after ORDER BY id"\nafter = "id"'
EVERY = 0.1


class SqliteFile:
    """What the servers offer, on a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = f"sqlite:///{file}"

    def connect(self) -> Any:
        return sqlite3.connect(self.file, isolation_level=None)

    def sql(self, *statements: str) -> list[Any]:
        with closing(self.connect()) as connection:
            return [list(connection.execute(statement)) for statement in statements][-1]


class Shop:
    """A table `orders`, and a source of its new rows."""

    def __init__(self, server: Any, serve: Serve) -> None:
        self.server = server
        self.serve = serve
        id = {"p": "serial", "m": "int AUTO_INCREMENT", "s": "integer"}[server.url[0]]
        server.sql(f"CREATE TABLE orders (id {id} PRIMARY KEY, amount int, created varchar(40))")

    def start(self, *lines: str, every: float = EVERY) -> None:
        text = (
            "\n".join(lines)
            if any("query" in line for line in lines)
            else "\n".join([QUERY, *lines])
        )
        self.served: Served = self.serve(
            f'[streams.sold]\nkeep = 50\n[sources.sold]\ndatabase = "{self.server.url}"\n'
            f'every = "{every * 1000:.0f}ms"\n{text}'
        )
        self.streams = Streams(self.served)

    def sell(self, first: int, last: int | None = None) -> None:
        """Rows with these ids."""
        ids = range(first, (last or first) + 1)
        values = ", ".join(f"({id}, {id * 10}, NULL)" for id in ids)
        self.server.sql(f"INSERT INTO orders VALUES {values}")

    def looked(self) -> None:
        """Waits for the first look."""
        wait_until(lambda: self.streams.all().get("sold", {})["health"].get("proof"))

    def ids(self) -> list[Any]:
        return [value["id"] for value in self.streams.history("sold")]

    def expect(self, *ids: int) -> None:
        """These came, in this order, and nothing besides."""
        wait_until(lambda: self.ids() == list(ids), what=f"{ids}: {self.ids()}")

    def expect_no_more(self, *ids: int) -> None:
        time.sleep(3 * EVERY)
        assert self.ids() == list(ids)

    @contextmanager
    def transaction(self, id: int) -> Iterator[Callable[[], None]]:
        """One that has inserted a row; gives the way to commit it."""
        with closing(self.server.connect()) as connection:
            cursor = connection.cursor()
            if self.server.url.startswith("mysql"):
                cursor.execute("USE shop")
            cursor.execute("BEGIN")
            cursor.execute(f"INSERT INTO orders VALUES ({id}, {id * 10}, NULL)")
            yield lambda: cursor.execute("COMMIT")


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def shop(request: pytest.FixtureRequest, serve: Serve, tmp_path: Path) -> Shop:
    if request.param == "sqlite":
        return Shop(SqliteFile(tmp_path / "shop.db"), serve)
    return Shop(request.getfixturevalue(request.param), serve)


@pytest.fixture
def postgres_shop(postgres: Any, serve: Serve) -> Shop:
    return Shop(postgres, serve)


@pytest.fixture
def file_shop(serve: Serve, tmp_path: Path) -> Shop:
    return Shop(SqliteFile(tmp_path / "shop.db"), serve)


@in_thread
def test_each_new_row_is_an_update(shop: Shop) -> None:
    shop.start()
    shop.looked()
    shop.sell(1, 3)
    shop.expect(1, 2, 3)
    assert shop.streams.value("sold") == {"id": 3, "amount": 30}
    shop.sell(4)
    shop.expect(1, 2, 3, 4)
    shop.expect_no_more(1, 2, 3, 4)
    proof = shop.streams.all()["sold"]["health"]["proof"]
    wait_until(lambda: shop.streams.all()["sold"]["health"]["proof"] > proof)


@in_thread
def test_a_query_that_gives_the_last_row_again(file_shop: Shop) -> None:
    file_shop.sell(1, 3)
    file_shop.start(QUERY.replace(">", ">="))
    error = file_shop.streams.expect_health("sold", "failed")
    assert error == "the query has to say WHERE id > :after"


@in_thread
def test_of_a_backlog_the_last(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_rows, "MAX_FIRST", 70)
    shop.sell(-5, -1)
    shop.sell(1, 200)
    shop.start()
    shop.expect(*range(151, 201))
    shop.sell(201)
    shop.expect(*range(152, 202))
    first = shop.streams.all()["sold"]["seq"]
    assert first == 51, "what was before is not told"


@in_thread
def test_start_now(shop: Shop) -> None:
    shop.sell(1, 5)
    shop.start('start = "now"')
    shop.looked()
    shop.sell(6, 7)
    shop.expect(6, 7)


@pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
@in_thread
def test_start_at_a_value(shop: Shop) -> None:
    shop.sell(1, 5)
    shop.start("start = 3")
    shop.expect(4, 5)


@in_thread
def test_a_backlog_that_comes_later_is_reported_whole(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_rows, "BATCH", 7)
    shop.start()
    shop.looked()
    shop.sell(1, 200)
    shop.expect(*range(151, 201))
    assert shop.streams.all()["sold"]["seq"] == 200


@pytest.mark.parametrize("shop", ["postgres", "mariadb"], indirect=True)
@in_thread
def test_transactions_that_commit_out_of_order(shop: Shop) -> None:
    shop.start()
    with shop.transaction(1) as commit_1, shop.transaction(2) as commit_2:
        shop.sell(3)
        shop.expect(3)
        commit_2()
        shop.expect(3, 2)
        commit_1()
        shop.expect(3, 2, 1)
    shop.expect_no_more(3, 2, 1)


@in_thread
def test_a_lower_value_that_comes_later(file_shop: Shop) -> None:
    """SQLite has one writer at a time, who may still write numbers in any order."""
    file_shop.start()
    file_shop.sell(3)
    file_shop.expect(3)
    file_shop.sell(1)
    file_shop.expect(3, 1)
    file_shop.sell(2)
    file_shop.expect(3, 1, 2)
    file_shop.expect_no_more(3, 1, 2)


@in_thread
def test_a_transaction_that_takes_longer_than_settle(
    postgres_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_rows, "WITNESSES", 0)
    postgres_shop.start('settle = "200ms"')
    with postgres_shop.transaction(1) as commit:
        postgres_shop.sell(2, 3)
        postgres_shop.expect(2, 3)
        postgres_shop.expect_no_more(2, 3)
        postgres_shop.sell(4)
        postgres_shop.expect(2, 3, 4)
        commit()
        postgres_shop.expect(2, 3, 4, 1)
    postgres_shop.expect_no_more(2, 3, 4, 1)
    wait_until(lambda: stored(postgres_shop) == (4, []))


def stored(shop: Shop) -> tuple[Any, list[Any]]:
    """The mark, and what is remembered above it."""
    return shop.served.run(lambda: (recent(shop)._low, list(recent(shop)._seen)))


def recent(shop: Shop) -> Any:
    """The part of the source that knows its cursor."""
    [(source, _)] = shop.served.service.sources
    return source._reading._new_rows  # type: ignore[attr-defined]


@in_thread
def test_the_mark_moves_past_what_has_settled(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_rows, "WITNESSES", 0)
    shop.start('settle = "300ms"')
    shop.sell(1, 3)
    shop.expect(1, 2, 3)
    wait_until(lambda: stored(shop) == (3, []))
    shop.served.run(setattr, recent(shop), "_settle", 3600)
    shop.sell(4)
    shop.expect(1, 2, 3, 4)
    told = time.time()
    wait_until(lambda: shop.streams.all()["sold"]["health"]["proof"] > told + 2 * EVERY)
    assert stored(shop) == (3, [4])
    # As MySQL's docs have it: what commits later, below the mark, is not seen.


@in_thread
def test_what_is_remembered_is_bounded(file_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_rows, "MAX_SEEN", 10)
    file_shop.start()
    file_shop.looked()
    file_shop.sell(1, 25)
    file_shop.expect(*range(1, 26))
    wait_until(lambda: stored(file_shop) == (15, list(range(16, 26))))
    file_shop.sell(26)
    file_shop.expect(*range(1, 27))
    wait_until(lambda: stored(file_shop) == (16, list(range(17, 27))))


@in_thread
def test_equal_timestamps_of_one_transaction(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_rows, "BATCH", 4)
    monkeypatch.setattr(new_rows, "WITNESSES", 0)
    shop.start(
        'query = "SELECT id, created FROM orders WHERE created > :after ORDER BY created, id"',
        'after = "created"',
        'settle = "200ms"',
    )
    shop.looked()
    rows = [(1, "09:00"), (2, "09:00"), (3, "09:01"), (4, "09:02"), (5, "09:02"), (6, "09:02")]
    values = ", ".join(f"({id}, 1, '2026-01-01T{time}')" for id, time in rows)
    shop.server.sql(f"INSERT INTO orders VALUES {values}")
    shop.expect(1, 2, 3, 4, 5, 6)
    wait_until(lambda: stored(shop) == ("2026-01-01T09:02", []))


@pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
@in_thread
def test_the_time_of_an_update(shop: Shop) -> None:
    shop.start(
        'query = "SELECT * FROM orders WHERE id > :after ORDER BY id"',
        'after = "id"',
        'time = "created"',
    )
    shop.server.sql("INSERT INTO orders VALUES (1, 1, '2026-01-01 00:00:00+01:00')")
    wait_until(lambda: shop.ids() == [1])
    assert shop.streams.all()["sold"]["time"] == 1767222000
    shop.server.sql("INSERT INTO orders VALUES (2, 1, 'soon')")
    error = shop.streams.expect_health("sold", "failed")
    assert error == "the row with id 2: column created: 'soon' is no time"
    shop.server.sql("INSERT INTO orders VALUES (3, 1, NULL)")
    shop.expect(1, 3)
    assert abs(shop.streams.all()["sold"]["time"] - time.time()) < 100


@pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
@in_thread
def test_a_row_that_is_no_value_stops_no_other(shop: Shop) -> None:
    shop.start(
        "query = \"SELECT id, CASE WHEN amount = 20 THEN x'00' END AS picture FROM orders "
        'WHERE id > :after ORDER BY id"',
        'after = "id"',
    )
    shop.sell(1)
    shop.expect(1)
    shop.sell(2, 3)
    shop.expect(1, 3)
    shop.server.sql("INSERT INTO orders VALUES (4, 20, NULL)")
    error = shop.streams.expect_health("sold", "failed")
    assert (error or "").startswith("the row with id 4: column picture: bytes are no value")
    time.sleep(3 * EVERY)  # a failure until the next good row
    assert shop.streams.health("sold") == ("failed", error)
    shop.sell(5)
    shop.expect(1, 3, 5)
    assert shop.streams.health("sold") == ("fresh", None)


@in_thread
def test_some_rows_stay_above_the_mark(file_shop: Shop) -> None:
    file_shop.start('settle = "1ms"')
    file_shop.sell(1, 30)
    wait_until(lambda: stored(file_shop) == (20, list(range(21, 31))))


@in_thread
def test_a_table_that_begins_again_is_reported(shop: Shop) -> None:
    shop.start('settle = "1ms"')
    shop.sell(1, 25)
    shop.expect(*range(1, 26))
    shop.server.sql(
        "BEGIN", "DELETE FROM orders", "INSERT INTO orders VALUES (1, 7, NULL)", "COMMIT"
    )
    shop.expect(*range(1, 26), 1)
    shop.sell(2)
    shop.expect(*range(1, 26), 1, 2)
    shop.expect_no_more(*range(1, 26), 1, 2)


@in_thread
def test_an_empty_table_begins_again(shop: Shop) -> None:
    shop.start()
    shop.sell(1, 3)
    shop.expect(1, 2, 3)
    shop.server.sql("DELETE FROM orders")
    emptied = time.time()
    wait_until(lambda: shop.streams.all()["sold"]["health"]["proof"] > emptied + 2 * EVERY)
    shop.sell(1)
    shop.expect(1, 2, 3, 1)


@in_thread
def test_rows_that_vanish_make_no_row_new(shop: Shop) -> None:
    shop.start('settle = "1ms"')
    shop.sell(1, 25)
    shop.expect(*range(1, 26))
    shop.server.sql("DELETE FROM orders WHERE id = 25")
    shop.expect_no_more(*range(1, 26))
    shop.server.sql("UPDATE orders SET amount = 0 WHERE id > 12")
    shop.expect_no_more(*range(1, 26))
    shop.server.sql("DELETE FROM orders WHERE id > 5")  # all that are remembered above the mark
    shop.expect_no_more(*range(1, 26))
    shop.sell(26)
    shop.expect(*range(1, 27))


@in_thread
def test_a_row_below_the_lowest_whole_number(shop: Shop) -> None:
    numeric = "numeric" if shop.server.url.startswith("postgres") else "DECIMAL(30)"
    shop.server.sql(
        f"CREATE TABLE days (d {numeric}, f float)",
        "INSERT INTO days VALUES (-99999999999999999999, -1e30), (1, 1)",
    )
    table = f'database = "{shop.server.url}"\nevery = "100ms"\nafter = '
    streams = Streams(
        shop.serve(
            "\n".join(
                f"[sources.{c}]\n{table}'{c}'\n"
                f'query = "SELECT {c} FROM days WHERE {c} > :after ORDER BY {c}"'
                for c in "df"
            )
        )
    )
    wait_until(lambda: len(streams.history("f")) == 2)
    wait_until(lambda: len(streams.history("d")) == 2)


DATE = "'2026-01-01'"
LOWEST = {  # a type, its lowest value, and a higher one
    "postgresql": [
        ("date", "'-infinity'", DATE),
        ("timestamptz", "'-infinity'", DATE),
        ("text", "''", "'a'"),
        (
            "uuid",
            "'00000000-0000-0000-0000-000000000000'",
            "'10000000-0000-0000-0000-000000000000'",
        ),
        ("bigint", "-9223372036854775808", "1"),
        ("numeric", "-1e200", "1"),
    ],
    "mysql": [
        ("DATE", "'0000-00-00'", DATE),
        ("DATETIME", "'0000-00-00'", DATE),
        ("TIMESTAMP NULL", "'0000-00-00'", DATE),
        ("VARCHAR(40)", "''", "'a'"),
        ("BIGINT", "-9223372036854775808", "1"),
        ("DOUBLE", "-1.7976931348623157e308", "1"),
    ],
    "sqlite": [("", "-1.7976931348623157e308", "1")],
}


@in_thread
def test_rows_with_the_lowest_value(shop: Shop) -> None:
    server = shop.server
    types = LOWEST[server.url.partition(":")[0]]
    table = f'database = "{server.url}"\nevery = "100ms"\nsettle = "100ms"\nafter = "v"\n'
    config = ""
    for number, (kind, lowest, _) in enumerate(types):
        create = f"CREATE TABLE t{number} (v {kind}, n int)"
        server.sql(create, f"INSERT INTO t{number} VALUES ({lowest}, 1)")
        query = f"SELECT v, n FROM t{number} WHERE v > :after ORDER BY v"
        config += f'[sources.t{number}]\n{table}query = "{query}"\n'
    streams = Streams(shop.serve(config))

    def expect(*expected: int) -> None:
        for number, (kind, _, _) in enumerate(types):
            name = f"t{number}"
            wait_until(lambda: streams.value(name), what=f"{kind}: {streams.health(name)}")  # noqa: B023
            wait_until(lambda: streams.value(name)["n"] == expected[-1])  # noqa: B023
            assert [value["n"] for value in streams.history(name)] == list(expected), kind

    expect(1)
    for number, (_, _, higher) in enumerate(types):
        server.sql(f"INSERT INTO t{number} VALUES ({higher}, 2)")
    expect(1, 2)
    time.sleep(0.5)  # beyond settle: the mark moves
    expect(1, 2)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("SELECT id FROM orders WHERE id > :after ORDER BY id DESC", "ORDER BY id"),
        ("SELECT amount FROM orders WHERE id > :after", "the query gives no column id"),
        ("SELECT NULL AS id FROM orders WHERE id > :after", "column id is NULL in a row"),
    ],
)
@in_thread
def test_wrong_queries(file_shop: Shop, query: str, error: str) -> None:
    file_shop.sell(1, 2)
    file_shop.start(f'query = "{query}"\nafter = "id"')
    assert error in (file_shop.streams.expect_health("sold", "failed") or "")


@pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
@in_thread
def test_another_run_of_the_daemon_continues(shop: Shop) -> None:
    """With a journal that remembers: here, one that is handed on."""
    shop.start()
    shop.sell(1, 3)
    shop.expect(1, 2, 3)
    shop.served.run(setattr, recent(shop), "_loaded", False)  # as after a start
    shop.sell(4)
    shop.expect(1, 2, 3, 4)
    shop.expect_no_more(1, 2, 3, 4)

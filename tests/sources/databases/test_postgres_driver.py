"""PostgreSQL: one bad cell stays one, and PgBouncer's shared sessions stay as they were."""

from __future__ import annotations

import time
from contextlib import closing

import psycopg
import pytest

from streamd.sources.databases.postgres_driver import PostgresDriver
from streamd.sources.errors import SourceError
from tests.support.databases import PgBouncer, PostgresServer
from tests.support.net import wait_until
from tests.support.served import Serve, in_thread
from tests.support.streams import Streams, check_series

TEXTS = {
    "'infinity'::timestamptz": "infinity",
    "'-infinity'::timestamp": "-infinity",
    "'infinity'::date": "infinity",
    "'0044-03-15 BC'::date": "0044-03-15 BC",
    "'12026-01-01 00:00+00'::timestamptz": "12026-01-01 00:00:00+00",
    "'24:00'::time": "24:00:00",
    "daterange('2026-01-01', 'infinity')": "[2026-01-01,infinity)",
    "tstzrange(NULL, '2026-01-01 00:00+00')": '(,"2026-01-01 00:00:00+00")',
    "'{[1,2],[4,6)}'::int4multirange": "{[1,3),[4,6)}",
    "ARRAY['infinity'::date]": ["infinity"],
    "point(1, 2)": "(1,2)",
    "'<a/>'::xml": "<a/>",
    "B'101'": "101",
    "12345678901234567890.12": "12345678901234567890.12",
}


@in_thread
def test_what_python_has_no_value_for_is_text(postgres: PostgresServer, serve: Serve) -> None:
    postgres.sql("ALTER ROLE shop SET timezone = 'UTC'")
    columns = ", ".join(f"{text} AS c{number}" for number, text in enumerate(TEXTS))
    table = f'database = "{postgres.url}"\nquery = """SELECT 1 AS ok, {columns}"""'
    streams = Streams(serve(f"[sources.t]\n{table}"))
    streams.expect("t.ok", 1)
    for number, text in enumerate(TEXTS.values()):
        streams.expect(f"t.c{number}", text)
        assert streams.health(f"t.c{number}") == ("fresh", None)


@in_thread
def test_a_series(postgres: PostgresServer, serve: Serve) -> None:
    check_series(serve, postgres.url, "date_trunc('hour', at::timestamp)")


@in_thread
def test_bad_cells_fail_alone(postgres: PostgresServer, serve: Serve) -> None:
    rows = "(VALUES ('a', 1.0::float8, 'x'::bytea), ('b', 'NaN', NULL)) AS t (k, n, b)"
    table = f'database = "{postgres.url}"\nquery = "SELECT * FROM {rows}"\nkey = "k"'
    streams = Streams(serve(f"[sources.t]\n{table}"))
    streams.expect("t.a.n", 1)
    error = streams.expect_health("t", "failed") or ""
    assert "t.a.b: column b: bytes are no value" in error
    assert "t.b.n: column n: JSON has no NaN; write NULLIF(n, 'NaN')" in error
    assert streams.health("t.a.n") == ("fresh", None)


@in_thread
def test_a_database_in_sql_ascii(postgres: PostgresServer, serve: Serve) -> None:
    if not postgres.sql("SELECT 1 FROM pg_database WHERE datname = 'ascii'"):
        postgres.sql(
            "CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' "
            "LC_COLLATE 'C' LC_CTYPE 'C'"
        )
    url = postgres.url.replace("/postgres", "/ascii")
    query = r"SELECT 'Käse' AS name, E'\xe9' AS broken"
    streams = Streams(serve(f"[sources.t]\ndatabase = '{url}'\nquery = '''{query}'''"))
    streams.expect("t.name", "Käse")
    error = streams.expect_health("t", "failed")
    assert error == "t.broken: column broken: the text is not UTF-8"


@in_thread
def test_a_parameter_behind_dollar_quotes(postgres: PostgresServer, serve: Serve) -> None:
    query = "SELECT i, $$it's :after$$ AS t FROM generate_series(1, 2) AS i WHERE i > :after"
    table = f'database = "{postgres.url}"\nquery = """{query} ORDER BY i"""\nafter = "i"'
    streams = Streams(serve(f"[sources.t]\n{table}"))
    streams.expect("t", {"i": 2, "t": "it's :after"})


@in_thread
def test_nothing_stays_on_a_shared_session(
    postgres: PostgresServer, pgbouncer: PgBouncer, serve: Serve
) -> None:
    """Neither statement_timeout nor a prepared statement."""
    postgres.sql("CREATE TABLE orders (id int)", "INSERT INTO orders VALUES (1)")
    table = f'database = "{pgbouncer.url}"\nevery = "50ms"\ntimeout = "1s"\n'
    after = 'query = "SELECT id FROM orders WHERE id > :after ORDER BY id"\nafter = "id"\n'
    streams = Streams(
        serve(
            f'[sources.one]\n{table}query = "SELECT count(*) AS n FROM orders"\n'
            f"[sources.sold]\n{table}{after}"
        )
    )
    streams.expect("one.n", 1)
    streams.expect("sold", {"id": 1})
    with closing(pgbouncer.connect()) as other:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            assert other.execute("SHOW statement_timeout").fetchone() == ("0",)
            assert other.execute("SELECT name FROM pg_prepared_statements").fetchall() == []
        assert other.execute("SHOW default_transaction_read_only").fetchone() == ("off",)
    postgres.sql("INSERT INTO orders VALUES (2)")
    streams.expect("sold", {"id": 2})
    assert streams.health("one.n") == ("fresh", None)


def test_a_notification_comes_once_though_listened_twice(postgres: PostgresServer) -> None:
    driver = PostgresDriver(psycopg, postgres.url, 3)
    with closing(driver.connect()) as connection:
        driver.listen(connection, "alerts")
        driver.listen(connection, "alerts")
        postgres.sql("NOTIFY alerts, 'door'")
        assert driver.notifications(connection, 1) == ["door"]


@in_thread
@pytest.mark.parametrize("pgbouncer", [("transaction", 1), ("transaction", 5)], indirect=True)
def test_listen_through_a_pool_is_a_failure(pgbouncer: PgBouncer, serve: Serve) -> None:
    table = f'database = "{pgbouncer.url}"\nlisten = "alerts"\n'
    query = 'query = "SELECT 1 AS one"'
    streams = Streams(serve(f"[sources.heard]\n{table}[sources.woken]\n{table}{query}"))
    for name in ("heard", "woken"):
        error = streams.expect_health(name, "failed") or ""
        assert error.startswith("a connection pool is in between, which loses notifications")
        time.sleep(1.5)
        assert streams.health(name)[0] == "failed"


@pytest.mark.parametrize("pgbouncer", [("session", 1)], indirect=True)
def test_a_pool_without_a_session_for_the_test_of_listen(pgbouncer: PgBouncer) -> None:
    driver = PostgresDriver(psycopg, pgbouncer.url, 3)
    with closing(driver.connect()) as connection:
        with pytest.raises(SourceError, match="loses notifications"):
            driver.listen(connection, "alerts")
        assert connection.execute("SELECT pg_listening_channels()").fetchall() == []


@in_thread
@pytest.mark.parametrize("pgbouncer", [("session", 5)], indirect=True)
def test_listen_through_a_pool_in_session_mode(
    postgres: PostgresServer, pgbouncer: PgBouncer, serve: Serve
) -> None:
    table = f'database = "{pgbouncer.url}"\nlisten = "alerts"\n'
    query = 'query = "SELECT count(*) AS n FROM orders"'
    postgres.sql("CREATE TABLE orders (id int)")
    streams = Streams(serve(f"[sources.heard]\n{table}[sources.woken]\n{table}{query}"))
    streams.expect("woken.n", 0)
    for number in range(1, 4):
        postgres.sql("INSERT INTO orders VALUES (1)", f"NOTIFY alerts, '{number}'")
        streams.expect("woken.n", number)
        streams.expect("heard", number)
    assert streams.history("heard") == [1, 2, 3]


@in_thread
def test_a_query_that_takes_too_long_is_ended(pgbouncer: PgBouncer, serve: Serve) -> None:
    table = f'database = "{pgbouncer.url}"\ntimeout = "300ms"\nquery = "SELECT pg_sleep(10)"'
    streams = Streams(serve(f"[sources.slow]\n{table}"))
    assert streams.expect_health("slow", "failed") == "the query took longer than 0.3 s"
    with closing(pgbouncer.connect()) as other:
        wait_until(lambda: other.execute("SELECT 1").fetchone() == (1,))

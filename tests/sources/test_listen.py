"""PostgreSQL: notifications, and its types."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.daemon import StartDaemon
from tests.support.databases import PostgresServer
from tests.support.net import wait_until
from tests.support.served import Serve, Served, in_thread
from tests.support.streams import Streams, check_types

AFTER = 'query = "SELECT id, note FROM alerts WHERE id > :after ORDER BY id"\nafter = "id"'


def listening(server: PostgresServer) -> list[Any]:
    """The sources that hear what is notified."""
    return server.sql(
        "SELECT 1 FROM pg_stat_activity WHERE usename = 'shop' AND state = 'idle' "
        "AND query IN ('SELECT 1', 'LISTEN \"alerts\"')"
    )


class Alerts:
    """A source `alerts` that listens, in a daemon."""

    def __init__(self, server: PostgresServer, serve: Serve, *lines: str) -> None:
        self.server = server
        server.sql("CREATE TABLE alerts (id serial PRIMARY KEY, note text)")
        text = "\n".join([f'database = "{server.url}"', 'listen = "alerts"', *lines])
        self.served: Served = serve(f"[streams.alerts]\nkeep = 500\n[sources.alerts]\n{text}")
        self.streams = Streams(self.served)
        wait_until(lambda: listening(server), what="LISTEN")

    def notify(self, payload: str) -> None:
        self.server.sql(f"NOTIFY alerts, '{payload}'")

    def insert(self, note: str) -> None:
        self.server.sql(f"INSERT INTO alerts (note) VALUES ('{note}')", "NOTIFY alerts")

    def notes(self) -> list[str]:
        return [value["note"] for value in self.streams.history("alerts")]


Listen = Callable[..., Alerts]


@pytest.fixture
def listen(postgres: PostgresServer, serve: Serve) -> Listen:
    return lambda *lines: Alerts(postgres, serve, *lines)


@in_thread
def test_each_notification_is_a_reading(listen: Listen) -> None:
    alerts = listen()
    alerts.notify("door open")
    alerts.streams.expect("alerts", "door open")
    alerts.notify("42")
    alerts.streams.expect("alerts", 42)
    numbers = range(100)
    alerts.server.sql("BEGIN", *(f"NOTIFY alerts, '{number}'" for number in numbers), "COMMIT")
    wait_until(lambda: alerts.streams.history("alerts") == ["door open", 42, *numbers])


def test_on_the_wall(postgres: PostgresServer, start_daemon: StartDaemon, page: Page) -> None:
    postgres.sql("CREATE TABLE alerts (id serial PRIMARY KEY, note text)")
    table = f'database = "{postgres.url}"\nlisten = "alerts"\n'
    query = 'query = "SELECT count(*) AS count FROM alerts"'
    daemon = start_daemon(config=f"[sources.heard]\n{table}[sources.woken]\n{table}{query}")
    page.goto(f"{daemon.url}/")
    expect(page.locator(".value")).to_have_text(["0"])
    wait_until(lambda: len(listening(postgres)) == 2, what="LISTEN of both")
    postgres.sql("INSERT INTO alerts (note) VALUES ('x'); NOTIFY alerts, 'door open'")
    expect(page.locator(".value")).to_have_text(["door open", "1"])


@in_thread
def test_a_lost_connection_says_what_may_be_missing(listen: Listen) -> None:
    alerts = listen()
    alerts.notify('{"door": "open", "window": "shut"}')
    alerts.streams.expect("alerts.door", "open")
    alerts.server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop'",
        *(f"NOTIFY alerts, '{{\"door\": {number}}}'" for number in range(5)),
    )
    wait_until(lambda: len(listening(alerts.server)) == 1, what="LISTEN again")
    alerts.streams.expect_gap("alerts.door")
    time.sleep(2.5)  # also while it listens
    alerts.streams.expect_gap("alerts.door")
    alerts.notify('{"door": "shut"}')
    alerts.streams.expect("alerts.door", "shut")
    assert alerts.streams.health("alerts.door") == ("fresh", None)
    alerts.streams.expect_gap("alerts.window")


@in_thread
def test_an_object_is_a_stream_a_member(listen: Listen) -> None:
    alerts = listen()
    alerts.notify('{"door": "open", "window": null}')
    alerts.streams.expect("alerts.door", "open")
    assert alerts.streams.value("alerts.window") is None


@in_thread
def test_an_object_that_is_one_value(listen: Listen) -> None:
    alerts = listen("whole = true")
    alerts.notify('{"door": "open"}')
    alerts.streams.expect("alerts", {"door": "open"})


@in_thread
def test_no_row_is_missed_between_two_connections(listen: Listen) -> None:
    alerts = listen(AFTER)
    for number in range(60):
        alerts.insert(f"n{number}")
        if number % 20 == 10:
            alerts.server.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop'"
            )
    wait_until(lambda: len(alerts.notes()) >= 60)
    assert sorted(alerts.notes()) == sorted(f"n{number}" for number in range(60))


@in_thread
def test_rows_of_transactions_that_commit_out_of_order(listen: Listen) -> None:
    alerts = listen(AFTER)
    with closing(alerts.server.connect()) as one, closing(alerts.server.connect()) as two:
        for connection, note in ((one, "first"), (two, "second")):
            connection.execute("BEGIN")
            connection.execute(f"INSERT INTO alerts (note) VALUES ('{note}')")
            connection.execute("NOTIFY alerts")
        alerts.insert("third")
        wait_until(lambda: alerts.notes() == ["third"])
        two.execute("COMMIT")
        wait_until(lambda: alerts.notes() == ["third", "second"])
        one.execute("COMMIT")
        wait_until(lambda: alerts.notes() == ["third", "second", "first"])


@in_thread
def test_what_a_notification_cannot_hold(listen: Listen) -> None:
    alerts = listen(AFTER)
    alerts.insert("x" * 20_000)
    wait_until(lambda: alerts.notes() == ["x" * 20_000])


@in_thread
def test_a_notification_runs_a_query_of_any_shape(listen: Listen) -> None:
    alerts = listen('query = "SELECT count(*) AS count FROM alerts"')
    alerts.streams.expect("alerts.count", 0)
    alerts.insert("a")
    alerts.streams.expect("alerts.count", 1)  # without being told it looks once a minute
    assert alerts.streams.all()["alerts.count"]["expect"] == 180


@in_thread
def test_a_wrong_query_stays_a_failure(listen: Listen) -> None:
    alerts = listen('query = "SELECT nothing FROM alerts"')
    error = alerts.streams.expect_health("alerts", "failed")
    assert error == 'column "nothing" does not exist'
    time.sleep(1.5)
    assert alerts.streams.health("alerts") == ("failed", error)


NAIVE = datetime(2026, 1, 2, 3, 4, 5, 500_000)
"""Taken for this machine's."""

TYPES = {
    "NULL::int": None,
    "1.50::numeric": 1.5,
    "12345678901234567890::numeric": 12345678901234567890,
    "true": True,
    "'2026-01-02 03:04:05.5'::timestamp": NAIVE.astimezone().isoformat(),
    "'2026-01-02 03:04:05+00'::timestamptz": "2026-01-02T03:04:05+00:00",
    "'2026-01-02'::date": "2026-01-02",
    "'03:04'::time": "03:04:00",
    "'90 minutes'::interval": 5400,
    "'6c6f6e67-6c6f-6e67-6c6f-6e676c6f6e67'::uuid": "6c6f6e67-6c6f-6e67-6c6f-6e676c6f6e67",
    "'10.0.0.1'::inet": "10.0.0.1",
    "'{\"a\": [1]}'::jsonb": {"a": [1]},
    "ARRAY[1, 2]": [1, 2],
    "'50%'::text": "50%",
}


@in_thread
def test_types(postgres: PostgresServer, serve: Serve) -> None:
    postgres.sql("ALTER ROLE shop SET timezone = 'UTC'")
    check_types(serve, postgres.url, TYPES, "'x'::bytea")

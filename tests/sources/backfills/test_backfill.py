"""Backfills: streams know the past that the database knew, and their newest values stay as they are."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from streamd.core.histories.saving import PAST
from streamd.core.update import ORIGIN
from streamd.journals.journal import Away
from streamd.sources.backfills import backfill
from streamd.sources.databases import past_query
from tests.sources.databases.test_new_rows import SqliteFile
from tests.support.daemon import Daemon, StartDaemon
from tests.support.net import wait_until
from tests.support.served import Serve, Served, in_thread

DAY = 86_400
WIDTH = 300
"""Seconds of a slot of the streams here."""

COLUMNS = {
    "p": ("timestamptz", "bigint"),
    "m": ("timestamp(6) NULL", "bigint"),
    "s": ("text", "int"),
}
"""The types of a time and of seconds, by the first letter of a database's address."""

TABLE = """
[sources.shop]
database = "{url}"
query = "SELECT 100 AS power, 'now' AS state"
every = "100ms"
[sources.shop.backfill]
{backfill}
[streams.shop.power]
rollup = "30d"
warn = "> 7"
[streams.shop.state]
rollup = "30d"
"""

QUERY = "SELECT at AS time, power, state FROM readings WHERE at >= :from AND at < :to"


def config(url: str, query: str = QUERY, more: str = "") -> str:
    return TABLE.format(url=url, backfill=f'query = "{query}"\n{more}')


def make(server: Any, readings: Sequence[tuple[float, float | None, str | None]]) -> None:
    """A table of readings, with the time in two forms."""
    at, seconds = COLUMNS[server.url[0]]
    server.sql(
        f"CREATE TABLE readings (at {at}, seconds {seconds}, power float, state varchar(20))"
    )
    rows = []
    for when, power, state in readings:
        local = datetime.fromtimestamp(when).astimezone()
        # MariaDB and SQLite compare local times without an offset.
        text = local.isoformat(" ") if server.url[0] == "p" else str(local.replace(tzinfo=None))
        told = "NULL" if state is None else f"'{state}'"
        rows.append(f"('{text}', {int(when)}, {'NULL' if power is None else power}, {told})")
    server.sql(f"INSERT INTO readings VALUES {', '.join(rows)}")


def ask(daemon: Served | Daemon, name: str, begin: float, end: float, points: int = 2000) -> Any:
    return daemon.request("GET", f"/streams/{name}?from={begin}&to={end}&points={points}").json()


def is_filled(daemon: Served | Daemon, name: str = "shop.power") -> bool:
    """Whether the backfill is complete; the first value of the past is 0 there."""
    answer = ask(daemon, name, time.time() - 40 * DAY, time.time(), 60)
    return "backfill" not in answer and len(answer["points"]) > 1


def wait_until_filled(daemon: Served | Daemon, name: str = "shop.power") -> None:
    wait_until(lambda: is_filled(daemon, name), 60, "the backfill")


def error(daemon: Served | Daemon) -> str | None:
    """Why the backfill cannot continue."""
    answer = ask(daemon, "shop.power", time.time() - DAY, time.time(), 60)
    found: str | None = answer.get("backfill", {}).get("error")
    return found


def early() -> float:
    """A time ten days ago, when a slot begins."""
    return time.time() // WIDTH * WIDTH - 10 * DAY


@pytest.fixture(params=["sqlite", "postgres", "mariadb", "postgres_by_sqlalchemy"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "sqlite":
        return SqliteFile(tmp_path / "shop.db")
    return request.getfixturevalue(request.param)


@pytest.fixture
def file(tmp_path: Path) -> SqliteFile:
    return SqliteFile(tmp_path / "shop.db")


EPOCH = (
    "SELECT seconds AS time, power, state FROM readings "
    "WHERE seconds >= :from_epoch AND seconds < :to_epoch"
)


@pytest.mark.parametrize("query", [QUERY, EPOCH])
@in_thread
def test_slots_and_segments_are_filled(server: Any, query: str, serve: Serve) -> None:
    at = early()
    readings = [
        (at, 2.0, "up"),
        (at + 150, 8.0, "up"),
        (at + 300, None, None),
        (at + 450, 4.0, "ok"),
    ]
    newest = (at + 9 * DAY, 6.0, "up")
    make(server, [newest, *readings[::-1]])
    served = serve(config(server.url, query))
    wait_until_filled(served)
    answer = ask(served, "shop.power", at - WIDTH, at + 900, 5)
    assert answer["points"] == [
        [at, 2.0, 5.0, 8.0, 8.0],
        [at + 300, 4.0, 4.0, 4.0, 4.0],
        [at + 600, 4.0, 4.0, 4.0, 4.0],
    ]
    assert answer["levels"] == [
        [at, at + 150, "ok"],
        [at + 150, at + 300, "warn"],
        [at + 450, at + 900, "ok"],  # after NULL, nobody knows it
    ]
    words = ask(served, "shop.state", at, at + 900)["words"]
    assert words == [[at, at + 300, "up"], [at + 450, at + 900, "ok"]]
    [*_, before, _, now] = ask(served, "shop.power", time.time() - 1200, time.time(), 4)["points"]
    assert (before[3], now[3], now[4]) == (6.0, 100.0, 100.0)
    assert (answer["seq"], answer["value"]) == (1, 100)
    assert len(served.request("GET", "/streams/shop.power?history=100").json()["history"]) == 1


@in_thread
def test_each_row_of_a_key_fills_its_own_stream(server: Any, serve: Serve) -> None:
    at = early()
    make(server, [(at, 2.0, "a"), (at, 8.0, "b"), (at, 9.0, "gone")])
    served = serve(f"""
[sources.shop]
database = "{server.url}"
query = "SELECT 'a' AS state, 100 AS power UNION SELECT 'b', 200"
key = "state"
[sources.shop.backfill]
query = "{QUERY}"
[streams."shop.a.power"]
rollup = "30d"
[streams."shop.b.power"]
rollup = "30d"
""")
    wait_until_filled(served, "shop.b.power")
    for name, power in ("a", 2.0), ("b", 8.0):
        assert ask(served, f"shop.{name}.power", at, at + 300)["points"][0][2] == power


ROOMS = """
[sources.shop]
database = "{url}"
query = "SELECT state, power FROM rooms"
key = "state"
every = "100ms"
[sources.shop.backfill]
query = "{query}"
[streams."shop.a.power"]
rollup = "30d"
[streams."shop.b.power"]
rollup = "30d"
"""


@in_thread
def test_a_stream_that_comes_again_is_filled_again(
    file: SqliteFile, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "AGAIN", 0.1)
    at = early()
    make(file, [(at, 2.0, "a"), (at, 8.0, "b")])
    file.sql("CREATE TABLE rooms (state text, power int)")
    file.sql("INSERT INTO rooms VALUES ('a', 100), ('b', 200)")
    served = serve(ROOMS.format(url=file.url, query=QUERY))

    def mean(room: str) -> float:
        found: float = ask(served, f"shop.{room}.power", at, at + 300)["points"][0][2]
        return found

    for filled in (8.0, 9.0):
        wait_until_filled(served, "shop.b.power")
        assert (mean("a"), mean("b")) == (2.0, filled)
        file.sql("UPDATE readings SET power = power + 1")
        file.sql("DELETE FROM rooms WHERE state = 'b'")
        wait_until(lambda: "shop.b.power" not in served.state(), what="its end")
        file.sql("INSERT INTO rooms VALUES ('b', 200)")
        wait_until(lambda: "shop.b.power" in served.state(), what="its return")


@in_thread
def test_a_journal_that_is_away_loses_no_window(
    file: SqliteFile, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = early()
    make(file, [(at, 2.0, "up")])
    monkeypatch.setattr(backfill, "RETRY", 0.1)
    served = serve(config(file.url))
    wait_until(lambda: "shop.power" in served.state())
    journal, stored = served.service.journal, []
    store = journal.store

    async def fails_at_first(blocks: Any, **fenced: Any) -> None:
        stored.append(blocks)
        if len(stored) % 2:
            raise Away("the disk is full")
        await store(blocks, **fenced)

    monkeypatch.setattr(journal, "store", fails_at_first)
    wait_until_filled(served)
    assert len(stored) % 2 == 0, "the last window was stored, too"
    assert stored[-1][f"shop.power{PAST}"].keys() >= stored[-2][f"shop.power{PAST}"].keys()
    assert ask(served, "shop.power", at, at + 300)["points"][0][2] == 2.0


@in_thread
def test_a_window_with_too_many_rows_is_cut(
    server: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_query, "MAX_ROWS", 10)
    at = early()
    make(server, [(at + 100 * n, float(n), None) for n in range(45)])
    served = serve(config(server.url))
    wait_until_filled(served)
    points = ask(served, "shop.power", at, at + 4500, 15)["points"]
    assert [(low, high) for _, low, _, high, _ in points] == [(3 * n, 3 * n + 2) for n in range(15)]


@in_thread
def test_too_many_rows_of_one_second(
    file: SqliteFile, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_query, "MAX_ROWS", 10)
    make(file, [(early(), 1.0, None)] * 11)
    served = serve(config(file.url))
    wait_until(lambda: "more than 10 rows for a second" in (error(served) or ""))


@in_thread
def test_no_day_of_the_database_is_cut(
    postgres: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_query, "MAX_ROWS", 3)
    postgres.sql("ALTER ROLE shop SET timezone = 'Asia/Kathmandu'")
    try:
        at = early()
        make(postgres, [(at + 3600 * n, 1.0, None) for n in range(8 * 24)])
        days = (
            "SELECT date_trunc('day', at) AS time, count(*) AS power, NULL AS state FROM readings"
        )
        where = "WHERE at >= :from AND at < :to GROUP BY 1"
        served = serve(config(postgres.url, f"{days} {where}"))
        wait_until_filled(served)
        points = ask(served, "shop.power", at + DAY, at + 7 * DAY)["points"]
        assert {(low, high) for _, low, _, high, _ in points} == {(24, 24)}
    finally:
        postgres.sql("ALTER ROLE shop RESET timezone")


@in_thread
def test_a_table_that_is_missing_fails_no_stream(server: Any, serve: Serve) -> None:
    served = serve(config(server.url))
    if server.url[0] == "s":
        server.sql("CREATE TABLE other (a)")
    wait_until(lambda: "readings" in (error(served) or ""))
    about = served.request("GET", "/streams").json()["streams"]["shop.power"]
    assert about["health"]["state"] == "fresh"
    make(server, [(early(), 2.0, "up")])
    wait_until_filled(served)


@in_thread
def test_a_new_log_needs_the_past_again(file: SqliteFile, serve: Serve) -> None:
    at = early()
    make(file, [(at, 2.0, "up")])
    served = serve(config(file.url))
    wait_until_filled(served)
    time.sleep(0.5)
    service = served.service
    served.run(lambda: service.restore(service.state.life + 1, (), ORIGIN, {}))
    wait_until_filled(served)
    assert ask(served, "shop.power", at, at + 300)["points"][0][2] == 2.0


Start = Callable[[str], Daemon]


@pytest.fixture
def start(start_daemon: StartDaemon, tmp_path: Path) -> Start:
    """Starts the daemon with a log in a file."""
    return lambda text: start_daemon(config=f'[journal]\npath = "{tmp_path}/log.db"\n{text}')


def change(daemon: Daemon, old: str, new: str) -> None:
    """Start a daemon again, with another configuration."""
    daemon.stop()
    [written] = daemon.folder.glob("*.toml")
    written.write_text(written.read_text().replace(old, new))
    daemon.start()


def test_it_is_done_once(file: SqliteFile, start: Start) -> None:
    at = early()
    make(file, [(at, 2.0, "up")])
    daemon = start(config(file.url))
    wait_until_filled(daemon)
    file.sql("UPDATE readings SET power = 5")
    daemon.restart()
    wait_until(lambda: "shop.power" in daemon.request("GET", "/state").json())
    time.sleep(1.5)  # a backfill begins a second after the first reading
    assert ask(daemon, "shop.power", at, at + 300)["points"][0][2] == 2.0
    assert daemon.log().count("a backfill begins") == 1


def test_another_query_or_another_rollup_fills_anew(file: SqliteFile, start: Start) -> None:
    at = early()
    make(file, [(at, 2.0, "up")])
    daemon = start(config(file.url))

    def expect(power: float) -> None:
        wait_until(
            lambda: [p[2] for p in ask(daemon, "shop.power", at, at + 300)["points"]] == [power]
        )
        wait_until_filled(daemon)

    expect(2.0)
    change(daemon, "time, power", "time, 2 * power AS power")
    expect(4.0)
    file.sql("UPDATE readings SET power = 5")
    change(daemon, "30d", "300d")
    wait_until(lambda: daemon.log().count("the backfill is complete") == 3)
    width = ask(daemon, "shop.power", at - 200 * DAY, time.time())["width"]
    [point] = ask(daemon, "shop.power", at, at + 1, 2)["points"]
    assert (width > 300, point[2]) == (True, 10.0)
    live = ask(daemon, "shop.power", time.time() - 1, time.time(), 2)["points"]
    assert live[-1][4] == 100.0


def test_what_the_log_says(file: SqliteFile, start: Start) -> None:
    make(file, [(early(), 2.0, "up"), (early() + 1, 2.0, "up")])
    file.sql("UPDATE readings SET at = '2026-99-01' WHERE seconds % 300 = 1")
    text = config(file.url, QUERY.replace("state", "state, 1 AS more"))
    daemon = start(text.replace("AS state", "AS state, 5 AS more"))
    wait_until(lambda: is_filled(daemon) or error(daemon))
    wait_until_filled(daemon)
    log = daemon.log()
    path = "sources.shop.backfill"
    assert f"{path}.query: no [streams] table with rollup, so nothing is kept: shop.more" in log
    with closing(sqlite3.connect(file.file)) as connection, connection:
        connection.execute("ALTER TABLE readings RENAME TO others")
    change(daemon, "30d", "40d")
    wait_until(lambda: f"{path}.query: no such table: readings" in daemon.log())
    with closing(sqlite3.connect(file.file)) as connection, connection:
        connection.execute("ALTER TABLE others RENAME TO readings")
    wait_until(lambda: "source shop: the backfill continues" in daemon.log())


def test_other_columns_than_those_of_the_query_are_refused(file: SqliteFile, start: Start) -> None:
    make(file, [(early(), 2.0, "up")])
    daemon = start(config(file.url, QUERY.replace("state", "state AS status")))
    told = "its columns are not those of the source's query: state missing; status unknown to the query"
    wait_until(lambda: error(daemon) == told)
    assert f"sources.shop.backfill.query: {told}" in daemon.log()
    assert not is_filled(daemon)
    path = daemon.folder / "streamd.toml"
    path.write_text(path.read_text().replace("state AS status", "state"))
    daemon.restart()
    wait_until_filled(daemon)


def test_rows_without_a_time_are_left_out(file: SqliteFile, start: Start) -> None:
    make(file, [(early(), 2.0, "up"), (early() + 300, 3.0, "up")])
    query = "SELECT nullif(seconds, {}) AS time, power, state FROM readings WHERE {}".format(
        int(early()), "seconds >= :from_epoch AND seconds < :to_epoch"
    )
    daemon = start(config(file.url, query))
    wait_until_filled(daemon)
    assert "sources.shop.backfill.time: rows without a time in time are left out" in daemon.log()


def test_a_stop_in_the_middle_of_a_query(file: SqliteFile, start: Start) -> None:
    make(file, [(early(), 2.0, "up")])
    slow = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT i AS time, 1 AS power FROM n WHERE i < 0 AND i >= :from_epoch AND i < :to_epoch"
    )
    daemon = start(config(file.url, slow))
    wait_until(lambda: "a backfill begins" in daemon.log())
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 20
    assert "not all sources stopped" not in daemon.log()

"""`streamd try`."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.support.daemon import STOP_SECONDS
from tests.support.databases import DatabaseServer
from tests.support.net import free_port, wait_until
from tests.support.shell import QUERY, STREAMD, complaint, interrupt, run, started


def insert(folder: Path, amount: float) -> None:
    with closing(sqlite3.connect(folder / "shop.db")) as file, file:
        file.execute("INSERT INTO orders (amount) VALUES (?)", (amount,))


def state(port: int) -> Any:
    with urlopen(f"http://localhost:{port}/state", timeout=5) as answer:
        return json.load(answer)


@pytest.mark.parametrize("form", ["shop.db", "sqlite:///shop.db", "{folder}/shop.db"])
def test_try_puts_a_query_on_a_wall(shop: Path, form: str) -> None:
    port = free_port()
    database = form.format(folder=shop)
    words = ("try", database, QUERY, "--every", "200ms", "--port", str(port))

    with started(*words, folder=shop) as (process, said):
        wait_until(lambda: f"http://localhost:{port}/\n" in said())
        wait_until(lambda: state(port) == {"shop.orders": 3, "shop.revenue": 9.5})
        with urlopen(f"http://localhost:{port}/", timeout=5) as page:
            assert b"<!doctype html>" in page.read().lower()
        insert(shop, 0.5)
        wait_until(lambda: state(port) == {"shop.orders": 4, "shop.revenue": 10.0})
        (shop / "shop.db").rename(shop / "gone.db")
        wait_until(lambda: "streamd: sources.shop.database: database file missing" in said())
        assert interrupt(process) == 0
    assert "Traceback" not in said()


@pytest.mark.parametrize("server", ["postgres", "mariadb"])
def test_try_on_a_server(tmp_path: Path, server: str, request: pytest.FixtureRequest) -> None:
    database: DatabaseServer = request.getfixturevalue(server)
    database.sql(
        "CREATE TABLE sold (region varchar(20), amount numeric(9, 2))",
        "INSERT INTO sold VALUES ('north', 1.5), ('south', 2)",
    )
    port = free_port()
    query = "SELECT region, sum(amount) AS amount_eur FROM sold GROUP BY region ORDER BY region"
    words = ("try", database.url, query, "--port", str(port))
    with started(*words, folder=tmp_path) as (process, said):
        wait_until(lambda: f"http://localhost:{port}/\n" in said())
        name = "postgres" if server == "postgres" else "shop"
        wanted = {f"{name}.north.amount_eur": 1.5, f"{name}.south.amount_eur": 2}
        wait_until(lambda: state(port) == wanted)
        assert interrupt(process) == 0
    assert 'key = "region"' in said()


def test_try_prints_the_configuration_to_keep(shop: Path) -> None:
    port = str(free_port())
    with (shop / "streamd.toml").open("w") as kept:
        process = subprocess.Popen(
            [STREAMD, "try", "shop.db", QUERY, "--port", port],
            cwd=shop,
            stdout=kept,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: (shop / "streamd.toml").read_text())
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0
    done = run("check", folder=shop)
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["shop.orders", "3", "ok"],
        ["shop.revenue", "9.5", "ok"],
    ]


def test_try_names_each_mistake(shop: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        busy = str(listener.getsockname()[1])
        cases = {
            (
                "none.db",
                "SELECT 1 AS a",
            ): "sources.none.database: database file missing or not readable",
            ("shop.db", "SELECT 1 AS a FORM b"): "sources.shop.query: ",
            ("shop.db", ""): "sources.shop.query: expected a SELECT",
            ("none://x/y", "SELECT 1"): "sources.y.database: SQLAlchemy has no dialect none",
            ("shop.db", "SELECT count(*) FROM orders"): "sources.shop.query: count(*) is no name",
            ("shop.db", QUERY, "--every", "soon"): "sources.shop.every: ",
            ("shop.db", QUERY, "--port", "70000"): "port: expected 0 to 65535",
            ("shop.db", QUERY, "--port", f"tcp:{busy}:interface=127.0.0.1"): "port: cannot listen",
        }
        for words, wanted in cases.items():
            [line] = complaint("try", *words, folder=shop)
            assert line.startswith(wanted), line

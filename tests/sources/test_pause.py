"""A daemon that was stopped for a while, as with a suspended machine, has every source back at once."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from pathlib import Path

from tests.support.daemon import StartDaemon
from tests.support.databases import PostgresServer
from tests.support.net import wait_until
from tests.support.redis import Redis
from tests.support.streams import Streams

PAUSE = 10.0
BACK_WITHIN = 10.0


def test_every_kind_is_back_after_a_pause(
    start_daemon: StartDaemon, postgres: PostgresServer, redis: Redis, tmp_path: Path
) -> None:
    postgres.sql("CREATE TABLE orders (id int)", "INSERT INTO orders VALUES (1)")
    sqlite3.connect(tmp_path / "shop.db").close()
    database = f'database = "{postgres.url}"'
    url = f'url = "redis://127.0.0.1:{redis.port}"'
    tables = {
        "woken": f'{database}\nlisten = "orders"\nquery = "SELECT count(*) AS n FROM orders"',
        "new": f'{database}\nlisten = "orders"\nafter = "id"\n'
        'query = "SELECT id FROM orders WHERE id > :after ORDER BY id"',
        "asked": f'{database}\nquery = "SELECT count(*) AS n FROM orders"\nevery = "1s"',
        "file": f'database = "sqlite:///{tmp_path}/shop.db"\nquery = "SELECT 1 AS n"\nevery = "1s"',
        "sales": f'{url}\nxread = "sales"',
        "length": f'{url}\nllen = "queue"',
        "load": 'command = "echo 1"\nevery = "1s"',
        "tail": 'command = "while echo 1; do sleep 1; done"',
    }
    redis.say("XADD", "sales", "*", "n", "1")
    daemon = start_daemon(config="\n".join(f"[sources.{n}]\n{t}" for n, t in tables.items()))
    streams = Streams(daemon)

    def all_fresh() -> bool:
        found = streams.all()
        made = {name.partition(".")[0] for name in found}
        return made == set(tables) and all(s["health"]["state"] == "fresh" for s in found.values())

    wait_until(all_fresh, what=f"{tables.keys()} to be fresh")
    os.kill(daemon.pid, signal.SIGSTOP)
    time.sleep(PAUSE)
    os.kill(daemon.pid, signal.SIGCONT)
    began = time.monotonic()
    wait_until(all_fresh, what="all to be fresh again")
    assert time.monotonic() - began < BACK_WITHIN
    time.sleep(3)
    assert all_fresh(), streams.all()


def test_a_database_that_stood_still_is_back_in_time(
    start_daemon: StartDaemon, postgres: PostgresServer
) -> None:
    """Whatever the interval: longer than the pause, or none."""
    table = f'database = "{postgres.url}"\ntimeout = "1s"\n'
    query = 'query = "SELECT 1 AS n"\nevery = "1h"\n'
    sources = {
        "asked": table + query,
        "woken": f'{table}{query}listen = "orders"',
    }
    daemon = start_daemon(config="\n".join(f"[sources.{n}]\n{t}" for n, t in sources.items()))
    streams = Streams(daemon)
    streams.expect("asked.n", 1)
    streams.expect("woken.n", 1)
    postgres.freeze()
    for name in ("asked.n", "woken.n"):
        streams.expect_health(name, "failed")
    time.sleep(PAUSE / 2)
    postgres.thaw()
    began = time.monotonic()
    for name in ("asked.n", "woken.n"):
        streams.expect_health(name, "fresh")
    assert time.monotonic() - began < BACK_WITHIN


def test_a_command_that_is_killed_again_and_again_is_back_in_time(
    start_daemon: StartDaemon, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    command = f"test -e {broken} && kill -9 $$; echo 1"
    daemon = start_daemon(config=f'[sources.load]\ncommand = "{command}"\nevery = "1h"')
    streams = Streams(daemon)
    streams.expect_health("load", "failed")
    time.sleep(2 * PAUSE)  # so that the pauses are as long as they become
    broken.unlink()
    began = time.monotonic()
    streams.expect_health("load", "fresh")
    assert time.monotonic() - began < BACK_WITHIN

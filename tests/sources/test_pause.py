"""A daemon that was stopped for a while, as with a suspended machine, has every source back at once."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.daemon import Daemon, StartDaemon
from tests.support.databases import MariaServer, PostgresServer
from tests.support.net import wait_until
from tests.support.proxy import Proxy, other_origin
from tests.support.redis import Redis
from tests.support.streams import Streams

PAUSE = 10.0
"""Longer than every timeout."""

BACK_WITHIN = 10.0


class Kinds:
    """A configuration with a source of every kind, and what they read."""

    def __init__(
        self, folder: Path, postgres: PostgresServer, maria: MariaServer, redis: Redis, url: str
    ) -> None:
        self._postgres, self._redis = postgres, redis
        postgres.sql("CREATE TABLE orders (id int)", "INSERT INTO orders VALUES (1)")
        maria.sql("CREATE TABLE orders (id int)", "INSERT INTO orders VALUES (1)")
        sqlite3.connect(folder / "shop.db").close()
        (folder / "value.json").write_text('{"n": 1}')
        (folder / "office.py").write_text(OFFICE)
        redis.say("XADD", "sales", "*", "n", "1")
        redis.say("HSET", "table", "n", "1")
        database = f'database = "{postgres.url}"'
        channel = f'url = "redis://127.0.0.1:{redis.port}"'
        often = 'every = "1s"'
        count = 'query = "SELECT count(*) AS n FROM orders"'
        rows = 'query = "SELECT id FROM orders WHERE id > :after ORDER BY id"\nafter = "id"'
        self.tables = {
            "woken": f'{database}\nlisten = "orders"\n{count}',
            "new": f'{database}\nlisten = "orders"\n{rows}',
            "heard": f'{database}\nlisten = "alerts"',
            "asked": f"{database}\n{count}\n{often}",
            "maria": f'database = "{maria.url}"\n{count}\n{often}',
            "file": f'database = "sqlite:///{folder}/shop.db"\nquery = "SELECT 1 AS n"\n{often}',
            "hall": f'{channel}\nsubscribe = "hall"',
            "sales": f'{channel}\nxread = "sales"',
            "length": f'{channel}\nllen = "queue"',
            "table": f'{channel}\nhgetall = "table"',
            "load": f'command = "echo 1"\n{often}',
            "tail": 'command = "while echo 1; do sleep 1; done"',
            "web": f'url = "{url}/value.json"\n{often}',
            "up": f'url = "{url}/value.json"\nstatus = true\n{often}',
            "called": f'call = "office.depth"\n{often}',
            "on_reactor": f'call = "office.later"\n{often}',
            "steps": 'call = "office.steps"',
            "shop": 'kind = "demo"',
            "walk": 'kind = "random_walk"',
        }

    @property
    def config(self) -> str:
        return "\n".join(f"[sources.{name}]\n{lines}" for name, lines in self.tables.items())

    def say(self) -> None:
        """What channels say."""
        self._redis.say("PUBLISH", "hall", "1")
        self._postgres.sql("NOTIFY alerts, '1'")

    def all_fresh(self, daemon: Daemon) -> list[Any]:
        """True once every source has streams, and all of them are fresh."""
        self.say()
        found = Streams(daemon).all()
        missing = self.tables.keys() - {name.partition(".")[0] for name in found}
        return [*missing] + [
            (name, s["health"]) for name, s in found.items() if s["health"]["state"] != "fresh"
        ]


OFFICE = """
import threading
import time

def depth():
    return 1

async def later():
    return 1

def steps():
    while True:
        yield 1
        time.sleep(0.5)
"""


@pytest.fixture
def kinds(
    tmp_path: Path, postgres: PostgresServer, mariadb: MariaServer, redis: Redis
) -> Iterator[Kinds]:
    with other_origin(tmp_path) as url:
        yield Kinds(tmp_path, postgres, mariadb, redis, url)


def freeze(daemon: Daemon) -> None:
    daemon.freeze()
    time.sleep(PAUSE)
    daemon.thaw()


def test_every_kind_is_back_after_a_pause(
    start_daemon: StartDaemon, kinds: Kinds, tmp_path: Path
) -> None:
    daemon = start_daemon(config=kinds.config, env={"PYTHONPATH": str(tmp_path)})
    wait_until(lambda: kinds.all_fresh(daemon) == [], what="all to be fresh")
    freeze(daemon)
    began = time.monotonic()
    wait_until(lambda: kinds.all_fresh(daemon) == [], what="all to be fresh again")
    assert time.monotonic() - began < BACK_WITHIN
    time.sleep(3)  # what fails later than that
    assert kinds.all_fresh(daemon) == []


def test_every_kind_is_back_after_a_pause_of_one_node_of_two(
    start_daemon: StartDaemon, kinds: Kinds, redis: Redis, tmp_path: Path
) -> None:
    config = f'[journal]\nurl = "redis://127.0.0.1:{redis.port}"\n{kinds.config}'
    nodes = [start_daemon(config=config, env={"PYTHONPATH": str(tmp_path)}) for _ in range(2)]
    for node in nodes:
        wait_until(lambda: kinds.all_fresh(node) == [], what="all to be fresh")  # noqa: B023
    frozen, other = nodes
    freeze(frozen)
    began = time.monotonic()
    while kinds.all_fresh(frozen) != []:
        assert (
            kinds.all_fresh(other) == []
        )  # whatever the first node says, the other one runs them now
        assert time.monotonic() - began < BACK_WITHIN
    time.sleep(3)
    assert kinds.all_fresh(frozen) == kinds.all_fresh(other) == []


def test_a_silent_link_is_noticed_although_a_query_may_take_long(
    start_daemon: StartDaemon, postgres: PostgresServer
) -> None:
    link = Proxy(postgres.port, is_http=False)
    url = postgres.url.replace(str(postgres.port), str(link.port))
    table = f'database = "{url}"\ntimeout = "1m"\nquery = "SELECT 1 AS n"\nevery = "1h"\n'
    config = f'[sources.asked]\n{table}[sources.woken]\n{table}listen = "orders"'
    streams = Streams(start_daemon(config=config))
    names = ("asked.n", "woken.n")
    try:
        for name in names:
            streams.expect(name, 1)
        link.silence()
        began = time.monotonic()
        for name in names:
            streams.expect_health(name, "failed")
        assert time.monotonic() - began < BACK_WITHIN
        time.sleep(PAUSE / 2)
        link.speak()
        began = time.monotonic()
        for name in names:
            streams.expect_health(name, "fresh")
        assert time.monotonic() - began < BACK_WITHIN
    finally:
        link.close()


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


def test_every_kind_is_back_after_a_silent_link(
    start_daemon: StartDaemon,
    postgres: PostgresServer,
    mariadb: MariaServer,
    redis: Redis,
    tmp_path: Path,
) -> None:
    """So are a file that was away, and a command that was killed again and again."""
    with ExitStack() as stack:
        page = stack.enter_context(other_origin(tmp_path))
        links = [
            Proxy(port, is_http=False)
            for port in (postgres.port, mariadb.port, redis.port, urlsplit(page).port or 0)
        ]
        for link in links:
            stack.callback(link.close)
        kinds = Kinds(tmp_path, postgres, mariadb, redis, page)
        broken, file = tmp_path / "broken", tmp_path / "shop.db"
        kinds.tables["load"] = f'command = "test -e {broken} && kill -9 $$; echo 1"\nevery = "1s"'
        kinds.tables["rarely"] = kinds.tables["asked"].replace('"1s"', '"1h"')
        config = kinds.config
        for port, link in zip((postgres.port, mariadb.port, redis.port), links, strict=False):
            config = config.replace(f"127.0.0.1:{port}", f"127.0.0.1:{link.port}")
        config = config.replace(page, links[3].url)
        daemon = start_daemon(config=config, env={"PYTHONPATH": str(tmp_path)})
        wait_until(lambda: kinds.all_fresh(daemon) == [], what="all to be fresh")
        for link in links:
            link.silence()
        broken.touch()
        file.rename(tmp_path / "away.db")
        time.sleep(1.3 * PAUSE)  # so that the pauses are as long as they become
        still = {"called", "on_reactor", "steps", "shop", "walk", "tail", "up"}
        assert {
            name.partition(".")[0] for name, _ in kinds.all_fresh(daemon)
        } == kinds.tables.keys() - still
        for link in links:
            link.speak()
        broken.unlink()
        (tmp_path / "away.db").rename(file)
        began = time.monotonic()
        wait_until(lambda: kinds.all_fresh(daemon) == [], what="all to be fresh again")
        assert time.monotonic() - began < BACK_WITHIN


class SlowAnswer(BaseHTTPRequestHandler):
    """The number 1, after a while."""

    def do_GET(self) -> None:
        time.sleep(SLOW)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"1")

    def log_message(self, *words: object) -> None:
        """Nothing."""


SLOW = 1.5
"""Seconds that an answer takes: longer than the streams expect."""


def test_an_answer_that_took_longer_than_expect_is_late_when_it_comes(
    start_daemon: StartDaemon, postgres: PostgresServer
) -> None:
    postgres.sql("CREATE TABLE slow (id int)", "INSERT INTO slow VALUES (1)")
    often = 'every = "100ms"\nexpect = "500ms"\n'
    database = f'database = "{postgres.url}"\n{often}'
    slowly = f"FROM slow, (SELECT pg_sleep({SLOW})) AS wait"
    rows = f'query = "SELECT id {slowly} WHERE id > :after ORDER BY id"\nafter = "id"\n'
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowAnswer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        tables = {
            "row": f'{database}query = "SELECT id {slowly}"\n',
            "rows": f"{database}{rows}",
            "web": f'url = "http://127.0.0.1:{server.server_port}/"\n{often}',
        }
        daemon = start_daemon(config="\n".join(f"[sources.{n}]\n{t}" for n, t in tables.items()))
        streams, names = Streams(daemon), ("row.id", "rows", "web")
        for name in names:
            wait_until(lambda: streams.value(name) is not None, what=name)  # noqa: B023
        seen = set()
        until = time.monotonic() + 3 * SLOW
        while time.monotonic() < until:
            seen |= {(name, streams.health(name)) for name in names}
        server.shutdown()
    assert seen == {(name, ("late", None)) for name in names}

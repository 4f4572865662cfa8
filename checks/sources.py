"""Proves that viewers cost a database nothing: a query runs as often for a thousand as for one.

One viewer stays for some seconds; then a thousand come and go in as many.  How often each query ran
meanwhile is what PostgreSQL, MariaDB and Redis count by themselves.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from checks.crowd import Crowd
from checks.proof import Proof, main, running
from tests.support.databases import MariaServer, PostgresServer, serve_all_tests
from tests.support.net import wait_until
from tests.support.redis import Redis

EVERY = 0.25
"""Seconds between two runs of each query."""

WAVE = 100
"""Viewers who come together, and go."""

SQL = 'database = "{url}"\nquery = "SELECT 4711 AS orders"'
POSTGRES_COUNT = "SELECT sum(calls)::int FROM pg_stat_statements WHERE query ~ 'AS orders'"
MARIA_COUNT = "SELECT select_commands FROM information_schema.user_statistics WHERE user = 'shop'"

Counts = Mapping[str, Callable[[], int]]


def prove(proof: Proof, viewers: int = 1000, seconds: float = 10.0) -> None:
    """:param seconds: for which one viewer stays, and in which the others come and go."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamd-check-")))
        postgres = stack.enter_context(contextmanager(serve_all_tests)(PostgresServer))
        maria = stack.enter_context(contextmanager(serve_all_tests)(MariaServer))
        redis = Redis(folder)
        redis.start()
        stack.callback(redis.kill)
        for server in (postgres, maria):
            server.clear()
        postgres.sql("CREATE EXTENSION pg_stat_statements")
        maria.sql("SET GLOBAL userstat = 1")
        sources = {
            "postgres": SQL.format(url=postgres.url),
            "maria": SQL.format(url=maria.url),
            "redis": f'url = "redis://127.0.0.1:{redis.port}"\nget = "orders"',
        }
        every = f'every = "{EVERY * 1000:.0f}ms"'
        config = "".join(f"[sources.{name}]\n{lines}\n{every}\n" for name, lines in sources.items())
        counts = {
            "postgres": lambda: postgres.sql(POSTGRES_COUNT)[0][0],
            "maria": lambda: maria.sql(MARIA_COUNT)[0][0],
            "redis": lambda: asked(redis),
        }
        daemon = stack.enter_context(running(config=config))
        told = {"postgres.orders", "maria.orders", "redis"}
        wait_until(lambda: daemon.request("GET", "/state").json().keys() >= told)
        crowd = stack.enter_context(Crowd(daemon.port))
        watch(proof, "one viewer", counts, lambda: stay(crowd, seconds))
        watch(proof, f"{viewers} viewers", counts, lambda: come_and_go(crowd, viewers, seconds))


def watch(proof: Proof, who: str, counts: Counts, act: Callable[[], None]) -> None:
    """Claims that meanwhile each query ran as often as it is told to, and no more."""
    began = time.monotonic()
    before = {name: count() for name, count in counts.items()}
    act()
    runs = {name: count() - before[name] for name, count in counts.items()}
    most = (time.monotonic() - began) / EVERY + 1
    for name, count in runs.items():
        proof.claim(
            most / 2 / proof.patience <= count <= most,
            f"{who}: {name} was asked {count} times; at most {most:.0f}",
        )


def stay(crowd: Crowd, seconds: float) -> None:
    """Lets one viewer stay."""
    crowd.gather(1)
    crowd.run(seconds)
    crowd.leave()


def come_and_go(crowd: Crowd, viewers: int, seconds: float) -> None:
    """Lets viewers come and go in waves."""
    waves = max(1, viewers // WAVE)
    for _ in range(waves):
        crowd.gather(viewers // waves)
        crowd.run(seconds / waves)
        crowd.leave()


def asked(redis: Redis) -> int:
    """How often Redis was asked for a value."""
    [line] = [s for s in redis.say("INFO", "commandstats").splitlines() if "cmdstat_get:" in s]
    return int(line.partition("calls=")[2].partition(",")[0])


if __name__ == "__main__":
    main(prove)

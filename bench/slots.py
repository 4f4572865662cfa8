"""``make bench-slots``: what long histories take: the start of a daemon, and its memory.

A thousand streams with 10,000 slots each lie in a SQLite file, and in Redis.  The daemon is started
with and without them, in turns.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from bench import meter
from streamd.core.histories.blocks import HEAD
from streamd.core.histories.long_history import LongHistory
from streamd.core.histories.saving import FOLLOWED
from streamd.core.state import State
from streamd.core.update import Draft, Position, Update
from streamd.journals.journal import Journal
from streamd.journals.redis import RedisJournal
from streamd.journals.sqlite import SqliteJournal
from streamd.reactor.redis_client import RedisUrl
from tests.support.daemon import Daemon
from tests.support.redis import Redis

STREAMS = 1000
SLOTS = 10_000
WIDTH = 60
ROUNDS = 3
AT_ONCE = 100
"""Streams whose blocks are stored in one request."""

CONFIG = """[server]
max_state = "1GiB"
[journal]
{journal}
""" + "".join(f'[streams.s{n}]\nkeep = 10\nrollup = "8d"\n' for n in range(STREAMS))


class Idle:
    """A follower that does nothing."""

    def __init__(self) -> None:
        self.room = State(0.0).room

    def restore(self, life: int, held: Any, horizon: Position, blocks: Any) -> None: ...

    def committed(self, updates: Any) -> None: ...

    def away(self, why: str | None) -> None: ...

    def skipped(self, streams: Any, why: str) -> None: ...

    def lost(self, why: str) -> None: ...


def history(now: float) -> Mapping[int, bytes | None]:
    """The blocks of one stream, which had another number in each slot."""
    long = LongHistory(8 * 86_400.0, lambda value: None)
    for slot in range(SLOTS):
        time_of_slot = now - (SLOTS - slot) * WIDTH
        at = Position(int(time_of_slot * 1000), slot)
        long.hear(Update("s", slot + 1, at, time_of_slot, b"%d.25" % slot), ())
    return long.changes()


async def fill(journal: Journal, blocks: Mapping[int, bytes | None], now: float) -> None:
    """Store the same long history for each stream, and ten updates of each."""
    await journal.start(Idle())
    names = [f"s{n}" for n in range(STREAMS)]
    for number in range(10):
        await journal.append([Draft(name, b"%d" % number) for name in names])
    for first in range(0, STREAMS, AT_ONCE) if blocks else ():
        await journal.store(dict.fromkeys(names[first : first + AT_ONCE], blocks))
    await journal.store({FOLLOWED: {HEAD: b"%f" % now}})
    await journal.stop()


def start(folder: Path, journal: str) -> tuple[float, float, int]:
    """Start a daemon; return its CPU and wall seconds until it answers, and its bytes of memory."""
    daemon = Daemon(folder, config=CONFIG.format(journal=journal))
    began = time.perf_counter()
    daemon.start()
    took = time.perf_counter() - began
    used, memory = meter.cpu(daemon.pid), meter.memory(daemon.pid)
    daemon.kill()
    return used, took, memory


async def measure(reactor: Any, folder: Path, redis: Redis) -> None:
    now = time.time()
    journals: dict[str, dict[str, str]] = {"SQLite": {}, "Redis": {}}
    for what, blocks in (("without", {}), ("with", history(now))):
        path = folder / f"{what}.db"
        await fill(SqliteJournal(path, time.time, reactor.seconds, reactor), blocks, now)
        journals["SQLite"][what] = f'path = "{path}"'
        url, prefix = f"redis://127.0.0.1:{redis.port}", f"{what}:"
        await fill(RedisJournal(RedisUrl.parse(url), "", reactor, time.time, prefix), blocks, now)
        journals["Redis"][what] = f'url = "{url}"\nprefix = "{prefix}"'
    for name, variants in journals.items():
        found: dict[str, list[tuple[float, float, int]]] = {what: [] for what in variants}
        for _ in range(ROUNDS):
            for what, journal in variants.items():
                found[what].append(start(folder, journal))
        base = median(memory for _, _, memory in found["without"])
        for what, runs in found.items():
            used, took, memory = (median(column) for column in zip(*runs, strict=True))
            each = (memory - base) / STREAMS / 1000
            print(
                f"{name:6} {what:7} long histories: {used:.2f} s of CPU, {took:.2f} s until it answers,"
                f" {memory / 2**20:.0f} MiB, {each:.0f} kB a stream more"
            )


def main(reactor: Any) -> Deferred[None]:
    async def run() -> None:
        with ExitStack() as stack:
            below = sys.argv[1] if len(sys.argv) > 1 else None
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=below)))
            redis = Redis(folder)
            redis.start()
            stack.callback(redis.kill)
            await measure(reactor, folder, redis)

    return Deferred.fromCoroutine(run())


if __name__ == "__main__":
    react(main)

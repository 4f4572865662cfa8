"""What many nodes on one Redis cost, and how long an update takes from one to another.

- Appends per second, in batches, with Redis's CPU for each, and for each node that follows.
- From a publish at one node to a viewer of the same, and to one of another.
- CPU of the daemons for each delivered message: all viewers at one node, and at two.

Real daemons, a real Redis on this machine: all share its cores.  `make bench-cluster` prints it.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred
from websockets.sync.client import ClientConnection, connect

from bench.meter import cpu
from checks.crowd import Crowd
from checks.proof import Daemon, memory
from streamd.app.process import allow_files
from streamd.core.state import State
from streamd.core.update import Draft
from streamd.journals.redis import RedisJournal
from streamd.reactor.redis_client import RedisUrl
from tests.support.redis import Redis

BATCHES, BATCH, UNDER_WAY = 1000, 100, 4
DELAYS, PAUSE = 300, 0.05
VIEWERS, MESSAGES, EVERY = 400, 150, 0.04
MANY = 2000


class Nobody:
    """A follower that only counts."""

    def __init__(self) -> None:
        self.count = 0
        self.room = State(0.0).room

    def restore(self, life: int, held: Any, horizon: Any, blocks: Any) -> None:
        self.count = 0

    def committed(self, updates: Sequence[Any]) -> None:
        self.count += len(updates)

    def away(self, why: str | None) -> None:
        assert why is None, why

    def skipped(self, streams: Any, why: str) -> None:
        raise AssertionError(why)

    def lost(self, why: str) -> None:
        raise AssertionError(why)


@contextmanager
def redis_server(fsync: str) -> Iterator[Redis]:
    with tempfile.TemporaryDirectory(prefix="streamd-bench-") as folder:
        server = Redis(Path(folder), "--appendfsync", fsync)
        server.start()
        try:
            yield server
        finally:
            server.kill()


async def measure_appends(reactor: Any) -> None:
    """Prints what Redis takes, with one node and with two."""
    for fsync in ("everysec", "always"):
        for others in (0, 1):
            with redis_server(fsync) as server:
                await _append(reactor, server, f"appendfsync {fsync}", others)


async def _append(reactor: Any, server: Redis, what: str, others: int) -> None:
    url = RedisUrl.parse(f"redis://127.0.0.1:{server.port}")
    journals = [RedisJournal(url, "", reactor, time.time) for _ in range(1 + others)]
    followers = [Nobody() for _ in journals]
    for journal, follower in zip(journals, followers, strict=True):
        await journal.start(follower)
    before, ours, began = cpu(server.pid), time.process_time(), time.monotonic()

    async def appending(first: int) -> None:
        for number in range(first, BATCHES, UNDER_WAY):
            drafts = [Draft(f"s{n}", b"%d" % number) for n in range(BATCH)]
            updates = await journals[0].append(drafts)
            if number % 10 == first:
                keep = drafts[0].stream
                await journals[0].trim({keep: updates[-1].at}, updates[-1].at)

    for each in [Deferred.fromCoroutine(appending(n)) for n in range(UNDER_WAY)]:
        await each
    took = time.monotonic() - began
    count = BATCHES * BATCH
    theirs = (cpu(server.pid) - before) / count * 1e6
    here = (time.process_time() - ours) / count * 1e6
    print(
        f"{what}, {1 + others} following: {count / took:,.0f} appends a second in batches of {BATCH}; "
        f"CPU for each: Redis {theirs:.1f} µs, here {here:.1f} µs"
    )
    for journal in journals:
        await journal.stop()


@contextmanager
def nodes(count: int) -> Iterator[tuple[Redis, list[Daemon]]]:
    with redis_server("everysec") as server, ExitStack() as stack:
        started = []
        for _ in range(count):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="streamd-bench-"))
            config = f'[access]\npublish = "loopback"\n[journal]\nurl = "redis://127.0.0.1:{server.port}"'
            node = Daemon(Path(folder), config=config, env=None)
            node.start()
            stack.callback(node.kill)
            started.append(node)
        yield server, started


def publish(link: HTTPConnection, number: int) -> None:
    link.request("POST", "/streams/a", str(number))
    answer = link.getresponse()
    answer.read()
    assert answer.status == 201, answer.status


def measure_delays() -> None:
    """Prints how long an update takes."""
    with nodes(2) as (_, started), ExitStack() as stack:
        link = HTTPConnection("127.0.0.1", started[0].port)
        publish(link, 0)
        viewers = [stack.enter_context(connect(node.ws_url, compression=None)) for node in started]
        delays: tuple[list[float], list[float]] = ([], [])
        for number in range(1, DELAYS + 1):
            time.sleep(PAUSE)
            # One viewer at a time: who is asked first would hide what the other took.
            which = number % 2
            began = time.monotonic()
            link.request("POST", "/streams/a", str(number))
            _wait(viewers[which], number)
            delays[which].append(time.monotonic() - began)
            link.getresponse().read()
            _wait(viewers[1 - which], number)
    for place, seen in zip(("the same node", "another node"), delays, strict=True):
        tenths = sorted(second * 1000 for second in seen)
        print(
            f"publish to a viewer of {place}: p50 {tenths[len(tenths) // 2]:.2f} ms, "
            f"p99 {tenths[len(tenths) * 99 // 100]:.2f} ms"
        )


def _wait(viewer: ClientConnection, number: int) -> None:
    while json.loads(viewer.recv(10)).get("a") != number:
        pass


def measure_deliveries() -> None:
    """Prints what one delivery costs the daemons, and what a viewer takes."""
    costs = []
    for count in (1, 2):
        with nodes(count) as (server, started), ExitStack() as stack:
            crowds = [stack.enter_context(Crowd(node.port, "/ws")) for node in started]
            for crowd in crowds:
                crowd.gather(VIEWERS // count)
            link = HTTPConnection("127.0.0.1", started[0].port)
            publish(link, 0)
            before = sum(cpu(node.pid) for node in started)
            redis = cpu(server.pid)
            for number in range(1, MESSAGES + 1):
                publish(link, number)
                for crowd in crowds:
                    crowd.run(EVERY / count)
            spent = sum(cpu(node.pid) for node in started) - before
            costs.append(spent / (MESSAGES * VIEWERS) * 1e6)
            print(
                f"{VIEWERS} viewers at {count}: {costs[-1]:.1f} µs of CPU for each delivery; "
                f"Redis {(cpu(server.pid) - redis) / MESSAGES * 1e6:.0f} µs for each update"
            )
    print(f"two nodes cost {(costs[1] / costs[0] - 1) * 100:+.0f} % a delivery")


def measure_memory() -> None:
    """Prints what a viewer takes."""
    with nodes(1) as (_, [node]), Crowd(node.port, "/ws") as crowd:
        crowd.gather(50)
        before = memory(node.pid)
        crowd.gather(MANY)
        print(f"{(memory(node.pid) - before) / MANY / 1024:.1f} KiB for each of {MANY} viewers")


def _main(reactor: Any) -> Deferred[None]:
    return Deferred.fromCoroutine(measure_appends(reactor))


if __name__ == "__main__":
    allow_files()
    measure_delays()
    measure_deliveries()
    measure_memory()
    task.react(_main)

"""Proves that many nodes on one Redis are one system, whatever happens to them.

Three nodes, each with a way of its own to one Redis; publishers at all of them, viewers that move from
one to another, a source with `after` that every node could run.  A seeded script kills, freezes and
stops nodes, kills, freezes and restarts Redis (appendfsync always), and cuts connections.  In the end:

- every update that was acknowledged is there, with the seq that was acknowledged, once;
- every viewer has every seq of every stream once and in order;
- the source wrote each row once and in order, under one lease at a time;
- when the node that ran the source died or hung, another one went on within five seconds.

`cluster.py SECONDS SEED` takes as long as it is told.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from checks.proof import Proof, main, spread
from tests.support.daemon import Daemon
from tests.support.net import request
from tests.support.proxy import Proxy
from tests.support.redis import Redis

NODES = 3
VIEWERS = 6
SECONDS = 300.0
FROZEN = 15.0
SEED = 8
TAKEOVER = 5.0
SETTLE = 60.0
ORIGIN = "0-0"
LEASE = "streamd:lease:source:orders"

CONFIG = """
[access]
publish = "loopback"
[journal]
url = "redis://127.0.0.1:{port}"
[sources.orders]
database = "sqlite:///{folder}/shop.db"
query = "SELECT id FROM orders WHERE id > :after ORDER BY id"
after = "id"
start = 0
every = "100ms"
whole = true
[streams.orders]
keep = 1000000
"""


class Way(Proxy):
    """A way to Redis that can be cut."""

    def _serve(self, client: Any) -> None:
        with self._kept(client), suppress(OSError):
            self._pass_on(client, b"", False)


class System:
    """All of it.

    :ivar over: nothing more is to be published.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.redis = Redis(folder)
        self.redis.start()
        self.ways = [Way(self.redis.port) for _ in range(NODES)]
        self.nodes = [self._node(number) for number in range(NODES)]
        self.over = threading.Event()
        self.done = threading.Event()
        self.wrong: list[str] = []

    def _node(self, number: int) -> Daemon:
        folder = self.folder / f"node{number}"
        folder.mkdir()
        streams = "".join(f"[streams.s{n}]\nkeep = 1000000\n" for n in range(NODES))
        config = CONFIG.format(port=self.ways[number].port, folder=self.folder)
        node = Daemon(folder, config=config + streams)
        node.start()
        return node

    def holder(self) -> int | None:
        """The node that runs the source, as Redis says; None if none does, or it cannot be asked."""
        with suppress(OSError, AssertionError):
            name = self.redis.say("GET", LEASE)
            for number, node in enumerate(self.nodes):
                if name and name in node.log():
                    return number
        return None

    def thaw(self) -> None:
        """Nothing is frozen any more, and everything runs."""
        if self.redis.running:
            self.redis.thaw()
        else:
            self.redis.start()
        for node in self.nodes:
            if node.running:
                os.kill(node.pid, signal.SIGCONT)
            else:
                node.start()

    def close(self) -> None:
        self.over.set()
        self.done.set()
        for node in self.nodes:
            if node.running:
                os.kill(node.pid, signal.SIGCONT)
                node.kill()
        for way in self.ways:
            way.close()
        if self.redis.running:
            self.redis.thaw()
            self.redis.kill()


class Publisher:
    """Publishes 1, 2, 3, … to a stream, each until it is acknowledged.

    :ivar acknowledged: how many are; :ivar refused: how often it was told to try again.
    """

    def __init__(self, system: System, number: int, rng: random.Random) -> None:
        self.name = f"s{number}"
        self.acknowledged = 0
        self.refused: Counter[str] = Counter()
        self._system = system
        self._rng = rng

    def run(self) -> None:
        in_doubt = False
        while in_doubt or not self._system.over.is_set():
            number = self.acknowledged + 1
            seq = self._publish(number)
            in_doubt = seq is None and not self._system.done.is_set()
            if seq is None:
                time.sleep(0.05)
                continue
            if seq != number:
                self._system.wrong.append(f"{self.name}: {number} became seq {seq}")
            self.acknowledged = number
            time.sleep(self._rng.random() * 0.02)

    def _publish(self, number: int) -> int | None:
        node = self._rng.choice(self._system.nodes)
        headers = {"Idempotency-Key": f"{self.name}-{number}"}
        try:
            answer = request(
                node.port, "POST", f"/streams/{self.name}", str(number), headers, timeout=5
            )
        except (OSError, HTTPException):
            self.refused["no answer"] += 1
            return None
        if answer.status != 201:
            self.refused[str(answer.status)] += 1
            return None
        seq: int = answer.json()["seq"]
        return seq


class Viewer:
    """Follows all streams, now at this node and then at that.

    :ivar has: the last number of each stream; :ivar moves: how often it went elsewhere.
    :ivar refused: how often it was told that it cannot resume.
    """

    def __init__(self, system: System, rng: random.Random) -> None:
        self.has: dict[str, int] = {}
        self.moves = self.refused = 0
        self._system = system
        self._rng = rng
        self._at = ORIGIN
        self._anew = False

    def run(self) -> None:
        while not self._system.done.is_set():
            node = self._rng.choice(self._system.nodes)
            with suppress(OSError, WebSocketException, TimeoutError, EOFError):
                self._follow(node.ws_url)
            self.moves += 1
            time.sleep(0.1)

    def _follow(self, url: str) -> None:
        until = time.monotonic() + self._rng.uniform(0.5, 10)
        with connect(
            f"{url}/ws?after={self._at}",
            subprotocols=["streamd.v1"],  # type: ignore[list-item]
            compression=None,
            open_timeout=3,
            close_timeout=0.1,
        ) as link:
            while time.monotonic() < until and not self._system.done.is_set():
                message = json.loads(link.recv(7))
                if message["type"] == "hello" and not message["resumed"]:
                    self.refused += 1
                    self.has.clear()
                    self._anew = True
                elif message["type"] == "updates":
                    for update in message["updates"]:
                        self._take(update)
                    self._anew = self._anew and message.get("more", False)
                    self._at = message["at"]

    def _take(self, update: Any) -> None:
        name, seq, value = update["stream"], update["seq"], update["value"]
        number = value["id"] if name == "orders" else value
        follows = seq == self.has.get(name, 0) + 1 or (self._anew and name not in self.has)
        if number != seq or not follows:
            self._system.wrong.append(f"{name}: {seq} ({value}) after {self.has.get(name, 0)}")
        self.has[name] = seq


class Watch:
    """Looks at the lease, and at what the source has written.

    :ivar takeovers: seconds from the end of a holder until another node had written a row.
    :ivar writers: the node that wrote under each number of the lease.
    """

    def __init__(self, system: System) -> None:
        self.takeovers: list[float] = []
        self.writers: dict[int, str] = {}
        self._system = system
        self._read = "0-0"

    def look(self) -> None:
        """In the log: under each number of the lease one node wrote, and no older one after a newer."""
        with suppress(OSError, AssertionError):
            for at, fields in self._system.redis.say(
                "XRANGE", "streamd:log", f"({self._read}", "+"
            ):
                self._read = at
                entry = dict(zip(fields[::2], fields[1::2], strict=True))
                if entry.get("stream") == "orders":
                    node, _, number = entry["by"].partition(":")
                    self._note(node, int(number), at)

    def _note(self, node: str, number: int, at: str) -> None:
        newest = max(self.writers, default=0)
        if number < newest or self.writers.setdefault(number, node) != node:
            self._system.wrong.append(f"{at}: {node} wrote under {number}, {newest} was known")

    def wait(self, gone: int, since: float) -> None:
        """Until another node than this one, which is gone, runs the source, and has written."""
        system = self._system
        deadline = since + 4 * TAKEOVER
        while system.holder() in (None, gone) and time.monotonic() < deadline:
            time.sleep(0.02)
        before = system.redis.say("HGET", "streamd:seqs", "orders")
        while (
            system.redis.say("HGET", "streamd:seqs", "orders") == before
            and time.monotonic() < deadline
        ):
            time.sleep(0.02)
        self.takeovers.append(time.monotonic() - since)


class Chaos:
    """What happens to the system, one thing after the other."""

    def __init__(self, system: System, watch: Watch, rng: random.Random, frozen: float) -> None:
        self.happened: Counter[str] = Counter()
        self._system, self._watch = system, watch
        self._rng = rng
        self._frozen = frozen

    def happen(self) -> None:
        """One of all that may."""
        kinds: Sequence[Callable[[], None]] = (
            self.kill_holder,
            self.freeze_holder,
            self.stop_node,
            self.kill_node,
            self.kill_redis,
            self.freeze_redis,
            self.restart_redis,
            self.cut,
            self.cut,
        )
        kind = self._rng.choice(kinds)
        self.happened[kind.__name__.replace("_", " ")] += 1
        kind()
        self._system.thaw()
        self._watch.look()

    def kill_holder(self) -> None:
        number = self._system.holder()
        if number is not None:
            self._system.nodes[number].kill()
            self._watch.wait(number, time.monotonic())

    def freeze_holder(self) -> None:
        number = self._system.holder()
        if number is not None:
            os.kill(self._system.nodes[number].pid, signal.SIGSTOP)
            self._watch.wait(number, time.monotonic())

    def stop_node(self) -> None:
        self._rng.choice(self._system.nodes).stop()

    def kill_node(self) -> None:
        self._rng.choice(self._system.nodes).kill()
        time.sleep(self._rng.random())

    def kill_redis(self) -> None:
        self._system.redis.kill()
        time.sleep(self._rng.random())

    def freeze_redis(self) -> None:
        self._system.redis.freeze()
        time.sleep(self._frozen)

    def restart_redis(self) -> None:
        self._system.redis.restart()

    def cut(self) -> None:
        self._rng.choice(self._system.ways).sever()


@contextmanager
def orders(folder: Path) -> Iterator[Callable[[], int]]:
    """A table that grows; gives how many rows there are."""
    path = folder / "shop.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    over = threading.Event()
    count = 0

    def grow() -> None:
        nonlocal count
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            while not over.is_set():
                db.execute("INSERT INTO orders DEFAULT VALUES")
                count += 1
                time.sleep(0.02)

    thread = threading.Thread(target=grow)
    thread.start()

    def finish() -> int:
        over.set()
        thread.join()
        return count

    try:
        yield finish
    finally:
        finish()


def prove(proof: Proof, seconds: float = SECONDS, seed: int = SEED, frozen: float = FROZEN) -> None:
    """:param frozen: seconds for which Redis stands still."""
    proof.figure(f"seed {seed}")
    rng = random.Random(seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamd-check-")))
        finish = stack.enter_context(orders(folder))
        system = System(folder)
        stack.callback(system.close)
        publishers = [Publisher(system, n, random.Random(rng.random())) for n in range(NODES)]
        viewers = [Viewer(system, random.Random(rng.random())) for _ in range(VIEWERS)]
        runs = [p.run for p in publishers] + [v.run for v in viewers]
        threads = [threading.Thread(target=run) for run in runs]
        stack.callback(_join, threads)
        stack.callback(system.done.set)
        stack.callback(system.over.set)
        for thread in threads:
            thread.start()
        watch = Watch(system)
        chaos = Chaos(system, watch, rng, frozen)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(rng.uniform(0.5, 3))
            chaos.happen()
        rows = finish()
        system.over.set()
        _join(threads[:NODES])  # what is in doubt is tried again
        wanted = _settle(publishers, viewers, rows)
        _claim(proof, system, publishers, viewers, watch, chaos, wanted)


def _join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.join(30)


def _settle(
    publishers: Sequence[Publisher], viewers: Sequence[Viewer], rows: int
) -> dict[str, int]:
    """What everybody has to have, when that is so, or the time for it is over."""
    deadline = time.monotonic() + SETTLE
    wanted = {p.name: p.acknowledged for p in publishers} | {"orders": rows}
    while any(viewer.has != wanted for viewer in viewers) and time.monotonic() < deadline:
        time.sleep(0.1)
    return wanted


def _claim(
    proof: Proof,
    system: System,
    publishers: Sequence[Publisher],
    viewers: Sequence[Viewer],
    watch: Watch,
    chaos: Chaos,
    wanted: dict[str, int],
) -> None:
    watch.look()
    happened = ", ".join(f"{kind} {count}" for kind, count in sorted(chaos.happened.items()))
    proof.figure(f"what happened: {happened}")
    refused = sum((p.refused for p in publishers), Counter[str]())
    proof.figure(f"published {sum(wanted.values())}; to be tried again {dict(refused)}")
    moves = sum(viewer.moves for viewer in viewers)
    proof.claim(not system.wrong, f"nothing was out of order: {system.wrong[:3] or 'all well'}")
    for name, count in wanted.items():
        seq = int(system.redis.say("HGET", "streamd:seqs", name))
        entries = system.redis.say("XLEN", f"streamd:history:{name}")
        proof.claim(
            seq == entries == count, f"{name}: {count} acknowledged, {seq} counted, {entries} kept"
        )
    current = sum(viewer.has == wanted for viewer in viewers)
    proof.claim(
        current == len(viewers),
        f"{current} of {len(viewers)} viewers have all, each once and in order, over {moves} moves",
    )
    proof.claim(
        len(watch.writers) > 0,
        f"one node at a time wrote for the source: {len(set(watch.writers.values()))} nodes, "
        f"{len(watch.writers)} leases, in the order of their numbers",
    )
    told = sum(viewer.refused for viewer in viewers)
    proof.claim(told == 0, f"{told} were told that they cannot resume")
    late = max(watch.takeovers, default=0.0)
    proof.claim(
        late <= TAKEOVER * proof.patience,
        f"another node went on with the source: {spread(watch.takeovers)}; at most {TAKEOVER:g} s",
    )


if __name__ == "__main__":
    words = sys.argv[1:]
    main(
        lambda proof: prove(
            proof, float(words[0]) if words else SECONDS, int(words[1]) if words[1:] else SEED
        )
    )

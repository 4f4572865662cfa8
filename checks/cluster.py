"""Proves that many nodes on one Redis are one system, whatever happens to them.

Three nodes, each with a way of its own to one Redis; publishers at all of them, viewers that move from
one to another, a source with `after` that every node could run.  A seeded script kills, freezes and
stops nodes, kills, freezes and restarts Redis (appendfsync always), and cuts connections.  In the end:

- every update that was acknowledged is there, with the seq that was acknowledged, once;
- every viewer has every seq of every stream once and in order;
- the source wrote each row once and in order, under one lease at a time;
- when the node that ran the source died or hung, another one went on within five seconds.

`cluster.py SECONDS SEED` takes as long as it is told.  OTHER_TWISTD=PATH runs the first node with
another version of streamd, which is installed beside that twistd: a cluster of mixed versions.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from checks.numbered import ORDERS, Publisher, Rows, Viewer, Worker
from checks.proof import Proof, main
from tests.support.daemon import TWISTD, Daemon
from tests.support.proxy import Proxy
from tests.support.redis import Redis

NODES = 3
VIEWERS = 6
SECONDS = 300.0
FROZEN = 15.0
SEED = 8
TAKEOVER = 5.0
SETTLE = 60.0
LEASE = "streamd:lease:source:orders"

CONFIG = """
[access]
publish = "loopback"
[journal]
url = "redis://127.0.0.1:{port}"
[sources.orders]
database = "sqlite:///{folder}/shop.db"
{orders}start = 0
every = "100ms"
whole = true
[streams.orders]
keep = 1000000
"""


class System:
    """Redis, the ways to it, and the nodes.

    :ivar wrong: what was out of order.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.redis = Redis(folder)
        self.redis.start()
        self.ways = [Proxy(self.redis.port, is_http=False) for _ in range(NODES)]
        self.nodes = [self._node(number) for number in range(NODES)]
        self.wrong: list[str] = []

    def _node(self, number: int) -> Daemon:
        folder = self.folder / f"node{number}"
        folder.mkdir()
        streams = "".join(f"[streams.s{n}]\nkeep = 1000000\n" for n in range(NODES))
        config = CONFIG.format(port=self.ways[number].port, folder=self.folder, orders=ORDERS)
        twistd = TWISTD if number else Path(os.environ.get("OTHER_TWISTD", TWISTD))
        node = Daemon(folder, config=config + streams, twistd=twistd)
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
        """Thaw what is frozen, and start what has ended."""
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
        for node in self.nodes:
            if node.running:
                os.kill(node.pid, signal.SIGCONT)
                node.kill()
        for way in self.ways:
            way.close()
        if self.redis.running:
            self.redis.thaw()
            self.redis.kill()


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
        """Check the log: one node wrote under each number of the lease, and numbers never fall."""
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
        """Wait until another node than this one runs the source, and has written."""
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
    """Does things to the system, one after the other."""

    def __init__(self, system: System, watch: Watch, rng: random.Random, frozen: float) -> None:
        self.happened: Counter[str] = Counter()
        self._system, self._watch = system, watch
        self._rng = rng
        self._frozen = frozen

    def happen(self) -> None:
        """Do one thing at random."""
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


def prove(proof: Proof, seconds: float = SECONDS, seed: int = SEED, frozen: float = FROZEN) -> None:
    """:param frozen: seconds for which Redis stands still."""
    proof.figure(f"seed {seed}")
    rng = random.Random(seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamd-check-")))
        rows = Rows(folder / "shop.db")
        system = System(folder)
        stack.callback(system.close)

        # Apart from the script's, so that the script is the same for the same seed.
        chance = random.Random(seed)

        def node() -> Daemon:
            return chance.choice(system.nodes)

        publishers = [Publisher(lambda: node().port, (f"s{n}",), keyed=True) for n in range(NODES)]
        viewers = [
            Viewer(lambda: node().ws_url, 7, lambda: chance.uniform(0.5, 10))
            for _ in range(VIEWERS)
        ]
        # What is in doubt is tried again.
        writing = [Worker(p.turn, lambda p=p: not p.in_doubt) for p in publishers]  # type: ignore[misc]
        writing.append(Worker(rows.turn))
        viewing = [Worker(viewer.turn) for viewer in viewers]
        for worker in writing + viewing:
            stack.callback(worker.ending.set)
            worker.start()
        watch = Watch(system)
        chaos = Chaos(system, watch, rng, frozen)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(rng.uniform(0.5, 3))
            chaos.happen()
        for worker in writing:
            worker.end()
        wanted = _settle(publishers, viewers, rows.written)
        for viewer, worker in zip(viewers, viewing, strict=True):
            viewer.over.set()
            worker.end()
        _claim(proof, system, publishers, viewers, watch, chaos, wanted)


def _settle(
    publishers: Sequence[Publisher], viewers: Sequence[Viewer], rows: int
) -> dict[str, int]:
    """Wait until every viewer has everything, at most SETTLE seconds; return the newest seqs."""
    deadline = time.monotonic() + SETTLE
    wanted = {name: len(seqs) for p in publishers for name, seqs in p.acknowledged.items()}
    wanted["orders"] = rows
    while not all(_has(v, wanted) for v in viewers) and time.monotonic() < deadline:
        time.sleep(0.1)
    return wanted


def _has(viewer: Viewer, wanted: dict[str, int]) -> bool:
    """Whether it was told each update once and in order, and every value under its seq."""
    all_of = {name: list(range(1, count + 1)) for name, count in wanted.items()}
    return viewer.seqs == all_of == viewer.numbers


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
    moves = sum(viewer.connections for viewer in viewers)
    for publisher in publishers:
        for name, seqs in publisher.acknowledged.items():
            system.wrong += [f"{name}: {n} became seq {s}" for n, s in seqs.items() if n != s]
    proof.claim(not system.wrong, f"nothing was out of order: {system.wrong[:3] or 'all well'}")
    for name, count in wanted.items():
        seq = int(system.redis.say("HGET", "streamd:seqs", name))
        entries = system.redis.say("XLEN", f"streamd:history:{name}")
        proof.claim(
            seq == entries == count, f"{name}: {count} acknowledged, {seq} counted, {entries} kept"
        )
    current = sum(_has(viewer, wanted) for viewer in viewers)
    proof.claim(
        current == len(viewers),
        f"{current} of {len(viewers)} viewers have all, each once and in order, over {moves} moves",
    )
    proof.claim(
        len(watch.writers) > 0,
        f"one node at a time wrote for the source: {len(set(watch.writers.values()))} nodes, "
        f"{len(watch.writers)} leases, in the order of their numbers",
    )
    told = sum(viewer.anew for viewer in viewers)
    proof.claim(told == 0, f"{told} were told that they cannot resume")
    proof.claim_times(watch.takeovers, TAKEOVER, "another node went on with the source")


if __name__ == "__main__":
    words = sys.argv[1:]
    main(
        lambda proof: prove(
            proof, float(words[0]) if words else SECONDS, int(words[1]) if words[1:] else SEED
        )
    )

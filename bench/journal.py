"""What the journal on disk takes: appends a second, the delay of the acknowledgement, and a start.

It runs where the journal would: below the folder that is given, or the one for temporary files.  What
FULL takes beyond NORMAL is what this disk takes to keep something.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater, react

from checks.proof import spread
from streamd.core.description import Description, Keep
from streamd.core.histories.blocks import StoredBlocks
from streamd.core.state import State
from streamd.core.update import Draft, Position, Update
from streamd.journals.sqlite import SqliteJournal

STREAMS = 1000
KEPT = 300
SECONDS = 5.0
BATCH = 100
"""Updates of one append, as of a source or a `PATCH /state`."""

RATE = 500
"""Single appends a second, whose acknowledgement is timed: a fortieth of what goes in batches."""


class Daemon:
    """A journal, and a state that follows it and has it trimmed, as in the service."""

    def __init__(self, path: Path, reactor: Any, full: bool, keep: int = KEPT) -> None:
        streams = {f"s{number}": Description(keep=Keep(keep)) for number in range(STREAMS)}
        self.state = State(time.time(), streams)
        self.room = self.state.room
        self.journal = SqliteJournal(path, time.time, reactor.seconds, reactor, full)
        self._reactor = reactor

    def restore(
        self, life: int, held: Iterable[Update], horizon: Position, blocks: StoredBlocks
    ) -> None:
        self.state.restore(life, held, horizon, blocks, time.time(), time.monotonic())

    def committed(self, updates: Sequence[Update]) -> None:
        self.state.apply(updates, time.time())

    def away(self, why: str | None) -> None:
        raise AssertionError(why)

    def skipped(self, streams: Any, why: str) -> None:
        raise AssertionError(why)

    def lost(self, why: str) -> None:
        raise AssertionError(why)

    async def trim(self) -> None:
        await self.journal.trim(*self.state.losses())


def drafts(number: int, count: int) -> list[Draft]:
    """Of as many streams as there are updates, another value each."""
    return [Draft(f"s{(number + n) % STREAMS}", b"%d.25" % (number + n)) for n in range(count)]


async def rate(daemon: Daemon, size: int, at_once: int) -> float:
    """Updates a second, this many in an append, this many appends under way."""
    began, number = time.perf_counter(), 0
    trimmed = began

    async def publish() -> None:
        nonlocal number, trimmed
        while (now := time.perf_counter()) < began + SECONDS:
            number += size
            await daemon.journal.append(drafts(number, size))
            if now > trimmed + 5:
                trimmed = now
                await daemon.trim()

    await gatherResults([Deferred.fromCoroutine(publish()) for _ in range(at_once)])
    return number / (time.perf_counter() - began)


async def delays(daemon: Daemon, reactor: Any) -> list[float]:
    """Seconds from a single append to its acknowledgement, at a steady rate."""
    took: list[float] = []
    under_way: list[Deferred[None]] = []
    began = time.perf_counter()

    async def one(number: int) -> None:
        at = time.perf_counter()
        await daemon.journal.append(drafts(number, 1))
        took.append(time.perf_counter() - at)

    for number in range(int(RATE * SECONDS)):
        late = began + number / RATE - time.perf_counter()
        await deferLater(reactor, max(0.0, late))
        under_way.append(Deferred.fromCoroutine(one(number)))
    await gatherResults(under_way)
    return took


async def measure(reactor: Any, folder: Path) -> None:
    for mode, full in (("NORMAL", False), ("FULL", True)):
        daemon = Daemon(folder / f"{mode}.db", reactor, full)
        await daemon.journal.start(daemon)
        for name, size, at_once in (("in batches of 100", BATCH, 4), ("singly", 1, 100)):
            found = await rate(daemon, size, at_once)
            print(f"{mode:<6} {name}, {at_once} under way: {found:,.0f} updates a second")
        print(f"{mode:<6} acknowledged: {spread(await delays(daemon, reactor))}")
        await daemon.journal.stop()
    path = folder / "start.db"
    daemon = Daemon(path, reactor, False)
    await daemon.journal.start(daemon)
    for _ in range(KEPT):
        await daemon.journal.append(drafts(0, STREAMS))
    await daemon.journal.stop()
    again = Daemon(path, reactor, False)
    began = time.perf_counter()
    await again.journal.start(again)
    took = time.perf_counter() - began
    held = sum(len(stream.history) for stream in again.state)
    large = path.stat().st_size / 2**20
    print(f"start with {len(again.state)} streams, {held:,} updates, {large:.0f} MiB: {took:.2f} s")
    await again.journal.stop()


def main(reactor: Any) -> Deferred[None]:
    async def run() -> None:
        with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
            await measure(reactor, Path(folder))

    return Deferred.fromCoroutine(run())


if __name__ == "__main__":
    react(main)

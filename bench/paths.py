"""What the parts of streamd cost by themselves: `make bench-paths`.

- the pure path, without a socket: append -> state -> hub -> one viewer that takes everything, with and
  without long histories;
- catching up: one viewer that was away for 200,000 updates;
- the longest pause of the garbage collector while 800,000 updates come and stay;
- start-up: from the command until the port accepts;
- an event stream's delivery beside a WebSocket's, 300 viewers each, 30 updates a second.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Sequence
from typing import Any

from bench.servers import SERVERS, Traffic, running
from bench.workloads import CPU, count, traffic_of
from streamd.core.cursor import Cursor
from streamd.core.description import Description, Keep
from streamd.core.duration import Duration
from streamd.core.selection import Selection
from streamd.core.update import ORIGIN, Draft, Update
from streamd.hub.hub import Hub
from streamd.wire.encoding import Encoding
from streamd.wire.frames import PLAIN_WEBSOCKET, V1_WEBSOCKET
from streamd.wire.requests import PACE, Subscription
from tests.support.fakes import Daemonette, FakeViewer

UPDATES = 200_000
STAY = 800_000
STARTS = 5
VIEWERS = 300


class Taker(FakeViewer):
    """Takes everything, and keeps nothing but how much it was."""

    told = 0
    octets = 0

    def write(self, data: bytes) -> None:
        self.told += 1
        self.octets += len(data)


def path(batch: int, encoding: Encoding, rollup: bool = False) -> float:
    """Updates a second, this many in each append and each a stream of its own; a flush after each."""
    rolled = Description(rollup=Duration(8 * 86_400.0))
    daemon = Daemonette(dict.fromkeys([f"s.{i}" for i in range(batch)], rolled) if rollup else {})
    hub = Hub(daemon.state, daemon.clock)
    hub.join(Taker(), Subscription(Selection(None)), encoding, daemon.times.now())
    drafts = [[Draft(f"s.{i}", b"%d" % (turn + i)) for i in range(batch)] for turn in range(10)]
    rounds = max(1, UPDATES // 10 // batch)
    began = time.perf_counter()
    for number in range(rounds):
        daemon.journal.append(drafts[number % 10])
        hub.wake()
        daemon.clock.advance(PACE)
    return rounds * batch / (time.perf_counter() - began)


def catching_up(streams: int) -> tuple[float, int]:
    """Seconds, and messages, for one who missed 200,000 updates of this many streams."""
    keep = Description(keep=Keep(UPDATES // streams))
    names = [f"s.{number}" for number in range(streams)]
    daemon = Daemonette(dict.fromkeys(names, keep))
    for number in range(0, UPDATES, 1000):
        numbers = range(number, number + 1000)
        daemon.journal.append([Draft(names[i % streams], b"%d" % i) for i in numbers])
        daemon.clock.advance(0.01)
    viewer = Taker()
    viewer.cursor = Cursor(ORIGIN, 0)
    hub = Hub(daemon.state, daemon.clock)
    began = time.perf_counter()
    hub.join(viewer, Subscription(Selection(None), after=ORIGIN), V1_WEBSOCKET, daemon.times.now())
    while viewer.cursor.at < daemon.state.head:
        daemon.clock.advance(0)  # a turn of the reactor: others come first
    return time.perf_counter() - began, viewer.told


class Watched(Daemonette):
    """Keeps no other trace of what was committed than its state does."""

    def committed(self, updates: Sequence[Update]) -> None:
        self.state.apply(updates, self.times.now())


def pausing() -> float:
    """Seconds of the longest; everything else has to wait for it."""
    streams = [f"s.{number}" for number in range(100)]
    daemon = Watched(dict.fromkeys(streams, Description(keep=Keep(STAY))), max_state=2**30)
    pauses, began = [0.0], 0.0

    def watch(phase: str, about: Any) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            pauses.append(time.perf_counter() - began)

    gc.callbacks.append(watch)
    for number in range(0, STAY, 1000):
        numbers = range(number, number + 1000)
        daemon.journal.append([Draft(streams[i % 100], b"%d" % i) for i in numbers])
    gc.callbacks.remove(watch)
    assert sum(len(stream.history) for stream in daemon.state) == STAY
    return max(pauses)


def starting() -> float:
    """Seconds until the port accepts, on a core of its own; the median."""
    times = []
    for _ in range(STARTS):
        began = time.perf_counter()
        with running(SERVERS["streamd"], Traffic(0)):
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def delivery(*options: str) -> float:
    """Microseconds of CPU for one message to one viewer."""
    traffic = Traffic()
    with (
        running(SERVERS["streamd"], traffic) as there,
        there.viewers(VIEWERS, *options) as load,
        traffic_of(there, traffic),
    ):
        return count(there, load, 3.0)[CPU]


def main() -> None:
    """Measures once."""
    for encoding in (PLAIN_WEBSOCKET, V1_WEBSOCKET):
        for batch in (1, 100):
            print(f"{encoding.name}, {batch} in an append: {path(batch, encoding):,.0f} updates/s")
    for batch in (1, 100):
        rates = [path(batch, V1_WEBSOCKET, bool(turn % 2)) for turn in range(6)]
        more = max(rates[::2]) / max(rates[1::2]) - 1
        print(f"with a long history, {batch} in an append: {more:.0%} more for each update")
    for streams in (1, 100):
        seconds, messages = catching_up(streams)
        print(f"{UPDATES:,} updates missed, of {streams}: {seconds:.2f} s, {messages} messages")
    print(f"longest pause for garbage, {STAY:,} updates kept: {pausing() * 1000:.0f} ms")
    print(f"start-up: {starting():.2f} s until the port accepts")
    for name, options in (("WebSocket", ()), ("/events", ("--events", "--path", "/events"))):
        print(f"{name}: {delivery(*options):.1f} µs of CPU a delivery")


if __name__ == "__main__":
    main()

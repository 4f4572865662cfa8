"""What many different selections cost: `make bench-selections`.

One process without sockets, 1000 streams, 33 of them updated in each flush; each viewer has its own
selection.  It prints

- the CPU of a whole flush for one viewer, and the share of a core at 30 flushes a second;
- the longest turn of the reactor, and the time from an update until the last viewer has it;
- the CPU of a hello of 2000 streams for each of a thousand viewers that come at once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from twisted.internet.base import DelayedCall

from bench.paths import Taker
from streamd.core.selection import Selection
from streamd.core.update import Draft
from streamd.hub.hub import Hub
from streamd.wire.encoding import Encoding
from streamd.wire.frames import PLAIN_WEBSOCKET, V1_WEBSOCKET
from streamd.wire.requests import PACE, Subscription
from tests.support.fakes import Daemonette, Times

STREAMS = 1000
UPDATED = 33
FLUSHES = 100


class Running(Times):
    """A clock on which computing takes time, and waiting takes none."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = 0.0
        self.clock.seconds = self._seconds  # type: ignore[method-assign]
        self._skipped = -time.perf_counter()

    def _seconds(self) -> float:
        return time.perf_counter() + self._skipped

    def run(self, call: Callable[[], object]) -> None:
        """A turn of the reactor."""
        began = time.perf_counter()
        call()
        self.longest = max(self.longest, time.perf_counter() - began)

    def run_until_quiet(self) -> None:
        """Skip to each call that is due and run it."""
        while calls := self.clock.calls:
            calls.sort(key=DelayedCall.getTime)
            due = calls.pop(0)
            self._skipped += max(0.0, due.getTime() - self._seconds())
            due.called = 1
            self.run(lambda due=due: due.func(*due.args, **due.kw))  # type: ignore[misc]


def measure(viewers: int, selection: Callable[[int], Selection], encoding: Encoding) -> str:
    """Return a line of figures."""
    daemon = Daemonette()
    times = Running()
    names = [f"s{number:04}.x" for number in range(STREAMS)]
    daemon.journal.append([Draft(name, b"0") for name in names])
    hub = Hub(daemon.state, times.clock)
    for number in range(viewers):
        hub.join(Taker(), Subscription(selection(number)), encoding, 0)
    times.run_until_quiet()
    times.longest = busy = waited = 0.0
    choice = random.Random(1)
    for number in range(FLUSHES):
        drafts = [Draft(name, b"%d" % number) for name in choice.sample(names, UPDATED)]
        daemon.journal.append(drafts)
        times._skipped += PACE  # the last flush is over
        began, cpu = times._seconds(), time.process_time()
        times.run(hub.wake)
        times.run_until_quiet()
        busy += time.process_time() - cpu
        waited = max(waited, times._seconds() - began)
    flush = busy / FLUSHES
    return (
        f"{flush / viewers * 1e6:6.1f} µs a viewer, {flush * 3000:5.1f} % of a core, "
        f"longest turn {times.longest * 1000:4.1f} ms, all told after {waited * 1000:4.0f} ms"
    )


def hellos(viewers: int) -> float:
    """Seconds of CPU for one hello of 2000 streams, in a storm of this many viewers."""
    daemon = Daemonette()
    daemon.journal.append([Draft(f"s{number}", b"0") for number in range(2000)])
    hub = Hub(daemon.state, daemon.clock)
    began = time.process_time()
    for _ in range(viewers):
        hub.join(Taker(), Subscription(Selection()), V1_WEBSOCKET, 0)
        daemon.clock.advance(0)
    return (time.process_time() - began) / viewers


def main() -> None:
    """Measures once."""
    choice = random.Random(2)
    kinds: dict[str, Callable[[int], Selection]] = {
        "8 names": lambda n: Selection(f"s{i:04}.x" for i in choice.sample(range(STREAMS), 8)),
        "8 globs": lambda n: Selection(
            [f"q{n}", *(f"s{i:02}*" for i in choice.sample(range(100), 8))]
        ),
        "everything": lambda n: Selection(["s*", f"q{n}"]),
    }
    for kind, selection in kinds.items():
        for viewers in (200, 1000):
            for encoding in (PLAIN_WEBSOCKET, V1_WEBSOCKET):
                figures = measure(viewers, selection, encoding)
                print(f"{kind:10}  {viewers:4} viewers, {encoding.name:15}  {figures}")
    print(
        f"hello of 2000 streams: {hellos(1) * 1000:.1f} ms alone, {hellos(300) * 1000:.2f} ms of 300"
    )


if __name__ == "__main__":
    main()

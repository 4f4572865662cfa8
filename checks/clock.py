"""Proves that nobody notices when the wall clock is set: an hour back, and then forth again.

libfaketime shows the daemon another time of day than the system's; the monotonic clock stays true, as
it does when a machine's clock is set.  At each time of day: a source goes on at its rate, and the demo
stream too; positions increase all the way; what is published arrives at once; nothing is called late.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from checks.crowd import Crowd, Publisher, Viewer
from checks.proof import Daemon, Proof, main, percentile, running, spread
from streamd.update import Position, parse_position

CONFIG = """
[access]
publish = "loopback"

[sources.dice]
database = "sqlite:///dice.db"
query = "SELECT random() AS thrown"
every = "100ms"

[streams.dice.thrown]
expect = "2s"

[sources.walk]
kind = "random_walk"
"""
HOUR = 3600
SAME_RATE = 0.5
"""Of the updates that there were before the clock was set: a source that stopped has none.  The machine
has other things to do, and libfaketime makes the daemon ten times as dear."""

AT_ONCE, AT_WORST = 0.2, 3.0
"""Seconds, of the median and of the slowest; a delay that followed the clock would wait an hour."""

LATE_FOR = 2.0
"""Seconds after the clock was set in which "late" may be said: the hour might well have passed."""


class FakeClock:
    """The time of day that a daemon sees."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, offset: int) -> None:
        """The daemon's clock is so many seconds off, from when libfaketime looks: once a second."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset:+d}s\n")
        fresh.rename(self._file)  # never half a time

    @property
    def env(self) -> dict[str, str]:
        """What makes a process see it."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


def _library() -> Path:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "no libfaketime here: run tests/install-servers"
    return found[0]


@contextmanager
def _daemon() -> Iterator[tuple[Daemon, FakeClock]]:
    with tempfile.TemporaryDirectory(prefix="streamd-clock-") as folder:
        clock = FakeClock(Path(folder) / "offset")
        with running(config=CONFIG, env=clock.env) as daemon:
            (daemon.folder / "dice.db").touch()
            yield daemon, clock


class Seen(NamedTuple):
    """What was seen at one time of day.

    :ivar dice: updates of the source that runs ten times a second.
    :ivar walk: updates of the demo stream.
    :ivar arrived: how long each published value took.
    :ivar positions: one after another.
    :ivar health: of the source's stream.
    """

    dice: int
    walk: int
    arrived: list[float]
    positions: list[Position]
    health: str


def prove(proof: Proof, seconds: float = 20.0) -> None:
    """:param seconds: spent at each time of day."""
    phases = {"before": 0, "an hour back": -HOUR, "an hour forth": HOUR, "as before": 0}
    seen: dict[str, Seen] = {}
    path = "/ws?streams=published"  # alone: no other stream's message hides one of its
    with _daemon() as (daemon, clock), Crowd(daemon.port, path) as crowd:
        (viewer,) = crowd.gather(1)
        crowd.run(10, lambda: _seq(daemon, "dice.thrown") > 0)
        for phase, offset in phases.items():
            clock.set(offset)
            crowd.run(1.5)
            seen[phase] = _look(daemon, crowd, viewer, seconds)
            told = daemon.request("GET", "/streams/published").json()["time"]
            off = told - time.time() - offset
            assert abs(off) < HOUR / 2, f"libfaketime does not do it: {off:.0f} s"
    rates = seen["before"].dice
    for phase, what in seen.items():
        _judge(proof, phase, what, rates, seconds)
    positions = [position for what in seen.values() for position in what.positions]
    ordered = all(a < b for a, b in pairwise(positions))
    proof.claim(ordered, f"{len(positions)} positions, each later than the one before")


def _look(daemon: Daemon, crowd: Crowd, viewer: Viewer, seconds: float) -> Seen:
    arrived: list[float] = []
    positions: list[Position] = []
    publisher = Publisher(daemon.port)
    end = time.monotonic() + seconds
    dice, walk = (_seq(daemon, name) for name in ("dice.thrown", "walk"))
    late_until = time.monotonic() + LATE_FOR
    while time.monotonic() < end:
        begin = time.monotonic()
        had = viewer.messages
        publisher.publish("published", b"%.6f" % begin)
        crowd.run(10, partial(_has_more_than, viewer, had))
        arrived.append(time.monotonic() - begin)
        publisher.count_answers()
        header = daemon.request("GET", "/state").headers["Streamd-Position"]
        position = parse_position(header)
        assert position is not None, header
        positions.append(position)
        crowd.run(0.2)
    publisher.close()
    crowd.run(max(0.0, late_until - time.monotonic()))
    health = daemon.request("GET", "/streams/dice.thrown").json()["health"]["state"]
    return Seen(
        _seq(daemon, "dice.thrown") - dice, _seq(daemon, "walk") - walk, arrived, positions, health
    )


def _has_more_than(viewer: Viewer, messages: int) -> bool:
    return viewer.messages > messages


def _seq(daemon: Daemon, stream: str) -> int:
    answer = daemon.request("GET", f"/streams/{stream}")
    return int(answer.json()["seq"]) if answer.status == 200 else 0


def _judge(proof: Proof, phase: str, seen: Seen, usual: int, seconds: float) -> None:
    proof.claim(
        seen.dice >= SAME_RATE * usual and usual >= 3 * seconds,
        f"{phase}: {seen.dice} updates of the source; before there were {usual}",
    )
    # Two a second on average; a sixth of that does not happen by chance.
    proof.claim(seen.walk >= 0.3 * seconds, f"{phase}: {seen.walk} updates of the demo stream")
    proof.claim(
        percentile(seen.arrived, 50) <= AT_ONCE and max(seen.arrived) <= AT_WORST,
        f"{phase}: what is published arrives: {spread(seen.arrived)}",
    )
    proof.claim(seen.health == "fresh", f"{phase}: the source's stream is {seen.health}")


if __name__ == "__main__":
    main(prove)

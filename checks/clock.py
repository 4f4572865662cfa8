"""Proves that nobody notices when the wall clock is set: an hour back, and then forth again.

libfaketime shows the daemon another time of day than the system's; the monotonic clock stays true, as
it does when a machine's clock is set.  At each time of day: sources go on at their rate; positions
increase all the way; what is published arrives at once; nothing is called late.
"""

from __future__ import annotations

import math
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
from streamd.app.upkeep import RECOVERY
from streamd.core.update import Position, parse_position

WALKS = [f"walk{number}" for number in range(20)]
"""Sources like the demo stream, two updates a second each.  None with a thread: libfaketime has a hand
in what a thread waits for, and slows that down at any time of day."""

CONFIG = '[access]\npublish = "loopback"\n' + "".join(
    f'[sources.{name}]\nkind = "random_walk"\n[streams.{name}]\nexpect = "2s"\n' for name in WALKS
)
HOUR = 3600
SAME_RATE = 0.5
"""Of what there was before the clock was set, and of the nominal rate: a source that follows the wall
clock has none.  The rest is for chance, and for libfaketime, which makes the daemon ten times as
dear."""

AT_ONCE, AT_WORST = 0.2, 3.0
"""Seconds, of the median and of the slowest; a delay that followed the clock would wait an hour."""

LATE_FOR = RECOVERY + 2.0
"""Seconds after the clock was set in which "late" may be said: the machine might have slept for the
hour, and then all sources have to read anew."""


class FakeClock:
    """The time of day that a daemon sees."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, offset: int) -> None:
        """Shifts the daemon's clock by this many seconds; libfaketime looks once a second."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset:+d}s\n")
        fresh.rename(self._file)  # never half a time

    @property
    def env(self) -> dict[str, str]:
        """The environment that shows this clock to a process."""
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
            yield daemon, clock


class Seen(NamedTuple):
    """The measurements at one time of day.

    :ivar updates: of all sources.
    :ivar arrived: how long each published value took.
    :ivar positions: one after another.
    :ivar late: streams that are not fresh in the end.
    """

    updates: int
    arrived: list[float]
    positions: list[Position]
    late: list[str]


def prove(proof: Proof, seconds: float = 20.0) -> None:
    """:param seconds: spent at each time of day."""
    phases = {"before": 0, "an hour back": -HOUR, "an hour forth": HOUR, "as before": 0}
    seen: dict[str, Seen] = {}
    path = "/ws?streams=published"  # alone: no other stream's message hides one of its
    with _daemon() as (daemon, clock), Crowd(daemon.port, path) as crowd:
        (viewer,) = crowd.gather(1)
        crowd.run(3)
        for phase, offset in phases.items():
            clock.set(offset)
            crowd.run(1.5)
            seen[phase] = _look(daemon, crowd, viewer, seconds)
            told = daemon.request("GET", "/streams/published").json()["time"]
            off = told - time.time() - offset
            assert abs(off) < HOUR / 2, f"libfaketime does not do it: {off:.0f} s"
    for phase, what in seen.items():
        _judge(proof, phase, what, seen["before"].updates, seconds)
    positions = [position for what in seen.values() for position in what.positions]
    ordered = all(a < b for a, b in pairwise(positions))
    proof.claim(ordered, f"{len(positions)} positions, each later than the one before")


def _look(daemon: Daemon, crowd: Crowd, viewer: Viewer, seconds: float) -> Seen:
    arrived: list[float] = []
    positions: list[Position] = []
    publisher = Publisher(daemon.port)
    end = time.monotonic() + seconds
    before = _updates(daemon)
    late_until = time.monotonic() + LATE_FOR
    while time.monotonic() < end:
        begin = time.monotonic()
        had = viewer.messages
        publisher.publish("published", b"%.6f" % begin)
        came = crowd.run(60, partial(_has_more_than, viewer, had))
        arrived.append(time.monotonic() - begin if came else math.inf)
        publisher.count_answers()
        header = daemon.request("GET", "/state").headers["Streamd-Position"]
        position = parse_position(header)
        assert position is not None, header
        positions.append(position)
        crowd.run(0.2)
    publisher.close()
    updates = _updates(daemon) - before
    crowd.run(max(0.0, late_until - time.monotonic()))
    streams = daemon.request("GET", "/streams").json()["streams"]
    late = [name for name in WALKS if streams[name]["health"]["state"] != "fresh"]
    return Seen(updates, arrived, positions, late)


def _has_more_than(viewer: Viewer, messages: int) -> bool:
    return viewer.messages > messages


def _updates(daemon: Daemon) -> int:
    streams = daemon.request("GET", "/streams").json()["streams"]
    return sum(int(streams[name]["seq"]) for name in WALKS)


def _judge(proof: Proof, phase: str, seen: Seen, usual: int, seconds: float) -> None:
    nominal = 2 * len(WALKS) * seconds
    proof.claim(
        seen.updates >= SAME_RATE / proof.patience * max(usual, nominal),
        f"{phase}: {seen.updates} updates of the sources; before there were {usual}",
    )
    proof.claim(
        percentile(seen.arrived, 50) <= AT_ONCE * proof.patience
        and max(seen.arrived) <= AT_WORST * proof.patience,
        f"{phase}: what is published arrives: {spread(seen.arrived)}",
    )
    proof.claim(not seen.late, f"{phase}: {len(seen.late)} streams are called late")


if __name__ == "__main__":
    main(prove)

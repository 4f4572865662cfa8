"""What is done to a server, and what is looked at: one function a workload, figures by column."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bench import meter
from bench.load import Failed, Load
from bench.servers import Running, Server, Traffic, running

Figures = dict[str, float]
"""By the heading of a column of the table."""

SETTLE = 1.5
"""Seconds of traffic before the first that counts."""

LATE = 100.0
"""Milliseconds that 99 % of all updates may take at the most in (b)."""

PACED = 16
"""Handshakes at a time, where no storm is meant."""

CPU, SHARE, FLOOR = "CPU µs", "% of a core", "× floor"
P50, P99, RATE, BUSY = "p50 ms", "p99 ms", "a second", "load busy %"


def count(server: Running, load: Load, seconds: float) -> Figures:
    """What comes of this many seconds."""
    before = meter.cpu(server.pid)
    load.mark()
    time.sleep(seconds)
    used = meter.cpu(server.pid) - before
    told = load.report()
    if told["lost"]:
        raise Failed(f"{told['lost']} connections were lost")
    return {
        CPU: used / max(1, told["messages"]) * 1e6,
        SHARE: used / told["seconds"] * 100,
        P50: told["p50"] or float("inf"),
        P99: told["p99"] or float("inf"),
        RATE: told["updates"] / told["seconds"],
        BUSY: told["busy"] * 100,
    }


@contextmanager
def traffic_of(server: Running, traffic: Traffic) -> Iterator[None]:
    """It has begun, and settled."""
    with server.publishing(traffic):
        server.go()
        time.sleep(SETTLE)
        yield


def _broadcast(
    server: Server, traffic: Traffic, viewers: int, seconds: float, *options: str
) -> Figures:
    with (
        running(server, traffic) as there,
        there.viewers(viewers, *options) as load,
        traffic_of(there, traffic),
    ):
        return count(there, load, seconds)


def broadcast(server: Server, seconds: float) -> Figures:
    """1000 viewers, 30 messages a second of 40 bytes."""
    return _broadcast(server, Traffic(), 1000, seconds)


def most(server: Server, seconds: float) -> Figures:
    """1000 viewers, more and more updates a second until the 99th percentile passes 100 ms."""
    found: Figures = {}
    good, bad = 0.0, float("inf")
    rate = 60.0 if server.name != "streamd v1" else 240.0
    while bad > good * 1.15 and rate >= 4:
        figures = _at(server, rate, seconds) or _at(
            server, rate, seconds
        )  # something else may be on
        if figures:
            good, found = rate, figures
        else:
            bad = rate
        rate = good * 2 if bad > 1e9 else (good + bad) / 2 if good else bad / 2
    if not found:
        raise Failed("late at any rate")
    return found


def _at(server: Server, rate: float, seconds: float) -> Figures:
    """The figures at this many updates a second, if the server takes it; else none."""
    traffic = Traffic(rate)
    if server.name == "streamd v1":  # its source runs a hundred times a second, a stream an update
        members = max(1, round(rate / 100))
        traffic = Traffic(rate / members, members=members, streams=members)
    try:
        figures = _broadcast(server, traffic, 1000, seconds)
    except Failed:
        return {}
    return figures if figures[P99] < LATE and figures[RATE] > 0.95 * rate * 1000 else {}


def many(server: Server, seconds: float) -> Figures:
    """9000 viewers, 3 messages a second of 40 bytes."""
    return _broadcast(server, Traffic(3), 9000, seconds)


IDLE = 11.0
"""Seconds: two ticks of streamd, and half a round of everybody's pings."""


def idle(server: Server, seconds: float) -> Figures:
    """9000 viewers, and nothing to tell them; they came sixteen at a time."""
    traffic = Traffic(0)
    with running(server, traffic) as there:
        with there.viewers(20):  # whatever is made once is made
            pass
        time.sleep(SETTLE)
        empty, before = meter.memory(there.pid), meter.cpu(there.pid)
        with there.viewers(9000, "--window", str(PACED)) as load:
            handshakes = meter.cpu(there.pid) - before
            time.sleep(SETTLE)
            figures = count(there, load, max(seconds, IDLE))
            return {
                SHARE: figures[SHARE],
                "KiB a viewer": (meter.memory(there.pid) - empty) / 1024 / 9000,
                "CPU µs a connect": handshakes / 9000 * 1e6,
            }


def storm(server: Server, seconds: float) -> Figures:
    """2000 connect at once."""
    with running(server, Traffic(0)) as there:
        with there.viewers(20):  # whatever is made once is made
            pass
        time.sleep(SETTLE)
        before = meter.cpu(there.pid)
        with there.viewers(2000, "--window", "0") as load:
            return {
                "CPU µs a connect": (meter.cpu(there.pid) - before) / 2000 * 1e6,
                "p50 ms": load.ready["connect_p50"],
                "p99 ms": load.ready["connect_p99"],
                "all in s": load.ready["seconds"],
            }


def stalled(server: Server, seconds: float) -> Figures:
    """10 KiB, ten a second, to 800 viewers; then 200 more come, who never read."""
    traffic = Traffic(10, 10 * 1024)
    with (
        running(server, traffic) as there,
        there.viewers(800, "--sample", "100") as load,
        traffic_of(there, traffic),
    ):
        alone = count(there, load, seconds)
        before = meter.memory(there.pid)
        with there.viewers(200, "--stalled", "200"):
            time.sleep(SETTLE)
            beside = count(there, load, seconds)
            more = meter.memory(there.pid) - before
        return {
            "p99 ms alone": alone[P99],
            "p99 ms beside": beside[P99],
            "more %": (beside[P99] / alone[P99] - 1) * 100,
            "KiB a stalled one": more / 1024 / 200,
        }


def _publish(server: Server, seconds: float, *options: str) -> Figures:
    with running(server, Traffic(0)) as there, Load("publish", there.port, *options) as load:
        figures = count(there, load, seconds)
        told = {RATE: figures[RATE], P99: figures[P99], SHARE: figures[SHARE]}
        return {**told, BUSY: figures[BUSY]}


def single(server: Server, seconds: float) -> Figures:
    """POST, one update each, as fast as answers come on 16 connections; no viewers."""
    path = "/pub" if server.name == "nchan" else "/streams/p"
    return _publish(server, seconds, "--viewers", "16", "--path", path)


def batches(server: Server, seconds: float) -> Figures:
    """PATCH, a thousand updates each, as fast as answers come on 4 connections; no viewers."""
    wish = ("--viewers", "4", "--path", "/state", "--method", "PATCH", "--batch", "1000")
    return _publish(server, seconds, *wish)


def selections(server: Server, seconds: float) -> Figures:
    """1000 viewers, each with one of 100 selections of ten of 1000 streams; 30 messages a second."""
    view = tuple(f"{each}?streams=t.#.*" if each == "/ws" else each for each in server.view)
    traffic = Traffic(members=100, streams=1000)
    return _broadcast(replace(server, view=view), traffic, 1000, seconds, "--groups", "100")


def distinct(server: Server, seconds: float) -> Figures:
    """1000 viewers, each with a selection of its own of ten of 1000 streams; 30 a second."""
    view = tuple(f"{each}?streams=t.7.*,v.#" if each == "/ws" else each for each in server.view)
    traffic = Traffic(members=100, streams=1000)
    return _broadcast(replace(server, view=view), traffic, 1000, seconds, "--groups", "1000")


def return_of_all(server: Server, seconds: float) -> Figures:
    """2000 walls come back at once: 20 streams, and a history of 60 updates of each."""
    view = tuple(f"{each}?history=60" if each == "/ws" else each for each in server.view)
    traffic = Traffic(rate=30, members=20, streams=20)
    with running(replace(server, view=view), traffic) as there:
        with there.viewers(20), traffic_of(there, traffic):
            time.sleep(FILLED)
        before, began = meter.cpu(there.pid), time.monotonic()
        with there.viewers(2000, "--window", "0") as load:
            while _share(there, QUIET) > BUSY_WITH_VALUES:
                pass
            return {
                "CPU µs a wall": (meter.cpu(there.pid) - before) / 2000 * 1e6,
                P99: load.ready["connect_p99"],
                "all in s": load.ready["seconds"],
                "all served s": time.monotonic() - began - QUIET,
            }


def _share(server: Running, seconds: float) -> float:
    """The part of a core that a server takes for this many seconds."""
    before = meter.cpu(server.pid)
    time.sleep(seconds)
    return (meter.cpu(server.pid) - before) / seconds


FILLED = 2.0
"""Seconds until the streams of :func:`return_of_all` have their history."""

QUIET = 0.25
BUSY_WITH_VALUES = 0.9
"""All walls are served when for this many seconds the server takes less than this part of a core."""


@dataclass(frozen=True)
class Workload:
    """:ivar servers: the only ones that can do it; none: all.

    :ivar rounds: unless somebody wants more or less; the servers take turns in each.
    """

    measure: Callable[[Server, float], Figures]
    servers: Sequence[str] = ()
    but: Sequence[str] = ("floor Nagle", "bare.py", "Twisted")
    rounds: int = 3


WORKLOADS = {
    "a": Workload(broadcast, but=("Twisted",)),
    "b": Workload(
        most, but=("floor Nagle", "streamd", "bare.py", "Twisted"), rounds=1
    ),  # six times or more
    "c": Workload(many),
    "d": Workload(idle),
    "e": Workload(storm),
    "f": Workload(stalled),
    "g1": Workload(single, ("Twisted", "streamd", "nchan"), but=()),
    "g2": Workload(batches, ("streamd",)),
    "e2": Workload(return_of_all, ("streamd v1",)),
    "h2": Workload(distinct, ("floor", "streamd", "streamd v1")),
    "h": Workload(selections, ("floor", "streamd", "streamd v1")),
}

"""Measures streamd beside others, workload by workload: `python -m bench a --servers streamd,floor`."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence

from bench import meter
from bench.load import Failed, Load
from bench.servers import SERVERS, Running, Server, Traffic, running

SETTLE = 1.0
"""Seconds between the last handshake and the first that counts."""

Figures = dict[str, float]


def measure(server: Running, load: Load, seconds: float) -> Figures:
    """What comes of so many seconds of traffic."""
    server.go()
    time.sleep(SETTLE)
    before = meter.cpu(server.pid)
    load.mark()
    time.sleep(seconds)
    used = meter.cpu(server.pid) - before
    told = load.report()
    return {
        "us": used / max(1, told["messages"]) * 1e6,
        "core": used / told["seconds"] * 100,
        "rate": told["messages"] / told["seconds"],
        "p50": told["p50"],
        "p99": told["p99"],
        "busy": told["busy"] * 100,
    }


def broadcast(server: Server, seconds: float) -> Figures:
    """(a) 1000 viewers, 30 messages a second of 40 bytes."""
    with running(server, Traffic()) as there, there.viewers(1000) as load:
        return measure(there, load, seconds)


WORKLOADS = {"a": broadcast}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("workloads", nargs="*", choices=WORKLOADS)
    parser.add_argument("--servers", default=",".join(SERVERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    told = parser.parse_args(arguments)
    servers = [SERVERS[name] for name in told.servers.split(",")]
    for name in told.workloads or WORKLOADS:
        found: dict[str, list[Figures]] = {}
        for number in range(told.rounds):
            for server in servers:
                try:
                    figures = WORKLOADS[name](server, told.seconds)
                except Failed as error:
                    print(error, file=sys.stderr)
                    continue
                found.setdefault(server.name, []).append(figures)
                print(name, number, server.name, figures, file=sys.stderr)
        medians = {
            each: {key: statistics.median(f[key] for f in rounds) for key in rounds[0]}
            for each, rounds in found.items()
        }
        floor = medians.get("floor", {}).get("us", 0)
        for each, figures in medians.items():
            ratio = figures["us"] / floor if floor else float("nan")
            print(
                f"{each:12} {ratio:5.2f} ",
                *(f"{key} {value:.2f}" for key, value in figures.items()),
            )


if __name__ == "__main__":
    main()

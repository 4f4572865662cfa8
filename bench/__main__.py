"""Measures streamd beside others, workload by workload; prints reStructuredText.

`python -m bench a d --servers streamd,floor --rounds 3 --seconds 5`; without any words, everything.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.load import CORES, Failed
from bench.servers import SERVERS, Server
from bench.workloads import CPU, FLOOR, WORKLOADS, Figures, Workload

Found = dict[str, dict[int, Figures]]
"""By server, the figures of each round, but for those in which it could not be measured."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "workloads",
        nargs="*",
        metavar="workload",
        help="; ".join(f"{key}: {each.measure.__doc__}" for key, each in WORKLOADS.items()),
    )
    parser.add_argument("--servers", help=f"some of: {','.join(SERVERS)}")
    parser.add_argument("--rounds", type=int, help="of each workload; default 1 or 3")
    parser.add_argument("--seconds", type=float, default=3, help="a measurement; default 3")
    told = parser.parse_args(arguments)
    wanted = told.servers.split(",") if told.servers else list(SERVERS)
    unknown = [key for key in told.workloads if key not in WORKLOADS]
    unknown += [name for name in wanted if name not in SERVERS]
    if unknown:
        print(f"not known: {', '.join(unknown)}; see --help", file=sys.stderr)
        return 2
    versions: dict[str, str] = {}
    left_out = []
    for name in wanted:
        try:
            versions[name] = SERVERS[name].version()
        except Failed as error:
            left_out.append(f"{name}: {error}")
    _title(versions, left_out)
    for key in told.workloads or WORKLOADS:
        workload = WORKLOADS[key]
        servers = [SERVERS[name] for name in versions if _takes_part(name, workload)]
        if not servers:
            continue
        rounds = told.rounds or workload.rounds
        found, failures = _measure(key, workload, servers, rounds, told.seconds)
        print(f"({key}) {workload.measure.__doc__}\n")
        print(f"{_table(found)}\n")
        for failure in failures:
            print(f"Not measured: {failure}.\n")
        sys.stdout.flush()
    return 0


def _takes_part(name: str, workload: Workload) -> bool:
    return name not in workload.but and (not workload.servers or name in workload.servers)


def _measure(
    key: str, workload: Workload, servers: Iterable[Server], rounds: int, seconds: float
) -> tuple[Found, Iterable[str]]:
    found: Found = {}
    failures: dict[str, None] = {}  # each once, in order
    for number in range(rounds):
        for server in servers:
            try:
                figures = workload.measure(server, seconds)
            except Failed as error:
                print(f"({key}) {number + 1} {server.name}: {error}", file=sys.stderr)
                failures[f"{server.name}: {error}"] = None
                continue
            found.setdefault(server.name, {})[number] = figures
            text = ", ".join(f"{name} {_number(value)}" for name, value in figures.items())
            print(f"({key}) {number + 1} {server.name}: {text}", file=sys.stderr, flush=True)
    floors = found.get("floor", {})
    for rounds_of in found.values():
        for number in rounds_of.keys() & floors.keys():
            if CPU in rounds_of[number]:
                rounds_of[number][FLOOR] = rounds_of[number][CPU] / floors[number][CPU]
    return found, failures


def _table(found: Found) -> str:
    """Medians of the rounds."""
    medians: dict[str, Figures] = {}
    for name, rounds in found.items():
        keys = dict.fromkeys(key for figures in rounds.values() for key in figures)
        medians[name] = {
            key: statistics.median(f[key] for f in rounds.values() if key in f) for key in keys
        }
    headings = ["", *max(medians.values(), key=len, default={})]
    lines = [headings]
    for name, figures in medians.items():
        lines.append([name, *(_number(figures[key]) for key in headings[1:] if key in figures)])
    widths = [max(len(line[i]) for line in lines if i < len(line)) for i in range(len(headings))]
    widths[0] = max(widths[0], 1)
    rule = "  ".join("=" * width for width in widths)
    rows = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    rows[0] = "\\" + rows[0][1:]
    return "\n".join([rule, rows[0], rule, *rows[1:], rule])


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _title(versions: dict[str, str], left_out: Sequence[str]) -> None:
    """The machine and who takes part."""
    model = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    processor = model[0].partition(": ")[2] if model else platform.machine()
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    print(f"{processor}, {len(CORES)} cores of it; {system}.")
    print("; ".join(f"{name} {version}".strip() for name, version in versions.items()) + ".")
    for line in left_out:
        print(f"Left out: {line}.")
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())

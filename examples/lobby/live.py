"""Keeps the company going: orders, readings, and what its machines publish."""

import json
import math
import os
import sqlite3
import sys
import time
import urllib.request
from contextlib import closing, suppress
from itertools import count
from random import uniform

from company import connect, demand, order, reading

PORT = sys.argv[1]
TOKEN = os.environ["LOBBY_TOKEN"]
BAD = "--bad" in sys.argv
MINUTE, HOUR, DAY = 60, 3600, 86_400
MACHINES = {
    "sorter_1": 2 * DAY,
    "sorter_2": 2 * DAY,
    "labeller": 5 * HOUR,
    "press": 9 * MINUTE,
    "cold_store": 21 * DAY,
    "compressor": 6 * HOUR,
    "gate_a": 4 * MINUTE,
    "gate_b": 67 * MINUTE,
    "gate_c": 7 * MINUTE,
    "charger": 12 * MINUTE,
    "lift": 8 * HOUR,
    "roof_hatch": 3 * DAY,
}
"""Each machine, and for how many seconds it has been as it is."""
STATES = {"charger": "weak", "press": "stopped" if BAD else "ok"}


def publish(values: dict[str, object], ago: float = 0) -> None:
    """Tell the daemon what was true `ago` seconds ago, as any other program can."""
    request = urllib.request.Request(
        f"http://localhost:{PORT}/state",
        json.dumps(values).encode(),
        {"Authorization": f"Bearer {TOKEN}", "Streamd-Time": f"{time.time() - ago:.0f}"},
        method="PATCH",
    )
    urllib.request.urlopen(request, timeout=10).close()


def is_running() -> bool:
    """Return whether the daemon takes values."""
    with suppress(OSError):
        publish({"machine.lift": "ok"}, MACHINES["lift"])
        return True
    return False


def machines() -> None:
    """Publish the states of all machines, and the server room's temperature until its sensor broke."""
    for name, ago in MACHINES.items():
        publish({f"machine.{name}": STATES.get(name, "ok")}, ago)
    for ago in range(8 * HOUR, 14 * MINUTE, -2 * MINUTE):
        publish(
            {"server.room": round(23.2 + 0.4 * math.sin(ago / HOUR) + uniform(-0.1, 0.1), 1)}, ago
        )


def sell(company: sqlite3.Connection) -> None:
    """Write the orders since the last one."""
    [last] = company.execute("SELECT max(at) FROM orders").fetchone()
    while (last := last + uniform(0.6, 1.4) / demand(last) / (0.3 if BAD else 1)) < time.time():
        columns = "at, product, city, amount"
        company.execute(f"INSERT INTO orders ({columns}) VALUES (?, ?, ?, ?)", order(last))


def read_meters(company: sqlite3.Connection) -> None:
    row = reading(time.time(), float(BAD), 36.0 if BAD else 0)
    company.execute(f"INSERT INTO readings VALUES ({', '.join('?' * len(row))})", row)


def main() -> None:
    """Work until whoever started this is gone."""
    starter = os.getppid()
    with closing(connect()) as company:
        while os.getppid() == starter and not is_running():
            with company:
                sell(company)
            time.sleep(0.2)
        machines()
        for turn in count():
            if os.getppid() != starter:
                return
            with company:
                sell(company)
                if turn % 5 == 0:
                    read_meters(company)
                if BAD and turn == 20:
                    company.execute("DROP VIEW takings")
            time.sleep(1)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, OSError):
        main()

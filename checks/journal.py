"""Proves that nothing acknowledged is lost, whenever the daemon dies.

Publishers (single values, batches, values with keys), a source that reads the new rows of a table, and
a viewer that resumes, while the daemon is killed with SIGKILL at random moments, 200 times: after each
restart all that was acknowledged is there, under the seq that was told; no seq is missing or double;
every row is there exactly once; the viewer was told each update once, and never had to begin anew.
`journal.py SEED` repeats the moments, as far as two processes on one machine repeat anything.
"""

from __future__ import annotations

import math
import random
import sys
import time
from contextlib import suppress
from typing import Any

from checks.numbered import ORDERS, Publisher, Rows, Viewer, Worker
from checks.proof import NO_SOURCES, Daemon, Proof, main, running, spread

SEED = 7
KILLS = 200
LONGEST = 0.6
"""Seconds for which the daemon lives at most; the shortest life ends while it restores the log."""

SETTLE = 30.0
"""Seconds within which all have to be current when all is quiet."""

ALL = 1_000_000
BATCH = ("b0", "b1", "b2")
STREAMS = ("single", "keyed", *BATCH, "rows")

CONFIG = f"""{NO_SOURCES}
[journal]
path = "log.db"
[server]
max_state = "1GiB"
[sources.rows]
database = "sqlite:///rows.db"
{ORDERS}every = "50ms"
settle = "1s"
""" + "".join(f"[streams.{name}]\nkeep = 1000000\n" for name in STREAMS)


def prove(proof: Proof, seed: int = SEED, kills: int = KILLS) -> None:
    rng = random.Random(seed)
    with running(config=CONFIG) as daemon:
        rows = Rows(daemon.folder / "rows.db")
        publishers = [
            Publisher(lambda: daemon.port, ("single",)),
            Publisher(lambda: daemon.port, ("keyed",), keyed=True),
            Publisher(lambda: daemon.port, BATCH),
        ]
        viewer = Viewer(lambda: daemon.ws_url, 0.2, lambda: math.inf)
        turns = [rows.turn, viewer.turn, *(publisher.turn for publisher in publishers)]
        workers = [Worker(turn) for turn in turns]
        for worker in workers:
            worker.start()
        wrong: list[str] = []
        starts = []
        for _ in range(kills):
            time.sleep(rng.uniform(0, LONGEST))
            daemon.kill()
            began = time.monotonic()
            daemon.start()
            starts.append(time.monotonic() - began)
            wrong += [text for each in publishers for text in faults(daemon, each, 2000)]
            if wrong or any(worker.error for worker in workers):
                break
        for worker in workers[2:] + workers[:1]:
            worker.end()
        deadline = time.monotonic() + SETTLE * proof.patience
        while time.monotonic() < deadline and not settled(daemon, rows, viewer):
            time.sleep(0.1)
        viewer.over.set()
        workers[1].end()
        wrong += [text for each in publishers for text in faults(daemon, each, ALL)]
        for text in wrong[:5]:
            proof.figure(text)
        acknowledged = sum(len(found) for p in publishers for found in p.acknowledged.values())
        unknown = sum(len(publisher.unknown) for publisher in publishers)
        proof.claim(
            not wrong and acknowledged > kills,
            f"{len(starts)} times killed: {acknowledged} acknowledged updates are there, each once, "
            f"under its seq; of {unknown} others nobody was told",
        )
        told = [update["value"]["id"] for update in history(daemon, "rows", ALL)]
        proof.claim(
            told == list(range(1, rows.written + 1)) and bool(told),
            f"{rows.written} rows, {len(told)} updates of them: each row exactly once, in order",
        )
        missed = {
            name: kept - len(seqs)
            for name in STREAMS
            for kept, seqs in [(len(history(daemon, name, ALL)), viewer.seqs.get(name, []))]
            if seqs != list(range(1, kept + 1))
        }
        proof.claim(
            not missed and not viewer.anew and viewer.resumed >= len(starts) // 4,
            f"a viewer resumed {viewer.resumed} times, began anew {viewer.anew} times, "
            f"and was told each of {sum(map(len, viewer.seqs.values()))} updates once {missed or ''}",
        )
        proof.figure(f"until the port is open again: {spread(starts)}")
        size = (daemon.folder / "log.db").stat().st_size / 2**20
        proof.figure(f"the file has {size:.1f} MiB")


def history(daemon: Daemon, name: str, length: int) -> list[Any]:
    answer = daemon.request("GET", f"/streams/{name}?history={length}")
    found: list[Any] = answer.json()["history"] if answer.status == 200 else []
    return found


def faults(daemon: Daemon, publisher: Publisher, length: int) -> list[str]:
    """The faults of the newest updates of a publisher's streams, a line each."""
    found = []
    known = {name: dict(seqs) for name, seqs in publisher.acknowledged.items()}
    for name in publisher.names:
        updates = history(daemon, name, length)
        seqs = [update["seq"] for update in updates]
        values = {update["value"]: update["seq"] for update in updates}
        first = seqs[0] if seqs else 1
        if seqs != list(range(first, first + len(seqs))) or (length > len(seqs) and first != 1):
            found.append(f"{name}: seqs {first} to {seqs[-1:]}: {len(seqs)} of them")
        if len(values) != len(updates) or list(values) != sorted(values):
            found.append(f"{name}: a value is double, or out of order")
        for value, seq in known[name].items():
            if seq >= first and values.get(value) != seq:
                found.append(f"{name}: {value} was acknowledged as {seq}, is {values.get(value)}")
        if publisher.keyed and seqs != [update["value"] for update in updates]:
            found.append(f"{name}: with keys each value is there once, and is its seq")
    if len(publisher.names) > 1:
        # Asked one after the other, while it goes on: the shortest tells how far all have to be.
        each = [[u["value"] for u in history(daemon, name, length)] for name in publisher.names]
        newest = min((values[-1] for values in each if values), default=0)
        oldest = max((values[0] for values in each if values), default=0)
        if len({tuple(v for v in values if oldest <= v <= newest) for values in each}) > 1:
            found.append("of a batch some values are there and some not")
    return found


def settled(daemon: Daemon, rows: Rows, viewer: Viewer) -> bool:
    """Whether every row is an update, and the viewer has every update."""
    with suppress(OSError, KeyError):
        streams = daemon.request("GET", "/streams").json()["streams"]
        seqs = {name: about["seq"] for name, about in streams.items() if about["seq"]}
        told = {name: seqs[-1] for name, seqs in viewer.seqs.items()}
        return seqs.get("rows") == rows.written and seqs == told
    return False


if __name__ == "__main__":
    if len(sys.argv) > 1:
        SEED = int(sys.argv[1])
    main(lambda proof: prove(proof, SEED))

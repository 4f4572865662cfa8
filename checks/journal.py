"""Proves that nothing acknowledged is lost, whenever the daemon dies.

Publishers (single values, batches, values with keys), a source that reads the new rows of a table, and
a viewer that resumes, while the daemon is killed with SIGKILL at random moments, 200 times: after each
restart all that was acknowledged is there, under the seq that was told; no seq is missing or double;
every row is there exactly once; the viewer was told each update once, and never had to begin anew.
`journal.py SEED` repeats the moments, as far as two processes on one machine repeat anything.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from http.client import HTTPException
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

from websockets import Subprotocol
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from checks.proof import NO_SOURCES, Daemon, Proof, main, running, spread
from tests.support.net import request

SEED = 7
KILLS = 200
LONGEST = 0.6
"""Seconds for which the daemon lives at most; the shortest life ends while it restores the log."""

SETTLE = 30.0
"""Seconds within which all have to be current when all is quiet."""

BATCH = ("b0", "b1", "b2")
STREAMS = ("single", "keyed", *BATCH, "rows")

CONFIG = f"""{NO_SOURCES}
[journal]
path = "log.db"
[server]
max_state = "1GiB"
[sources.rows]
database = "sqlite:///rows.db"
query = "SELECT id FROM orders WHERE id > :after ORDER BY id"
after = "id"
every = "50ms"
settle = "1s"
""" + "".join(f"[streams.{name}]\nkeep = 1000000\n" for name in STREAMS)


class Worker(Thread):
    """Does something again and again until it is told to end; what goes wrong, it keeps."""

    def __init__(self, turn: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._turn = turn
        self._ending = Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._ending.is_set():
                self._turn()
        except BaseException as error:
            self.error = error

    def end(self) -> None:
        self._ending.set()
        self.join()


class Publisher:
    """Counts upwards, and remembers what was acknowledged.

    :ivar acknowledged: stream -> value -> seq.
    :ivar unknown: values of which nobody knows.
    """

    def __init__(self, port: int, names: tuple[str, ...], keyed: bool) -> None:
        self.names = names
        self.keyed = keyed
        self.acknowledged: dict[str, dict[int, int]] = {name: {} for name in names}
        self.unknown: set[int] = set()
        self._port = port
        self._numbers = count(1)
        self._number = next(self._numbers)

    def turn(self) -> None:
        number = self._number
        seqs = None
        try:
            seqs = self._publish(number)
        except (OSError, HTTPException, ValueError):
            time.sleep(0.01)
        if seqs is not None:
            for name, seq in seqs.items():
                self.acknowledged[name][number] = seq
        elif self.keyed:
            return  # the same again
        else:
            self.unknown.add(number)
        self._number = next(self._numbers)

    def _publish(self, number: int) -> Mapping[str, int] | None:
        if len(self.names) > 1:
            body = json.dumps(dict.fromkeys(self.names, number))
            answer = request(self._port, "PATCH", "/state", body)
            if answer.status != 200:
                return None
            return {name: told["seq"] for name, told in answer.json()["streams"].items()}
        [name] = self.names
        headers = {"Idempotency-Key": f"{name}-{number}"} if self.keyed else {}
        answer = request(self._port, "POST", f"/streams/{name}", str(number), headers)
        return {name: answer.json()["seq"]} if answer.status == 201 else None


class Viewer:
    """Resumes wherever it was cut off.

    :ivar seqs: of each stream the seqs that it was told, in order.
    """

    def __init__(self, port: int) -> None:
        self._url = f"ws://127.0.0.1:{port}/ws"
        self._at: str | None = None
        self.seqs: dict[str, list[int]] = {name: [] for name in STREAMS}
        self.resumed = 0
        self.anew = 0

    def turn(self) -> None:
        after = "" if self._at is None else f"?after={self._at}"
        try:
            with connect(
                f"{self._url}{after}", subprotocols=[Subprotocol("streamd.v1")], max_size=None
            ) as socket:
                while True:
                    self._hear(json.loads(socket.recv(timeout=0.2)))
        except TimeoutError:
            return  # it goes on from where it is, as after any other cut
        except (OSError, WebSocketException):
            time.sleep(0.01)

    def _hear(self, message: Any) -> None:
        if message["type"] == "hello":
            if message["resumed"]:
                self.resumed += 1
            elif self._at is not None:
                self.anew += 1
        elif message["type"] == "updates":
            for update in message["updates"]:
                self.seqs[update["stream"]].append(update["seq"])
            self._at = message["at"]


class Rows:
    """A table that grows."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.written = 0
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT)")

    def turn(self) -> None:
        with closing(sqlite3.connect(self._file)) as database, database:
            database.executemany("INSERT INTO orders DEFAULT VALUES", [()] * 3)
        self.written += 3
        time.sleep(0.02)


def prove(proof: Proof, seed: int = SEED, kills: int = KILLS) -> None:
    rng = random.Random(seed)
    with running(config=CONFIG) as daemon:
        rows = Rows(daemon.folder / "rows.db")
        publishers = [
            Publisher(daemon.port, ("single",), False),
            Publisher(daemon.port, ("keyed",), True),
            Publisher(daemon.port, BATCH, False),
        ]
        viewer = Viewer(daemon.port)
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
        workers[1].end()
        for worker in workers:
            if worker.error is not None:
                raise worker.error
        wrong += [text for each in publishers for text in faults(daemon, each, 1_000_000)]
        for text in wrong[:5]:
            proof.figure(text)
        acknowledged = sum(len(found) for p in publishers for found in p.acknowledged.values())
        unknown = sum(len(publisher.unknown) for publisher in publishers)
        proof.claim(
            not wrong and acknowledged > kills,
            f"{len(starts)} times killed: {acknowledged} acknowledged updates are there, each once, "
            f"under its seq; of {unknown} others nobody was told",
        )
        told = [update["value"]["id"] for update in history(daemon, "rows", 1_000_000)]
        proof.claim(
            told == list(range(1, rows.written + 1)) and bool(told),
            f"{rows.written} rows, {len(told)} updates of them: each row exactly once, in order",
        )
        missed = {
            name: len(history(daemon, name, 1_000_000)) - len(seqs)
            for name, seqs in viewer.seqs.items()
            if seqs != list(range(1, len(history(daemon, name, 1_000_000)) + 1))
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
    """What is wrong with the newest updates of what somebody published."""
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
    """Whether all rows are told, and the viewer has all."""
    with suppress(OSError, KeyError):
        streams = daemon.request("GET", "/streams").json()["streams"]
        seqs = {name: about["seq"] for name, about in streams.items() if name in viewer.seqs}
        return seqs.get("rows") == rows.written and seqs == {
            name: told[-1] if told else 0 for name, told in viewer.seqs.items()
        }
    return False


if __name__ == "__main__":
    if len(sys.argv) > 1:
        SEED = int(sys.argv[1])
    main(lambda proof: prove(proof, SEED))

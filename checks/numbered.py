"""Writers that count upwards, and viewers that resume, for proofs that nothing gets lost or doubled.

Each runs in a thread of its own, turn after turn, while a proof kills and freezes things.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Any

from websockets import Subprotocol
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from checks.ledger import ORIGIN
from tests.support.net import request

ORDERS = """
query = "SELECT id FROM orders WHERE id > :after ORDER BY id"
after = "id"
"""
"""The keys of a source that publishes each row of :class:`Rows` once."""


class Worker(Thread):
    """Calls a function again and again until it is told to end; keeps what the function raises.

    :param ended: asked after the end was told: False lets it go on.
    """

    def __init__(self, turn: Callable[[], None], ended: Callable[[], bool] = lambda: True) -> None:
        super().__init__(daemon=True)
        self._turn, self._ended = turn, ended
        self.ending = Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not (self.ending.is_set() and self._ended()):
                self._turn()
        except BaseException as error:
            self.error = error

    def end(self, seconds: float = 30.0) -> None:
        """End after the current turn; raise what the function raised.

        :param seconds: to wait for that.
        """
        self.ending.set()
        self.join(seconds)
        if self.error is not None:
            raise self.error


class Publisher:
    """Publishes 1, 2, 3, … to each of its streams, as one batch if there are several.

    :ivar acknowledged: stream -> value -> seq.
    :ivar unknown: values that may be in the log or not: the answer did not come, and there is no key.
    :ivar refused: how often it was told to try again, by status.
    """

    def __init__(
        self, port: Callable[[], int], names: tuple[str, ...], keyed: bool = False
    ) -> None:
        """:param port: the node that is asked next.

        :param keyed: sends a key, and the same value again until it is acknowledged.
        """
        self.names = names
        self.keyed = keyed
        self.acknowledged: dict[str, dict[int, int]] = {name: {} for name in names}
        self.unknown: set[int] = set()
        self.refused: Counter[str] = Counter()
        self._port = port
        self._number = 1
        self._tries = 0

    @property
    def in_doubt(self) -> bool:
        """Whether the newest value may be in the log without being acknowledged."""
        return self.keyed and self._tries > 0

    def turn(self) -> None:
        seqs = None
        try:
            seqs = self._publish(self._number)
        except (OSError, HTTPException, ValueError):
            self.refused["no answer"] += 1
            time.sleep(0.01)
        self._tries += 1
        if seqs is not None:
            for name, seq in seqs.items():
                self.acknowledged[name][self._number] = seq
        elif self.keyed:
            return
        else:
            self.unknown.add(self._number)
        self._number, self._tries = self._number + 1, 0

    def _publish(self, number: int) -> Mapping[str, int] | None:
        if len(self.names) > 1:
            body = json.dumps(dict.fromkeys(self.names, number))
            told = self._ask("PATCH", "/state", body, {}, 200)
            return told and {name: update["seq"] for name, update in told["streams"].items()}
        [name] = self.names
        headers = {"Idempotency-Key": f"{name}-{number}"} if self.keyed else {}
        told = self._ask("POST", f"/streams/{name}", str(number), headers, 201)
        return told and {name: told["seq"]}

    def _ask(self, method: str, path: str, body: str, headers: Any, good: int) -> Any:
        answer = request(self._port(), method, path, body, headers, timeout=5)
        if answer.status == good:
            return answer.json()
        self.refused[str(answer.status)] += 1
        return None


class Viewer:
    """Follows streams from the first position on, and resumes wherever a connection ends.

    :ivar seqs: of each stream the seqs that it was told, in order.
    :ivar numbers: and the numbers that the values have.
    :ivar resumed: how often it resumed; :ivar anew: how often it was told that it cannot.
    :ivar connections: how many it made.
    """

    def __init__(
        self,
        url: Callable[[], str],
        silence: float,
        stay: Callable[[], float],
        streams: str = "",
    ) -> None:
        """:param url: the node that it connects to next.

        :param silence: seconds without a message after which it connects again.
        :param stay: seconds after which it connects again, anyhow.
        :param streams: the names of the streams that it follows; all if empty.
        """
        self.seqs: dict[str, list[int]] = {}
        self.numbers: dict[str, list[int]] = {}
        self.resumed = self.anew = self.connections = 0
        self.over = Event()
        self._url, self._silence, self._stay = url, silence, stay
        self._streams = f"streams={streams}&" if streams else ""
        self._at = ORIGIN

    def turn(self) -> None:
        until = time.monotonic() + self._stay()
        self.connections += 1
        try:
            with connect(
                f"{self._url()}/ws?{self._streams}after={self._at}",
                subprotocols=[Subprotocol("streamd.v1")],
                compression=None,
                max_size=None,
                open_timeout=3,
                close_timeout=0.1,
            ) as socket:
                while time.monotonic() < until and not self.over.is_set():
                    self._hear(json.loads(socket.recv(self._silence)))
        except (OSError, WebSocketException, EOFError):  # TimeoutError is an OSError
            time.sleep(0.01)

    def _hear(self, message: Any) -> None:
        if message["type"] == "hello":
            if message["resumed"]:
                self.resumed += 1
            else:
                self.anew += 1
        elif message["type"] == "updates":
            for update in message["updates"]:
                value = update["value"]
                number = value["id"] if isinstance(value, dict) else value
                self.seqs.setdefault(update["stream"], []).append(update["seq"])
                self.numbers.setdefault(update["stream"], []).append(number)
            self._at = message["at"]


class Rows:
    """The table ``orders`` of a SQLite file, which grows.

    :ivar written: how many rows it has.
    """

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
        time.sleep(0.03)

"""What walls are compared with: writers of one number, the servers that they write to, and nodes."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import sqlite3
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import hiredis
import psycopg

from checks.numbered import Worker
from checks.proof import Daemon
from tests.support.databases import PostgresServer, children, serve_all_tests
from tests.support.net import request
from tests.support.proxy import Proxy
from tests.support.redis import Redis

EVERY = 0.5
"""Seconds between two numbers."""

AWAY = (OSError, AssertionError, HTTPException, hiredis.HiredisError, psycopg.Error, sqlite3.Error)
"""What a writer gets from a server that is dead or frozen."""

FILE = 'database = "sqlite:///{folder}/numbers.db"\nevery = "500ms"\n'
WEB = 'url = "http://127.0.0.1:{web}/"\nevery = "500ms"\ntimeout = "1s"\nexpect = "2s"\n'
TOLD = 'database = "postgresql://admin@127.0.0.1:{postgres}/postgres"\nlisten = "numbers"\n'
SHAPES = (
    (f'{TOLD}query = "SELECT max(n) AS a, max(n) AS b FROM numbers"', ("shape.a", "shape.b")),
    (f'{TOLD}query = "SELECT max(n) AS a FROM numbers"', ("shape.a",)),
    (WEB, ("shape",)),
)
"""What the source ``shape`` may be after a restart: its keys, and the streams that it makes.

It expects a value every three minutes only: that does not show soon enough that a column is gone."""

KINDS = {  # kind -> streams
    "chart": ["polled"],
    "quantiles": ["rows.n", "file.n"],
    "progress": ["polled"],
    "hours": ["file.n"],
    "notice": ["said"],
    "log": ["added"],
    "band": ["file.n"],
    "status": ["worded.word"],
    "switches": ["worded.word"],
    "list": ["listed"],
    "table": ["listed"],
    "ranked": ["listed"],
}
"""The tiles that a wall has besides one for each stream: all other kinds but images."""

TITLES = {kind: f"{kind} of {', '.join(streams)}" for kind, streams in KINDS.items()}

WALL = '\n[[walls]]\nname = "all"\n[[walls.tiles]]\nstream = "*"\n' + "".join(
    f"[[walls.tiles]]\nstreams = {json.dumps(streams)}\nshow = {json.dumps(kind)}\n"
    f"title = {json.dumps(TITLES[kind])}\n"
    for kind, streams in KINDS.items()
)

CONFIG = f"""
[access]
publish = "loopback"
[journal]
{{journal}}
[streams.plain]
[streams.polled]
goal = 100
[streams."file.n"]
rollup = "7d"
warn = "> 1000000000"
[sources.polled]
{WEB}
[sources.file]
{FILE}
query = "SELECT max(n) AS n FROM numbers"
[sources.worded]
{FILE}
query = "SELECT 'n ' || max(n) AS word FROM numbers"
[sources.listed]
{FILE}
query = "SELECT 'n' AS name, max(n) AS n FROM numbers"
table = true
[sources.rows]
database = "postgresql://admin@127.0.0.1:{{postgres}}/postgres"
query = "SELECT max(n) AS n FROM numbers"
every = "500ms"
[sources.told]
{TOLD}
query = "SELECT max(n) AS n FROM numbers"
[sources.notified]
{TOLD}
[sources.said]
url = "redis://127.0.0.1:{{redis}}"
subscribe = "numbers"
[sources.added]
url = "redis://127.0.0.1:{{redis}}"
xread = "numbers"
[sources.printed]
command = "while cat {{folder}}/number; do sleep 0.5; done"
[sources.shape]
"""

CLUSTERED = 'url = "redis://127.0.0.1:{journal}"'
ALONE = 'path = "journal.db"\n[streams.pushed]\nexpect = "2s"'


class Writer(Worker):
    """Writes 1, 2, 3, …, and knows when each number was followed by a higher one."""

    def __init__(self, write: Callable[[int], object], sure: bool = True) -> None:
        """:param sure: a number counts when it was written, and is tried again until then.  Otherwise
        it counts at once: who promised to write more has to be found out.
        """
        super().__init__(self._next)
        self._write, self._sure = write, sure
        self._number = 1
        self._taken: list[tuple[int, float]] = []
        self.speaks = Event()
        self.speaks.set()

    def followed(self, number: int) -> float:
        """When a higher number than this one was there; infinity: not yet."""
        i = bisect_right(self._taken, (number, math.inf))
        return self._taken[i][1] if i < len(self._taken) else math.inf

    def _next(self) -> None:
        written = not self._sure
        with suppress(*AWAY):
            if self.speaks.is_set():
                self._write(self._number)
                written = True
        if written:
            self._taken.append((self._number, time.monotonic()))
            self._number += 1
        self.ending.wait(EVERY)


class World:
    """PostgreSQL, Redis, a SQLite file, a web server and a file; and those who write to them.

    :ivar truth: of each stream that a source makes, the writer.
    :ivar ports: the servers that a node has a link to.
    """

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.folder = folder
        self.postgres = stack.enter_context(contextmanager(serve_all_tests)(PostgresServer))
        stack.callback(self.postgres.thaw)
        self.postgres.sql("CREATE TABLE numbers (n int)")
        self.redis = Redis(folder)
        self.redis.start()
        stack.callback(self.redis.kill)
        self._database = sqlite3.connect(
            folder / "numbers.db", timeout=5, isolation_level=None, check_same_thread=False
        )
        stack.callback(self._database.close)
        self._database.execute("CREATE TABLE numbers (n INTEGER)")
        self.number = 0
        web = _web(self)
        stack.callback(web.shutdown)
        self.ports = {"web": web.server_port, "postgres": self.postgres.port}
        self.ports["redis"] = self.redis.port
        polled, rows = self.begin(stack, self._answer), self.begin(stack, self._insert)
        said, added = self.begin(stack, self._say), self.begin(stack, self._add)
        file, printed = self.begin(stack, self._store), self.begin(stack, self._print)
        self.truth = {"polled": polled, "rows.n": rows, "told.n": rows, "notified": rows}
        self.truth |= {"said": said, "added": added, "file.n": file, "printed": printed}
        self.truth |= {"worded.word": file, "listed": file}
        self.truth |= {"shape": polled, "shape.a": rows, "shape.b": rows}

    @staticmethod
    def begin(stack: ExitStack, write: Callable[[int], object], sure: bool = True) -> Writer:
        """A writer that writes until the stack is closed."""
        writer = Writer(write, sure)
        stack.callback(writer.end)  # it raises what the writer did
        writer.start()
        return writer

    def lock(self) -> None:
        """Let nobody read the SQLite file."""
        self._database.execute("BEGIN EXCLUSIVE")

    def unlock(self) -> None:
        self._database.rollback()

    def _answer(self, number: int) -> None:
        self.number = number

    def _insert(self, number: int) -> None:
        with self.postgres.connect() as connection, connection.transaction():
            connection.execute(f"INSERT INTO numbers VALUES ({number})")
            connection.execute(f"NOTIFY numbers, '{number}'")

    def _store(self, number: int) -> None:
        with (
            closing(sqlite3.connect(self.folder / "numbers.db", timeout=0.2)) as database,
            database,
        ):
            database.execute("INSERT INTO numbers VALUES (?)", (number,))

    def _print(self, number: int) -> None:
        (self.folder / "next").write_text(f"{number}\n")
        os.replace(self.folder / "next", self.folder / "number")

    def _say(self, number: int) -> None:
        self.redis.say("PUBLISH", "numbers", number)

    def _add(self, number: int) -> None:
        self.redis.say("XADD", "numbers", "MAXLEN", 1000, "*", "n", number)


class Node:
    """A daemon with proxies of its own on the way to everything, also to its page."""

    def __init__(self, stack: ExitStack, world: World, name: str, clustered: bool) -> None:
        self.name = name
        self.folder = world.folder / name
        self.folder.mkdir()
        ports = world.ports | ({"journal": world.redis.port} if clustered else {})
        self.links = {what: Proxy(port, is_http=False) for what, port in ports.items()}
        to = {what: link.port for what, link in self.links.items()}
        self._config = CONFIG.replace("{journal}", CLUSTERED if clustered else ALONE)
        self._values = {**to, "folder": world.folder}
        self.daemon = Daemon(self.folder, config="", env=None)
        self.links["browser"] = Proxy(self.daemon.port)
        for link in self.links.values():
            stack.callback(link.close)
        stack.callback(self._end)

    def shape(self, shape: int) -> None:
        """Start the daemon with this shape of SHAPES; stop the one that runs."""
        text = (self._config + SHAPES[shape][0]).format(**self._values) + WALL
        (self.folder / "streamd.toml").write_text(text)
        self.daemon.restart()

    def tell(self, number: signal.Signals) -> None:
        os.kill(self.daemon.pid, number)

    def kill_commands(self) -> None:
        """Kill what the daemon started."""
        for pid in children(self.daemon.pid) if self.daemon.running else ():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)

    def _end(self) -> None:
        if self.daemon.running:
            self.tell(signal.SIGCONT)
            self.daemon.kill()


class System:
    """The nodes that share a log, and the number that is published to them.

    :ivar streams: those that are to be current: they change with the configuration.
    """

    def __init__(self, stack: ExitStack, world: World, names: Iterable[str]) -> None:
        names = list(names)
        self.nodes = [Node(stack, world, name, len(names) > 1) for name in names]
        self.change(0)
        self.truth = {**world.truth, "plain": world.begin(stack, self._publish)}
        # A node that thaws may still take a number that was given up; a publisher without a key can
        # tell only where all numbers take the same way.
        self._keyed = len(names) > 1
        if not self._keyed:
            self.truth["pushed"] = world.begin(stack, partial(self._patch), sure=False)

    def change(self, shape: int) -> None:
        """Restart one node after the other with another configuration."""
        for node in self.nodes:
            node.shape(shape)
        self.shape = shape

    @property
    def streams(self) -> set[str]:
        """What is to be current."""
        rest = {name for name in self.truth if not name.startswith("shape")}
        return rest | set(SHAPES[self.shape][1])

    def _publish(self, number: int) -> None:
        self._ask("POST", "/streams/plain", str(number), {"Idempotency-Key": f"plain-{number}"})

    def _patch(self, number: int) -> None:
        self._ask("PATCH", "/state", json.dumps({"pushed": number}), {})

    def _ask(self, method: str, path: str, body: str, headers: dict[str, str]) -> None:
        port = random.choice(self.nodes).daemon.port
        answer = request(port, method, path, body, headers, timeout=1)
        assert answer.status in (200, 201), answer.text


def _web(world: World) -> ThreadingHTTPServer:
    """A server that answers the number."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):  # who asked may have given up
                self.answer()

        def answer(self) -> None:
            body = str(world.number).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    return server

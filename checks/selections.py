"""Proves that what a viewer holds is the truth for what it selected, once all is quiet.

Readers change what they select (wider, narrower, globs, nothing; with and without a cursor), and drop
their connections, while streams appear, change their health and descriptions, are forgotten and come
back.
"""

from __future__ import annotations

import json
import random
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection
from typing import Any

from checks.crowd import LOOPBACK, PONG, TEXT
from checks.ledger import ORIGIN
from checks.proof import KIB, NO_SOURCES, Proof, running
from checks.readers import EVENTS, PLAIN, POLLS, V1, V1_DEFLATED, V1_EVENTS, Heard, Way
from streamd.core.selection import Selection
from tests.support.frames import frame

SETTLE = 60.0
QUIET_EVERY = 75
"""Changes between two times of quiet, at which everybody's view is compared with the truth."""

PATTERNS = ("*", "a.*", "b.*", "*.1", "?.2", "a.1", "b.2", "c.0", "none", "a.?", "lamp", "l*")
NAMES = [f"{group}.{number}" for group in "abc" for number in range(4)] + ["lamp", "clock"]

CONFIG = f"""{NO_SOURCES}
[server]
max_state = "64KiB"
max_streams = 10
[streams.lamp]
warn = "> 50"
critical = "> 80"
[streams.clock]
expect = "1s"
[sources.c]
command = 'echo "{{\\"$(($(date +%s%N) / 200000000 % 4))\\": 1}}"'
every = "50ms"
expect = "10m"
"""
"""Fewer streams may be than there are names, so tombstones go early; and history is short.

The source names one of its four streams after the other, and describes what a publisher made before.
"""

DESCRIPTION = ("title", "unit", "show", "keep", "expect", "warn", "critical")


class View:
    """What a viewer has: descriptions, values, health, of what it selected.

    It keeps to the rule for clients: until the answer to a subscribe is complete, there is no cursor
    for what was selected, and one comes back without.
    """

    def __init__(self, way: Way) -> None:
        self.way = way
        self.streams: dict[str, Any] = {}
        self.health: dict[str, Any] = {}
        self.values: dict[str, Any] = {}
        self.cursor: str | None = None
        self.complete = False

    def begin(self) -> None:
        """Begins a new connection."""
        self.complete = False
        if not self.way.resumes:
            self.values.clear()

    def hear(self, heard: Heard) -> None:
        kind, body, cursor = heard
        if kind == "hello":
            self.streams, self.health = dict(body["streams"]), dict(body["health"])
            kept = self.values if body["resumed"] else {}
            self.values = {name: kept[name] for name in kept if name in self.streams}
            self.complete = not body["more"]
        elif kind == "poll":
            if not body["resumed"]:
                self.streams, self.health, self.values = {}, {}, {}
            self._forget(body["streams"])
            self.health |= body["health"]
            self._take(body)
        elif kind == "updates":
            self._take(body)
        elif kind == "streams":
            self._forget(body["streams"])
        elif kind == "health":
            self.health |= body["health"]
        elif kind == "state":
            self.values |= body
            self.values = {n: v for n, v in self.values.items() if v is not None}
            self.complete = True
        elif kind == "gap":
            self.values.clear()
        if cursor is not None:
            self.cursor = cursor

    def _take(self, body: Any) -> None:
        for update in body["updates"]:
            self.values[update["stream"]] = update["value"]
        self.complete = "more" not in body

    def _forget(self, streams: Mapping[str, Any]) -> None:
        for name, description in streams.items():
            if description is None:
                for held in (self.streams, self.health, self.values):
                    held.pop(name, None)
            else:
                self.streams[name] = description

    def differs(self, truth: Mapping[str, Any], selection: Selection) -> str:
        """Returns how this view differs from ``GET /streams``, or an empty text."""
        chosen = {name: about for name, about in truth.items() if name in selection}
        values = {n: a["value"] for n, a in chosen.items() if a["value"] is not None}
        if self.values != values:
            return f"has {self.values}, should have {values}"
        if not self.way.numbered:
            return ""
        described = {n: {key: a[key] for key in DESCRIPTION if key in a} for n, a in chosen.items()}
        if self.streams != described:
            return f"knows of {self.streams}, there are {described}"
        mine = {name: _judgement(health) for name, health in self.health.items()}
        right = {name: _judgement(about["health"]) for name, about in chosen.items()}
        return "" if mine == right else f"believes {mine}, should believe {right}"


def _judgement(health: Mapping[str, Any]) -> tuple[str, str]:
    return health["state"], health["level"]


class Watcher:
    """A viewer that changes its mind."""

    def __init__(self, way: Way, number: int, port: int, seed: str) -> None:
        self.name = f"{way} {number}"
        self.way = way
        self.socket: socket.socket | None = None
        self.changes = self.dropped = 0
        self._port = port
        self._rng = random.Random(f"{seed} {self.name}")
        self._history: deque[str] = deque(maxlen=40)
        self._patterns: list[str] | None = None
        self._changing = False  # until the answer to a subscribe is complete
        self._asked = 0  # hellos that are still to come
        self.view = View(way)

    @property
    def selection(self) -> Selection:
        return Selection(self._patterns)

    @property
    def can_subscribe(self) -> bool:
        return self.way in (V1, V1_DEFLATED)

    @property
    def settled(self) -> bool:
        return not self.way.numbered or (self.view.complete and not self._asked)

    def connect(self) -> None:
        if self._changing:
            self.view.cursor = None
            self._changing = False
        self._asked = 0
        self.view.begin()
        query = {} if self._patterns is None else {"streams": ",".join(self._patterns)}
        if self.way is POLLS:
            query["wait"] = "0.1"
        self.socket = socket.create_connection((LOOPBACK, self._port))
        self.socket.setblocking(False)
        self._reader = self.way.reader()
        self.socket.send(self.way.ask(query, self.view.cursor))
        self._history.append(f"connected {query} from {self.view.cursor}")

    def change(self) -> None:
        """Selects something else, on a new connection where the way to read needs one."""
        patterns: list[str] | None = None
        if self._rng.random() < 0.85:
            patterns = self._rng.sample(PATTERNS, self._rng.randint(0, 3))
        self.changes += 1
        if self.can_subscribe and self.socket is not None and self._rng.random() < 0.8:
            self._subscribe(patterns)
        else:
            self.drop()
            self._patterns, self._changing, self.view = patterns, False, View(self.way)

    def _subscribe(self, patterns: list[str] | None) -> None:
        assert self.socket is not None
        if not self.settled:
            return  # one at a time
        wish: dict[str, Any] = {"type": "subscribe"}
        if patterns is not None:
            wish["streams"] = patterns
        if self._rng.random() < 0.7:
            wish["after"] = self.view.cursor or ORIGIN
        self._changing = True
        self._patterns = patterns
        self._asked += 1
        self._history.append(f"subscribes {wish}")
        self._say(frame(TEXT, json.dumps(wish).encode()))

    def _say(self, data: bytes) -> None:
        """What is said to a daemon that closed meanwhile is lost."""
        assert self.socket is not None
        with suppress(ConnectionError):
            self.socket.send(data)

    def drop(self) -> None:
        if self.socket is not None:
            self._history.append("drops the connection")
            self.socket.close()
            self.socket = None

    def read(self) -> None:
        assert self.socket is not None
        try:
            data = self.socket.recv(64 * KIB)
        except ConnectionResetError:
            data = b""
        if not data:  # it was so far behind that it has to begin anew
            self._history.append("was dropped")
            self.dropped += 1
            self.drop()
            return
        for heard in self._reader.feed(data):
            self._history.append(f"heard {str(heard)[:150]}")
            if heard.kind == "ping":
                self._say(frame(PONG, heard.body))
            if heard.kind == "hello":
                self._asked = max(0, self._asked - 1)
            self.view.hear(heard)
            if self.settled:
                self._changing = False
            if heard.kind in ("poll", "nothing"):
                self.socket.close()
                self.connect()
                self.view.complete = heard.kind == "nothing" or "more" not in heard.body
                return

    def story(self) -> str:
        return "\n".join([f"--- {self.name} {self._patterns}", *self._history])


class World:
    """What happens to the streams, over HTTP."""

    def __init__(self, port: int, rng: random.Random) -> None:
        self._connection = HTTPConnection(LOOPBACK, port, timeout=10)
        self._rng = rng
        self.done: Counter[str] = Counter()

    def change(self) -> None:
        """Changes one stream at random."""
        rng = self._rng
        name = rng.choice(NAMES)
        if rng.random() < 0.25:
            self._ask("DELETE", f"/streams/{name}")
        elif rng.random() < 0.2:
            names = rng.sample(NAMES, 3)
            self._ask("PATCH", "/state", json.dumps({n: rng.randrange(100) for n in names}))
        elif rng.random() < 0.05:  # more than all history may be
            for _ in range(4):
                self._ask("POST", f"/streams/{name}", json.dumps("x" * 20_000))
        else:
            self._ask("POST", f"/streams/{name}", str(rng.randrange(100)))

    def truth(self) -> Mapping[str, Any]:
        """What ``GET /streams`` says."""
        streams: Mapping[str, Any] = json.loads(self._ask("GET", "/streams"))["streams"]
        return streams

    def _ask(self, method: str, path: str, body: str | None = None) -> bytes:
        self._connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        self.done[f"{method} {answer.status}"] += 1
        return answer.read()


def prove_selections(proof: Proof, seed: int, changes: int) -> None:
    """Makes this many changes, and compares every view with the truth at times of quiet."""
    rng = random.Random(f"{seed} selections")
    with running(config=CONFIG) as daemon:
        world = World(daemon.port, rng)
        ways = (V1, V1_DEFLATED, V1, PLAIN, EVENTS, V1_EVENTS, POLLS)
        watchers = [Watcher(way, n, daemon.port, str(seed)) for n, way in enumerate(ways * 2)]
        compared = 0
        for number in range(1, changes + 1):
            world.change()
            for watcher in watchers:
                if rng.random() < 0.05:
                    watcher.change()
                if rng.random() < 0.03:
                    watcher.drop()
            _serve(watchers, 0.01 * rng.random())
            if number % QUIET_EVERY == 0 or number == changes:
                problem = _compare(watchers, world)
                if problem:
                    proof.claim(False, f"selections, seed {seed}, change {number}: {problem}")
                    break
                compared += len(watchers)
        else:
            proof.claim(True, f"selections: {compared} views compared, each the truth")
        changed, dropped = sum(w.changes for w in watchers), sum(w.dropped for w in watchers)
        proof.figure(f"{changed} selections, {dropped} told to begin anew; {dict(world.done)}")
        for watcher in watchers:
            watcher.drop()


def _serve(watchers: list[Watcher], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        waiting = {}
        for watcher in watchers:
            if watcher.socket is None:
                watcher.connect()
            assert watcher.socket is not None
            waiting[watcher.socket] = watcher
        ready, _, _ = select.select(list(waiting), [], [], max(0, deadline - time.monotonic()))
        for one in ready:
            waiting[one].read()
        if time.monotonic() >= deadline:
            return


def _compare(watchers: list[Watcher], world: World) -> str:
    """Waits for quiet; returns what is wrong then, or an empty text."""
    deadline = time.monotonic() + SETTLE
    while True:
        _serve(watchers, 0.1)
        truth = world.truth()
        wrong = [
            (watcher, problem)
            for watcher in watchers
            if (problem := watcher.view.differs(truth, watcher.selection)) or not watcher.settled
        ]
        if not wrong:
            return ""
        if time.monotonic() > deadline:
            watcher, problem = wrong[0]
            return f"{watcher.name}: {problem or 'its answer never ends'}\n{watcher.story()}"

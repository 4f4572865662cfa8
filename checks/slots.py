"""Proves that long histories lose and double nothing, whenever the daemon dies, and that nodes agree.

Writers publish numbers and texts, some of them late, while the daemon is killed with SIGKILL at random
moments, 50 times for each journal: SQLite with ``synchronous`` ``normal`` and ``full``, and two nodes
on one Redis, of which one or both are killed, and one is frozen at times.  After each restart the whole
past of each stream is asked for.  The writer's own record is the truth:

- each slot, word and level equals a naive computation over all updates and the told silences;
- each silence began at most LOST before a node was killed;
- both nodes answer alike, byte for byte, up to the moment of the question.

In the end so do a node that is new, and one that was away.  `slots.py KILLS SEED` takes other numbers.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

from checks.numbered import Worker
from checks.proof import Proof, main, spread
from streamd.core.histories.slot import Slot
from streamd.core.values import number_and_word
from tests.support.daemon import Daemon
from tests.support.net import Answer, request, wait_until
from tests.support.past import Moments, close, moments_of, naive, naive_segments
from tests.support.redis import Redis

KILLS, SEED = 50, 5
LONGEST = 8.0
"""Seconds for which a daemon lives at most: longer than between two moments of storing."""

LOST = 6.0
"""Seconds that a killed daemon loses at most: five between two moments of storing, one to store."""

MANY = 400
"""The newest segments that are compared: a silence is two changes, and 1000 changes are kept."""

SETTLE = 30.0


class Kept(NamedTuple):
    """A stream: what it keeps, what is written to it, and by how many seconds updates are late."""

    keep: int
    values: Sequence[str]
    late: float = 0.0
    share: int = 10


DIGITS = [str(n) for n in range(10)]
STREAMS = {
    "much": Kept(1_000_000, DIGITS),
    "little": Kept(3, DIGITS),
    "late": Kept(1_000_000, DIGITS, late=4.0),
    "mixed": Kept(2, ['"up"', '"down"', "true", "null", "2", "7.5"]),
    "rare": Kept(1, DIGITS, share=1),
}

CONFIG = '[access]\npublish = "loopback"\n' + "".join(
    f'[streams.{name}]\nkeep = {kept.keep}\nrollup = "3h"\nwarn = "> 5"\n'
    for name, kept in STREAMS.items()
)


def level(value: bytes) -> str:
    number, _ = number_and_word(value)
    return "warn" if number is not None and number > 5 else "ok"


class Record:
    """Publishes, and writes down what was acknowledged: time and value of each update, in order."""

    def __init__(self, port: Callable[[], int], rng: random.Random) -> None:
        self.of: dict[str, list[tuple[float, bytes]]] = {name: [] for name in STREAMS}
        self.may_write, self.rests = Event(), Event()
        self.may_write.set()
        self._port, self._rng = port, rng
        self._count = 0
        self._next: tuple[str, float, str] | None = None

    def turn(self) -> None:
        """Publish one update; the same one again until it is acknowledged."""
        if self._next is None and not self.may_write.is_set():
            self.rests.set()
            self.may_write.wait(1.0)
            return
        self.rests.clear()
        name, now, value = self._next = self._next or self._draft()
        headers = {"Idempotency-Key": f"{self._count}", "Streamd-Time": repr(now)}
        try:
            answer = request(self._port(), "POST", f"/streams/{name}", value, headers, timeout=2)
        except (OSError, HTTPException):
            time.sleep(0.01)
            return
        if answer.status != 201:
            time.sleep(0.01)
            return
        self.of[name].append((now, value.encode()))
        self._next = None
        self._count += 1
        time.sleep(self._rng.choice((0.0, 0.02, 0.1)))

    def _draft(self) -> tuple[str, float, str]:
        rng = self._rng
        [name] = rng.choices([*STREAMS], [kept.share for kept in STREAMS.values()])
        late = rng.choice((0.0, rng.uniform(0, STREAMS[name].late)))
        return name, time.time() - late, rng.choice(STREAMS[name].values)


class System:
    """The nodes that share a journal, and the writer.

    :ivar began: a whole second before the first update.
    :ivar outages: when a node was killed or frozen, and when it was back; seconds since the epoch.
    """

    def __init__(self, stack: ExitStack, name: str, journal: str, count: int, seed: int) -> None:
        self.name = name
        self.rng = random.Random(f"{seed} {name}")
        self.folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="streamd-check-"))
        )
        if count > 1:
            self.redis = Redis(self.folder)
            self.redis.start()
            stack.callback(self.redis.kill)
            journal = journal.format(port=self.redis.port)
        self._journal, self._stack = journal, stack
        self.nodes = [self.node(number) for number in range(count)]
        self.outages: list[tuple[float, float]] = []
        self.starts: list[float] = []
        self.record = Record(lambda: self.rng.choice(self.nodes).port, random.Random(seed))
        self.began = math.floor(time.time()) - 5
        self._writing = Worker(self.record.turn)
        self._writing.start()
        stack.callback(self._writing.ending.set)

    def node(self, number: int) -> Daemon:
        """Start another node."""
        folder = self.folder / f"node{number}"
        folder.mkdir()
        node = Daemon(folder, config=f"{CONFIG}[journal]\n{self._journal}\n")
        node.start()
        self._stack.callback(lambda: node.running and node.kill())
        return node

    def hurt(self) -> None:
        """Let the nodes live for a while; then kill some, or freeze one."""
        time.sleep(self.rng.uniform(0, LONGEST))
        chosen = self.rng.sample(self.nodes, self.rng.randint(1, len(self.nodes)))
        began = time.time()
        if len(self.nodes) > 1 and self.rng.random() < 0.2:
            os.kill(chosen[0].pid, signal.SIGSTOP)
            time.sleep(self.rng.uniform(0, 5.0))
            os.kill(chosen[0].pid, signal.SIGCONT)
        else:
            for node in chosen:
                node.kill()
            for node in chosen:
                back = time.monotonic()
                node.start()
                self.starts.append(time.monotonic() - back)
        self.outages.append((began, time.time()))

    def rest(self) -> int:
        """Let the writer pause; return a whole second that is over, since which nothing was written."""
        self.record.may_write.clear()
        self.record.rests.clear()
        wait_until(self.record.rests.is_set, SETTLE, "the writer")
        if self._writing.error:
            raise self._writing.error
        end = math.ceil(time.time())
        time.sleep(end - time.time())
        return end

    def resume(self) -> None:
        self.record.may_write.set()


def ask(node: Daemon, name: str, begin: float, end: float) -> Answer:
    path = f"/streams/{name}?from={begin!r}&to={end!r}&points=5000"
    return request(node.port, "GET", path)


def past_of(answer: Answer) -> bytes:
    """The part of an answer that is about the past, and not about the state of now."""
    told = answer.json()
    members = ("from", "to", "width", "points", "words", "levels", "silences", "rough")
    return json.dumps([told.get(member) for member in members]).encode()


def faults(system: System, name: str, begin: float, end: float, told: Any) -> Iterator[str]:
    """Compare an answer with the writer's record."""
    silences = told["silences"]
    moments = moments_of(system.record.of[name], silences)
    yield from (f"{name}: {text}" for text in slot_faults(moments, begin, end, told))
    words = naive_segments(moments, end, lambda value: number_and_word(value)[1])
    levels = naive_segments(moments, end, level)
    for what, segments in (("words", words), ("levels", levels)):
        newest = segments[-MANY:] if len(told[what]) >= MANY else segments
        have = [(*segment,) for segment in told[what][-len(newest) :]]
        if have != newest:
            wrong = sorted({*have} ^ {*newest})[:4]
            yield f"{name}: of {len(have)} {what}, wrong or missing are {wrong} {silences[-2:]}"
    for start, _ in silences:
        if not any(down - LOST <= start <= back + LOST for down, back in system.outages):
            yield f"{name}: a silence began at {start}, without an outage {system.outages[-3:]}"
    if told.get("rough"):
        yield f"{name} is rough"


def slot_faults(moments: Moments, begin: float, end: float, told: Any) -> Iterator[str]:
    shift, width = int(begin), told["width"]
    said = [(when - shift, number_and_word(value)[0]) for when, value in moments]
    slots = naive(said, end - shift, width) if said else {}
    got = {int(point[0] - shift) // width: point for point in told["points"]}
    if len(got) < len(told["points"]):
        yield "a slot is there twice"
    for index in sorted(slots.keys() | got.keys()):
        want, have = slots.get(index), got.get(index)
        if want is None or have is None or not is_same(want, have):
            yield f"slot {index} is {have}, should be {want}"


def is_same(slot: Slot, point: Sequence[float]) -> bool:
    _, low, mean, high, last = point
    return (low, high, last) == (slot.low, slot.high, slot.last) and close(mean, slot.mean, 1e4)


def position_of(node: Daemon) -> str | None:
    return request(node.port, "GET", "/streams").headers["Streamd-Position"]


def look(system: System) -> Iterator[str]:
    """Compare what all nodes answer, with the writer's record and with each other."""
    begin, end = system.began, system.rest()
    wait_until(lambda: len(set(map(position_of, system.nodes))) == 1, SETTLE, "the nodes")
    time.sleep(1.5)  # nodes tell each other once a second since when they follow the log
    for name in STREAMS:
        answers = [ask(node, name, begin, end) for node in system.nodes]
        yield from faults(system, name, begin, end, answers[0].json())
        for number, answer in enumerate(answers[1:], 1):
            if past_of(answer) != past_of(answers[0]):
                yield f"{name}: node {number} answers {differences(answer, answers[0])}"
    system.resume()


def differences(one: Answer, other: Answer) -> str:
    """What two answers have differently."""
    left, right = one.json(), other.json()
    found = []
    for member in ("points", "words", "levels", "silences"):
        only = [item for item in left[member] if item not in right[member]]
        else_ = [item for item in right[member] if item not in left[member]]
        if only or else_:
            found.append(f"{member} {only[:3]} instead of {else_[:3]}")
    return "; ".join(found)


def torment(system: System, kills: int) -> list[str]:
    """Hurt a system again and again, until something is wrong; return that."""
    for number in range(kills):
        system.hurt()
        if wrong := list(look(system)):
            return [f"after {number + 1} outages: {text}" for text in wrong]
    if len(system.nodes) > 1:
        system.nodes[1].kill()
        time.sleep(LOST)
        system.nodes.append(system.node(len(system.nodes)))
        system.nodes[1].start()
        return [f"with a new node: {text}" for text in look(system)]
    return []


SYSTEMS = {
    "SQLite, normal": ('path = "../log.db"', 1),
    "SQLite, full": ('path = "../log.db"\nsynchronous = "full"', 1),
    "Redis, two nodes": ('url = "redis://127.0.0.1:{port}"', 2),
}


def prove(
    proof: Proof, kills: int = KILLS, seed: int = SEED, *, names: Collection[str] = tuple(SYSTEMS)
) -> None:
    """:param names: of the systems that are tormented."""
    proof.figure(f"seed {seed}")
    with ExitStack() as stack:
        systems = [System(stack, name, *SYSTEMS[name], seed) for name in names]
        with ThreadPoolExecutor(len(systems)) as pool:
            found = list(pool.map(lambda system: torment(system, kills), systems))
        for system, wrong in zip(systems, found, strict=True):
            for text in wrong[:5]:
                proof.figure(text)
            count = sum(map(len, system.record.of.values()))
            proof.claim(
                not wrong and count > kills,
                f"{system.name}: {len(system.outages)} outages, {count} updates, every slot and "
                f"segment as the writer's record has it",
            )
            proof.figure(f"until it serves again: {spread(system.starts)}")


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    main(lambda proof: prove(proof, *words))

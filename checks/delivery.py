"""Proves that nobody loses or doubles anything, whatever happens to the connection.

Readers of every kind follow streams of numbered values, published in bursts and pauses, while they
drop their connections after random bytes (and so before the first update, between two, in the middle
of one, between hello and state), stop reading for a while behind small buffers, and while the daemon
is restarted.  With enough history every number arrives exactly once and in order; with too little,
the reader is told that it cannot resume, or sees a hole that is exactly what the daemon has no more.
`checks.ledger` is the judge.  Then subscriptions change while streams come and go: `checks.selections`.

A failure prints the seed and what happened to the reader.  `delivery.py SEED` repeats a run, as far as
two processes on one machine repeat anything.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from checks.crowd import LOOPBACK, PONG
from checks.ledger import ORIGIN, Ledger, Sight, Wrong
from checks.proof import KIB, MIB, NO_SOURCES, Daemon, Proof, main, running
from checks.readers import WAYS, Broken, Heard, Reader, Way
from checks.selections import prove_selections
from tests.support.frames import frame

SEED = 3
STREAMS = 6
DROPS = 1000
STALLS = 200
RESTARTS = 6
SETTLE = 60.0
"""Seconds within which all have to be current when all is quiet."""

SMALL_BUFFERS = (4 * KIB, 32 * KIB)
"""What stalling readers let the kernel receive for them."""

_NO_LINGER = struct.pack("ii", 1, 0)


class Trial(NamedTuple):
    """One trial: how often readers drop and stall, and what the daemon keeps.

    :ivar drops: how often the readers of each way drop their connections, at least.
    :ivar stalls: and how often they stop reading.
    :ivar keep: updates kept of a stream; :ivar max_state: bytes kept of all.
    :ivar largest: bytes of the largest values.
    :ivar away: the longest that a reader stays away, in seconds.
    :ivar readers: of each way; :ivar paces: that they ask for, if any.
    :ivar journal: the configuration of one, if the daemon is to remember.
    :ivar others: ports of more nodes that have the same journal; readers go from one to another.
    """

    name: str
    drops: int = 0
    stalls: int = 0
    keep: int = 1_000_000
    max_state: int = 256 * MIB
    largest: int = 60_000
    away: float = 0.05
    readers: int = 4
    paces: tuple[str, ...] = ()
    journal: str = ""
    others: tuple[int, ...] = ()

    @property
    def is_little(self) -> bool:
        """Whether the daemon keeps so little that updates have to get lost."""
        return self != self._replace(keep=Trial.keep, max_state=Trial.max_state)

    @property
    def config(self) -> str:
        streams = "".join(f"[streams.{name}]\nkeep = {self.keep}\n" for name in names())
        return f'{NO_SOURCES}[server]\nmax_state = "{self.max_state}B"\n{streams}{self.journal}'


SQLITE = '[journal]\npath = "log.db"\n'


def names() -> list[str]:
    return [f"s{number}" for number in range(STREAMS)]


class Client:
    """One reader on sockets of its own, which it treats badly.

    :ivar dropping: whether it drops connections; :ivar stalling: whether it stops reading at times.
    :ivar drops: where its connections ended, and how often.
    """

    def __init__(
        self, way: Way, number: int, port: int, ledger: Ledger, seed: str, trial: Trial
    ) -> None:
        self.way = way
        self.name = f"{way} {number}"
        self._ports = (port, *trial.others)
        self.dropping = self.stalling = False
        self.drops: Counter[str] = Counter()
        self.stalls = 0
        self.socket: socket.socket | None = None
        self._rng = random.Random(f"{seed} {self.name}")
        self._away, self._paces = trial.away, trial.paces
        self.sight = Sight(way, ledger, ORIGIN if number % 2 else None)
        self._reader: Reader
        self._history: deque[str] = deque(maxlen=40)
        self._began = time.monotonic()
        self._bytes_left = self._messages_left = 0
        self._until = self._deaf_until = self._rest_until = 0.0
        self._plan_stall()
        self.last_words: list[object] = []

    # -- what happens to it ------------------------------------------------------------------------

    def turn(self, now: float) -> bool:
        """Does what is due; returns whether the client wants to read."""
        if self.socket is None:
            if now >= self._rest_until:
                self._connect(now)
        elif self.dropping and now >= self._until:
            self._drop(now)
        return self.socket is not None and (not self.stalling or now >= self._deaf_until)

    def read(self, now: float) -> None:
        """Reads what came.

        :raises Wrong: if it is not what it has to be.
        """
        assert self.socket is not None
        most = 64 * KIB
        if self.dropping:
            most = min(most, self._bytes_left)
        if self.stalling:
            most = min(most, self._deaf_after)
        try:
            data = self.socket.recv(most) if most else b""
        except BlockingIOError:
            return
        except ConnectionResetError:
            data, most = b"", 1
        if not data and most:
            raise Wrong("the daemon closed the connection")
        self._bytes_left -= len(data)
        self._deaf_after -= len(data)
        for heard in self._reader.feed(data):
            self._hear(heard, now)
            if self.socket is None:
                return
        if self.dropping and self._bytes_left <= 0:
            self._drop(now)
        elif self.stalling and self._deaf_after <= 0:
            self._stall(now)

    def _hear(self, heard: Heard, now: float) -> None:
        self._note(f"heard {heard.kind} {_short(heard)}")
        if heard.kind == "ping":
            assert self.socket is not None
            self.socket.send(frame(PONG, heard.body))
        self.sight.hear(heard)
        self._messages_left -= 1
        if heard.kind in ("poll", "nothing"):
            self._close()
            self._rest_until = now
        elif self.dropping and self._messages_left <= 0:
            self._drop(now)

    def _connect(self, now: float) -> None:
        cursor = self.sight.connect(alone=len(self._ports) == 1)
        query = {"wait": f"{self._rng.uniform(0, 0.3):.2f}"} if "poll" in self.way.name else {}
        if self._paces:
            query["pace"] = self._rng.choice(self._paces)
        self._plan(now)
        self.socket = socket.socket()
        if self.stalling:
            buffer = self._rng.choice(SMALL_BUFFERS)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.connect((LOOPBACK, self._rng.choice(self._ports)))
        self.socket.setblocking(False)
        self._reader = self.way.reader()
        self.socket.send(self.way.ask(query, cursor))
        self._note(f"connected {query}, with the cursor {cursor}")

    def _plan(self, now: float) -> None:
        """Plans when this connection ends."""
        rng = self._rng
        self._bytes_left = self._messages_left = sys.maxsize
        self._until = now + rng.uniform(0, 0.2)
        # Of five, one ends in the head, one about hello and state, one far in, one between two
        # messages, one by the clock.
        kind = rng.randrange(5)
        if kind < 3:
            self._bytes_left = rng.randrange((300, 2000, 40_000)[kind])
        elif kind == 3:
            self._messages_left = rng.randint(1, 4)

    def _plan_stall(self) -> None:
        self._deaf_after = 1 + self._rng.randrange(self._rng.choice((100, 2000, 30_000)))

    def _stall(self, now: float) -> None:
        self.stalls += 1
        pause = self._rng.choice((0.02, 0.1, 0.6)) * self._rng.random()
        self._deaf_until = now + pause
        self._plan_stall()
        self._note(f"does not read for {pause:.3f} s, {self._reader.stage}")

    def _drop(self, now: float) -> None:
        self.drops[self._reader.stage] += 1
        self._note(f"drops the connection {self._reader.stage}")
        self._close()
        self._rest_until = now + self._rng.choice((0, 0.002, self._away)) * self._rng.random()

    def _close(self) -> None:
        assert self.socket is not None
        if self._rng.random() < 0.3:  # with a reset, not an end
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.socket.close()
        self.socket = None

    def listen_to_the_end(self, seconds: float) -> None:
        """Reads all that there still is; the daemon is about to end, or has ended."""
        if self.socket is None:
            return
        self.socket.settimeout(seconds)
        self.last_words = []
        try:
            while data := self.socket.recv(64 * KIB):
                for heard in self._reader.feed(data):
                    self.sight.hear(heard)
                    if heard.kind in ("bye", "close"):
                        self.last_words.append(heard.body if heard.kind == "close" else "bye")
        except ConnectionResetError:
            self.last_words.append("reset")
        self._note(f"the daemon ended, saying {self.last_words}")
        self._close()

    # -- what is said of it ------------------------------------------------------------------------

    def _note(self, words: str) -> None:
        self._history.append(f"{time.monotonic() - self._began:9.4f} {words}")

    def story(self) -> str:
        """The last events of this client, a line each."""
        return "\n".join(
            [f"--- {self.name}, {self.stalls} stalls, drops {dict(self.drops)}", *self._history]
        )


def _short(heard: Heard) -> str:
    body, text = heard.body, str(heard.cursor)
    if isinstance(body, dict):
        updates = body.get("updates", [])
        text += " " + " ".join(f"{u['stream']}:{u['seq']}" for u in updates[:8])
        text += " …" * (len(updates) > 8) + " more" * ("more" in body)
        text += f" resumed={body['resumed']}" if "resumed" in body else ""
        if heard.kind == "state":
            text += " " + " ".join(f"{name}={value[0]}" for name, value in body.items())
    return text


class Crew:
    """All clients, in one thread, and the publisher with them."""

    def __init__(
        self, clients: Sequence[Client], ledger: Ledger, rng: random.Random, largest: int
    ) -> None:
        self.clients = clients
        self._largest = largest
        self.ledger = ledger
        self._rng = rng
        self._publish_at = 0.0
        self.publishing = True

    def run(self, seconds: float, until: Callable[[], bool]) -> bool:
        """Runs until the question is true; returns False after this many seconds.

        :raises Failed: at the first thing that is wrong.
        """
        deadline = time.monotonic() + seconds
        while not until():
            now = time.monotonic()
            if now > deadline:
                return False
            if self.publishing and now >= self._publish_at:
                self.ledger.burst(12, self._largest)
                self._publish_at = (
                    now + self._rng.choice((0, 0.005, 0.02, 0.08)) * self._rng.random()
                )
            self._serve(now)
            self.ledger.accepted()
        return True

    def _serve(self, now: float) -> None:
        poll = select.poll()
        waiting: dict[int, Client] = {}
        for client in self.clients:
            if client.turn(now) and client.socket is not None:
                waiting[client.socket.fileno()] = client
                poll.register(client.socket, select.POLLIN)
        for number, _ in poll.poll(1):
            client = waiting[number]
            try:
                client.read(now)
            except (Wrong, Broken) as error:
                raise Failed(client, error) from error

    def settle(self) -> None:
        """Stops all trouble, and waits until every reader is current.

        A journal on a slow disk may be far behind the publisher: it takes its time as long as there
        are news.

        :raises Failed: for one that does not.
        """
        self.publishing = False
        for client in self.clients:
            client.dropping = client.stalling = False
        told = -1
        while not self.run(SETTLE, lambda: all(c.sight.is_current() for c in self.clients)):
            before, told = told, sum(client.sight.told for client in self.clients)
            if told == before:
                late = next(c for c in self.clients if not c.sight.is_current())
                missing = f"has {late.sight.newest}, should have {self.ledger.sent}"
                raise Failed(late, Wrong(missing))
        if not self.ledger.all_accepted:
            raise Failed(self.clients[0], Wrong("not all that was published was accepted"))

    def close(self) -> None:
        self.ledger.close()
        for client in self.clients:
            if client.socket is not None:
                client.socket.close()


class Failed(Exception):
    """A reader was wronged."""

    def __init__(self, client: Client, error: Exception) -> None:
        super().__init__(f"{client.name}: {error}\n{client.story()}")


def crew_of(trial: Trial, port: int, ways: Iterable[Way], seed: str) -> Crew:
    rng = random.Random(f"{seed} publisher")
    ledger = Ledger(port, names(), trial.keep, trial.max_state, rng)
    clients = [
        Client(way, number, port, ledger, seed, trial)
        for way in ways
        for number in range(trial.readers)
    ]
    return Crew(clients, ledger, rng, trial.largest)


def prove_trial(proof: Proof, trial: Trial, seed: int, ways: Sequence[Way] = WAYS) -> None:
    """Readers of every way drop and stall, until each way did it often enough."""
    began = time.monotonic()
    with running(config=trial.config) as daemon:
        crew = crew_of(trial, daemon.port, ways, f"{seed} {trial.name}")
        try:
            _trouble(crew, trial, ways)
            crew.settle()
        except Failed as failed:
            proof.claim(False, f"{trial.name}, seed {seed}: {failed}")
            return
        finally:
            crew.close()
    for way in ways:
        clients = [client for client in crew.clients if client.way is way]
        _tell(proof, trial, way, clients)
    proof.figure(f"{sum(crew.ledger.sent.values())} updates in {time.monotonic() - began:.1f} s")


def _trouble(crew: Crew, trial: Trial, ways: Sequence[Way]) -> None:
    for client in crew.clients:
        client.dropping, client.stalling = trial.drops > 0, trial.stalls > 0
    by_way = [[c for c in crew.clients if c.way is way] for way in ways]

    def enough() -> bool:
        done = True
        for clients in by_way:
            for client in clients:
                client.dropping = trial.drops > sum(sum(c.drops.values()) for c in clients)
            done = done and not client.dropping and trial.stalls <= sum(c.stalls for c in clients)
        return done

    limit = 60 + (trial.drops + trial.stalls) * 0.3
    if not crew.run(limit, enough):
        raise Failed(crew.clients[0], Wrong(f"this took longer than {limit:.0f} s"))


def _tell(proof: Proof, trial: Trial, way: Way, clients: Sequence[Client]) -> None:
    drops = sum((client.drops for client in clients), Counter[str]())
    sights = [client.sight for client in clients]
    told, holes = sum(s.told for s in sights), sum(s.holes for s in sights)
    refused = sum(s.refused for s in sights)
    text = f"{trial.name}: {way}: {drops.total()} drops, {sum(c.stalls for c in clients)} stalls, "
    text += f"{told} updates told, {holes} known to be missed, {refused} times not resumed"
    good = told > 0 and (trial.is_little or holes == refused == 0)
    proof.claim(good, text)
    if drops:
        proof.figure(", ".join(f"{count} {stage}" for stage, count in drops.most_common()))


def prove_restarts(
    proof: Proof, seed: int, restarts: int, ways: Sequence[Way] = WAYS, journal: str = ""
) -> None:
    """Stops or kills the daemon again and again; it starts with an empty log, or with its own."""
    trial = Trial("restarts", drops=1, journal=journal)
    with running(config=trial.config) as daemon:
        crew = crew_of(trial, daemon.port, ways, f"{seed} restarts")
        try:
            farewells = Counter[str]()
            for number in range(restarts):
                _live(crew)
                farewells += _restart(crew, daemon, kill=number % 3 == 2)
                if journal:
                    crew.ledger.reopen()
                    continue
                crew.ledger = Ledger(daemon.port, names(), trial.keep, trial.max_state, crew._rng)
                for client in crew.clients:
                    client.sight.begin_life(crew.ledger)
            _live(crew)
            crew.settle()
        except Failed as failed:
            proof.claim(False, f"restarts, seed {seed}: {failed}")
            return
        finally:
            crew.close()
    sights = [client.sight for client in crew.clients]
    refused, holes = sum(s.refused for s in sights), sum(s.holes for s in sights)
    if journal:
        text = f"restarts of one that remembers: {restarts}; {sum(s.told for s in sights)} updates "
        proof.claim(refused == holes == 0, f"{text}told, {refused} resumes refused, {holes} holes")
    else:
        proof.claim(refused > 0, f"restarts: {restarts}; {refused} resumes refused, none granted")
    proof.figure(f"last words: {dict(farewells)}")


def _live(crew: Crew) -> None:
    """A second of ordinary life with drops, and then one without, so that all have something."""
    crew.publishing = True
    for client in crew.clients:
        client.dropping = True
    end = time.monotonic() + 0.8
    crew.run(10, lambda: time.monotonic() > end)
    crew.settle()


def _restart(crew: Crew, daemon: Daemon, kill: bool) -> Counter[str]:
    crew.ledger.close()
    if kill:
        daemon.kill()
    else:
        daemon.stop()
    farewells = Counter[str]()
    for client in crew.clients:
        listening = client.socket is not None
        client.listen_to_the_end(5)
        if listening and not kill:
            farewells[f"{client.way}: {client.last_words}"] += 1
    daemon.start()
    return farewells


def trials(drops: int, stalls: int, journal: str = "") -> list[Trial]:
    """Every combination of drops, stalls and bounds."""
    # Of a stream eight updates, or of all about a second's.
    much = Trial("", journal=journal)
    others = {
        ", little kept of a stream": much._replace(keep=8, away=0.2),
        ", little kept of all": much._replace(max_state=128 * KIB, largest=16_000, away=0.5),
        ", slow paces": much._replace(paces=("33ms", "250ms", "1s"), away=0.5),
    }
    done = {"drops": (drops, 0), "stalls": (0, stalls), "drops and stalls": (drops, stalls)}
    return [
        kept._replace(name=name + how, drops=dropped, stalls=stalled)
        for name, (dropped, stalled) in done.items()
        for how, kept in {"": much, **others}.items()
    ]


def prove(
    proof: Proof,
    seed: int = SEED,
    drops: int = DROPS,
    stalls: int = STALLS,
    restarts: int = RESTARTS,
    changes: int = 1500,
) -> None:
    """Runs all trials, restarts and changes of selections."""
    proof.figure(f"seed {seed}")
    for journal in ("", SQLITE):
        proof.figure(f"the log: {journal or 'in memory'}".replace("\n", " "))
        for trial in trials(drops, stalls, journal):
            prove_trial(proof, trial, seed)
        prove_restarts(proof, seed, restarts, journal=journal)
    prove_selections(proof, seed, changes)


if __name__ == "__main__":
    main(lambda proof: prove(proof, int(sys.argv[1]) if len(sys.argv) > 1 else SEED))

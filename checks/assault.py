"""Carries out attacks: many connections on one epoll, each with bytes to send and an outcome."""

from __future__ import annotations

import math
import random
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from checks.crowd import CLOSE, LOOPBACK, Frames
from checks.proof import MIB, Proof
from checks.witness import PATIENCE
from tests.support.frames import handshake

SEED = 7

LAST_WORDS_MS = 1000
"""What was written before a close may take to arrive, once somebody reads."""

Outcome = int | str
"""A close code, an HTTP status; "closed" without a word, or "open" still."""


class Attack(NamedTuple):
    """One attack: the bytes that it sends, and the outcomes that are right.

    :ivar send: gives what one attacker sends, piece by piece.
    :ivar right: the outcomes that are right.  With "open" among them, an error ends no attack.
    :ivar websocket: sent after a handshake; otherwise it is all that is sent.
    :ivar peers: how many do it at a time.
    :ivar reads: whether it reads what it is answered, while it sends.
    :ivar pause: seconds between two pieces.
    :ivar seconds: how long it may take until the outcome.
    :ivar source: the address of the attackers.
    """

    name: str
    send: Callable[[random.Random], Iterable[bytes]]
    right: frozenset[Outcome]
    websocket: bool = True
    peers: int = 4
    reads: bool = True
    pause: float = 0.0
    seconds: float = 6.0
    source: str = LOOPBACK


class Attacker:
    """One connection that carries out an attack.

    :ivar outcome: what came of it; None: nothing yet.
    :ivar began: when it connected.
    :ivar ended: when it had its outcome.
    """

    def __init__(self, port: int, attack: Attack, chance: random.Random, patience: float) -> None:
        self.attack = attack
        self.outcome: Outcome | None = None
        place, source = (LOOPBACK, port), (attack.source, 0)
        self.socket = socket.create_connection(place, PATIENCE, source)
        self._answer = b""
        self._frames = Frames()
        if attack.websocket:
            self._shake_hands()
        self.socket.setblocking(False)
        self._pieces = iter(attack.send(chance))
        self._piece = memoryview(b"")
        self.began = self.ended = self._due = time.monotonic()
        # Where it is right that nothing comes, there is nothing to wait for.
        self.deadline = self._due + attack.seconds * (1 if "open" in attack.right else patience)

    def _shake_hands(self) -> None:
        self.socket.sendall(handshake())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(1)
        assert answer.startswith(b"HTTP/1.1 101 "), answer

    def wants(self, now: float) -> int:
        """The epoll mask of the events that it waits for."""
        reading = select.EPOLLIN if self.attack.reads else 0
        return reading | (select.EPOLLOUT if self._due <= now else 0)

    def send(self, now: float) -> None:
        """Sends what the kernel takes of the current piece."""
        if not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                self._due = math.inf
                return
            self._piece = memoryview(piece)
        try:
            self._piece = self._piece[self.socket.send(self._piece) :]
        except BlockingIOError:
            return
        except OSError:  # what was answered before can still be read
            self._due = math.inf
            return
        if not self._piece:
            self._due = now + self.attack.pause

    def read(self) -> None:
        """Reads what came, and sets the outcome if that was the end."""
        try:
            data = self.socket.recv(MIB)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if self.attack.websocket:
            for first, payload in self._frames.feed(data):
                if first == CLOSE:
                    self.outcome = int.from_bytes(payload[:2], "big") if payload else 1005
                    return
        else:
            self._answer = self._answer[-20:] + data
            last = self._answer.rfind(b"HTTP/1.1 ")
            status = int(self._answer[last + 9 : last + 12] or 0) if last >= 0 else 0
            if status >= 400 and "open" not in self.attack.right:
                self.outcome = status
                return
        if not data:
            self.outcome = "closed"

    def give_up(self) -> None:
        """Sets the outcome at the deadline; an attacker that did not read reads now.

        The daemon's end may be closed while its last words wait in the kernel for room at ours.
        """
        open_is_right = "open" in self.attack.right  # and reading it all would take for ever
        poll = select.poll()
        poll.register(self.socket, select.POLLRDHUP | (0 if open_is_right else select.POLLIN))
        while self.outcome is None and poll.poll(0 if open_is_right else LAST_WORDS_MS):
            self.read()
        if self.outcome is None:
            self.outcome = "open"


def assault(
    port: int, attacks: Iterable[Attack], peers: float = 1.0, patience: float = 1.0
) -> list[Attacker]:
    """Carries out the attacks at the same time, each by its number of peers times `peers`."""
    chance = random.Random(SEED)
    attackers = [
        Attacker(port, attack, chance, patience)
        for attack in attacks
        for _ in range(max(1, round(attack.peers * peers)))
    ]
    under_way = {attacker.socket.fileno(): attacker for attacker in attackers}
    with select.epoll() as epoll:
        wanted = dict.fromkeys(under_way, 0)
        for number in under_way:
            epoll.register(number, 0)
        while under_way:
            now = time.monotonic()
            for number, attacker in list(under_way.items()):
                if attacker.outcome is None and attacker.deadline <= now:
                    attacker.give_up()
                if attacker.outcome is not None:
                    attacker.ended = now
                    del under_way[number]
                    epoll.unregister(number)
                    attacker.socket.close()
                elif (wants := attacker.wants(now)) != wanted[number]:
                    wanted[number] = wants
                    epoll.modify(number, wants)
            for number, events in epoll.poll(0.02):
                attacker = under_way[number]
                if events & select.EPOLLOUT:
                    attacker.send(now)
                if events & (select.EPOLLIN | select.EPOLLHUP):
                    attacker.read()
    return attackers


def judge(proof: Proof, attack: Attack, attackers: Sequence[Attacker]) -> None:
    """Claims that every attacker has an outcome that is right."""
    outcomes = Counter(str(attacker.outcome) for attacker in attackers)
    wrong = set(outcomes) - set(map(str, attack.right))
    told = ", ".join(f"{outcome} for {count}" for outcome, count in sorted(outcomes.items()))
    right = "" if not wrong else f"; right is {', '.join(sorted(map(str, attack.right)))}"
    proof.claim(not wrong, f"{attack.name}: {told}{right}")

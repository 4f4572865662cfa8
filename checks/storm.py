"""Proves that a crowd at the door keeps nobody out.

- Two thousand clients that connect at once all have the state within five seconds.
- Two thousand sockets that drip one byte every five seconds, a third each on a request's head, on its
  body and on a WebSocket's handshake, are all closed within fifteen seconds; good clients are served
  within 200 ms meanwhile: a new one its page, a new viewer its state, and all others what is published.
"""

from __future__ import annotations

import select
import socket
import time

from checks.crowd import LOOPBACK, Crowd, Publisher
from checks.proof import Proof, main, percentile, running, spread
from checks.witness import Round, Witness, within
from tests.support.frames import handshake

STATE_WITHIN = 5.0
CLOSED_WITHIN = 15.0
SERVED_WITHIN = 0.2
BYTE_EVERY = 5.0
SETTLED = 1.0
"""Seconds that two thousand connections take to be made, by one thread on the same two cores; in that
time good clients are measured, and 99 of 100 have to be served; after it, every one."""

BEGINNINGS = (
    f"GET /state HTTP/1.1\r\nHost: {LOOPBACK}\r\nX: ".encode(),
    f"POST /streams/x HTTP/1.1\r\nHost: {LOOPBACK}\r\nContent-Length: 1000\r\n\r\n1".encode(),
    handshake()[:-2] + b"X: ",
)


class Dripper:
    """A client whose request never ends.

    :ivar began: when it connected.
    """

    def __init__(self, port: int, beginning: bytes) -> None:
        self.began = time.monotonic()
        self.socket = socket.create_connection((LOOPBACK, port))
        self.socket.setblocking(False)
        self._say(beginning)
        self._next = self.began + BYTE_EVERY

    def drip(self, now: float) -> None:
        """Sends a byte, if it is time."""
        if now >= self._next:
            self._next += BYTE_EVERY
            self._say(b"1")

    def _say(self, data: bytes) -> None:
        try:
            self.socket.send(data)
        except OSError:
            return

    def is_closed(self) -> bool:
        """Whether the daemon closed the connection; to be asked when the socket is readable."""
        try:
            return not self.socket.recv(65536)
        except BlockingIOError:
            return False
        except OSError:
            return True


def prove(proof: Proof, clients: int = 2000, drippers: int = 2000) -> None:
    """Both proofs, each with a daemon of its own."""
    with running() as daemon:
        _prove_storm(proof, daemon.port, clients)
    with running() as daemon, Witness(daemon.port) as witness:
        time.sleep(1)
        begin = time.monotonic()
        lives = _drip(daemon.port, drippers)
        end = time.monotonic()
        rounds = witness.finish()
    proof.claim(len(lives) == drippers, f"{len(lives)} of {drippers} that drip were closed")
    proof.claim_times(lives, CLOSED_WITHIN, "until they were")
    _judge_service(proof, within(rounds, begin, begin + SETTLED), within(rounds, begin, end))


def _prove_storm(proof: Proof, port: int, clients: int) -> None:
    publisher = Publisher(port)
    publisher.publish("orders", b"42")
    with Crowd(port) as crowd:
        begin = time.monotonic()
        crowd.join(clients)
        crowd.run(6 * STATE_WITHIN, lambda: all(v.first or v.ended for v in crowd.viewers))
        times = [v.first - begin for v in crowd.viewers if v.first is not None]
        right = sum(v.newest == b'{"orders":42}' for v in crowd.viewers)
    publisher.close()
    proof.claim(right == clients, f"{right} of {clients} at once have the state")
    proof.claim_times(times, STATE_WITHIN, "until they had it")


def _drip(port: int, count: int) -> list[float]:
    """Lets so many drip; returns how long each lived that was closed in reasonable time."""
    drippers = {}
    for number in range(count):
        dripper = Dripper(port, BEGINNINGS[number % len(BEGINNINGS)])
        drippers[dripper.socket.fileno()] = dripper
    deadline = time.monotonic() + CLOSED_WITHIN + BYTE_EVERY
    lives = []
    with select.epoll() as epoll:
        for number in drippers:
            epoll.register(number, select.EPOLLIN)
        while drippers and time.monotonic() < deadline:
            for number, _ in epoll.poll(0.1):
                if drippers[number].is_closed():
                    epoll.unregister(number)
                    dripper = drippers.pop(number)
                    dripper.socket.close()
                    lives.append(time.monotonic() - dripper.began)
            now = time.monotonic()
            for dripper in drippers.values():
                dripper.drip(now)
    for dripper in drippers.values():
        dripper.socket.close()
    return lives


def _judge_service(proof: Proof, early: list[Round], all_rounds: list[Round]) -> None:
    later = [one for one in all_rounds if one not in early]
    for what, field in (
        ("the page", "page"),
        ("a viewer's state", "joined"),
        ("an update", "seen"),
    ):
        while_connecting = [getattr(one, field) for one in early]
        dripping = [getattr(one, field) for one in later]
        proof.figure(f"{what}, while they connect: {spread(while_connecting)}")
        proof.claim(
            percentile(while_connecting + dripping, 99) <= SERVED_WITHIN * proof.patience
            and max(dripping) <= SERVED_WITHIN * proof.patience,
            f"{what}, while they drip: {spread(dripping)}; at most {SERVED_WITHIN * 1000:.0f} ms",
        )


if __name__ == "__main__":
    main(prove)

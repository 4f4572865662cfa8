"""Proves that a crowd at the door keeps nobody out.

- Two thousand clients that connect at once all have the state within five seconds.
- Two thousand sockets that drip one byte every five seconds, a third each on a request's head, on its
  body and on a WebSocket's handshake, are all closed within fifteen seconds; good clients are served
  within 200 ms meanwhile: a new one its page, a new viewer its state, and all others what is published.
"""

from __future__ import annotations

import time
from itertools import chain, repeat

from checks.assault import Attack, assault
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


def drip(beginning: bytes, peers: int) -> Attack:
    """Clients whose request never ends."""
    return Attack(
        "a byte every five seconds",
        lambda _: chain((beginning,), repeat(b"1")),
        frozenset(("closed", 400, 408)),
        websocket=False,
        peers=peers,
        pause=BYTE_EVERY,
        seconds=CLOSED_WITHIN + BYTE_EVERY,
    )


def prove(proof: Proof, clients: int = 2000, drippers: int = 2000) -> None:
    """Both proofs, each with a daemon of its own."""
    with running() as daemon:
        _prove_storm(proof, daemon.port, clients)
    with running() as daemon, Witness(daemon.port) as witness:
        time.sleep(1)
        begin = time.monotonic()
        attackers = assault(daemon.port, [drip(b, drippers // len(BEGINNINGS)) for b in BEGINNINGS])
        end = time.monotonic()
        rounds = witness.finish()
    lives = [a.ended - a.began for a in attackers if a.outcome != "open"]
    closed = f"{len(lives)} of {len(attackers)} that drip were closed"
    proof.claim(len(lives) == len(attackers), closed)
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

"""Proves that an end is orderly, and a sudden one forgiven.

- SIGTERM with 500 viewers, 50 of them mute with their buffers full: each of the others is told 1012
  (come back later), and the daemon ends within five seconds with status 0.
- kill -9, and a start on the same port: clients that try again, as the page does, all have the state of
  the new daemon; its positions are those of a new life.
"""

from __future__ import annotations

import random
import signal
import time

from checks.crowd import Crowd, Publisher
from checks.proof import KIB, Daemon, Proof, main, running
from streamd.core.update import parse_position

SEED = 7
RESTART = 1012
END_WITHIN = 5.0
BACK_WITHIN = 5.0
"""Seconds from the open port until all are back, when each tries every RETRY seconds or so."""

RETRY = 0.5


def prove(proof: Proof, viewers: int = 500, mute: int = 50) -> None:
    """:param mute: of the viewers."""
    with running() as daemon:
        _prove_stop(proof, daemon, viewers, mute)
    with running() as daemon:
        _prove_return(proof, daemon, viewers)


def _prove_stop(proof: Proof, daemon: Daemon, viewers: int, mute: int) -> None:
    with Crowd(daemon.port) as crowd:
        crowd.gather(viewers)
        for viewer in crowd.viewers[:mute]:
            crowd.mute(viewer)
        _fill(crowd, daemon.port)
        begin = time.monotonic()
        daemon.tell(signal.SIGTERM)
        live = crowd.viewers[mute:]
        crowd.run(
            END_WITHIN * proof.patience, lambda: all(v.ended for v in live) and not daemon.running
        )
        status = daemon.wait(2 * END_WITHIN)
        took = time.monotonic() - begin
        told = sum(v.closed == RESTART for v in live)
        proof.claim(told == len(live), f"{told} of {len(live)} live viewers were told {RESTART}")
        proof.claim(
            status == 0 and took <= END_WITHIN * proof.patience,
            f"ended with status {status} after {took:.2f} s; at most {END_WITHIN:g}",
        )


def _fill(crowd: Crowd, port: int) -> None:
    """Publishes until the buffers of mute viewers are full."""
    publisher = Publisher(port)
    for number in range(60):
        publisher.publish("filling", b'"%05d%b"' % (number, b"x" * 20 * KIB))
        publisher.count_answers()
        crowd.run(0.035)
    publisher.close()


def _prove_return(proof: Proof, daemon: Daemon, viewers: int) -> None:
    chance = random.Random(SEED)
    publisher = Publisher(daemon.port)
    publisher.publish("orders", b"1")
    with Crowd(daemon.port) as crowd:
        crowd.gather(viewers)
        before = daemon.request("GET", "/state").headers["Streamd-Position"]
        publisher.close()
        daemon.kill()
        crowd.run(2 * proof.patience, lambda: all(v.ended for v in crowd.viewers))
        cut = sum(v.ended for v in crowd.viewers)
        crowd.leave()
        begin = time.monotonic()
        daemon.start()
        opened = time.monotonic()
        publisher = Publisher(daemon.port)
        publisher.publish("orders", b"2")
        tries = sorted(chance.uniform(0, 2 * RETRY) for _ in range(viewers))
        for wait in tries:
            crowd.run(max(0.0, opened + wait - time.monotonic()))
            crowd.join()
        crowd.run(BACK_WITHIN * proof.patience, lambda: all(v.first for v in crowd.viewers))
        back = [v.first - opened for v in crowd.viewers if v.first is not None]
        right = sum(v.newest == b'{"orders":2}' for v in crowd.viewers)
        after = daemon.request("GET", "/state").headers["Streamd-Position"]
        publisher.close()
    proof.figure(f"{opened - begin:.2f} s until the port was open again")
    proof.claim(cut == viewers, f"{cut} of {viewers} viewers saw the link cut by kill -9")
    proof.claim(right == viewers, f"{right} of {viewers} are back with the state")
    proof.claim_times(back, BACK_WITHIN, "until they had it")
    lives = [position.life for text in (before, after) if (position := parse_position(text))]
    proof.claim(
        len(lives) == 2 and lives[0] != lives[1] and after > before,
        f"a new life of the log, and later positions: {before}, then {after}",
    )


if __name__ == "__main__":
    main(prove)

"""Proves that alerts tell each event once, and its end, whatever happens to daemons and the receiver.

- The receiver is down for ten minutes while events begin and end, and the daemon is killed meanwhile.
  Later everything arrives, in order.
- A daemon with its journal in SQLite is killed at random moments, also between a delivery and its
  record.
- Two nodes with their journal in Redis are killed at random moments, one after the other.
- A source that fails and works again in turns, and a value that crosses its limit and comes back, are
  never told.

`tests/test_alerts.py` and `tests/checks/test_alerts.py` have short versions.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from checks.proof import Daemon, Proof, main
from tests.support.net import wait_until
from tests.support.receiver import Receiver, faults, receiving
from tests.support.redis import Redis

ALERTS = 4
"""Alerts, each with a stream and events of its own, that run at the same time."""

TOLD_WITHIN = 20.0
"""Seconds from a condition to its message: two for ``for``, ten for what begins together, and turns."""

BACK_WITHIN = 61.0
"""Seconds from the return of the receiver to the first message: the longest pause between attempts."""

TAKEN_WITHIN = 60.0
"""Seconds within which a node takes a value: it starts within three on a quiet machine."""

SEED = 11

HEAD = '[access]\npublish = "loopback"\n[streams.crosses]\ncritical = "> 1"\n'
ALERT = """
[streams.s{number}]
critical = "> 1"
[alerts.a{number}]
streams = ["s{number}", "crosses"]
for = "2s"
to = [{{ env = "ALERT_URL" }}]
"""


class Stage:
    """Daemons with the same alerts, and one receiver.

    :ivar receiver: gets all messages.
    """

    def __init__(self, receiver: Receiver, journal: str, nodes: int, stack: ExitStack) -> None:
        self.receiver = receiver
        config = HEAD + "".join(ALERT.format(number=number) for number in range(ALERTS)) + journal
        self._daemons: list[Daemon] = []
        for _ in range(nodes):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="streamd-check-"))
            env = {"ALERT_URL": receiver.url}
            self._daemons.append(Daemon(Path(folder), config=config, env=env))
        for daemon in self._daemons:
            daemon.start()
            stack.callback(self._end, daemon)
        self._value = 0
        self._publishing = Lock()
        self._crossing = Event()
        thread = Thread(target=self._cross, daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(self._crossing.set)

    @staticmethod
    def _end(daemon: Daemon) -> None:
        if daemon.running:
            daemon.stop()

    def publish(self, stream: str, value: int) -> None:
        """Publish on the first node that answers; a node may just start, or wait for Redis."""
        wait_until(lambda: self._took(stream, value), TAKEN_WITHIN, f"a node that takes {stream}")

    def _took(self, stream: str, value: int) -> bool:
        for daemon in self._daemons:
            with suppress(OSError, HTTPException):
                if daemon.request("POST", f"/streams/{stream}", str(value)).status == 201:
                    return True
        return False

    def set_all(self, value: int | None = None) -> None:
        """Publish a value on the streams of all alerts; None for the last one again."""
        with self._publishing:
            self._value = self._value if value is None else value
            for number in range(ALERTS):
                self.publish(f"s{number}", self._value)

    def kill(self, number: int) -> None:
        """Kill a node and start it again."""
        self._daemons[number].kill()
        self._daemons[number].start()

    def _cross(self) -> None:
        """Let a value cross its limit for a second, and come back; publish all others again.

        A stream that clients publish is late after a restart until it is published again.
        """
        value = 0
        while not self._crossing.wait(1.0):
            value = 2 - value
            try:
                self.publish("crosses", value)
                self.set_all()
            except AssertionError:
                continue  # all nodes start just now

    def told(self, kind: str) -> int:
        """How many different messages of a kind have arrived."""
        return len({m["id"] for m in list(self.receiver.messages) if m["kind"] == kind})

    def wait(self, kind: str, count: int, seconds: float) -> float | None:
        """Wait for messages; return how long that took, or None if they did not come in time."""
        begun = time.monotonic()
        while self.told(kind) < count:
            if time.monotonic() - begun > seconds:
                return None
            time.sleep(0.05)
        return time.monotonic() - begun


@contextmanager
def staged(journal: str, nodes: int = 1) -> Iterator[Stage]:
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving())
        if journal == "redis":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="streamd-check-"))
            redis = Redis(Path(folder))
            redis.start()
            stack.callback(redis.stop)
            journal = f'[journal]\nurl = "redis://127.0.0.1:{redis.port}"\n'
        yield Stage(receiver, journal, nodes, stack)


SQLITE = '[journal]\npath = "log.db"\n'


def prove(proof: Proof, outage: float = 600.0, kills: int = 20) -> None:
    """:param outage: seconds for which the receiver is down.

    :param kills: how often a daemon is killed, in each of the two other parts.
    """
    _prove_outage(proof, outage)
    prove_kills(proof, "a daemon with SQLite", SQLITE, 1, kills)
    prove_kills(proof, "two nodes with Redis", "redis", 2, kills)


def _prove_outage(proof: Proof, outage: float) -> None:
    with staged(SQLITE) as stage:
        stage.receiver.down()
        begun = time.monotonic()
        rounds = 0
        while time.monotonic() - begun < outage:
            stage.set_all(2)
            time.sleep(TOLD_WITHIN)
            if rounds == 1:
                stage.kill(0)
            stage.set_all(0)
            time.sleep(TOLD_WITHIN)
            rounds += 1
        down = time.monotonic() - begun
        stage.receiver.up()
        count = rounds * ALERTS
        took = stage.wait("end", count, (BACK_WITHIN + TOLD_WITHIN) * proof.patience)
        proof.figure(f"{down:.0f} s without the receiver, {count} events")
        proof.claim_times([took or 9999.0], BACK_WITHIN, "until everything has arrived")
        _claim_record(proof, "after the outage", stage.receiver, count)


def prove_kills(
    proof: Proof, what: str, journal: str, nodes: int, kills: int, longest: float = 16.0
) -> None:
    """Kill nodes while events begin and end.

    :param journal: ``redis``, or a table of the configuration.
    :param longest: the most seconds between two kills.
    """
    chance = random.Random(SEED)
    with staged(journal, nodes) as stage:

        def delay(message: Any) -> tuple[int, dict[str, str]]:
            time.sleep(chance.choice((0.0, 0.0, 1.0)))  # a kill may come before the answer
            return 204, {}

        stage.receiver.decide = delay
        done = events = 0
        while done < kills:
            for value, kind in ((2, "begin"), (0, "end")):
                stage.set_all(value)
                events += ALERTS * (kind == "begin")
                for _ in range(2):
                    _wait_or_begin(stage, kind, events, chance.uniform(2.0, longest))
                    stage.kill(done % nodes)
                    done += 1
                took = stage.wait(kind, events, 3 * TOLD_WITHIN * proof.patience)
                proof.claim(took is not None, f"{what}: {events} events have their {kind}")
        proof.figure(f"{what}: killed {done} times")
        _claim_record(proof, what, stage.receiver, events)


def _wait_or_begin(stage: Stage, kind: str, count: int, seconds: float) -> None:
    """Wait some seconds; a little less if a message arrives: that is the moment to kill."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and stage.told(kind) <= count - ALERTS:
        time.sleep(0.01)


def _claim_record(proof: Proof, what: str, receiver: Receiver, events: int) -> None:
    messages: Sequence[Any] = list(receiver.messages)
    ids = Counter(message["id"] for message in messages)
    repeated = sum(count - 1 for count in ids.values())
    wrong = faults(list(messages))
    proof.figure(f"{what}: {len(messages)} messages, {repeated} of them repeat an id")
    proof.claim(not wrong, f"{what}: each event begins once and ends once {'; '.join(wrong)}")
    found = len({message["event"] for message in messages})
    proof.claim(found == events, f"{what}: {found} of {events} events")
    same = all(
        json.dumps(one) == json.dumps(other)
        for one in messages
        for other in messages
        if one["id"] == other["id"]
    )
    proof.claim(same, f"{what}: messages with the same id are the same")
    streams = {row["stream"] for message in messages for row in message["streams"]}
    proof.claim("crosses" not in streams, f"{what}: a value that comes back in time is not told")


if __name__ == "__main__":
    main(prove)

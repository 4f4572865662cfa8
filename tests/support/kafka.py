"""A Kafka of one's own, which can be stopped, killed and frozen: `kafka`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest
from confluent_kafka import Producer

from tests.support.daemon import CHECKOUT


class Kafka:
    """librdkafka's mock cluster of two brokers, in a process of its own.

    :ivar brokers: the addresses of its brokers.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.mock_kafka"],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.brokers = self._line()
        assert self.brokers, "the mock cluster has not started"
        self._producer = Producer({"bootstrap.servers": self.brokers, "log_level": 0})

    def make(self, topic: str, partitions: int = 1) -> None:
        """Makes a topic."""
        self._order(f"topic {topic} {partitions}")

    def say(self, topic: str, *values: object, key: str | None = None, partition: int = 0) -> None:
        """Writes records, None as a tombstone, and waits until the broker has them."""
        failed: list[object] = []
        for value in values:
            self._producer.produce(
                topic,
                value if isinstance(value, bytes | None) else str(value).encode(),
                key,
                partition,
                on_delivery=lambda error, message: failed.extend([error] if error else []),
            )
        assert not self._producer.flush(20), "Kafka does not take records"
        assert not failed, failed

    def stop(self) -> None:
        """Its brokers accept no connection until `start`, and keep what they have."""
        self._order("down")

    def start(self) -> None:
        self._order("up")

    def freeze(self) -> None:
        """It stands still, its connections open."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL.  Another one would have other ports and no records."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _order(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        assert self._line() == "done"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture
def kafka() -> Iterator[Kafka]:
    """A cluster that runs, without topics."""
    server = Kafka()
    try:
        yield server
    finally:
        server.kill()

"""Bodies of answers: compressed a part at a time, few at a time, no faster than they are read."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamd.http.bodies import MAX_LONG, READ_WITHIN, Packer, Parts


def parts(count: int = 100) -> Iterator[bytes]:
    """What compresses so well that most parts of it give nothing to send."""
    return (b"x" * 65536 for _ in range(count))


class Exchange:
    """Keeps what is written; tells nobody that it has left."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.finished = self.aborted = False
        self.channel = SimpleNamespace(abort=self.abort)
        self._finish: Deferred[Any] = Deferred()

    def notifyFinish(self) -> Deferred[Any]:
        return self._finish

    def registerProducer(self, producer: Parts, streaming: bool) -> None:
        producer.resumeProducing()

    def unregisterProducer(self) -> None:
        pass

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def finish(self) -> None:
        self.finished = True

    def abort(self) -> None:
        self.aborted = True


class PackerTests(SynchronousTestCase):
    def test_few_long_answers_at_a_time(self) -> None:
        packer = Packer()
        ends = [Deferred[Any]() for _ in range(MAX_LONG)]
        packed = [packer.pack(parts(3), end) for end in ends]
        self.assertNotIn(None, packed)
        self.assertIsNone(packer.pack(parts(3), Deferred()))
        self.assertEqual(b"short", gzip.decompress(packer.pack(b"short", Deferred())))  # type: ignore[arg-type]
        ends[0].callback(None)
        self.assertIsNotNone(packer.pack(parts(3), Deferred()))
        ends[1].errback(ConnectionError())
        self.assertIsNotNone(packer.pack(parts(3), Deferred()))

    def test_whole(self) -> None:
        packed = Packer().pack(parts(), Deferred())
        assert packed is not None
        assert not isinstance(packed, bytes)
        self.assertEqual(b"".join(parts()), gzip.decompress(b"".join(packed)))


class PartsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.exchange = Exchange()

    def start(self, body: Iterator[bytes]) -> Parts:
        answer = Parts(self.exchange, body, SimpleNamespace(clock=self.clock))
        answer.start()
        return answer

    def test_each_part_takes_a_turn_also_if_there_is_nothing_to_send(self) -> None:
        taken = 0

        def counted() -> Iterator[bytes]:
            nonlocal taken
            for part in parts():
                taken += 1
                yield part

        packed: Any = Packer().pack(counted(), Deferred())
        answer = self.start(packed)
        turns = 0
        while not self.exchange.finished:
            before, turns = taken, turns + 1
            for call in self.clock.calls[:]:
                if call.getTime() == 0:
                    self.clock.calls.remove(call)
                    call.called = 1
                    call.func(*call.args)
                    break
            else:
                answer.resumeProducing()
            self.assertLessEqual(taken - before, 1)
        self.assertGreater(turns, 90)
        self.assertEqual(b"".join(parts()), gzip.decompress(b"".join(self.exchange.written)))

    def test_one_part_at_a_time_and_each_is_read_in_time(self) -> None:
        answer = self.start(iter((b"a", b"b")))
        self.assertEqual([b"a"], self.exchange.written)
        self.clock.advance(READ_WITHIN - 1)
        answer.resumeProducing()
        self.clock.advance(READ_WITHIN - 1)
        self.assertFalse(self.exchange.aborted)
        self.clock.advance(1)
        self.assertTrue(self.exchange.aborted)

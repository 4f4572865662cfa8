"""Bodies of answers: counted while they are sent, compressed once, no faster than they are read."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.core.quota import SHARE
from streamd.http.bodies import (
    ANSWER_WITHIN,
    KEPT_PACKED,
    LOOK_EVERY,
    MAX_OUTDATED,
    MAX_PACKED,
    MAX_PACKING,
    MAX_UNREAD,
    READ_WITHIN,
    Packer,
    Parts,
    Unread,
    whole,
)
from streamd.http.request import PART
from streamd.reactor.slices import TURN, Slices

OF_CLIENT = int(MAX_UNREAD * SHARE)


def parts(count: int = 100) -> Iterator[bytes]:
    return (b"x" * PART for _ in range(count))


class UnreadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.dropped = 0
        self.unread = Unread(lambda: self.dropped)

    def fill(self, client: str) -> int:
        """Hold answers for a client until there is no room; return how many."""
        for count in range(MAX_UNREAD // PART):
            try:
                self.unread.hold(client, iter(()))
            except Refused as refused:
                self.assertEqual(503, refused.status)
                return count
        raise AssertionError("there is no bound")

    def test_one_client_leaves_room_for_others(self) -> None:
        self.assertEqual(OF_CLIENT // (3 * PART), self.fill("10.0.0.1"))
        self.assertGreater(self.fill("10.0.0.2"), 0)
        self.assertEqual(0, self.fill("10.0.0.3"))
        self.assertLessEqual(self.unread.quota.used, MAX_UNREAD)

    def test_what_ended_is_not_counted(self) -> None:
        body = b"x" * 100_000
        held = [
            self.unread.hold("a", body),
            self.unread.hold("b", body),
            self.unread.hold("a", iter(()), 10_000, kept=5000),
        ]
        self.assertGreater(self.unread.quota.used, 6 * PART + len(body) + 8 * 10_000 + 5000 - 1)
        for each in held:
            self.unread.release(each)
        self.assertEqual(0, self.unread.quota.used)
        self.assertEqual(0, len(self.unread._bodies))

    def test_answers_with_the_same_body_share_its_memory(self) -> None:
        body = bytes(OF_CLIENT - 10 * PART)
        first = self.unread.hold("a", body)
        self.unread.hold("a", body)
        self.assertRaises(Refused, self.unread.hold, "a", bytes(len(body)))
        self.unread.release(first)

    def test_a_body_counts_until_the_last_of_its_answers_has_ended(self) -> None:
        """One that asks first and leaves would make the memory of all others free."""
        body = bytes(10 * PART)
        first, second = self.unread.hold("a", body), self.unread.hold("b", body)
        self.unread.release(first)
        self.assertEqual(2 * PART + len(body), self.unread.quota.used)
        self.unread.release(second)
        self.assertEqual(0, self.unread.quota.used)

    def test_answer_that_keeps_an_old_state_alive_is_outdated(self) -> None:
        old, lazy = self.unread.hold("a", iter(()), 1), self.unread.hold("a", iter(()))
        self.dropped = MAX_OUTDATED // 2
        later = self.unread.hold("a", iter(()), 1)
        self.dropped = MAX_OUTDATED
        self.assertFalse(self.unread.is_outdated(old))
        self.dropped += 1
        outdated = [self.unread.is_outdated(held) for held in (old, later, lazy)]
        self.assertEqual([True, False, False], outdated)


class Compressor:
    """A worker whose calls end when the test says so."""

    def __init__(self) -> None:
        self.calls: list[tuple[Deferred[Any], Any, Any]] = []

    def run(self, function: Any, *arguments: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.calls.append((done, function, arguments))
        return done

    def work(self) -> None:
        calls, self.calls = self.calls, []
        for done, function, arguments in calls:
            done.callback(function(*arguments))


class PackerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.worker = Compressor()
        self.packer = Packer(self.worker)  # type: ignore[arg-type]

    def pack(self, body: bytes, client: str = "a") -> Deferred[bytes]:
        packing = self.packer.pack(body, client)
        assert packing is not None
        return packing

    def test_equal_bodies_are_compressed_once(self) -> None:
        body = b"x" * 5000
        packing = [self.pack(b"x" * 5000, client) for client in "ab"]
        self.assertEqual(1, len(self.worker.calls))
        self.worker.work()
        packing.append(self.pack(b"x" * 5000, "c"))
        self.assertEqual([], self.worker.calls)
        for each in packing:
            self.assertEqual(body, gzip.decompress(self.successResultOf(each)))

    def test_what_is_under_way_is_bounded(self) -> None:
        def count(client: str) -> int:
            bodies = (bytes([ord(client), n]) * 1000 for n in range(MAX_PACKING))
            return sum(self.packer.pack(body, client) is not None for body in bodies)

        one = int(MAX_PACKING * SHARE)
        self.assertEqual(one, count("a"))
        self.assertEqual(MAX_PACKING - one, count("b"))
        self.assertEqual(0, count("c"))
        self.worker.work()
        self.assertEqual(one, count("c"))

    def test_short_and_very_long_bodies_are_not_compressed(self) -> None:
        self.assertIsNone(self.packer.pack(b"x" * 500, "a"))
        self.assertIsNone(self.packer.pack(bytes(MAX_PACKED + 1), "a"))
        self.assertEqual([], self.worker.calls)

    def test_what_is_kept_is_bounded(self) -> None:
        for number in range(20):
            self.pack(bytes([number]) * MAX_PACKED)
            self.worker.work()
        kept = sum(len(body) + len(packed) for body, packed in self.packer._kept.items())
        self.assertEqual(kept, self.packer._size)
        self.assertLessEqual(kept, KEPT_PACKED)

    def test_body_that_is_asked_for_stays(self) -> None:
        page = b"page" * 1000
        for number in range(20):
            self.pack(page)
            self.pack(bytes([number]) * MAX_PACKED)
            self.worker.work()
        self.assertIn(page, self.packer._kept)

    def test_failure(self) -> None:
        packing = [self.pack(b"x" * 5000) for _ in range(2)]
        self.worker.calls[0][0].errback(MemoryError())
        for each in packing:
            self.failureResultOf(each, MemoryError)
        self.pack(b"x" * 5000)
        self.assertEqual(2, len(self.worker.calls))


class WholeTests(SynchronousTestCase):
    def test_body_that_fits(self) -> None:
        self.assertEqual(b"abc", whole(iter((b"a", b"bc")), 3))
        self.assertEqual(b"", whole(iter(()), 3))

    def test_longer_body_is_not_made_at_once(self) -> None:
        made = []
        body = whole((made.append(part) or part for part in parts()), 2 * PART)  # type: ignore[func-returns-value]
        self.assertEqual(3, len(made))
        self.assertEqual(b"".join(parts()), b"".join(body))  # type: ignore[arg-type]

    def test_body_that_asks_for_a_turn_is_not_made_at_once(self) -> None:
        body = whole(iter((b"a", b"", b"b")), 100)
        self.assertEqual([b"a", b"", b"b"], list(body))


class Exchange:
    """Keeps what is written; its transport is full after each part if ``pauses`` is set."""

    def __init__(self) -> None:
        self.pauses = False
        self.written: list[bytes] = []
        self.finished = self.aborted = False
        self.channel = SimpleNamespace(abort=self.abort)
        self._finish: Deferred[Any] = Deferred()

    def notifyFinish(self) -> Deferred[Any]:
        return self._finish

    def registerProducer(self, producer: Parts, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        pass

    def write(self, data: bytes) -> None:
        self.written.append(data)
        if self.pauses:
            self.producer.pauseProducing()

    def finish(self) -> None:
        self.finished = True
        self._finish.callback(None)

    def abort(self) -> None:
        self.aborted = True
        self._finish.callback(None)


class PartsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.exchange = Exchange()
        self.dropped = 0
        self.unread = Unread(lambda: self.dropped)
        self.turns = Slices(self.clock, pause=0)

    def start(self, body: bytes | Iterator[bytes], updates: int = 0) -> Parts:
        held = self.unread.hold("a", body, updates)
        site = SimpleNamespace(clock=self.clock, unread=self.unread, turns=self.turns)
        answer = Parts(self.exchange, body, site, held)
        answer.start()
        return answer

    def advance(self, seconds: float) -> None:
        self.clock.pump([LOOK_EVERY / 2] * int(2 * seconds / LOOK_EVERY))

    def test_one_part_in_each_turn_also_if_it_is_empty(self) -> None:
        taken: list[bytes] = []

        def counted() -> Iterator[bytes]:
            for part in (b"a", b"", b"", b"b"):
                taken.append(part)
                self.clock.rightNow += TURN
                yield part

        self.start(counted())
        for turn in range(1, 5):
            self.assertEqual(turn, len(taken))
            call = min(self.clock.calls, key=lambda call: call.getTime())
            self.clock.calls.remove(call)
            call.called = 1
            call.func()
        self.assertEqual(b"ab", b"".join(self.exchange.written))
        self.assertTrue(self.exchange.finished)

    def test_no_part_is_made_while_the_transport_is_full(self) -> None:
        self.exchange.pauses = True
        answer = self.start(iter((b"a", b"b", b"c")))
        self.advance(3)
        self.assertEqual([b"a"], self.exchange.written)
        answer.resumeProducing()
        self.advance(3)
        self.assertEqual([b"a", b"b"], self.exchange.written)

    def test_bytes_are_sent_in_parts(self) -> None:
        body = bytes(range(256)) * 1000
        self.start(body)
        while not self.exchange.finished:
            self.clock.advance(0)
        self.assertEqual(body, b"".join(self.exchange.written))
        self.assertLessEqual(max(map(len, self.exchange.written)), PART)
        self.assertEqual((0, []), (self.unread.quota.used, self.clock.calls))

    def test_part_that_is_not_read_in_time(self) -> None:
        self.exchange.pauses = True
        answer = self.start(iter((b"a", b"b", b"c")))
        self.advance(READ_WITHIN - 1)
        answer.resumeProducing()
        self.advance(READ_WITHIN - 1)
        self.assertFalse(self.exchange.aborted)
        self.advance(2)
        self.assertTrue(self.exchange.aborted)
        self.assertEqual((0, []), (self.unread.quota.used, self.clock.calls))

    def test_answer_as_a_whole_has_a_deadline(self) -> None:
        self.exchange.pauses = True
        answer = self.start(parts(10_000))
        for _ in range(int(ANSWER_WITHIN) // 30 - 1):
            self.advance(30)
            answer.resumeProducing()
        self.assertFalse(self.exchange.aborted)
        self.advance(30)
        self.assertTrue(self.exchange.aborted)

    def test_answer_that_keeps_an_old_state_alive_is_cut_off(self) -> None:
        self.exchange.pauses = True
        self.start(parts(), updates=100)
        self.dropped = MAX_OUTDATED
        self.advance(2)
        self.assertFalse(self.exchange.aborted)
        self.dropped += 1
        self.advance(1)
        self.assertTrue(self.exchange.aborted)
        self.assertEqual(0, self.unread.quota.used)

    def test_body_that_fails(self) -> None:
        def broken() -> Iterator[bytes]:
            yield b"a"
            raise ZeroDivisionError

        noted = []
        held = self.unread.hold("a", iter(()))
        site = SimpleNamespace(
            clock=self.clock,
            unread=self.unread,
            turns=self.turns,
            note_failure=lambda what, why: noted.append(why),
        )
        Parts(self.exchange, broken(), site, held).start()
        self.clock.advance(0)
        self.assertTrue(self.exchange.aborted)
        self.assertEqual([ZeroDivisionError], [failure.type for failure in noted])

"""The queue that all kinds of journal have: order, steps, bounds, and what a request costs."""

from __future__ import annotations

import gc
import tracemalloc
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.core.state import State
from streamd.core.update import ORIGIN, Draft, Position
from streamd.journals import queue
from streamd.journals.journal import Away, Key, Outrun
from streamd.journals.memory import MemoryJournal
from streamd.journals.queue import AppendQueue, Outcome, QueuedRequest
from streamd.journals.redis import RedisJournal
from streamd.journals.sqlite import SqliteJournal
from streamd.reactor.redis_client import RedisUrl
from tests.support.fakes import Times


class Store:
    """Carries out steps when it is told to, and answers each request with itself in capitals."""

    def __init__(self) -> None:
        self.steps: list[Sequence[str]] = []
        self.at = ORIGIN
        self._under_way: deque[Deferred[None]] = deque()

    async def carry_out(self, requests: Sequence[str]) -> Outcome:
        self.steps.append(requests)
        under_way: Deferred[None] = Deferred()
        self._under_way.append(under_way)
        await under_way
        return [request.upper() for request in requests], self.at

    def finish(self, error: Exception | None = None) -> None:
        """End the oldest step."""
        under_way = self._under_way.popleft()
        under_way.callback(None) if error is None else under_way.errback(error)


class QueueTestCase(SynchronousTestCase):
    at_once = 1

    def setUp(self) -> None:
        self.store = Store()
        self.clock = Clock()
        self.queue: AppendQueue[str] = AppendQueue(
            self.store.carry_out, "paper", self.clock.seconds, self.at_once
        )
        self.queue.room = State(0.0).room
        self.queue.admit()


class AppendsTests(QueueTestCase):
    def ask(self, count: int = 1, request: str = "a") -> Deferred[Any]:
        return self.queue.ask(request, 0, drafts("s", count))

    def test_what_was_committed_and_how_long_it_took(self) -> None:
        self.ask(2)
        self.ask(3)
        self.queue.ask("no append")
        self.clock.advance(0.5)
        self.store.finish()
        self.clock.advance(0.25)
        self.store.finish()
        appends = self.queue.appends
        size = sum(len(draft.value or b"") for n in (2, 3) for draft in drafts("s", n))
        self.assertEqual((5, size, 2), (appends.updates, appends.octets, appends.delays.count))
        self.assertAlmostEqual(0.5 + 0.75, appends.delays.total)
        self.assertEqual({}, appends.errors)

    def test_what_failed_by_its_reason(self) -> None:
        self.ask().addErrback(lambda _: None)
        self.store.finish(Away("paper is out"))
        self.queue.refuse(Away("no"))
        self.ask().addErrback(lambda _: None)
        self.queue.ask("no append").addErrback(lambda _: None)
        self.queue.admit()
        self.assertRaises(Refused, self.ask, 20_000)
        answered = self.ask()
        answered.addErrback(lambda _: None)
        self.queue._answer(self.queue._under_way[0], [Failure(Outrun("elsewhere"))])
        self.assertEqual(
            {"journal-away": 2, "too-many-streams": 1, "outrun": 1}, self.queue.appends.errors
        )
        self.assertEqual((0, 0), (self.queue.appends.updates, self.queue.appends.delays.count))


class QueueTests(QueueTestCase):
    def ask(self, *requests: str) -> list[Deferred[Any]]:
        return [self.queue.ask(request) for request in requests]

    def test_what_waits_is_the_next_step(self) -> None:
        one, two, three = self.ask("a", "b", "c")
        self.assertEqual([["a"]], self.store.steps)
        self.store.finish()
        self.assertEqual("A", self.successResultOf(one))
        self.assertNoResult(two)
        self.assertEqual([["a"], ["b", "c"]], self.store.steps)
        self.store.finish()
        self.assertEqual(["B", "C"], [self.successResultOf(answer) for answer in (two, three)])
        self.assertTrue(self.queue.idle)

    def test_a_step_is_bounded_by_updates_and_by_bytes(self) -> None:
        half = drafts("s", queue.STEP_UPDATES // 2)
        for request, size, appended in (
            ("a", 0, []),
            ("b", 0, half),
            ("c", 0, half),
            ("d", 0, half[:1]),
            ("e", queue.STEP_BYTES, []),
            ("f", 0, []),
        ):
            self.queue.ask(request, size, appended)
        for _ in range(5):
            self.store.finish()
        self.assertEqual([["a"], ["b", "c"], ["d"], ["e"], ["f"]], self.store.steps)

    def test_answers_wait_until_the_log_was_followed(self) -> None:
        self.store.at = Position(5, 0)
        one, two = self.ask("a", "b")
        self.store.finish()
        self.store.at = Position(7, 0)
        self.store.finish()
        self.assertNoResult(one)
        self.queue.follow(Position(6, 0))
        self.assertEqual("A", self.successResultOf(one))
        self.assertNoResult(two)
        self.assertFalse(self.queue.idle)
        self.queue.follow(Position(7, 0))
        self.assertEqual("B", self.successResultOf(two))

    def test_a_step_that_fails_fails_its_requests_alone(self) -> None:
        one, two = self.ask("a", "b")
        self.store.finish(Away("paper is out"))
        self.assertEqual("paper is out", self.failureResultOf(one, Away).value.message)
        self.store.finish()
        self.assertEqual("B", self.successResultOf(two))

    def test_an_unexpected_error(self) -> None:
        [one] = self.ask("a")
        self.store.finish(ZeroDivisionError())
        self.failureResultOf(one, Away)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_refusing_all(self) -> None:
        self.store.at = Position(5, 0)
        held_back = self.ask("a")
        self.store.finish()
        under_way, waiting = self.ask("b", "c")
        self.queue.refuse(Away("no"))
        coming = self.queue.ask("d")
        for answer in (*held_back, under_way, waiting, coming):
            self.assertEqual("no", self.failureResultOf(answer, Away).value.message)
        self.assertFalse(self.queue.idle)  # the step goes on
        self.queue.admit()
        [later] = self.ask("e")
        self.assertEqual([["a"], ["b"]], self.store.steps)
        self.store.finish()
        self.assertEqual([["a"], ["b"], ["e"]], self.store.steps)
        self.store.finish()
        self.queue.follow(self.store.at)
        self.assertEqual("E", self.successResultOf(later))

    def test_closing_waits_for_all_answers(self) -> None:
        one, two = self.ask("a", "b")
        closed = self.queue.close()
        self.failureResultOf(self.queue.ask("c"), Away)
        self.queue.admit()
        self.failureResultOf(self.queue.ask("c"), Away)
        self.store.finish()
        self.successResultOf(one)
        self.assertNoResult(closed)
        self.store.finish()
        self.successResultOf(two)
        self.successResultOf(closed)
        self.successResultOf(self.queue.close())

    def test_closing_waits_for_an_abandoned_step(self) -> None:
        [one] = self.ask("a")
        self.queue.refuse(Away("no"))
        self.failureResultOf(one, Away)
        closed = self.queue.close()
        self.assertNoResult(closed)
        self.store.finish()
        self.successResultOf(closed)

    def test_requests_are_bounded_in_number(self) -> None:
        answers = [self.queue.ask("a") for _ in range(queue.MAX_WAITING + 1)]
        error = self.failureResultOf(answers[-1], Away).value
        self.assertEqual("too much waits for paper", error.message)
        self.assertNoResult(answers[-2])

    def test_and_in_bytes(self) -> None:
        half = queue.MAX_WAITING_BYTES // 2
        taken = self.queue.ask("a", half), self.queue.ask("b", half - 2 * queue.REQUEST_BYTES)
        self.failureResultOf(self.queue.ask("c"), Away)
        self.store.finish()
        self.assertEqual("A", self.successResultOf(taken[0]))
        self.assertNoResult(self.queue.ask("c"))

    def test_a_request_that_is_too_large_is_taken_alone(self) -> None:
        self.assertNoResult(self.queue.ask("a", 2 * queue.MAX_WAITING_BYTES))
        self.failureResultOf(self.queue.ask("b"), Away)


class WithoutStoreTests(SynchronousTestCase):
    """Steps whose outcome is there at once."""

    def setUp(self) -> None:
        self.steps: list[Sequence[str]] = []
        self.queue: AppendQueue[str] = AppendQueue(self.carry_out, "paper", Clock().seconds)
        self.queue.admit()

    def carry_out(self, requests: Sequence[str]) -> Outcome:
        self.steps.append(requests)
        if "bad" in requests:
            raise Away("paper is out")
        return [request.upper() for request in requests], ORIGIN

    def test_a_request_is_answered_before_it_returns(self) -> None:
        self.assertEqual("A", self.successResultOf(self.queue.ask("a")))
        self.assertTrue(self.queue.idle)

    def test_what_is_asked_meanwhile_is_the_next_step(self) -> None:
        later: list[Deferred[Any]] = []
        first: Deferred[Any] = Deferred()
        first.addCallback(lambda _: later.extend(map(self.queue.ask, ("c", "d"))))
        self.queue.put(QueuedRequest("b", first))
        self.assertEqual([["b"], ["c", "d"]], self.steps)
        self.assertEqual(["C", "D"], [self.successResultOf(each) for each in later])

    def test_a_step_that_fails_fails_its_requests_alone(self) -> None:
        self.failureResultOf(self.queue.ask("bad"), Away)
        self.assertEqual("A", self.successResultOf(self.queue.ask("a")))
        self.assertTrue(self.queue.idle)


class StepsAtOnceTests(QueueTestCase):
    at_once = 2

    def ask(self, *requests: str) -> list[Deferred[Any]]:
        return [self.queue.ask(request) for request in requests]

    def test_the_next_step_does_not_wait_for_the_answer_to_one(self) -> None:
        one, two, three, four = self.ask("a", "b", "c", "d")
        self.assertEqual([["a"], ["b"]], self.store.steps)
        self.store.finish()
        self.assertEqual("A", self.successResultOf(one))
        self.assertNoResult(two)
        self.assertEqual([["a"], ["b"], ["c", "d"]], self.store.steps)
        self.store.finish()
        self.assertEqual("B", self.successResultOf(two))
        self.assertFalse(self.queue.idle)
        self.store.finish()
        self.assertEqual(["C", "D"], [self.successResultOf(answer) for answer in (three, four)])
        self.assertTrue(self.queue.idle)

    def test_refusing_all_that_is_under_way(self) -> None:
        before = self.ask("a", "b", "c")
        self.queue.refuse(Away("no"))
        for answer in before:
            self.assertEqual("no", self.failureResultOf(answer, Away).value.message)
        self.queue.admit()
        [later] = self.ask("d")
        self.store.finish(Away("paper is out"))
        self.assertEqual([["a"], ["b"], ["d"]], self.store.steps)
        self.store.finish()
        self.assertNoResult(later)
        self.store.finish()
        self.assertEqual("D", self.successResultOf(later))
        self.assertTrue(self.queue.idle)


class RoomTests(QueueTestCase):
    """There is room for a hundred streams, and what waits counts as if it were applied."""

    def setUp(self) -> None:
        super().setUp()
        self.queue.room = State(0.0, max_streams=100).room

    def append(self, prefix: str) -> Deferred[Any]:
        return self.queue.ask(prefix, drafts=drafts(prefix, 100))

    def test_one_of_ten_appends_fits(self) -> None:
        one = self.append("a")
        for prefix in "bcdefghij":
            self.assertRaises(Refused, self.append, prefix)
        self.store.finish()
        self.assertEqual("A", self.successResultOf(one))
        self.assertEqual([["a"]], self.store.steps)

    def test_an_append_that_fails_gives_its_room_back(self) -> None:
        one = self.append("a")
        self.store.finish(Away("paper is out"))
        self.failureResultOf(one, Away)
        self.append("b")

    def test_an_append_that_is_not_accepted_takes_no_room(self) -> None:
        self.queue.refuse(Away("no"))
        self.failureResultOf(self.append("a"), Away)
        self.queue.admit()
        self.append("b")

    def test_a_cancelled_append_keeps_its_room_until_its_step_is_over(self) -> None:
        one = self.append("a")
        one.addErrback(lambda failure: failure.trap(CancelledError))
        one.cancel()  # the client went away; the journal may commit nevertheless
        self.assertRaises(Refused, self.append, "b")
        self.store.finish()
        self.append("b")


def drafts(prefix: str, count: int) -> list[Draft]:
    return [Draft(f"{prefix}.{number}", b"1") for number in range(count)]


def in_memory(folder: Path) -> MemoryJournal:
    return MemoryJournal(Times().now, Times().elapsed)


def in_file(folder: Path) -> SqliteJournal:
    return SqliteJournal(folder / "log.db", Times().now, Times().elapsed, Clock())


def in_redis(folder: Path) -> RedisJournal:
    return RedisJournal(RedisUrl.parse("redis://localhost"), "", Clock(), Times().now)


class NeverDone:
    """What carries out the steps of a journal, and does not end."""

    def __init__(self, journal: Any) -> None:
        self._queue = journal._queue
        self._queue.room = State(0.0, max_streams=10**6, max_state=2**40).room
        self._queue._carry_out = lambda requests: Deferred()
        self._queue.admit()
        self._queue.ask(None)

    @property
    def counted(self) -> int:
        return int(self._queue._bytes)


NAME = "a" * 100


@pytest.mark.parametrize("make", [in_memory, in_file, in_redis])
@pytest.mark.parametrize(
    "ask",
    [
        lambda j, n: j.append([Draft(f"s{m}", b"%d" % m, m / 8) for m in range(n, n + 5000)]),
        lambda j, n: j.append([Draft(NAME + str(n + m), b"1") for m in range(100)]),
        lambda j, n: j.append([Draft(f"s{n}", b"%d" % n)]),
        lambda j, n: j.append([Draft(f"s{n}", b"x" * 10_000 + b"%d" % n)], Key(f"k{n}", b"%d" % n)),
        lambda j, n: j.put("screens", f"s{n}", b"x" * 1000 + b"%d" % n, 60.0),
        lambda j, n: j.receipt(Key(f"k{n}", b"%d" % n)),
        lambda j, n: j.place(f"s{n}"),
        lambda j, n: j.trim({f"s{n + m}": Position(n, 2**60 + m) for m in range(100)}, ORIGIN),
    ],
)
def test_what_waits_is_counted_as_what_it_costs(
    make: Callable[[Path], Any], ask: Callable[[Any, int], Deferred[Any]], tmp_path: Path
) -> None:
    """Bytes that Python takes: at most a tenth more than what is counted, and at least a third."""
    journal = make(tmp_path)
    store, answers = NeverDone(journal), []
    gc.collect()
    before = store.counted
    tracemalloc.start()
    try:
        for number in range(20):
            answers.append(ask(journal, 10_000 * number))
        took = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert not any(answer.called for answer in answers)
    counted = store.counted - before
    assert counted / 3 < took < 1.1 * counted


def test_a_flood_of_small_updates_is_bounded_by_what_it_costs(tmp_path: Path) -> None:
    """Ten thousand updates of one byte each count as more than ten thousand bytes."""
    journal = in_memory(tmp_path)
    NeverDone(journal)
    drafts = [Draft("a", b"1")] * 10_000
    fits = queue.MAX_WAITING_BYTES // (10_000 * 321)
    answers = [journal.append(drafts) for _ in range(fits + 1)]
    assert [answer.called for answer in answers] == [False] * fits + [True]
    answers[-1].addErrback(lambda failure: failure.trap(Away))


def test_nothing_waits_in_memory(tmp_path: Path) -> None:
    journal = in_memory(tmp_path)
    journal._queue.admit()
    journal._queue.room = State(0.0).room
    journal._follower = type("Nobody", (), {"committed": lambda self, updates: None})()
    assert journal.append([Draft("a", b"1")]).called

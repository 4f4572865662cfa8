"""A schedule that nothing ends, as a SynchronousTestCase on a Clock."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.feed import Feed
from streamd.sources.polling import (
    DONE,
    MAX_LATER,
    MAX_RETRY,
    MIN_RETRY,
    STEADY,
    Polling,
    RetryLater,
)
from tests.support.fakes import Daemonette
from tests.support.source import SourceTestCase


class PollingTests(SourceTestCase):
    def poll(
        self,
        read: Callable[[], Any],
        every: float = 5,
        rng: Callable[[], float] = lambda: 1.0,
        gently: bool = False,
        ping: Callable[[], Any] | None = None,
    ) -> Polling:
        self.polling = Polling(self.watched(read), every, self.daemon.clock, rng, gently, ping)
        self.runs: list[float] = []
        self.polling.start(self.daemon.feed(every=every))
        return self.polling

    def watched(self, read: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            self.runs.append(self.daemon.clock.seconds())
            return read()

        return run

    def run_for(self, seconds: float) -> None:
        self.daemon.clock.pump([0.25] * int(seconds * 4))

    def test_every_so_often_from_now_on(self) -> None:
        numbers = iter(range(100))
        self.poll(lambda: next(numbers))
        self.run_for(12)
        self.assertEqual([0, 5, 10], self.runs)
        self.assertEqual([("shop", 0), ("shop", 1), ("shop", 2)], self.daemon.log)

    def test_a_run_that_has_begun_is_cancelled_only_if_that_is_asked_for(self) -> None:
        for end, wanted in ((Polling.stop, 0), (Polling.cancel, 1)):
            cancelled: list[object] = []

            def read(said: list[object] = cancelled) -> Deferred[Any]:
                return Deferred(said.append)

            end(self.poll(read))
            self.assertEqual(wanted, len(cancelled))
            self.run_for(20)
            self.assertEqual(1, len(self.runs))

    def test_every_run_is_timed_also_one_that_fails(self) -> None:
        waiting: list[Deferred[Any]] = []

        def read() -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        self.poll(read)
        self.daemon.clock.advance(0.5)
        waiting[0].callback(1)
        self.daemon.clock.advance(4.5)
        self.daemon.clock.advance(2)
        waiting[1].errback(SourceError("away"))
        record = self.daemon.state.sources.records["shop"]
        self.assertEqual((2, 2.5), (record.durations.count, record.durations.total))
        self.assertEqual((1, 1), (record.readings, record.failures))

    def test_never_two_runs_at_a_time(self) -> None:
        waiting: list[Deferred[Any]] = []

        def read() -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        self.poll(read)
        self.run_for(12)
        self.assertEqual(1, len(waiting))
        waiting[0].callback(1)
        self.daemon.clock.advance(0)
        self.assertEqual([0, 12], self.runs)
        self.run_for(2)
        waiting[1].callback(2)
        self.run_for(10)
        self.assertEqual([0, 12, 17], self.runs)

    def test_gently(self) -> None:
        slow: Deferred[Any] = Deferred()
        runs: list[Any] = [1, 1, slow, 1]
        self.poll(lambda: runs.pop(), gently=True)
        self.run_for(6)
        self.assertEqual([0, 5], self.runs)
        self.run_for(6)
        slow.callback(1)  # after 7 seconds, so the next begins in 7
        self.polling.wake()
        self.run_for(8)
        self.assertEqual([0, 5, 19], self.runs)

    def test_wake(self) -> None:
        self.poll(lambda: 1).wake()
        self.run_for(6)
        self.assertEqual([0, 0.25, 5.25], self.runs)

    def test_wake_in_the_middle_of_a_run(self) -> None:
        slow: Deferred[Any] = Deferred()
        self.poll(lambda: slow if len(self.runs) == 1 else 1)
        for _ in range(3):
            self.polling.wake()
        self.run_for(1)
        slow.callback(1)
        self.run_for(7)
        self.assertEqual([0, 1.25, 6.25], self.runs)

    def test_wake_hastens_no_retry(self) -> None:
        self.poll(self.away, every=30)
        for _ in range(20):
            self.polling.wake()
            self.run_for(0.25)
        self.assertEqual([1, 2], self.waits())

    def test_the_next_run_waits_for_the_journal(self) -> None:
        slow: Deferred[Any] = Deferred()
        self.patch(self.daemon.journal, "append", lambda drafts, **options: slow)
        self.poll(lambda: 1)
        self.run_for(30)
        self.assertEqual([0], self.runs)
        slow.callback([])
        self.daemon.clock.advance(0)
        self.assertEqual([0, 30], self.runs)

    def away(self) -> Any:
        raise SourceError("away")

    def waits(self) -> list[float]:
        return [b - a for a, b in zip(self.runs, self.runs[1:], strict=False)]

    def test_a_run_that_waited_in_vain_for_its_server_was_a_pause_itself(self) -> None:
        running: list[Deferred[Any]] = []
        self.poll(lambda: running.append(Deferred()) or running[-1], gently=True)  # type: ignore[func-returns-value]
        for _ in range(4):
            self.run_for(5)
            running[-1].errback(Failure(Unreachable("nobody is there")))
            self.run_for(1)
        self.assertEqual([6, 6, 6, 6], self.waits())

    def test_retries_begin_soon_and_become_rarer(self) -> None:
        self.poll(self.away, every=30)
        self.run_for(300)
        self.assertEqual([1, 2, 4, 8, 8, 8, 8], self.waits()[:7])
        self.assertEqual({8}, set(self.waits()[3:]))

    def test_retries_are_bounded_for_any_interval(self) -> None:
        for every in (0.5, 5, 3600):
            self.make()
            self.poll(self.away, every=every)
            self.run_for(1000)
            self.assertEqual(MAX_RETRY, max(self.waits()))
            self.assertEqual(MIN_RETRY, min(self.waits()))

    def test_a_server_that_was_away_is_soon_asked_again(self) -> None:
        def nobody() -> Any:
            raise Unreachable("nobody is there")

        self.poll(nobody, every=3600)
        self.run_for(300)
        self.assertEqual([1, 2, 4, 4], self.waits()[:4])
        self.assertEqual({4}, set(self.waits()[3:]))

    def test_pings_between_two_runs(self) -> None:
        pings: list[float] = []
        there = [True]

        def ping() -> Any:
            pings.append(self.daemon.clock.seconds())
            if not there[0]:
                raise Unreachable("nobody is there")

        self.poll(lambda: 1, every=3.5, ping=ping)
        self.run_for(5)
        self.assertEqual(([0, 3.5], [1, 2, 3, 4.5]), (self.runs, pings))
        there[0] = False
        self.run_for(1)
        self.assertEqual(("failed", "nobody is there"), self.health("shop"))
        there[0] = True
        self.run_for(4)
        self.assertEqual(("fresh", None), self.health("shop"))
        self.assertEqual([0, 3.5, 6.5, 10], self.runs)
        self.assertEqual([1, 2, 3, 4.5, 5.5, 7.5, 8.5, 9.5], pings)
        self.polling.stop()
        self.assertEqual([], self.daemon.clock.getDelayedCalls())

    def test_no_pings_while_it_fails(self) -> None:
        pings: list[int] = []
        self.poll(self.away, every=5, ping=lambda: pings.append(1))
        self.run_for(60)
        self.assertEqual([], pings)

    def test_wake_does_not_wait_for_a_ping(self) -> None:
        self.poll(lambda: 1, every=9, ping=lambda: None)
        self.run_for(2.5)
        self.polling.wake()
        self.run_for(1)
        self.assertEqual([0, 2.75], self.runs)

    def test_a_server_that_asks_for_a_pause_gets_it(self) -> None:
        def busy() -> Any:
            error = RetryLater("too many requests")
            error.seconds = 60 if len(self.runs) == 1 else 1e9
            raise error

        self.poll(busy, every=5)
        self.polling.wake()
        self.run_for(8000)
        self.assertEqual([60, MAX_LATER, MAX_LATER], self.waits())

    def test_failures_are_as_gentle_as_successes(self) -> None:
        slow: list[Deferred[Any]] = []
        self.poll(lambda: slow.append(Deferred()) or slow[-1], gently=True)  # type: ignore[func-returns-value]
        self.run_for(20)
        slow[0].errback(Failure(SourceError("away")))
        self.run_for(30)
        self.assertEqual([0, 40], self.runs)

    def test_retries_are_jittered(self) -> None:
        rng = random.Random(1)
        self.poll(self.away, every=60, rng=rng.random)
        self.run_for(5000)
        late = self.waits()[8:]
        self.assertGreater(len(set(late)), 10)
        self.assertGreaterEqual(min(late), MAX_RETRY / 2)
        self.assertLess(max(late), MAX_RETRY + 0.3)

    def test_a_month_of_failures(self) -> None:
        self.poll(self.away, every=0.5)
        self.daemon.clock.pump([MAX_RETRY] * 3000)
        self.assertGreater(len(self.runs), 2500)
        self.assertEqual(1, len(self.lines()))

    def test_it_recovers_by_itself(self) -> None:
        broken = [True]
        self.poll(lambda: self.away() if broken[0] else 42)
        self.run_for(20)
        self.assertEqual(("failed", "away"), self.health("shop"))
        broken[0] = False
        self.run_for(5)
        self.assertEqual(("fresh", None), self.health("shop"))
        del self.runs[:]
        self.run_for(20)
        self.assertEqual({5}, set(self.waits()))
        broken[0] = True
        self.run_for(30)
        self.assertIn(1, self.waits())

    def test_a_bug_is_no_end(self) -> None:
        def bug() -> Any:
            raise ZeroDivisionError

        self.poll(bug)
        self.run_for(60)
        self.assertGreater(len(self.runs), 8)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_a_bug_in_the_feed_is_no_end(self) -> None:
        class Worse(Feed):
            def took(self, seconds: float) -> None:
                pass

            def put(self, value: Any, time: float | None = None) -> Deferred[bool]:
                raise KeyError

            def failed(self, failure: Failure) -> None:
                raise ZeroDivisionError

        self.patch(Daemonette, "feed", lambda self, every: object.__new__(Worse))
        self.poll(lambda: 1)
        self.run_for(12)
        self.assertEqual([0, 5, 10], self.runs)
        self.assertEqual(3, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_stop(self) -> None:
        self.poll(lambda: 1).stop()
        self.run_for(30)
        self.assertEqual([0], self.runs)
        self.assertEqual([], self.daemon.clock.getDelayedCalls())
        Polling(lambda: 1, 5, self.daemon.clock).stop()

    def test_stop_in_the_middle_of_a_run(self) -> None:
        for outcome in (1, Failure(SourceError("away"))):
            self.make()
            slow: Deferred[Any] = Deferred()
            self.poll([slow].pop).stop()
            slow.callback(outcome)
            self.assertEqual(([], []), (self.daemon.log, self.names()))
            self.assertEqual([], self.daemon.clock.getDelayedCalls())

    def test_a_run_that_told_the_feed_itself(self) -> None:
        self.poll(lambda: DONE)
        self.run_for(7)
        self.assertEqual([0, 5], self.runs)
        self.assertEqual(([], []), (self.daemon.log, self.names()))

    def test_a_run_that_lasted_is_followed_by_a_first_attempt(self) -> None:
        lasting: list[Deferred[Any]] = []

        def read() -> Any:
            if len(self.runs) < 5:
                raise SourceError("away")
            lasting.append(Deferred())
            return lasting[-1]

        self.poll(read, every=60)
        self.run_for(20)
        self.assertEqual([1, 2, 4, 8], self.waits())
        self.run_for(STEADY)
        before = self.daemon.clock.seconds()
        lasting[0].errback(Failure(SourceError("gone")))
        self.run_for(2)
        self.assertEqual(1, self.runs[-1] - before)

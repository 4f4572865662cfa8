"""Again and again, whatever happens."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamd.reactor.timer import Timer


class TimerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.calls: list[float] = []

    def timer(self, call: Callable[[], object] | None = None) -> Timer:
        timer = Timer(self.clock, 2, call or (lambda: self.calls.append(self.clock.seconds())))
        timer.start()
        return timer

    def test_every_so_often(self) -> None:
        self.timer()
        self.clock.pump([1] * 7)
        self.assertEqual([2, 4, 6], self.calls)

    def test_an_exception_is_logged_and_it_continues(self) -> None:
        def fail() -> None:
            self.calls.append(self.clock.seconds())
            raise ZeroDivisionError

        self.timer(fail)
        self.clock.pump([2, 2, 2])
        self.assertEqual([2, 4, 6], self.calls)
        self.assertEqual(3, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_a_call_that_is_under_way_is_not_made_twice(self) -> None:
        answer: Deferred[None] = Deferred()

        async def ask() -> None:
            self.calls.append(self.clock.seconds())
            await answer

        timer = self.timer(ask)
        timer.call_now()
        timer.call_now()
        self.clock.pump([2, 2])
        self.assertEqual([0], self.calls)
        stopped = timer.stop()
        self.assertNoResult(stopped)
        answer.errback(ZeroDivisionError())
        self.successResultOf(stopped)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        timer.call_now()
        self.assertEqual([0, 4], self.calls)
        self.flushLoggedErrors(ZeroDivisionError)

    def test_stop(self) -> None:
        timer = self.timer()
        self.clock.advance(2)
        timer.stop()
        timer.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
        Timer(self.clock, 1, int).stop()  # never started

    def test_stop_in_the_middle_of_a_call(self) -> None:
        timer = self.timer(lambda: timer.stop())
        self.clock.advance(2)
        self.assertEqual([], self.clock.getDelayedCalls())

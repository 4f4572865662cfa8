"""Long computations let everything else go on."""

from __future__ import annotations

from collections.abc import Generator

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamd.reactor.slices import PAUSE, TURN, Slices


class SlicesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.slices = Slices(self.clock)
        self.steps: list[str] = []

    def work(self, name: str, steps: int) -> Generator[None, None, str]:
        for _ in range(steps):
            self.steps.append(name)
            self.clock.rightNow += 0.001
            yield
        return name.upper()

    def test_side_by_side_in_turns(self) -> None:
        long, short = self.slices.run(self.work("a", 60)), self.slices.run(self.work("b", 3))
        self.assertEqual([], self.steps)
        self.clock.advance(PAUSE)
        self.assertLessEqual(len(self.steps), TURN / 0.001 + 1)
        self.assertEqual({"a", "b"}, {*self.steps})
        self.clock.pump([PAUSE] * 5)
        self.assertEqual("B", self.successResultOf(short))
        self.assertNoResult(long)
        self.clock.pump([PAUSE] * 20)
        self.assertEqual("A", self.successResultOf(long))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_clients_take_turns_however_much_they_ask_for(self) -> None:
        for _ in range(1000):
            self.slices.run(self.work("hostile", 60), "192.0.2.1")
        good = self.slices.run(self.work("good", 10), "192.0.2.2")
        self.clock.pump([PAUSE] * 8)
        self.assertEqual("GOOD", self.successResultOf(good))

    def test_calls_of_many_requests_delay_another_client_by_one_call(self) -> None:
        called: list[str] = []

        def call(name: str) -> None:
            called.append(name)
            self.clock.rightNow += TURN

        for _ in range(300):
            self.slices.call(lambda: call("hostile"), "192.0.2.1")
        self.slices.call(lambda: call("good"), "192.0.2.2")
        self.clock.pump([PAUSE] * 3)
        self.assertEqual(["hostile", "good", "hostile"], called[:3])

    def test_failure(self) -> None:
        def bad() -> Generator[None, None, None]:
            yield
            raise ZeroDivisionError

        failing = self.slices.run(bad())
        self.clock.pump([PAUSE] * 3)
        self.failureResultOf(failing, ZeroDivisionError)

    def test_an_abandoned_computation_ends(self) -> None:
        leaving, staying = self.slices.run(self.work("a", 60)), self.slices.run(self.work("b", 60))
        self.clock.advance(PAUSE)
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        done = self.steps.count("a")
        self.clock.pump([PAUSE] * 30)
        self.assertEqual(done, self.steps.count("a"))
        self.assertEqual("B", self.successResultOf(staying))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_stop(self) -> None:
        running = self.slices.run(self.work("a", 60))
        self.clock.advance(PAUSE)
        self.slices.stop()
        self.clock.pump([PAUSE] * 20)
        self.assertNoResult(running)
        self.assertEqual([], self.clock.getDelayedCalls())

"""Work at the end of a turn of the reactor."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamd.reactor.turn_end import TurnEnd


class TurnEndTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.end = TurnEnd(self.clock)
        self.told: list[str] = []

    def test_calls_are_made_together_in_their_order(self) -> None:
        self.end.call(lambda: self.told.append("a"))
        self.end.call(lambda: self.told.append("b"))
        self.assertEqual(([], 1), (self.told, len(self.clock.getDelayedCalls())))
        self.clock.advance(0)
        self.assertEqual((["a", "b"], []), (self.told, self.clock.getDelayedCalls()))

    def test_a_call_during_the_end_is_made_too(self) -> None:
        self.end.call(lambda: self.end.call(lambda: self.told.append("later")))
        self.clock.advance(0)
        self.assertEqual(["later"], self.told)

    def test_a_failure_ends_no_other_call(self) -> None:
        self.end.call(lambda: 1 / 0)
        self.end.call(lambda: self.told.append("b"))
        self.clock.advance(0)
        self.assertEqual(["b"], self.told)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

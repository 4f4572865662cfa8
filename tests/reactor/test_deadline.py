"""A deadline."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamd.reactor.deadline import Deadline


class DeadlineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.deadline = Deadline(self.clock)
        self.called: list[str] = []

    def test_calls_once(self) -> None:
        self.deadline.set(2, lambda: self.called.append("a"))
        self.assertTrue(self.deadline)
        self.clock.pump([1, 1, 1])
        self.assertEqual(["a"], self.called)
        self.assertFalse(self.deadline)

    def test_set_anew_calls_the_new_alone(self) -> None:
        self.deadline.set(2, lambda: self.called.append("a"))
        self.clock.advance(1)
        self.deadline.set(2, lambda: self.called.append("b"))
        self.clock.pump([1, 1, 1])
        self.assertEqual(["b"], self.called)

    def test_cancelled(self) -> None:
        self.deadline.set(2, lambda: self.called.append("a"))
        self.deadline.cancel()
        self.deadline.cancel()
        self.clock.advance(3)
        self.assertEqual([], self.called)
        self.assertFalse(self.deadline)

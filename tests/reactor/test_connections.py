"""The open connections of one kind."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamd.reactor.connections import CLOSE_GRACE, Connections


class ConnectionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.open: Connections[str] = Connections(self.clock)
        self.told: list[str] = []

    def close(self, connection: str) -> None:
        self.told.append(f"close {connection}")

    def abort(self, connection: str) -> None:
        self.told.append(f"abort {connection}")
        self.open.discard(connection)

    def test_counts_those_that_left(self) -> None:
        for name in "ab":
            self.open.add(name)
        for name in "acca":
            self.open.discard(name)
        self.assertEqual(({"b"}, 1), (self.open, self.open.left))

    def test_without_connections_all_have_gone(self) -> None:
        self.successResultOf(self.open.close_all(self.close, self.abort))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_waits_until_the_last_has_gone(self) -> None:
        self.open |= {"a", "b"}
        gone = self.open.close_all(self.close, self.abort)
        self.open.discard("a")
        self.assertNoResult(gone)
        self.open.discard("b")
        self.successResultOf(gone)
        self.assertEqual(["close a", "close b"], sorted(self.told))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_aborts_those_that_do_not_close(self) -> None:
        self.open |= {"a", "b"}
        gone = self.open.close_all(self.close, self.abort)
        self.open.discard("a")
        self.clock.advance(CLOSE_GRACE)
        self.successResultOf(gone)
        self.assertEqual("abort b", self.told[-1])
        self.assertEqual(set(), self.open)

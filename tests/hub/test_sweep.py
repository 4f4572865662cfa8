"""The sweep, with a three-line viewer."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.hub.sweep import PING_EVERY, PONG_WITHIN, Sweep


class FakeWatched:
    def __init__(self, slot: int, breaks: bool = False) -> None:
        self.slot = slot
        self.pings: list[float] = []
        self.checks: list[float] = []
        self._breaks = breaks

    def ping(self, now: float) -> None:
        self.pings.append(now)
        if self._breaks:
            raise ZeroDivisionError

    def check_pong(self, now: float) -> None:
        self.checks.append(now)


class SweepTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.sweep = Sweep()
        self.viewers: list[FakeWatched] = []
        self.sweep.watch(self.viewers)

    def come(self, breaks: bool = False) -> FakeWatched:
        self.viewers.append(FakeWatched(self.sweep.next_slot(), breaks))
        return self.viewers[-1]

    def test_each_viewer_is_pinged_once_a_round_and_looked_at_in_time(self) -> None:
        viewers = [self.come() for _ in range(3 * PING_EVERY)]
        for second in range(2 * PING_EVERY):
            self.sweep.turn(second)
        for viewer in viewers:
            first, last = viewer.pings
            self.assertEqual(PING_EVERY, last - first)
            self.assertIn(first + PONG_WITHIN, viewer.checks)

    def test_viewers_that_come_together_are_not_pinged_together(self) -> None:
        viewers = [self.come() for _ in range(4 * PING_EVERY)]
        self.sweep.turn(0)
        self.assertEqual(4, sum(len(viewer.pings) for viewer in viewers))

    def test_a_viewer_that_breaks_stops_no_other(self) -> None:
        viewers = [self.come(breaks=True) for _ in range(PING_EVERY)] + [self.come()]
        for second in range(PING_EVERY):
            self.sweep.turn(second)
        self.assertEqual([1] * len(viewers), [len(viewer.pings) for viewer in viewers])
        self.assertEqual(PING_EVERY, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_a_viewer_that_left_is_not_looked_at(self) -> None:
        viewer = self.come()
        self.viewers.clear()
        for second in range(PING_EVERY):
            self.sweep.turn(second)
        self.assertEqual(([], 0), (viewer.pings, len(self.sweep)))

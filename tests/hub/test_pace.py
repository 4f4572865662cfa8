"""Paces: who is flushed when, and who has to wait."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from twisted.internet.base import DelayedCall
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.cursor import Cursor
from streamd.core.roster import Roster
from streamd.core.selection import Selection
from streamd.core.update import ORIGIN
from streamd.hub.audience import Audience
from streamd.hub.deliveries import Deliveries
from streamd.hub.pace import BUDGET, FlushTimes, Pace
from streamd.wire.frames import PLAIN_WEBSOCKET
from tests.support.fakes import FakeViewer

EVERY = 0.033


class BudgetTests(SynchronousTestCase):
    """An audience costs `cost` seconds, a hundred times what it takes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.flushed: list[str] = []
        self.cost = 0.001
        self.news = 0
        self.knows: dict[Audience, int] = {}
        self.on_flush: Callable[[], object] = lambda: None
        self.times = FlushTimes()
        self.pace = Pace(self.clock, EVERY, self.flush, self.times)

    def flush(self, audience: Audience) -> None:
        if self.knows.get(audience) == self.news:
            return
        self.knows[audience] = self.news
        [name] = audience.selection.patterns
        self.flushed.append(name)
        self.clock.rightNow += self.cost
        self.on_flush()

    def add(self, name: str, viewers: int = 1) -> None:
        selection = Selection([name])
        matches = Roster().matches(selection)
        audience = Audience(EVERY, PLAIN_WEBSOCKET, matches, Cursor(ORIGIN, 0), Deliveries())
        audience.viewers = {FakeViewer(): None for _ in range(viewers)}
        self.pace.audiences[selection, PLAIN_WEBSOCKET] = audience

    def add_many(self, count: int = 100) -> None:
        for number in range(count):
            self.add(f"small{number}")

    def turn(self) -> None:
        """Run the call that is due first, after the time until then has gone by."""
        call = min(self.clock.calls, key=DelayedCall.getTime)
        self.clock.calls.remove(call)
        self.clock.rightNow = max(self.clock.rightNow, call.getTime())
        call.called = 1
        call.func(*call.args)

    def test_a_turn_has_a_budget(self) -> None:
        self.add_many()
        self.pace.wake()
        self.assertEqual(10, len(self.flushed))
        for turns in range(2, 11):
            began = self.clock.seconds()
            self.turn()
            self.assertEqual(10 * turns, len(self.flushed))
            self.assertLess(self.clock.seconds() - began, 2 * BUDGET)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_each_turn_is_timed_and_the_delay_lasts_until_the_last_one(self) -> None:
        self.add_many()
        self.pace.wake()
        self.assertEqual(0, self.times.delays.count)
        self.clock.advance(0)
        self.assertAlmostEqual(0.1, self.times.delays.total)
        self.assertAlmostEqual(0.1, self.times.turns.total)
        self.assertEqual((1, 11), (self.times.delays.count, self.times.turns.count))

    def test_an_update_that_waits_for_the_pace_is_delayed(self) -> None:
        self.add("one")
        self.cost = 0.0
        self.pace.wake()
        self.pace.wake()
        self.clock.advance(EVERY)
        self.assertEqual(2, self.times.delays.count)
        self.assertAlmostEqual(EVERY, self.times.delays.total)

    def test_an_audience_that_is_not_reached_counts_from_its_first_update(self) -> None:
        self.add_many()
        self.pace.wake()
        self.news += 1
        self.pace.wake()
        while self.clock.getDelayedCalls():
            self.turn()
        self.assertEqual(1, self.times.delays.count)
        self.assertGreater(self.times.delays.total, 2 * EVERY)

    def test_nothing_waits_while_there_is_time(self) -> None:
        """All are flushed without a pause between the turns."""
        self.add_many()
        self.pace.wake()
        self.clock.advance(0)
        self.assertEqual([f"small{number}" for number in range(100)], self.flushed)
        self.assertAlmostEqual(0.1, self.clock.seconds())

    def test_the_large_are_flushed_on_time_and_those_not_reached_come_first_after_them(
        self,
    ) -> None:
        self.add_many()
        self.add("large", 200)
        self.pace.wake()
        large = [0.0]
        while len({*self.flushed}) <= 100:
            self.news += 1
            self.pace.wake()
            before = self.flushed.count("large")
            self.turn()
            if self.flushed.count("large") > before:
                large.append(self.clock.seconds())
        self.assertGreaterEqual(len(large), 3)
        for last, this in pairwise(large):
            self.assertLess(this - last, EVERY + 2 * BUDGET + 0.002)
        small = [name for name in self.flushed if name != "large"]
        self.assertEqual([f"small{number}" for number in range(100)], small[:100])

    def test_a_slow_large_audience_leaves_the_budget_to_the_others(self) -> None:
        self.add("large", 2000)
        self.add_many(20)
        self.cost = 0.02
        self.pace.wake()
        self.assertEqual(["large", "small0"], self.flushed)
        self.turn()
        self.assertEqual(["small1"], self.flushed[2:])

    def test_few_audiences_have_no_budget(self) -> None:
        self.add_many(16)
        self.cost = 1.0
        self.pace.wake()
        self.assertEqual(16, len(self.flushed))

    def test_one_that_is_left_meanwhile(self) -> None:
        self.add_many(20)
        key = Selection(["small5"]), PLAIN_WEBSOCKET
        left = self.pace.audiences[key]

        def leave() -> None:
            left.viewers.clear()
            self.pace.audiences.pop(key, None)

        self.on_flush = leave
        self.pace.wake()
        self.clock.advance(EVERY)
        self.assertEqual(19, len(self.flushed))

    def test_stop(self) -> None:
        self.add_many()
        self.pace.wake()
        self.pace.stop()
        self.assertEqual([], self.clock.getDelayedCalls())

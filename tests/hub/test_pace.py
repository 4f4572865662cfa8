"""Paces: who is flushed when, and who has to wait."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.catchup import Cursor
from streamd.core.roster import Roster
from streamd.core.selection import Selection
from streamd.core.update import ORIGIN
from streamd.hub.audience import Audience
from streamd.hub.pace import BUDGET, Pace
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
        self.pace = Pace(self.clock, EVERY, self.flush)

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
        audience = Audience(EVERY, PLAIN_WEBSOCKET, matches, Cursor(ORIGIN, 0))
        audience.viewers = {FakeViewer(): None for _ in range(viewers)}
        self.pace.audiences[selection, PLAIN_WEBSOCKET] = audience

    def add_many(self, count: int = 100) -> None:
        for number in range(count):
            self.add(f"small{number}")

    def test_a_flush_has_a_budget(self) -> None:
        self.add_many()
        self.pace.wake()
        self.assertEqual(10, len(self.flushed))
        self.assertLess(self.clock.seconds(), 2 * BUDGET)

    def test_who_was_not_reached_comes_first_the_next_time(self) -> None:
        self.add_many()
        self.pace.wake()
        for _ in range(9):
            self.pace.wake()  # news make it no faster
            self.clock.advance(EVERY)
        self.assertEqual([f"small{number}" for number in range(100)], self.flushed)
        self.clock.advance(EVERY)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_the_large_ones_are_never_delayed(self) -> None:
        self.add_many()
        self.add("large", 200)
        self.pace.wake()
        for _ in range(9):
            self.news += 1
            self.clock.advance(EVERY)
        self.assertEqual(10, self.flushed.count("large"))
        self.assertEqual(100, len({*self.flushed} - {"large"}))

    def test_a_large_one_that_takes_long_leaves_the_budget_to_the_others(self) -> None:
        self.add("large", 2000)
        self.add_many(20)
        self.cost = 0.02
        self.pace.wake()
        self.assertEqual(["large", "small0"], self.flushed)

    def test_few_audiences_have_no_budget(self) -> None:
        self.add_many(16)
        self.cost = 1.0
        self.pace.wake()
        self.assertEqual(16, len(self.flushed))

    def test_one_that_is_left_meanwhile(self) -> None:
        self.add_many(20)
        self.on_flush = lambda: self.pace.audiences.pop(
            (Selection(["small5"]), PLAIN_WEBSOCKET), None
        )
        self.pace.wake()
        self.clock.advance(EVERY)
        self.assertEqual(19, len(self.flushed))

    def test_stop(self) -> None:
        self.add_many()
        self.pace.wake()
        self.pace.stop()
        self.assertEqual([], self.clock.getDelayedCalls())

"""Overviews: made once for a storm of viewers, as things are, in bounded memory."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.description import Description
from streamd.core.selection import Selection
from streamd.core.update import Draft
from streamd.wire import overview as module
from streamd.wire.overview import Overviews, overview
from tests.support.fakes import Daemonette


class OverviewTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = Daemonette()
        self.state = self.daemon.state
        self.publish(*(f"s{number}" for number in range(1000)))
        self.overviews = Overviews(self.state)
        self.made: list[tuple[int, bool]] = []
        make = self.overviews._make

        def counting(index: int, wanted: int, is_health: bool) -> bytes:
            self.made.append((index, is_health))
            return make(index, wanted, is_health)

        self.overviews._make = counting  # type: ignore[method-assign]

    def publish(self, *names: str) -> None:
        self.daemon.journal.append([Draft(name, b"1") for name in names])

    def told(self, *patterns: str) -> dict[str, Any]:
        bits = self.state.roster.matches(Selection(patterns or None)).bits
        told: dict[str, Any] = json.loads(b"{" + b"".join(self.overviews.parts(bits)))
        return told

    def test_all_that_is_selected(self) -> None:
        for patterns in ((), ("s1*",), ("s1", "s999"), ("unknown",)):
            wanted = [s.name for s in self.state if s.name in Selection(patterns or None)]
            told = self.told(*patterns)
            self.assertEqual([wanted, wanted], [[*told["streams"]], [*told["health"]]])
            whole = b"".join(overview(self.state, Selection(patterns or None)))
            self.assertEqual(told, json.loads(b"{" + whole))

    def test_a_storm_of_viewers_shares_texts(self) -> None:
        for _ in range(100):
            self.told()
            self.told("s*")
        self.assertEqual(8, len(self.made))

    def test_what_changed_is_made_anew(self) -> None:
        self.told()
        now = self.daemon.times.now()
        self.state.describe("s7", Description(title="Seven"), now)
        self.assertEqual("Seven", self.told()["streams"]["s7"]["title"])
        self.publish("new")
        self.assertIn("new", self.told()["health"])

    def test_proofs_are_new_after_a_tick(self) -> None:
        self.told()
        self.daemon.clock.advance(3)
        self.publish("s7")
        self.overviews.renew()
        self.assertEqual(self.daemon.times.now(), self.told()["health"]["s7"]["proof"])

    def test_a_short_overview_is_made_once(self) -> None:
        bits = self.state.roster.matches(Selection(["s1", "s2", "s900"])).bits
        [first], [second] = self.overviews.parts(bits), self.overviews.parts(bits)
        self.assertIs(first, second)

    def test_a_short_overview_has_the_journal_of_its_time(self) -> None:
        bits = self.state.roster.matches(Selection(["s1"])).bits
        for state in ("ok", "away", "ok"):
            told = json.loads(b"{" + b"".join(self.overviews.parts(bits, {"state": state})))
            self.assertEqual({"state": state}, told["journal"])

    def test_a_part_is_made_when_it_is_asked_for(self) -> None:
        parts = self.overviews.parts(-1)
        for _ in range(2):
            next(parts)
        self.assertEqual([(0, False)], self.made)

    def test_a_slow_reader_is_not_told_the_stream_that_gets_a_number(self) -> None:
        parts = self.overviews.parts(self.state.roster.matches(Selection(["s*"])).bits)
        told = next(parts) + next(parts)
        self.state.roster.discard("s600")
        self.publish("other")
        self.assertEqual(600, self.state.roster.numbers["other"])
        told += b"".join(parts)
        self.assertNotIn(b"other", told)
        self.assertIn(b"s999", told)

    def test_what_is_kept_is_bounded(self) -> None:
        self.patch(module, "KEPT_TEXTS", 50)
        for number in range(1000):
            self.told(f"s{number}")
            self.assertLessEqual(len(self.overviews._kept), 50)
        self.patch(module, "KEPT_TEXTS", 10**6)
        self.patch(module, "KEPT_BYTES", 100_000)
        for number in range(10):
            self.told(f"*{number}")
            self.assertLessEqual(sum(map(len, self.overviews._kept.values())), 100_000)

"""Each good entry is an update, and a bad one is a failure until the next good one."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from streamd.core.values import BadValue
from streamd.journals.journal import SourceCursor
from streamd.sources.entries import Entries, Entry
from tests.support.source import SourceTestCase


class EntriesTests(SourceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.feed = self.daemon.feed()
        self.entries = Entries(self.feed)
        self.place: str | None = None

    def add(self, *values: Any, time: float | None = None) -> None:
        before, self.place = self.place, f"after {values[-1]}"
        found = [Entry(f"entry {value}", value, time) for value in values]
        cursor = SourceCursor("shop", before, self.place)
        self.successResultOf(Deferred.fromCoroutine(self.entries.add(found, cursor)))
        self.assertEqual(self.place, self.successResultOf(self.feed.place()))

    def test_each_entry_is_an_update(self) -> None:
        self.add(1, 1, 2, time=1e9)
        self.assertEqual([("shop", 1), ("shop", 1), ("shop", 2)], self.daemon.log)
        self.assertEqual(("fresh", None), self.health("shop"))

    def test_a_bad_entry_stops_no_other(self) -> None:
        self.add(1, {2}, 3)
        self.assertEqual([1, 3], [value for _, value in self.daemon.log])
        self.assertEqual(("fresh", None), self.health("shop"))
        self.assertEqual(1, len(self.lines()))  # yet the log has it

    def test_a_bad_entry_is_a_failure_until_the_next_good_entry(self) -> None:
        wanted = ("failed", "entry bad: too warm")
        self.add(1)
        self.entries_with_a_bad_one()
        self.assertEqual(wanted, self.health("shop"))
        self.entries.unchanged()
        self.assertEqual(wanted, self.health("shop"))
        self.add(2)
        self.assertEqual(("fresh", None), self.health("shop"))
        self.entries.unchanged()
        self.assertEqual(("fresh", None), self.health("shop"))

    def entries_with_a_bad_one(self) -> None:
        before, self.place = self.place, "after bad"
        bad = Entry("entry bad", BadValue("too warm"), None)
        adding = self.entries.add([bad], SourceCursor("shop", before, self.place))
        self.successResultOf(Deferred.fromCoroutine(adding))

    def test_a_bad_time_is_a_bad_entry(self) -> None:
        self.add(1)
        self.add(2, time=-1)
        self.assertEqual("failed", self.health("shop")[0])
        self.assertEqual([("shop", 1)], self.daemon.log)

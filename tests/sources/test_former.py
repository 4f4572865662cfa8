"""Streams of sources that are not configured any more."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.stream import UNREPORTED
from streamd.core.update import LIFE_UNIT, Draft
from streamd.sources.feed import Feed
from streamd.sources.former import TURN, FormerSources
from streamd.sources.records import STREAMS
from tests.support.fakes import Daemonette


class FormerSourcesTests(SynchronousTestCase):
    """`shop` made two streams, `office` one; then the daemon starts again with `office` alone."""

    def setUp(self) -> None:
        self.daemon = Daemonette()
        self.daemon.feed("shop").put({"a": 1, "b": 1})
        self.daemon.feed("office").put({"a": 1})
        self.daemon.journal.append([Draft("shop.by_hand", b"1")])
        self.start()

    def start(self, configured: str = "office") -> None:
        self.daemon.state.sources = type(self.daemon.state.sources)(self.daemon.state)
        self.daemon.restart()
        self.feed: Feed = self.daemon.feed(configured)
        self.former = FormerSources(
            self.daemon.journal, self.daemon.state, self.daemon.times.now, self.daemon._changed
        )
        self.former.start([self.feed], self.daemon.clock)

    def states(self) -> dict[str, tuple[str, str | None]]:
        return {stream.name: self.daemon.health(stream.name) for stream in self.daemon.state}

    def record(self, source: str = "shop") -> Any:
        return self.successResultOf(self.daemon.journal.records(STREAMS)).get(source)

    def listed(self) -> list[str]:
        """The streams in the record of `shop`, without marks."""
        return [name for name in json.loads(self.record()) if not name.startswith("@")]

    def update(self, reports: dict[str, bytes] | None = None) -> bool:
        return self.successResultOf(Deferred.fromCoroutine(self.former.update(reports or {})))

    def test_they_are_late_and_say_why_at_once(self) -> None:
        expected = {
            "shop.a": ("late", UNREPORTED),
            "shop.b": ("late", UNREPORTED),
            "office.a": ("late", None),
            "shop.by_hand": ("late", None),
        }
        self.assertEqual(expected, self.states())
        self.assertGreater(self.daemon.changes, 0)

    def test_streams_are_late_until_they_are_published_or_forgotten(self) -> None:
        self.daemon.journal.append([Draft("shop.a", b"1")])
        self.assertEqual(("fresh", None), self.states()["shop.a"])
        self.daemon.clock.advance(TURN)
        self.assertEqual(["shop.b"], self.listed())
        self.daemon.journal.append([Draft("shop.b", None)])
        self.daemon.clock.advance(TURN)
        self.assertIsNone(self.record())
        self.daemon.journal.append([Draft("shop.b", b"1")])
        self.start()
        self.assertEqual({"late"}, {state for state, _ in self.states().values()})
        self.assertEqual({None}, {why for _, why in self.states().values()})

    def test_after_every_start(self) -> None:
        self.start()
        self.assertEqual(("late", UNREPORTED), self.states()["shop.b"])

    def test_a_value_that_came_before_the_end_of_the_daemon_is_not_marked_again(self) -> None:
        for at_once in (True, False):
            self.daemon.journal.append([Draft("shop.a", b"2")])
            if not at_once:
                self.daemon.clock.advance(TURN)
            self.start()
            self.assertEqual(("late", None), self.states()["shop.a"])
            self.assertEqual(("late", UNREPORTED), self.states()["shop.b"])

    def test_the_mark_of_the_node_that_marked_first_counts(self) -> None:
        now = self.daemon.times.now()
        self.daemon.journal.append([Draft("new", b"1"), Draft("new.by_hand", b"1")])
        head = self.daemon.state.head
        report = b'{"new":[%f,null,false],"new.by_hand":[%f,null,false]}' % (now, now)
        self.update({"new": report})
        marks = [
            f"@{head.ms}-{head.n % LIFE_UNIT - after} {name}"
            for after, name in ((1, "new"), (0, "new.by_hand"))
        ]
        record = json.dumps(["new", "new.by_hand", *marks]).encode()
        self.daemon.journal.put(STREAMS, "new", record, None)
        self.daemon.journal.append([Draft("new.by_hand", b"2")])
        self.assertTrue(self.update())
        self.assertEqual(("late", UNREPORTED), self.states()["new"])
        self.assertEqual(("fresh", None), self.states()["new.by_hand"])
        self.assertFalse(self.update())

    def test_a_source_that_is_configured_again_has_them_back(self) -> None:
        self.start("shop")
        self.successResultOf(self.feed.adopt())
        self.assertEqual(("late", None), self.states()["shop.a"])
        self.assertEqual(("late", UNREPORTED), self.states()["office.a"])
        self.feed.put({"a": 1, "b": 1})
        self.assertEqual(("fresh", None), self.states()["shop.a"])

    def test_while_another_node_still_runs_the_source_its_report_counts(self) -> None:
        now = self.daemon.times.now()
        report = b'{"shop.a":[%f,null,false],"shop.b":[%f,"gone",false]}' % (now, now)
        self.update({"shop": report})
        self.assertEqual(("fresh", None), self.states()["shop.a"])
        self.assertEqual(("failed", "gone"), self.states()["shop.b"])
        self.update()
        self.assertEqual(("late", UNREPORTED), self.states()["shop.a"])

    def test_so_does_that_of_a_source_that_only_another_node_has(self) -> None:
        self.daemon.journal.append([Draft("new", b"1")])
        self.update({"new": b'{"new":[null,"gone",false]}', "office": b"{}"})
        self.assertEqual(("failed", "gone"), self.states()["new"])
        self.update({"office": b"{}"})
        self.assertEqual(("late", UNREPORTED), self.states()["new"])
        self.daemon.journal.append([Draft("new", b"2")])
        self.assertEqual(("fresh", None), self.states()["new"])

    def test_a_failure_that_another_node_reported_ends_with_its_report(self) -> None:
        self.update({"new": b'{"new":[null,"no answer",false]}'})
        self.assertEqual(("failed", "no answer"), self.states()["new"])
        self.update()
        self.assertNotIn("new", self.states())

    def test_a_journal_that_cannot_read_records_is_in_the_log(self) -> None:
        class Broken:
            def records(self, kind: str) -> Deferred[Any]:
                raise OSError("no disk")

        journal: Any = Broken()
        state = self.daemon.state
        former = FormerSources(journal, state, self.daemon.times.now, lambda: None)
        former.start([], self.daemon.clock)
        self.assertEqual(1, len(self.flushLoggedErrors(OSError)))
        former.stop()

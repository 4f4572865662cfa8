"""Other streams and bounds, while the log and its viewers go on."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamd.core import catchup
from streamd.core.cursor import Answer, Cursor
from streamd.core.description import Description, Keep
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.limit import Limit
from streamd.core.reconfiguration import change_bounds, configure_streams, tell_configuration
from streamd.core.selection import ALL_STREAMS
from streamd.core.update import Draft
from streamd.sources.errors import SourceError
from tests.support.fakes import Daemonette

DAY = 86400


class ReconfigurationTests(SynchronousTestCase):
    def begin(self, **streams: Description) -> None:
        self.daemon = Daemonette(streams)
        self.state = self.daemon.state

    def configure(self, streams: Mapping[str, Description]) -> Answer:
        """What a viewer is told that knew everything before."""
        before = Cursor(self.state.head, self.state.revision)
        configure_streams(self.state, streams, self.daemon.times.now())
        return catchup.since(self.state, before, ALL_STREAMS)

    def publish(self, name: str, value: bytes = b"1") -> None:
        self.daemon.journal.append([Draft(name, value)])

    def test_viewers_are_told_what_changed_and_nothing_else(self) -> None:
        self.begin(a=Description(), b=Description(unit="kg"))
        told = self.configure({"a": Description(title="A"), "b": Description(unit="kg")})
        self.assertEqual({"a": {"keep": 100, "title": "A"}}, told.streams)
        told = self.configure({"a": Description(title="A"), "c": Description()})
        self.assertEqual((["b"], {"c": {"keep": 100}}), (told.gone, told.streams))
        told = self.configure(dict(self.state.configured))
        self.assertEqual(([], {}, {}), (told.gone, told.streams, told.health))

    def test_a_value_outlives_its_table(self) -> None:
        self.begin(a=Description(unit="kg", expect=Duration(60)))
        self.publish("a")
        told = self.configure({})
        self.assertEqual({"a": {"keep": 100}}, told.streams)
        self.assertEqual({"a": 1}, self.daemon.values())
        self.daemon.clock.advance(120)
        self.state.judge(self.daemon.times.now(), self.daemon.times.elapsed())
        self.assertEqual(("fresh", None), self.daemon.health("a"))
        self.assertFalse(self.state.streams["a"].configured)

    def test_a_stream_that_was_forgotten_goes_with_its_table_and_comes_back(self) -> None:
        self.begin(a=Description())
        self.publish("a")
        self.daemon.journal.append([Draft("a", None)])
        self.assertEqual(["a"], self.configure({}).gone)
        self.assertIsNone(self.state.get("a"))
        self.assertEqual({"a": {"keep": 100}}, self.configure({"a": Description()}).streams)
        self.publish("a", b"2")
        self.assertEqual({"a": 2}, self.daemon.values())

    def test_a_shorter_history_is_cut(self) -> None:
        self.begin(a=Description(keep=Keep(5)))
        for value in range(5):
            self.publish("a", b"%d" % value)
        self.configure({"a": Description(keep=Keep(2))})
        self.assertEqual([b"3", b"4"], [u.value for u in self.state.streams["a"].history])

    def test_limits_judge_the_value_that_is_there(self) -> None:
        self.begin(a=Description())
        self.publish("a", b"9")
        told = self.configure({"a": Description(critical=Limit("> 5"))})
        self.assertEqual("critical", told.health["a"].level)

    def test_the_expect_of_a_source_stays_that_of_its_streams(self) -> None:
        self.begin()
        feed = self.daemon.feed(every=10.0)
        feed.put({"orders": 1})
        told = self.configure({"shop.orders": Description(unit="kg")})
        self.assertEqual(30.0, told.streams["shop.orders"]["expect"])
        self.daemon.feed(every=20.0)
        told = self.configure(dict(self.state.configured))
        self.assertEqual(60.0, told.streams["shop.orders"]["expect"])

    def test_a_new_stream_fails_with_its_source(self) -> None:
        self.begin()
        self.daemon.feed().failed(Failure(SourceError("no answer")))
        self.assertEqual(("failed", "no answer"), self.daemon.health("shop"))
        self.configure({"shop.orders": Description()})
        self.assertEqual(("failed", "no answer"), self.daemon.health("shop.orders"))
        self.configure({})
        self.assertIsNone(self.state.get("shop.orders"))
        self.assertEqual(("failed", "no answer"), self.daemon.health("shop"))

    def test_a_long_history_continues_if_its_slots_stay(self) -> None:
        self.begin(a=Description(rollup=Duration(8 * DAY), keep=Keep(1)))
        for value in range(4):
            self.publish("a", b"%d" % value)
            self.daemon.clock.advance(60)
        long = self.state.streams["a"].long
        self.configure({"a": Description(rollup=Duration(7 * DAY), keep=Keep(1))})
        self.assertIs(long, self.state.streams["a"].long)
        self.assertEqual([0.0, 1.0, 2.0], self.lows())

    def lows(self) -> list[float]:
        long = self.state.streams["a"].long
        assert long is not None
        now = self.daemon.times.now()
        return [slot.low for slot in long.slots.read(now - DAY, long.slots.began)]

    def test_with_other_slots_it_begins_with_raw_history(self) -> None:
        self.begin(a=Description(rollup=Duration(8 * DAY), keep=Keep(2)))
        for value in range(4):
            self.publish("a", b"%d" % value)
            self.daemon.clock.advance(7200)
        now = self.daemon.times.now()
        stored = self.state.saving.take(now)["a"]
        self.configure({"a": Description(rollup=Duration(400 * DAY), keep=Keep(2))})
        self.assertEqual({2.0}, set(self.lows()))
        changes = self.state.saving.take(now)["a"]
        self.assertLessEqual(stored.keys(), changes.keys())

    def test_without_rollup_its_blocks_are_deleted(self) -> None:
        self.begin(a=Description(rollup=Duration(8 * DAY)))
        self.publish("a")
        now = self.daemon.times.now()
        stored = self.state.saving.take(now)["a"]
        self.configure({"a": Description()})
        self.assertIsNone(self.state.streams["a"].long)
        self.assertEqual(dict.fromkeys(stored), self.state.saving.take(now)["a"])

    def test_bounds_become_smaller_and_greater(self) -> None:
        self.begin()
        for name in "abc":
            self.publish(name)
            self.daemon.journal.append([Draft(name, None)])
        change_bounds(self.state, 1, 2**20)
        self.assertEqual(["c"], list(self.state.kept.tombs))
        self.publish("a")
        with self.assertRaisesRegex(Refused, "at most 1"):
            self.publish("b")
        change_bounds(self.state, 2, 2**20)
        self.publish("b")
        self.assertEqual({"a": 1, "b": 1}, self.daemon.values())

    def test_viewers_are_told_once_of_each_configuration(self) -> None:
        self.begin()
        before = Cursor(self.state.head, self.state.revision)
        tell_configuration(self.state, {"walls": "1"})
        after = Cursor(self.state.head, self.state.revision)
        tell_configuration(self.state, {"walls": "1"})
        told = [catchup.since(self.state, at, ALL_STREAMS).configuration for at in (before, after)]
        self.assertEqual([{"walls": "1"}, None], told)
        self.assertEqual(after.revision, self.state.revision)

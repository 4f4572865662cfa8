"""What all sources share: only what changed, health."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail
from twisted.logger import formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Surroundings
from streamd.core.description import Description
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.limit import Limit
from streamd.core.retention import UPDATE_BYTES
from streamd.core.stream import UNREPORTED
from streamd.core.update import Draft, Update
from streamd.core.values import MAX_VALUE, BadValue
from streamd.journals.journal import Away, Fence, Outrun, SourceCursor
from streamd.journals.memory import MemoryJournal
from streamd.sources.errors import SourceError
from streamd.sources.feed import GONE, Feed
from tests.support.fakes import Daemonette
from tests.support.source import SourceTestCase

AWAY = Refused(503, "away", "the journal is away")


class FeedTests(SourceTestCase):
    def put(self, feed: Feed, *readings: Any) -> None:
        for reading in readings:
            self.successResultOf(feed.put(reading))

    def test_an_object_becomes_a_stream_a_member(self) -> None:
        self.put(self.daemon.feed("shop"), {"orders": 7, "revenue": 1.5})
        self.assertEqual({"shop.orders": 7, "shop.revenue": 1.5}, self.daemon.values())

    def test_anything_else_is_the_stream_of_the_source(self) -> None:
        self.put(self.daemon.feed("shop"), [1, {"a": 2}])
        self.assertEqual({"shop": [1, {"a": 2}]}, self.daemon.values())

    def test_whole(self) -> None:
        self.put(self.daemon.feed("shop", whole=True), {"orders": 7})
        self.assertEqual({"shop": {"orders": 7}}, self.daemon.values())

    def test_a_source_without_streams_misses_nothing(self) -> None:
        feed = self.daemon.feed("shop")
        feed.proved()
        feed.missed(self.daemon.times.now() - 60)
        self.assertEqual(None, self.daemon.state.get("shop"))

    def test_only_what_changed(self) -> None:
        self.put(self.daemon.feed(), {"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2})
        self.assertEqual([("shop.a", 1), ("shop.b", 1), ("shop.b", 2)], self.daemon.log)

    def test_equal_is_what_json_calls_equal(self) -> None:
        self.put(self.daemon.feed(), (1, 2), [1, 2], None, None, 1, 1.0, "1")
        self.assertEqual([[1, 2], None, 1, 1.0, "1"], [value for _, value in self.daemon.log])

    def test_repeat(self) -> None:
        self.put(self.daemon.feed(repeat=True), 1, 1, 1)
        self.assertEqual([("shop", 1)] * 3, self.daemon.log)

    def test_a_time_that_cannot_be(self) -> None:
        feed = self.daemon.feed()
        self.put(feed, 1)
        for time in (float("nan"), float("inf"), -1, 1e300):
            feed.put(2, time)
            self.assertEqual("failed", self.health("shop")[0])
            self.assertRaises(Refused, feed.add, [(2, time)])
        self.put(feed, 2)
        self.assertEqual([("shop", 1), ("shop", 2)], self.daemon.log)

    def test_the_time_when_it_was_true(self) -> None:
        self.daemon.feed().put(1, time=5.5)
        self.assertEqual([5.5], [update.time for update in self.state.serialize()])

    def test_a_reading_that_found_nothing_new_is_a_proof(self) -> None:
        feed = self.daemon.feed(every=5)
        self.put(feed, 1)
        for _ in range(10):
            self.daemon.clock.advance(10)
            self.daemon.judge()
            self.put(feed, 1)
        self.assertEqual(("fresh", None), self.health("shop"))
        self.daemon.clock.advance(16)
        self.daemon.judge()
        self.assertEqual(("late", None), self.health("shop"))

    def test_descriptions(self) -> None:
        self.make({"shop.a": Description(title="A", expect=Duration(60)), "shop.b": Description()})
        feed = self.daemon.feed(expect=Duration(7), every=5)
        self.put(feed, {"a": 1, "b": 1, "c": 1})
        told = [(s.description.title, s.description.expect, s.configured) for s in self.state]
        self.assertEqual([("A", 60, True), (None, 7, True), (None, 7, False)], told)

    def test_without_a_promise_nothing_is_late(self) -> None:
        self.put(self.daemon.feed(), 1)
        stream = self.state.get("shop")
        assert stream is not None
        self.assertEqual(None, stream.description.expect)

    # -- failure and recovery ----------------------------------------------------------------------

    def broken(self, feed: Feed, *messages: str) -> None:
        for message in messages:
            feed.failed(Failure(SourceError(message, "detail")))

    def test_a_failure_is_the_health_of_all_its_streams(self) -> None:
        feed, other = self.daemon.feed(), self.daemon.feed("other")
        self.put(feed, {"a": 1, "b": 2})
        self.put(other, 3)
        changes = self.daemon.changes
        self.broken(feed, "away")
        self.assertEqual([("failed", "away")] * 2, [self.health("shop.a"), self.health("shop.b")])
        self.assertEqual(("fresh", None), self.health("other"))
        self.assertGreater(self.daemon.changes, changes)
        self.assertEqual({"shop.a": 1, "shop.b": 2, "other": 3}, self.daemon.values())
        self.put(feed, {"a": 1, "b": 2})
        self.assertEqual([("fresh", None)] * 2, [self.health("shop.a"), self.health("shop.b")])

    def test_one_line_for_each_distinct_failure_and_one_when_it_is_back(self) -> None:
        feed = self.daemon.feed()
        self.broken(feed, "away", "away", "away", "no table", "no table")
        wanted = ["sources.shop: away detail", "sources.shop: no table detail"]
        self.assertEqual(wanted, self.lines())
        self.put(feed, 1, 1)
        backs = [e for e in self.events if formatEvent(e) == "source shop is back"]
        self.assertEqual(1, len(backs))
        self.broken(feed, "no table")
        self.assertEqual(3, len(self.lines()))

    def test_a_failure_without_a_detail_is_a_line_that_ends_with_its_text(self) -> None:
        self.daemon.feed().failed(Failure(SourceError("away")))
        self.assertEqual(["sources.shop: away"], self.lines())

    def test_a_failure_always_has_a_text(self) -> None:
        for message in (None, 5, "", "  ", ["no"], ValueError("no")):
            self.make()
            error: Any = message
            self.daemon.feed().failed(Failure(SourceError(error)))
            state, text = self.health("shop")
            self.assertEqual("failed", state)
            self.assertIsInstance(text, str)
            self.assertTrue(text and text.strip(), message)

    def test_an_unexpected_failure_tells_the_wall_no_details(self) -> None:
        feed = self.daemon.feed()
        for _ in range(3):
            feed.failed(Failure(ZeroDivisionError("password=s3cret")))
        state, error = self.health("shop")
        self.assertEqual("failed", state)
        self.assertEqual("the source failed (ZeroDivisionError), see the log", error)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_failed_before_it_ever_had_a_stream(self) -> None:
        feed = self.daemon.feed(every=5)
        self.broken(feed, "away")
        self.assertEqual(["shop"], self.names())
        self.assertEqual(("failed", "away"), self.health("shop"))
        self.assertEqual([], self.daemon.log)
        self.put(feed, {"a": 1})
        self.assertEqual(["shop.a"], self.names())

    def test_a_stream_that_somebody_forgot_and_published_is_described_again(self) -> None:
        feed = self.daemon.feed(every=5)
        self.put(feed, {"a": 1})
        self.daemon.journal.append([Draft("shop.a", None)])
        self.daemon.journal.append([Draft("shop.a", b"2")])
        self.put(feed, {"a": 3})
        stream = self.state.get("shop.a")
        assert stream is not None
        self.assertEqual(15, stream.description.expect)

    def test_what_is_configured_under_its_name_fails_with_it(self) -> None:
        self.make(dict.fromkeys(("shop.a", "shop.b", "shopping", "door"), Description()))
        feed = self.daemon.feed()
        self.broken(feed, "away")
        self.assertEqual([("failed", "away")] * 2, [self.health("shop.a"), self.health("shop.b")])
        self.assertEqual([("fresh", None)] * 2, [self.health("shopping"), self.health("door")])
        self.put(feed, {"a": 1})
        self.assertEqual([("fresh", None)] * 2, [self.health("shop.a"), self.health("shop.b")])

    def test_what_failed_in_place_of_its_streams_and_somebody_published(self) -> None:
        self.make({"shop.b": Description()})
        feed = self.daemon.feed()
        self.broken(feed, "away")
        self.daemon.journal.append([Draft("shop", b"1"), Draft("shop.b", b"1")])
        self.assertEqual([("failed", "away")] * 2, [self.health("shop"), self.health("shop.b")])
        self.put(feed, {"a": 1})
        self.assertEqual([("fresh", None)] * 2, [self.health("shop"), self.health("shop.b")])
        self.assertEqual({"shop": 1, "shop.a": 1, "shop.b": 1}, self.daemon.values())

    def test_a_configured_stream_fails_with_the_source_of_the_longest_name(self) -> None:
        self.make(dict.fromkeys(("shop.north", "shop.north.orders", "shop.south"), Description()))
        shop, north = self.daemon.feed("shop"), self.daemon.feed("shop.north")
        self.broken(shop, "away")
        states = {stream.name: stream.health.state for stream in self.state}
        fresh = dict.fromkeys(("shop.north", "shop.north.orders"), "fresh")
        self.assertEqual({"shop": "failed", "shop.south": "failed"} | fresh, states)
        self.broken(north, "no table")
        self.put(shop, {"total": 1})
        self.assertEqual(("failed", "no table"), self.health("shop.north"))
        self.assertEqual(("failed", "no table"), self.health("shop.north.orders"))
        self.assertEqual(("fresh", None), self.health("shop.south"))

    def test_the_entry_of_a_source_is_no_stream(self) -> None:
        self.make(max_streams=1)
        feed = self.daemon.feed("shop")
        self.broken(feed, "away")
        self.assertEqual((["shop"], 0), (self.names(), len(self.state)))
        self.daemon.journal.append([Draft("shop", None)])
        self.assertEqual(("failed", "away"), self.health("shop"))
        self.put(feed, {"a": 1})
        self.assertEqual((["shop.a"], 1), (self.names(), len(self.state)))

    def test_failed_before_its_only_stream_had_a_value(self) -> None:
        self.make({"shop": Description(title="S")})
        feed = self.daemon.feed()
        self.broken(feed, "away")
        self.put(feed, 1)
        stream = self.state.get("shop")
        assert stream is not None
        self.assertEqual(("S", True), (stream.description.title, stream.configured))
        self.assertEqual(("fresh", None), self.health("shop"))

    def test_a_configured_stream_of_that_name_is_not_taken_away(self) -> None:
        self.make({"shop": Description(title="S")})
        feed = self.daemon.feed()
        self.broken(feed, "away")
        self.put(feed, {"a": 1})
        self.assertEqual(["shop", "shop.a"], self.names())

    def test_failed_forgotten_and_back(self) -> None:
        feed = self.daemon.feed(every=5)
        self.broken(feed, "away")
        self.daemon.journal.append([Draft("shop", None)])
        self.broken(feed, "away")
        self.assertEqual(("failed", "away"), self.health("shop"))
        self.put(feed, {"a": 1})
        self.assertEqual(["shop.a"], self.names())

    def test_a_stream_that_was_forgotten_comes_back_as_it_was_described(self) -> None:
        feed = self.daemon.feed(every=5)
        self.put(feed, {"a": 1, "b": 1})
        self.daemon.journal.append([Draft("shop.a", None)])
        self.broken(feed, "away")
        self.assertEqual(["shop.b"], self.names())
        self.put(feed, {"a": 1, "b": 1})
        stream = self.state.get("shop.a")
        assert stream is not None
        self.assertEqual(15, stream.description.expect)
        self.assertEqual({"shop.a": 1, "shop.b": 1}, self.daemon.values())

    def test_members_that_come_and_go_leave_nothing(self) -> None:
        feed = self.daemon.feed()
        for number in range(100):
            self.put(feed, {f"n{number}": 1})
            self.daemon.journal.append([Draft(f"shop.n{number}", None)])
        self.assertLess(len(feed.streams), 3)
        self.broken(feed, "away")
        self.assertEqual(["shop"], self.names())

    # -- values that the journal does not take -----------------------------------------------------

    def lose(self, feed: Feed, *readings: Any) -> None:
        """Put readings while the journal is away."""
        append = self.daemon.journal.append
        self.patch(self.daemon.journal, "append", lambda drafts, **options: fail(AWAY))
        self.put(feed, *readings)
        self.patch(self.daemon.journal, "append", append)

    def test_an_answer_is_as_old_as_its_question(self) -> None:
        feed = self.daemon.feed(expect=Duration(3))
        for seconds, state in (0.9, "fresh"), (2.9, "fresh"), (4, "late"), (0.1, "fresh"):
            feed.asks()
            self.daemon.clock.advance(seconds)
            self.put(feed, seconds)
            self.assertEqual((state, None), self.health("shop"), seconds)
            feed.proved()
            self.assertEqual((state, None), self.health("shop"), seconds)

    def test_a_value_that_was_lost_is_missed(self) -> None:
        feed = self.daemon.feed()
        self.put(feed, 1)
        feed.proved()
        self.lose(feed, 2)
        self.assertEqual(("failed", "the journal is away"), self.health("shop"))
        for _ in range(2):
            feed.proved()
            state, why = self.health("shop")
            self.assertEqual("late", state)
            self.assertIn("messages may be missing since", why or "")
        self.put(feed, 3)
        self.assertEqual(("fresh", None), self.health("shop"))
        feed.proved()
        self.assertEqual(("fresh", None), self.health("shop"))

    def test_a_value_that_came_again_was_not_lost(self) -> None:
        feed = self.daemon.feed()
        self.put(feed, {"a": 1, "b": 1})
        self.lose(feed, {"a": 2, "b": 2})
        self.put(feed, {"a": 2, "b": 2})
        feed.proved()
        self.assertEqual([("fresh", None)] * 2, [self.health("shop.a"), self.health("shop.b")])

    def test_a_reading_without_news_loses_nothing(self) -> None:
        feed = self.daemon.feed()
        self.put(feed, 1)
        self.lose(feed, 1)
        feed.proved()
        self.assertEqual(("fresh", None), self.health("shop"))

    # -- members that are wrong --------------------------------------------------------------------

    def test_a_bad_member_fails_alone(self) -> None:
        feed = self.daemon.feed()
        self.put(feed, {"a": 1, "b": 1, "c": 1})
        self.put(feed, {"a": 2, "b": float("nan"), "c": 2})
        self.assertEqual({"shop.a": 2, "shop.b": 1, "shop.c": 2}, self.daemon.values())
        self.assertEqual([("fresh", None)] * 2, [self.health("shop.a"), self.health("shop.c")])
        state, error = self.health("shop.b")
        self.assertEqual("failed", state)
        self.assertIn("cannot be JSON", error or "")
        self.put(feed, {"a": 2, "b": 1, "c": 2})
        self.assertEqual(("fresh", None), self.health("shop.b"))

    def test_a_member_that_never_was_a_stream_fails_as_the_source(self) -> None:
        for reading in ({"a": 1, "b c": 2}, {"b c": 2, "a": 1}):  # in any order
            self.make()
            feed = self.daemon.feed()
            self.put(feed, reading, reading)
            self.assertEqual({"shop.a": 1}, self.daemon.values())
            self.assertEqual(("fresh", None), self.health("shop.a"))
            state, error = self.health("shop")
            self.assertEqual("failed", state)
            self.assertIn("is not a name", error or "")
            self.put(feed, {"a": 1})
            self.assertEqual(["shop.a"], self.names())

    def test_several_bad_members_are_one_line(self) -> None:
        feed = self.daemon.feed()
        self.put(feed, *[{"a": {1}, "b": b"", "c": 1, "d e": 1}] * 10)
        [line] = self.lines()
        for word in ("shop.a", "shop.b", "shop.d e"):
            self.assertIn(word, line)

    def test_bad_members_make_no_long_line(self) -> None:
        self.put(self.daemon.feed(), {f"n {number}": 1 for number in range(1000)})
        self.assertLess(len(*self.lines()), 700)

    @given(
        st.dictionaries(
            st.one_of(st.text(max_size=3), st.integers()), st.sampled_from([1, {2}, b""])
        )
    )
    def test_any_object_can_be_put(self, reading: Any) -> None:
        daemon = Daemonette()
        daemon.feed().put(reading)
        for name, value in daemon.values().items():
            self.assertEqual(1, value, name)

    def test_a_value_that_is_too_large(self) -> None:
        feed = self.daemon.feed()
        self.put(feed, {"a": "x" * MAX_VALUE, "b": 1})
        self.assertEqual({"shop.b": 1}, self.daemon.values())
        self.assertIn("64 KiB", self.health("shop")[1] or "")

    def test_too_many_streams(self) -> None:
        self.make(max_streams=2)
        feed = self.daemon.feed()
        self.put(feed, {"a": 1, "b": 1, "c": 1})
        self.assertEqual({"shop.a": 1, "shop.b": 1}, self.daemon.values())
        self.assertIn("max_streams", self.health("shop")[1] or "")

    def test_a_state_that_is_full(self) -> None:
        self.make(max_state=2 * (UPDATE_BYTES + 10))
        feed = self.daemon.feed()
        self.put(feed, {"a": 1, "b": 1}, {"a": 2, "b": "x" * 100})
        self.assertEqual({"shop.a": 1, "shop.b": 1}, self.daemon.values())
        self.assertEqual("failed", self.health("shop.a")[0])
        self.assertIn("max_state", self.health("shop.b")[1] or "")
        self.put(feed, {"a": 3, "b": 1})
        self.assertEqual({"shop.a": 3, "shop.b": 1}, self.daemon.values())
        self.assertEqual(("fresh", None), self.health("shop.b"))

    def test_a_journal_that_is_away(self) -> None:
        feed = self.daemon.feed()
        self.put(feed, 1)
        self.patch(self.daemon.journal, "append", lambda drafts, **options: fail(AWAY))
        self.put(feed, 2, 3)
        self.assertEqual(("failed", "the journal is away"), self.health("shop"))
        self.assertEqual(1, len(self.lines()))
        self.assertEqual({"shop": 1}, self.daemon.values())

    def test_an_outrun_source_publishes_nothing_more(self) -> None:
        told: list[str] = []
        feed = self.daemon.feed()
        feed.fence, feed.outrun = Fence("source:shop", 1), lambda: told.append("outrun")
        outrun = Outrun("somebody else went on")
        self.patch(self.daemon.journal, "append", lambda drafts, **options: fail(outrun))
        self.put(feed, 1)
        self.failureResultOf(feed.add([(2, None)]), Outrun)
        self.assertEqual(({}, ["outrun"]), (self.daemon.values(), told))
        self.assertEqual([], self.lines())

    def test_a_reading_enters_the_state_twice(self) -> None:
        """To be prepared, and to prove its streams; its room is reserved and given back.

        That its updates are applied is the journal's way.
        """
        feed = self.daemon.feed()
        self.put(feed, {"a": 1, "b": 1, "c": 1})
        calls = self.count_calls()
        self.put(feed, {"a": 2, "b": 2, "c": 1})
        self.assertEqual(["prepare", "reserve", "release", "prove"], calls)
        calls.clear()
        self.broken(feed, "away")
        self.assertEqual(["fail"], calls)

    def count_calls(self) -> list[str]:
        """Note each call from outside of the state, its sources and its room, except the journal's."""
        calls: list[str] = []
        inside = [False]

        def noting(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
            def call(*given: Any, **named: Any) -> Any:
                if not inside[0] and name != "apply":
                    calls.append(name)
                before, inside[0] = inside[0], True
                try:
                    return method(*given, **named)
                finally:
                    inside[0] = before

            return call

        for part in (self.state, self.state.sources, self.state.room):
            for name in dir(type(part)):
                method = getattr(type(part), name)
                if callable(method) and not name.startswith("__"):
                    self.patch(part, name, noting(name, getattr(part, name)))
        return calls

    def test_levels_come_from_the_configuration(self) -> None:
        self.make({"shop": Description(warn=Limit("> 5"))})
        self.put(self.daemon.feed(), 6)
        stream = self.state.get("shop")
        assert stream is not None
        self.assertEqual("warn", stream.health.level)

    def add_events(self, feed: Feed, *readings: Any) -> bool:
        """Publish readings as events, and store their number as the place."""
        before = self.successResultOf(feed.place())
        cursor = SourceCursor("shop", before, str(int(before or 0) + len(readings)))
        adding = feed.add_readings([(reading, None) for reading in readings], cursor)
        return self.successResultOf(Deferred.fromCoroutine(adding))

    def test_events_are_updates_of_their_streams(self) -> None:
        feed = self.daemon.feed("shop")
        self.assertTrue(self.add_events(feed, {"a": 1, "b": 2}, {"a": 1}, 7, 7))
        expected = [("shop.a", 1), ("shop.b", 2), ("shop.a", 1), ("shop", 7), ("shop", 7)]
        self.assertEqual(expected, self.daemon.log)
        self.assertEqual("4", self.successResultOf(feed.place()))

    def test_an_event_that_is_no_value_fails_its_stream_alone(self) -> None:
        feed = self.daemon.feed("shop")
        self.assertTrue(self.add_events(feed, {"a": 1, "b": 1}, {"b": {2}}, {"b": 3}))
        self.assertFalse(self.add_events(feed, {"a": 2}, {"b": BadValue("too warm")}))
        for _ in range(2):
            self.assertEqual(("fresh", None), self.health("shop.a"))
            self.assertEqual(("failed", "too warm"), self.health("shop.b"))
            feed.proved()
            feed.resumed()
        self.assertTrue(self.add_events(feed, {"b": 3}))
        self.assertEqual(("fresh", None), self.health("shop.b"))

    def test_events_that_forget_streams(self) -> None:
        feed = self.daemon.feed("shop")
        self.put(feed, {"a.x": 1, "a.y": 1, "b": 1, "c": 1})
        parts: list[dict[str, Any]] = [
            {"a": GONE},
            {"a": GONE},
            {"a.y": 2, "": 3},
            {"b": 2},
            {"b": GONE},
            {"d": 1},
            {"d": GONE},
        ]
        adding = feed.add_parts([(part, None) for part in parts], SourceCursor("shop", None, "7"))
        self.assertTrue(self.successResultOf(Deferred.fromCoroutine(adding)))
        self.assertEqual({"shop.a.y": 2, "shop": 3, "shop.c": 1}, self.daemon.values())
        self.assertEqual(("fresh", None), self.health("shop.a.y"))
        self.assertEqual({"", "a.y", "c"}, feed.ends)

    def test_a_part_of_a_reading(self) -> None:
        feed = self.daemon.feed("shop")
        self.assertTrue(self.successResultOf(feed.put_some({"": 1, "a": 2, "a.b": 3})))
        self.assertTrue(self.successResultOf(feed.put_some({"a.b": 4}, ["a"])))
        self.assertEqual({"shop": 1, "shop.a.b": 4}, self.daemon.values())
        self.daemon.journal._queue.refuse(Away("the journal is away"))
        self.assertFalse(self.successResultOf(feed.put_some({"": 2})))

    def test_events_without_room_leave_room_for_others(self) -> None:
        self.make(max_streams=2)
        feed = self.daemon.feed("shop")
        self.assertFalse(self.add_events(feed, {"a": 1, "b": 1, "c": 1}))
        self.assertEqual([("shop.a", 1), ("shop.b", 1)], self.daemon.log)

    def test_events_that_are_not_stored_do_not_move_the_place(self) -> None:
        feed = self.daemon.feed("shop")
        self.add_events(feed, {"a": 1})
        self.daemon.journal._queue.refuse(Away("the journal is away"))
        adding = feed.add_readings([({"a": 2}, None)], SourceCursor("shop", "1", "2"))
        failure = self.failureResultOf(Deferred.fromCoroutine(adding), Refused)
        self.assertEqual("the journal is away", failure.value.message)
        self.daemon.journal._queue.admit()
        self.assertEqual("1", self.successResultOf(feed.place()))


class UnderWayTests(SourceTestCase):
    """What a source says while a value of it is being committed is the newer truth."""

    def setUp(self) -> None:
        self.steps: list[Deferred[None]] = []  # what the journal has begun to store
        self.seen: list[dict[str, str]] = []  # the health of all, whenever viewers are told
        self.patch(MemoryJournal, "_store", lambda journal, batch: self.store())
        super().setUp()
        for told in ("committed", "_changed"):
            self.patch(self.daemon, told, self.looking(getattr(self.daemon, told)))

    def store(self) -> Deferred[None]:
        self.steps.append(Deferred())
        return self.steps[-1]

    def looking(self, told: Callable[..., None]) -> Callable[..., None]:
        def tell(*what: Any) -> None:
            told(*what)
            self.seen.append({stream.name: stream.health.state for stream in self.state})

        return tell

    def commit(self) -> None:
        while self.steps:
            self.steps.pop(0).callback(None)

    def feed(self, reading: Any) -> Feed:
        """One that has said this."""
        feed = self.daemon.feed()
        feed.put(reading)
        self.commit()
        self.seen.clear()
        return feed

    def states(self, stream: str) -> set[str]:
        return {states[stream] for states in self.seen}

    def test_a_member_that_is_wrong(self) -> None:
        feed = self.feed({"a": 1, "b": 1})
        feed.put({"a": 2, "b": 2})
        feed.put({"a": 3, "b": float("nan")})
        self.commit()
        self.assertEqual([{"shop.a": 3, "shop.b": 2}], [self.daemon.values()])
        self.assertEqual(({"fresh"}, {"failed"}), (self.states("shop.a"), self.states("shop.b")))
        feed.put({"a": 3, "b": 3})
        self.assertEqual("failed", self.health("shop.b")[0])
        self.commit()
        self.assertEqual(("fresh", None), self.health("shop.b"))

    def test_a_member_that_never_was_a_stream(self) -> None:
        feed = self.feed({"a": 1})
        feed.put({"a": 2})
        feed.put({"a": 2, "b c": 1})
        self.commit()
        self.assertEqual({"failed"}, self.states("shop"))
        self.assertEqual({"fresh"}, self.states("shop.a"))

    def test_a_failure(self) -> None:
        feed = self.feed({"a": 1, "b": 1})
        feed.put({"a": 2})
        feed.failed(Failure(SourceError("no answer")))
        self.commit()
        self.assertEqual({"shop.a": 2, "shop.b": 1}, self.daemon.values())
        self.assertEqual(({"failed"}, {"failed"}), (self.states("shop.a"), self.states("shop.b")))
        feed.put({"a": 2})
        self.assertEqual(("fresh", None), self.health("shop.a"))
        self.assertEqual(("failed", "no answer"), self.health("shop.b"))

    def test_readings_that_wait_take_room(self) -> None:
        self.make(max_state=2 * UPDATE_BYTES + 150)
        for name in ("one", "two"):
            self.daemon.feed(name).put(name * 33)
        self.commit()
        self.assertEqual({"one": "one" * 33}, self.daemon.values())
        self.assertIn("max_state", self.health("two")[1] or "")
        self.daemon.feed("two").put("small")
        self.commit()
        self.assertEqual(("fresh", None), self.health("two"))

    def test_a_failure_after_what_happened(self) -> None:
        feed = self.feed(1)
        added = feed.add([(2, None)])
        feed.failed(Failure(SourceError("no answer")))
        self.commit()
        self.assertEqual(None, self.successResultOf(added))
        self.assertEqual(({"shop": 2}, {"failed"}), (self.daemon.values(), self.states("shop")))
        self.assertEqual([], [e for e in self.events if formatEvent(e) == "source shop is back"])

    def test_nothing_new_confirms_what_is_under_way_and_not_what_was(self) -> None:
        for again in (lambda feed: feed.put(2), lambda feed: feed.proved()):
            self.make()
            feed = self.feed(1)
            [shop] = self.state
            proof = shop.proof
            self.daemon.clock.advance(5)
            feed.put(2)
            again(feed)
            self.assertEqual(proof, shop.proof)
            self.commit()
            self.assertEqual(self.daemon.times.now(), shop.proof)
            self.assertEqual([("shop", 1), ("shop", 2)], self.daemon.log)

    def test_nothing_new_waits_for_events_that_are_under_way(self) -> None:
        for again in (Feed.proved, Feed.resumed):
            self.make()
            feed = self.feed(1)
            [shop] = self.state
            proof = shop.proof
            self.daemon.clock.advance(5)
            adding = Deferred.fromCoroutine(feed.add_readings([(2, None)]))
            again(feed)
            self.assertEqual(proof, shop.proof)
            self.commit()
            self.assertEqual(self.daemon.times.now(), shop.proof)
            self.assertTrue(self.successResultOf(adding))

    def test_what_is_gone_in_one_reading_and_back_in_the_next(self) -> None:
        feed = self.feed({"a": 1, "b": 1})
        for parts in ({"b": 1}, {"a": 1, "b": 1}):
            feed.put_all(parts)
        self.commit()
        self.assertEqual({"shop.a": 1, "shop.b": 1}, self.daemon.values())
        feed.failed(Failure(SourceError("no answer")))
        self.assertEqual({"shop.a": "failed", "shop.b": "failed"}, self.seen[-1])

    def test_what_was_refused_and_is_committed_after_all(self) -> None:
        """As a disk does that hung, or Redis when its answer got lost."""
        feed = self.feed(1)
        appended: Deferred[Any] = Deferred()
        self.patch(self.daemon.journal, "append", lambda drafts, **options: appended)
        feed.put(2)
        appended.errback(AWAY)
        at = self.state.head.next(0, self.daemon.journal.life)
        self.daemon.committed([Update("shop", 2, at, self.daemon.times.now(), b"2")])
        self.assertEqual(({"shop": 2}, {"failed"}), (self.daemon.values(), self.states("shop")))
        feed.put(2)
        self.assertEqual(("fresh", None), self.health("shop"))


class RestartTests(SourceTestCase):
    """A source whose streams are there already, from the run before."""

    def restart(self, *readings: Any, **settings: Any) -> Feed:
        """Another run of the daemon, after one in which this was read."""
        feed = self.daemon.feed(**settings)
        for reading in readings:
            feed.put(reading)
        self.daemon.journal.append([Draft("shop.by_hand", b"1")])
        self.daemon.clock.advance(100)
        self.daemon.restart()
        self.daemon.log.clear()
        again = self.daemon.feed(**settings)
        self.assertEqual(None, self.successResultOf(again.adopt()))
        return again

    def states(self) -> dict[str, str]:
        return {s.name: s.current_health().state for s in self.state}

    def test_what_is_the_same_is_proved_and_not_repeated(self) -> None:
        feed = self.restart({"a": 1, "b": 1}, {"a": 1, "b": 1, "c": 1})
        self.assertEqual({"late"}, set(self.states().values()))
        feed.put({"a": 1, "b": 2})
        self.assertEqual([("shop.b", 2)], self.daemon.log)
        expected = {"shop.a": "fresh", "shop.b": "fresh", "shop.c": "late", "shop.by_hand": "late"}
        self.assertEqual(expected, self.states())

    def test_one_that_finds_nothing_new_proves_only_what_it_has_said_itself(self) -> None:
        feed = self.restart({"a": 1, "b": 1}, every=5.0)
        feed.put({"a": 1})
        for _ in range(2):
            feed.proved()
            self.assertEqual(("fresh", None), self.health("shop.a"))
            self.assertEqual(("late", UNREPORTED), self.health("shop.b"))
            self.assertEqual(("late", None), self.health("shop.by_hand"))
        stream = self.state.get("shop.a")
        assert stream is not None
        self.assertEqual(15, stream.description.expect)

    def test_one_with_a_cursor_proves_what_it_said_before(self) -> None:
        feed = self.restart(1, {"a": 1})
        feed.add([(2, None)], SourceCursor("shop", None, "2"))
        again = self.restart()
        self.assertEqual("2", self.successResultOf(again.place()))
        again.proved()
        self.assertEqual(("fresh", None), self.health("shop"))
        self.assertEqual(("late", UNREPORTED), self.health("shop.a"))

    def test_one_that_reads_on_from_its_place_proves_all_that_it_said(self) -> None:
        again = self.restart({"a": 1, "b": 1})
        again.resumed()
        again.put({"a": 2})
        self.assertEqual(("fresh", None), self.health("shop.a"))
        self.assertEqual(("fresh", None), self.health("shop.b"))

    def test_one_of_another_kind_does_not_make_what_the_former_made(self) -> None:
        self.daemon.feed(kind="sql").put({"a": 1, "b": 1})
        for kind, why in (("sql", None), ("redis", UNREPORTED)):
            self.daemon.restart()
            again = self.daemon.feed(kind=kind)
            again.adopt()
            self.assertEqual(("late", why), self.health("shop.a"))
            again.missed(None)
            self.assertTrue(str(self.health("shop.a")[1]).startswith(why or "messages may be"))
        again.put({"a": 1})
        self.assertEqual(("fresh", None), self.health("shop.a"))
        self.assertEqual(("late", UNREPORTED), self.health("shop.b"))

    def test_what_clients_publish_since_a_run_lacks_it_is_theirs_in_the_next_run(self) -> None:
        feed = self.restart({"a": 1, "b": 1, "c": 1}, every=5.0)
        feed.put({"a": 1})
        self.daemon.journal.append([Draft("shop.b", b"1")])
        feed.put({"a": 1})
        stream = self.state.get("shop.b")
        assert stream is not None
        self.assertIsNone(stream.description.expect)
        self.assertEqual(("fresh", None), self.health("shop.b"))
        for _ in range(2):
            feed = self.restart()
            feed.put({"a": 1})
            self.assertEqual(("late", None), self.health("shop.b"))
            self.assertEqual(("late", UNREPORTED), self.health("shop.c"))
        feed.put({"a": 1, "c": 1})
        self.assertEqual(("fresh", None), self.health("shop.c"))
        self.restart().put({"c": 2})
        self.assertEqual(("late", UNREPORTED), self.health("shop.a"))

    def test_one_that_fails_at_once_says_so_of_what_is_its_own(self) -> None:
        self.restart({"a": 1}).failed(Failure(SourceError("no answer")))
        self.assertEqual({"shop.a": "failed", "shop.by_hand": "late"}, self.states())

    def test_a_failure_of_the_run_before_in_place_of_a_stream_is_over(self) -> None:
        self.daemon.feed().put({"a": 1, "b": b"png"})
        self.assertEqual({"shop.a": "fresh", "shop": "failed"}, self.states())
        again = self.daemon.feed()
        again.adopt()
        again.put({"a": 1})
        self.assertEqual({"shop.a": "fresh"}, self.states())

    def test_a_failure_of_the_run_before_of_streams_without_a_value_is_over(self) -> None:
        self.make({"shop.a": Description()})
        former = self.daemon.feed()
        former.failed(Failure(SourceError("no answer")))
        self.assertEqual(("failed", "no answer"), self.health("shop.a"))
        again = self.daemon.feed()
        again.adopt()
        self.assertEqual(("failed", "no answer"), self.health("shop.a"))
        again.put({"b": 1})
        self.assertEqual(("fresh", None), self.health("shop.a"))

    def test_a_failure_of_another_source_stays(self) -> None:
        self.make({"shop.north.orders": Description()})
        shop, north = self.daemon.feed("shop"), self.daemon.feed("shop.north")
        shop.adopt()
        north.failed(Failure(SourceError("no answer")))
        shop.put({"total": 1})
        self.assertEqual(("failed", "no answer"), self.health("shop.north.orders"))

    def test_what_is_gone_meanwhile_is_forgotten(self) -> None:
        feed = self.restart()
        feed.put_all({"a": 1, "b": 1})
        self.daemon.restart()
        again = self.daemon.feed()
        again.adopt()
        again.put_all({"b": 1})
        self.assertEqual({"shop.b": 1, "shop.by_hand": 1}, self.daemon.values())

    def test_what_was_forgotten_is_not_taken_over(self) -> None:
        feed = self.daemon.feed()
        feed.put({"a": 1, "b": 1})
        self.daemon.journal.append([Draft("shop.a", None)])
        self.daemon.restart()
        again = self.daemon.feed()
        again.adopt()
        again.failed(Failure(SourceError("no answer")))
        self.assertEqual({"shop.b": "failed"}, self.states())

    def test_which_are_its_own_is_written_when_that_changes(self) -> None:
        written: list[str] = []
        put = self.daemon.journal.put

        def note(kind: str, name: str, record: bytes, seconds: float | None) -> Any:
            written.append(record.decode())
            return put(kind, name, record, seconds)

        self.patch(self.daemon.journal, "put", note)
        feed = self.restart({"a": 1}, {"a": 2}, {"a": 3, "b": 1})
        feed.put({"a": 4, "b": 1})
        self.assertEqual(['["shop.a"]', '["shop.a","shop.b"]'], written)


class SurroundingsTests(SynchronousTestCase):
    def test_secrets(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        base = Path(folder.name)
        (base / "token").write_text("s3cret\n")
        surroundings = Surroundings(None, base)
        self.assertEqual("s3cret", surroundings.reveal("a.b", Secret(file="token")))
        with self.assertRaises(ConfigError) as caught:
            surroundings.reveal("a.b", Secret(env="NO_SUCH_VARIABLE"))
        [problem] = caught.exception.problems
        self.assertTrue(problem.startswith("a.b: the environment variable NO_SUCH_VARIABLE"))

"""What all sources share: only what changed, health, and a schedule that nothing ends."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamd.config import ConfigError, Description, Duration, Secret
from streamd.health import Limit
from streamd.source import (
    MAX_RETRY,
    MIN_RETRY,
    STEADY,
    TOLD,
    Away,
    Feed,
    Polling,
    SourceError,
    Surroundings,
)
from streamd.state import UPDATE_BYTES
from streamd.update import MAX_VALUE, Draft, Refused
from tests.support.fakes import Daemonette

AWAY = Refused(503, "away", "the journal is away")


class SourceTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.make()

    def make(self, descriptions: dict[str, Description] | None = None, **bounds: int) -> None:
        self.daemon = Daemonette(descriptions, **bounds)
        self.state = self.daemon.state
        capturing = capturedLogs()
        self.events: Sequence[Any] = capturing.__enter__()
        self.addCleanup(capturing.__exit__, None, None, None)

    def lines(self) -> list[str]:
        """What was logged, from warnings up."""
        return [formatEvent(e) for e in self.events if e["log_level"] >= LogLevel.warn]

    def names(self) -> list[str]:
        return [stream.name for stream in self.state]

    def health(self, name: str) -> tuple[str, str | None]:
        return self.daemon.health(name)


class FeedTests(SourceTestCase):
    def put(self, feed: Feed, *readings: Any) -> None:
        for reading in readings:
            self.assertEqual(None, self.successResultOf(feed.put(reading)))

    def test_an_object_becomes_a_stream_a_member(self) -> None:
        self.put(self.daemon.feed("shop"), {"orders": 7, "revenue": 1.5})
        self.assertEqual({"shop.orders": 7, "shop.revenue": 1.5}, self.daemon.values())

    def test_anything_else_is_the_stream_of_the_source(self) -> None:
        self.put(self.daemon.feed("shop"), [1, {"a": 2}])
        self.assertEqual({"shop": [1, {"a": 2}]}, self.daemon.values())

    def test_whole(self) -> None:
        self.put(self.daemon.feed("shop", whole=True), {"orders": 7})
        self.assertEqual({"shop": {"orders": 7}}, self.daemon.values())

    def test_only_what_changed(self) -> None:
        self.put(self.daemon.feed(), {"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2})
        self.assertEqual([("shop.a", 1), ("shop.b", 1), ("shop.b", 2)], self.daemon.log)

    def test_equal_is_what_json_calls_equal(self) -> None:
        self.put(self.daemon.feed(), (1, 2), [1, 2], None, None, 1, 1.0, "1")
        self.assertEqual([[1, 2], None, 1, 1.0, "1"], [value for _, value in self.daemon.log])

    def test_repeat(self) -> None:
        self.put(self.daemon.feed(repeat=True), 1, 1, 1)
        self.assertEqual([("shop", 1)] * 3, self.daemon.log)

    def test_the_time_when_it_was_true(self) -> None:
        self.daemon.feed().put(1, time=5.5)
        self.assertEqual([5.5], [update.time for update in self.state.serialize()])

    def test_a_reading_that_found_nothing_new_is_a_proof(self) -> None:
        feed = self.daemon.feed(every=5)
        self.put(feed, 1)
        for _ in range(10):
            self.daemon.clock.advance(10)
            self.state.judge(self.daemon.times.now())
            self.put(feed, 1)
        self.assertEqual(("fresh", None), self.health("shop"))
        self.daemon.clock.advance(16)
        self.state.judge(self.daemon.times.now())
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
        self.assertLess(len(feed._streams), 3)
        self.broken(feed, "away")
        self.assertEqual(["shop"], self.names())

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
        self.patch(self.daemon.journal, "append", lambda drafts: fail(AWAY))
        self.put(feed, 2, 3)
        self.assertEqual(("failed", "the journal is away"), self.health("shop"))
        self.assertEqual(1, len(self.lines()))
        self.assertEqual({"shop": 1}, self.daemon.values())

    def test_levels_come_from_the_configuration(self) -> None:
        self.make({"shop": Description(warn=Limit("> 5"))})
        self.put(self.daemon.feed(), 6)
        stream = self.state.get("shop")
        assert stream is not None
        self.assertEqual("warn", stream.health.level)


class PollingTests(SourceTestCase):
    def poll(
        self,
        read: Callable[[], Any],
        every: float = 5,
        rng: Callable[[], float] = lambda: 1.0,
        gently: bool = False,
        look: Callable[[], Any] | None = None,
    ) -> Polling:
        self.polling = Polling(self.watched(read), every, self.daemon.clock, rng, gently, look)
        self.runs: list[float] = []
        self.polling.start(self.daemon.feed(every=every))
        return self.polling

    def watched(self, read: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            self.runs.append(self.daemon.clock.seconds())
            return read()

        return run

    def run_for(self, seconds: float) -> None:
        self.daemon.clock.pump([0.25] * int(seconds * 4))

    def test_every_so_often_from_now_on(self) -> None:
        numbers = iter(range(100))
        self.poll(lambda: next(numbers))
        self.run_for(12)
        self.assertEqual([0, 5, 10], self.runs)
        self.assertEqual([("shop", 0), ("shop", 1), ("shop", 2)], self.daemon.log)

    def test_never_two_runs_at_a_time(self) -> None:
        waiting: list[Deferred[Any]] = []

        def read() -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        self.poll(read)
        self.run_for(12)
        self.assertEqual(1, len(waiting))
        waiting[0].callback(1)
        self.daemon.clock.advance(0)
        self.assertEqual([0, 12], self.runs)
        self.run_for(2)
        waiting[1].callback(2)
        self.run_for(10)
        self.assertEqual([0, 12, 17], self.runs)

    def test_gently(self) -> None:
        slow: Deferred[Any] = Deferred()
        runs: list[Any] = [1, 1, slow, 1]
        self.poll(lambda: runs.pop(), gently=True)
        self.run_for(6)
        self.assertEqual([0, 5], self.runs)
        self.run_for(6)
        slow.callback(1)  # after 7 seconds, so the next begins in 7
        self.polling.wake()
        self.run_for(8)
        self.assertEqual([0, 5, 19], self.runs)

    def test_wake(self) -> None:
        self.poll(lambda: 1).wake()
        self.run_for(6)
        self.assertEqual([0, 0.25, 5.25], self.runs)

    def test_wake_in_the_middle_of_a_run(self) -> None:
        slow: Deferred[Any] = Deferred()
        self.poll(lambda: slow if len(self.runs) == 1 else 1)
        for _ in range(3):
            self.polling.wake()
        self.run_for(1)
        slow.callback(1)
        self.run_for(7)
        self.assertEqual([0, 1.25, 6.25], self.runs)

    def test_wake_hastens_no_retry(self) -> None:
        self.poll(self.away, every=30)
        for _ in range(20):
            self.polling.wake()
            self.run_for(0.25)
        self.assertEqual([1, 2], self.waits())

    def test_the_next_run_waits_for_the_journal(self) -> None:
        slow: Deferred[Any] = Deferred()
        self.patch(self.daemon.journal, "append", lambda drafts: slow)
        self.poll(lambda: 1)
        self.run_for(30)
        self.assertEqual([0], self.runs)
        slow.callback([])
        self.daemon.clock.advance(0)
        self.assertEqual([0, 30], self.runs)

    def away(self) -> Any:
        raise SourceError("away")

    def waits(self) -> list[float]:
        return [b - a for a, b in zip(self.runs, self.runs[1:], strict=False)]

    def test_retries_begin_soon_and_become_rarer(self) -> None:
        self.poll(self.away, every=30)
        self.run_for(300)
        self.assertEqual([1, 2, 4, 8, 16, 30, 30], self.waits()[:7])
        self.assertEqual({30}, set(self.waits()[5:]))

    def test_retries_are_bounded_whatever_the_interval(self) -> None:
        for every, longest in ((0.5, 4), (5, 5), (3600, MAX_RETRY)):
            self.make()
            self.poll(self.away, every=every)
            self.run_for(1000)
            self.assertEqual(longest, max(self.waits()))
            self.assertEqual(MIN_RETRY, min(self.waits()))

    def test_who_is_away_is_soon_seen_again(self) -> None:
        def nobody() -> Any:
            raise Away("nobody is there")

        self.poll(nobody, every=3600)
        self.run_for(300)
        self.assertEqual([1, 2, 4, 4], self.waits()[:4])
        self.assertEqual({4}, set(self.waits()[3:]))

    def test_a_look_between_two_runs(self) -> None:
        looks: list[float] = []
        there = [True]

        def look() -> Any:
            looks.append(self.daemon.clock.seconds())
            if not there[0]:
                raise Away("nobody is there")

        self.poll(lambda: 1, every=3.5, look=look)
        self.run_for(5)
        self.assertEqual(([0, 3.5], [1, 2, 3, 4.5]), (self.runs, looks))
        there[0] = False
        self.run_for(1)
        self.assertEqual(("failed", "nobody is there"), self.health("shop"))
        there[0] = True
        self.run_for(4)
        self.assertEqual(("fresh", None), self.health("shop"))
        self.assertEqual([0, 3.5, 6.5, 10], self.runs)
        self.assertEqual([1, 2, 3, 4.5, 5.5, 7.5, 8.5, 9.5], looks)
        self.polling.stop()
        self.assertEqual([], self.daemon.clock.getDelayedCalls())

    def test_nobody_looks_while_it_fails(self) -> None:
        looks: list[int] = []
        self.poll(self.away, every=5, look=lambda: looks.append(1))
        self.run_for(60)
        self.assertEqual([], looks)

    def test_wake_does_not_wait_for_a_look(self) -> None:
        self.poll(lambda: 1, every=9, look=lambda: None)
        self.run_for(2.5)
        self.polling.wake()
        self.run_for(1)
        self.assertEqual([0, 2.75], self.runs)

    def test_retries_are_jittered(self) -> None:
        rng = random.Random(1)
        self.poll(self.away, every=60, rng=rng.random)
        self.run_for(5000)
        late = self.waits()[8:]
        self.assertGreater(len(set(late)), 20)
        self.assertGreaterEqual(min(late), 30)
        self.assertLess(max(late), 60.3)

    def test_a_month_of_failures(self) -> None:
        self.poll(self.away, every=0.5)
        self.daemon.clock.pump([4.0] * 3000)
        self.assertGreater(len(self.runs), 2500)
        self.assertEqual(1, len(self.lines()))

    def test_it_recovers_by_itself(self) -> None:
        broken = [True]
        self.poll(lambda: self.away() if broken[0] else 42)
        self.run_for(20)
        self.assertEqual(("failed", "away"), self.health("shop"))
        broken[0] = False
        self.run_for(5)
        self.assertEqual(("fresh", None), self.health("shop"))
        del self.runs[:]
        self.run_for(20)
        self.assertEqual({5}, set(self.waits()))
        broken[0] = True
        self.run_for(30)
        self.assertIn(1, self.waits())

    def test_a_bug_is_no_end(self) -> None:
        def bug() -> Any:
            raise ZeroDivisionError

        self.poll(bug)
        self.run_for(60)
        self.assertGreater(len(self.runs), 8)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_a_bug_in_the_feed_is_no_end(self) -> None:
        class Worse(Feed):
            def put(self, value: Any, time: float | None = None) -> Deferred[None]:
                raise KeyError

            def failed(self, failure: Failure) -> None:
                raise ZeroDivisionError

        self.patch(Daemonette, "feed", lambda self, every: object.__new__(Worse))
        self.poll(lambda: 1)
        self.run_for(12)
        self.assertEqual([0, 5, 10], self.runs)
        self.assertEqual(3, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_stop(self) -> None:
        self.poll(lambda: 1).stop()
        self.run_for(30)
        self.assertEqual([0], self.runs)
        self.assertEqual([], self.daemon.clock.getDelayedCalls())
        Polling(lambda: 1, 5, self.daemon.clock).stop()

    def test_stop_in_the_middle_of_a_run(self) -> None:
        for outcome in (1, Failure(SourceError("away"))):
            self.make()
            slow: Deferred[Any] = Deferred()
            self.poll([slow].pop).stop()
            slow.callback(outcome)
            self.assertEqual(([], []), (self.daemon.log, self.names()))
            self.assertEqual([], self.daemon.clock.getDelayedCalls())

    def test_a_run_that_told_the_feed_itself(self) -> None:
        self.poll(lambda: TOLD)
        self.run_for(7)
        self.assertEqual([0, 5], self.runs)
        self.assertEqual(([], []), (self.daemon.log, self.names()))

    def test_a_run_that_lasted_is_followed_by_a_first_attempt(self) -> None:
        lasting: list[Deferred[Any]] = []

        def read() -> Any:
            if len(self.runs) < 5:
                raise SourceError("away")
            lasting.append(Deferred())
            return lasting[-1]

        self.poll(read, every=60)
        self.run_for(20)
        self.assertEqual([1, 2, 4, 8], self.waits())
        self.run_for(STEADY)
        before = self.daemon.clock.seconds()
        lasting[0].errback(Failure(SourceError("gone")))
        self.run_for(2)
        self.assertEqual(1, self.runs[-1] - before)


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

"""What sources say, and what follows from it for the streams: the order of readings and failures."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.description import Description
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.health.readings import Reading
from streamd.core.health.source_health import StreamReport
from streamd.core.stream import UNREPORTED
from streamd.core.update import ORIGIN, Draft
from tests.support.fakes import Daemonette

MISSING = "messages may be missing since 14:02"
WRONG = Refused(400, "bad-value", "cannot be JSON")


class SourcesTestCase(SynchronousTestCase):
    """A source called `shop` whose readings need a while until they are in the log."""

    def setUp(self) -> None:
        self.make()

    def make(self, descriptions: Mapping[str, Description] | None = None) -> None:
        self.daemon = Daemonette(descriptions)
        self.sources = self.daemon.state.sources
        self.shop = self.sources.record("shop", Duration(60))

    def now(self) -> float:
        return self.daemon.times.now()

    def begin(self, **parts: bytes | Refused) -> Reading:
        named = {f"shop.{end}": part for end, part in parts.items()}
        return self.sources.prepare(self.shop, named, self.now(), known={})

    def end(self, reading: Reading) -> bool:
        self.daemon.journal.append(reading.drafts)
        return self.sources.prove(self.shop, reading, self.now())

    def fail_shop(self, message: str = "away") -> None:
        self.sources.fail(self.shop, message, self.now())

    def states(self) -> dict[str, str]:
        return {stream.name: stream.health.state for stream in self.daemon.state}


class SourcesTests(SourcesTestCase):
    def test_a_reading_that_began_before_a_failure_does_not_end_it(self) -> None:
        before = self.begin(a=b"1")
        self.fail_shop()
        self.assertFalse(self.end(before))
        self.assertEqual({"shop.a": "failed"}, self.states())
        self.assertTrue(self.end(self.begin(a=b"1")))
        self.assertEqual({"shop.a": "fresh"}, self.states())

    def test_readings_that_end_in_another_order(self) -> None:
        first, second = self.begin(a=b"1"), self.begin(a=WRONG)
        third = self.begin(a=b"3")
        self.assertTrue(self.end(third))
        self.assertEqual({"shop.a": "fresh"}, self.states())
        self.assertFalse(self.end(second))
        self.assertFalse(self.end(first))
        self.assertEqual({"shop.a": "fresh"}, self.states())

    def test_a_configured_stream_fails_with_its_source_until_it_is_made(self) -> None:
        self.make({"shop.a": Description(), "shop.b": Description()})
        before = self.begin(c=b"1")
        self.fail_shop()
        self.end(before)
        self.assertEqual(
            {"shop.a": "failed", "shop.b": "failed", "shop.c": "failed"}, self.states()
        )
        making = self.begin(a=b"1")
        self.assertEqual("failed", self.states()["shop.a"])
        self.end(making)
        self.assertEqual({"shop.a": "fresh", "shop.b": "fresh", "shop.c": "failed"}, self.states())

    def test_a_published_stream_of_its_name_fails_with_it_until_forgotten(self) -> None:
        self.fail_shop()
        for value, waiting in ((b"1", {"shop"}), (None, set())):
            self.daemon.journal.append([Draft("shop", value)])
            self.assertEqual(({"shop": "failed"}, waiting), (self.states(), self.shop.waiting))
        self.end(self.begin(a=b"1"))
        self.assertEqual({"shop.a": "fresh"}, self.states())

    def test_a_failure_stays_with_streams_that_no_reading_names(self) -> None:
        self.end(self.begin(a=b"1", b=b"1"))
        self.fail_shop()
        self.end(self.begin(a=b"1"))
        self.assertEqual({"shop.a": "fresh", "shop.b": "failed"}, self.states())

    def test_a_wrong_reading_without_any_right_part_ends_no_failure(self) -> None:
        self.fail_shop()
        self.end(self.begin(a=WRONG))
        self.assertTrue(self.shop.fails and self.shop.refuses and self.shop.has_own_entry)
        self.end(self.begin())
        self.assertFalse(self.shop.fails or self.shop.refuses or self.shop.has_own_entry)
        self.assertEqual({}, self.states())

    def test_only_new_values_are_appended(self) -> None:
        self.end(self.begin(a=b"1", b=b"1"))
        self.assertEqual(["shop.b"], [d.stream for d in self.begin(a=b"1", b=b"2").drafts])

    def test_what_it_promises_is_part_of_what_its_streams_are(self) -> None:
        self.make({"shop.a": Description(title="A"), "shop.b": Description(expect=Duration(5))})
        self.end(self.begin(a=b"1", b=b"1", c=b"1"))
        expected = {"shop.a": 60, "shop.b": 5, "shop.c": 60}
        told = {stream.name: stream.description.expect for stream in self.daemon.state}
        self.assertEqual(expected, told)

    def test_a_stream_that_another_source_makes_is_that_one_s(self) -> None:
        other = self.sources.record("other", None)
        self.end(self.begin(a=b"1"))
        taken = self.sources.prepare(other, {"shop.a": b"2"}, self.now())
        self.assertEqual((set(), {"shop.a"}), (self.shop.streams, other.streams))
        self.fail_shop()
        self.sources.prove(other, taken, self.now())
        self.assertEqual("fresh", self.states()["shop.a"])

    def test_an_entry_that_was_skipped_fails_its_stream_until_the_source_reads_it_again(
        self,
    ) -> None:
        self.end(self.begin(a=b"1"))
        self.daemon.state.skip(["shop.a"], "an entry is no JSON", self.now())
        self.assertEqual(("failed", "an entry is no JSON"), self.daemon.health("shop.a"))
        self.end(self.begin(a=b"1"))
        self.assertEqual(("fresh", None), self.daemon.health("shop.a"))

    def test_another_log_leaves_what_stands(self) -> None:
        self.end(self.begin(a=b"1", b=b"1"))
        self.fail_shop()
        self.end(self.begin(a=b"1"))
        self.daemon.restart()
        self.assertEqual({"shop.a": "late", "shop.b": "late"}, self.states())
        self.fail_shop()
        self.daemon.restart()
        self.assertEqual({"shop.a": "failed", "shop.b": "failed"}, self.states())


class GapTests(SourcesTestCase):
    """What the source said for a while is lost."""

    def miss(self, why: str = MISSING) -> None:
        self.sources.miss(self.shop, why, self.now())

    def test_its_streams_are_late_until_their_next_reading(self) -> None:
        self.end(self.begin(a=b"1", b=b"1"))
        self.fail_shop("cut")
        self.miss()
        for name in ("shop.a", "shop.b"):
            self.assertEqual(("late", MISSING), self.daemon.health(name))
        self.end(self.begin(a=b"1"))
        self.assertEqual(("fresh", None), self.daemon.health("shop.a"))
        self.assertEqual(("late", MISSING), self.daemon.health("shop.b"))
        self.assertEqual(["shop.a"], self.sources.current(self.shop))

    def test_an_earlier_reading_does_not_end_it(self) -> None:
        self.end(self.begin(a=b"1"))
        before = self.begin(a=b"2")
        self.fail_shop("cut")
        self.miss()
        self.end(before)
        self.assertEqual(("late", MISSING), self.daemon.health("shop.a"))
        self.daemon.journal.append([Draft("shop.a", b"3")])  # by somebody else
        self.assertEqual(("late", MISSING), self.daemon.health("shop.a"))

    def test_what_is_missing_since_an_earlier_gap_stays_so(self) -> None:
        self.end(self.begin(a=b"1", b=b"1"))
        self.miss("since 14:02")
        self.end(self.begin(a=b"1"))
        self.miss("since 14:05")
        self.assertEqual(("late", "since 14:02"), self.daemon.health("shop.b"))
        self.end(self.begin(a=b"1", b=b"1"))
        self.miss("since 14:07")
        self.assertEqual(("late", "since 14:07"), self.daemon.health("shop.b"))

    def test_streams_that_are_made_later_miss_nothing(self) -> None:
        self.miss()
        self.end(self.begin(a=b"1"))
        self.assertEqual({"shop.a": "fresh"}, self.states())

    def test_an_error_comes_before_it(self) -> None:
        self.end(self.begin(a=b"1"))
        self.miss()
        self.end(self.begin(a=WRONG))
        self.assertEqual("failed", self.states()["shop.a"])
        self.end(self.begin(a=b"1"))
        self.assertEqual("fresh", self.states()["shop.a"])


class RunTests(SourcesTestCase):
    """The source begins again, maybe as another one."""

    def test_its_first_reading_shows_which_streams_it_makes_no_more(self) -> None:
        self.end(self.begin(a=b"1", b=b"1"))
        self.sources.begin(self.shop)
        self.assertEqual({"shop.a": "fresh", "shop.b": "fresh"}, self.states())
        self.fail_shop()
        self.end(self.begin(a=b"1"))
        self.assertEqual("failed", self.states()["shop.b"])
        for _ in range(2):
            self.end(self.begin())
            self.assertEqual(("fresh", None), self.daemon.health("shop.a"))
        self.sources.begin(self.shop)
        self.end(self.begin(a=b"1"))
        self.sources.miss(self.shop, MISSING, self.now())
        self.end(self.begin(b=b"2"))
        self.assertEqual(("fresh", None), self.daemon.health("shop.b"))

    def test_such_a_stream_is_late_until_it_is_published(self) -> None:
        self.end(self.begin(a=b"1", b=b"1"))
        self.daemon.restart()
        self.sources.begin(self.shop)
        self.assertEqual(("late", None), self.daemon.health("shop.b"))
        self.end(self.begin(a=b"1"))
        self.assertEqual(("fresh", None), self.daemon.health("shop.a"))
        self.assertEqual(("late", UNREPORTED), self.daemon.health("shop.b"))
        self.daemon.journal.append([Draft("shop.b", b"3")])
        self.end(self.begin(a=b"1"))
        self.assertEqual(("fresh", None), self.daemon.health("shop.b"))

    def test_streams_of_a_source_that_no_node_runs_are_late_until_they_are_published(self) -> None:
        self.end(self.begin(a=b"1", b=b"1"))
        for _ in range(2):
            self.sources.retire(self.shop, self.now())
            self.assertEqual(("late", UNREPORTED), self.daemon.health("shop.a"))
        self.daemon.journal.append([Draft("shop.a", b"3")])
        self.sources.retire(self.shop, self.now())
        self.assertEqual(("fresh", None), self.daemon.health("shop.a"))
        self.assertEqual({"shop.b"}, self.shop.streams)
        self.daemon.restart()
        self.sources.retire(self.shop, self.now())
        self.assertEqual(("late", None), self.daemon.health("shop.a"))
        self.assertEqual(("late", UNREPORTED), self.daemon.health("shop.b"))


class HearingTests(SourcesTestCase):
    """Another node runs the source."""

    def hear(self, **streams: StreamReport) -> None:
        report = {f"shop.{end}": report for end, report in streams.items()}
        self.sources.hear(self.shop, report, self.now())

    def publish(self) -> None:
        self.end(self.begin(a=b"1", b=b"1"))
        self.daemon.restart()

    def test_what_it_proves_is_current(self) -> None:
        self.publish()
        self.hear(a=StreamReport(self.now() - 5, None, False), b=StreamReport(None, None, False))
        self.assertEqual({"shop.a": "fresh", "shop.b": "late"}, self.states())

    def test_while_it_vouches_nothing_is_late(self) -> None:
        self.publish()
        self.daemon.clock.advance(100)
        self.hear(a=StreamReport(self.now() - 100, None, False))
        self.assertEqual("fresh", self.states()["shop.a"])
        self.daemon.clock.advance(4)
        self.daemon.judge()
        self.assertEqual("late", self.states()["shop.a"])

    def test_a_stream_that_expects_nothing_is_late_without_reports(self) -> None:
        bell = self.sources.record("bell", None)
        report = {"bell": StreamReport(self.now(), None, False)}
        self.daemon.journal.append([Draft("bell", b"1")])
        self.sources.hear(bell, report, self.now())
        for state, seconds in (("fresh", 3), ("late", 1), ("late", 60)):
            self.daemon.clock.advance(seconds)
            self.daemon.judge()
            self.assertEqual((state, None), self.daemon.health("bell"))
        self.sources.hear(bell, report, self.now())
        self.assertEqual(("fresh", None), self.daemon.health("bell"))

    def test_an_update_that_is_old_when_it_comes_is_late(self) -> None:
        self.publish()
        self.daemon.journal.append([Draft("shop.a", b"2")])
        self.hear(a=StreamReport(self.now() - 100, None, True))
        self.assertEqual("late", self.states()["shop.a"])

    def test_what_the_node_that_runs_the_source_doubts_is_late(self) -> None:
        bell = self.sources.record("bell", None)
        self.daemon.journal.append([Draft("bell", b"1")])
        for report in (StreamReport(self.now(), None, False), StreamReport(None, None, True)):
            self.sources.hear(bell, {"bell": report}, self.now())
            state = "late" if report.late else "fresh"
            self.assertEqual((state, None), self.daemon.health("bell"))

    def test_the_node_that_runs_the_source_then_needs_no_report(self) -> None:
        bell = self.sources.record("bell", None)
        self.daemon.journal.append([Draft("bell", b"1")])
        self.sources.hear(bell, {"bell": StreamReport(self.now(), None, False)}, self.now())
        reading = self.sources.prepare(bell, {"bell": b"1"}, self.now())
        self.sources.prove(bell, reading, self.now())
        self.daemon.clock.advance(60)
        self.daemon.judge()
        self.assertEqual(("fresh", None), self.daemon.health("bell"))

    def test_a_clock_that_is_set_back_does_not_prolong_a_report(self) -> None:
        self.publish()
        self.hear(a=StreamReport(self.now(), None, False))
        self.daemon.times.set_back(3600)
        self.daemon.judge()
        self.daemon.clock.advance(100)
        self.daemon.judge()
        self.assertEqual("late", self.states()["shop.a"])

    def test_a_node_that_followed_the_log_confirms_no_stream_of_a_source(self) -> None:
        self.daemon.journal.append([Draft("shop.c", b"1")])
        self.publish()
        self.daemon.state.confirm_since(ORIGIN, self.now())
        self.assertEqual({"shop.a": "late", "shop.b": "late", "shop.c": "fresh"}, self.states())

    def test_also_why_a_stream_is_late(self) -> None:
        self.publish()
        reports = {}
        self.sources.begin(self.shop)
        self.end(self.begin(a=b"1"))
        reports[UNREPORTED] = self.sources.report(self.shop)
        self.sources.miss(self.shop, MISSING, self.now())
        reports[MISSING] = self.sources.report(self.shop)
        self.make()
        self.publish()
        self.hear(a=StreamReport(self.now(), None, False), b=StreamReport(self.now(), None, False))
        for (why, report), name in zip(reports.items(), ("shop.b", "shop.a"), strict=True):
            self.sources.hear(self.shop, report, self.now())
            self.assertEqual(("late", why), self.daemon.health(name))
        self.assertEqual(("late", UNREPORTED), self.daemon.health("shop.b"))
        self.hear(a=StreamReport(self.now(), None, False), b=StreamReport(self.now(), None, False))
        self.assertEqual({"shop.a": "fresh", "shop.b": "fresh"}, self.states())

    def test_a_stream_that_is_the_source_s_no_more_does_not_fail_with_it(self) -> None:
        self.publish()
        both = StreamReport(self.now(), None, False)
        self.hear(a=both, b=both)
        self.hear(a=StreamReport(None, "away", False))
        self.assertEqual({"shop.a": "failed", "shop.b": "fresh"}, self.states())

    def test_a_repeated_report_is_no_news(self) -> None:
        self.publish()
        report = StreamReport(self.now(), "no table", False)
        for others in ({}, {"b": StreamReport(self.now(), None, False)}):
            self.hear(a=report, **others)
            revision = self.daemon.state.revision
            self.daemon.clock.advance(1)
            self.hear(a=report, **others)
            self.assertEqual(revision, self.daemon.state.revision)

    def test_streams_that_this_node_does_not_have_are_not_made(self) -> None:
        self.hear(a=StreamReport(None, "away", False))
        self.assertEqual({"shop": "failed"}, self.states())
        self.hear()
        self.assertEqual({}, self.states())

    def test_a_published_stream_of_its_name_fails_with_it(self) -> None:
        values = [Draft("shop", b"3")]
        self.daemon.journal.append(values)
        self.sources.fail(self.shop, "away", self.now())
        report = self.sources.report(self.shop)
        self.make()
        self.daemon.journal.append(values)
        for _ in range(2):
            self.sources.hear(self.shop, report, self.now())
            self.assertEqual(("failed", "away"), self.daemon.health("shop"))
        self.assertEqual(set(), self.shop.streams, "clients made it")
        self.hear()
        self.assertEqual(("fresh", None), self.daemon.health("shop"))

    def test_also_that_a_source_without_streams_waits(self) -> None:
        self.sources.wait(self.shop, MISSING, self.now())
        self.assertEqual(("late", MISSING), self.daemon.health("shop"))
        report = self.sources.report(self.shop)
        self.make()
        for _ in range(2):
            self.sources.hear(self.shop, report, self.now())
            self.assertEqual(("late", MISSING), self.daemon.health("shop"))
        self.hear()
        self.assertEqual({}, self.states())

    def test_it_is_taken_over(self) -> None:
        self.publish()
        self.hear(a=StreamReport(None, "away", False), b=StreamReport(None, "away", False))
        self.assertEqual({"shop.a": "failed", "shop.b": "failed"}, self.states())
        self.assertTrue(self.end(self.begin(a=b"1", b=b"1")))
        self.assertEqual({"shop.a": "fresh", "shop.b": "fresh"}, self.states())

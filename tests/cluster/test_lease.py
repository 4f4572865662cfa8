"""Who does it, of several nodes: with a journal that says who may."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamd.cluster.lease import LASTS, PAUSE, RENEW, Lease
from streamd.cluster.shift import Shift
from streamd.config.fields import ConfigError
from streamd.core.description import Description
from streamd.journals.journal import Away, Fence, Outrun
from streamd.sources.errors import SourceError
from streamd.sources.feed import Feed
from tests.support.fakes import Daemonette


class Grants:
    """A journal that gives the lease under this number; to nobody; or is away."""

    shared = True

    def __init__(self) -> None:
        self.number: int | None = 1
        self.away = False
        self.released = 0
        self.answer: Deferred[Fence | None] | None = None  # instead of one at once

    def acquire(self, lease: str, seconds: float) -> Deferred[Fence | None]:
        if self.away:
            return fail(Away("away"))
        if self.answer is not None:
            return self.answer
        return succeed(None if self.number is None else Fence(lease, self.number))

    def release(self, lease: str) -> Deferred[None]:
        self.released += 1
        return fail(Away("away")) if self.away else succeed(None)


class LeaseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.journal = Grants()
        self.did: list[Any] = []
        self.ending: Deferred[None] | None = None
        self.broken = False
        journal: Any = self.journal
        self.lease = Lease("shop", journal, self.clock, self.begin, self.end)

    def begin(self, fence: Fence) -> None:
        self.did.append(fence.number)
        if self.broken:
            raise ConfigError(["sources.shop.token: no such file: token"])

    def end(self) -> Deferred[None] | None:
        self.did.append("end")
        return self.ending

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / RENEW)):
            self.clock.advance(RENEW)

    def test_it_begins_and_continues(self) -> None:
        self.lease.start()
        self.pass_time(10)
        self.assertEqual([1], self.did)
        self.assertEqual(Fence("shop", 1), self.lease.fence)

    def test_it_waits_while_another_has_it(self) -> None:
        self.journal.number = None
        self.lease.start()
        self.pass_time(10)
        self.assertEqual([], self.did)
        self.journal.number = 7
        self.pass_time(RENEW)
        self.assertEqual([7], self.did)

    def test_another_number_is_another_lease(self) -> None:
        self.lease.start()
        self.journal.number = 2
        self.pass_time(RENEW)
        self.assertEqual([1, "end", 2], self.did)

    def test_it_is_lost(self) -> None:
        self.lease.start()
        self.journal.number = None
        self.pass_time(RENEW)
        self.assertEqual([1, "end"], self.did)
        self.assertIsNone(self.lease.fence)

    def test_an_outrun_owner_ends_at_once(self) -> None:
        self.lease.start()
        self.journal.number = None
        self.lease.lose()
        self.assertEqual([1, "end"], self.did)

    def test_an_owner_that_is_outrun_begins_anew(self) -> None:
        self.lease.start()
        self.lease.lose()
        self.pass_time(10)
        self.assertEqual([1, "end", 1], self.did)

    def test_away_for_a_moment(self) -> None:
        self.lease.start()
        self.journal.away = True
        self.pass_time(LASTS)
        self.journal.away = False
        self.pass_time(10)
        self.assertEqual([1], self.did)

    def test_away_for_longer_than_it_lasts(self) -> None:
        self.lease.start()
        self.journal.away = True
        self.pass_time(LASTS + RENEW)
        self.assertEqual([1, "end"], self.did)

    def test_a_frozen_node_does_not_count_on_its_lease(self) -> None:
        self.lease.start()
        self.journal.answer = Deferred()  # which is on its way
        self.clock.advance(LASTS)
        self.assertIsNotNone(self.lease.fence)
        self.clock.advance(0.1)
        self.assertIsNone(self.lease.fence)
        self.journal.answer.callback(Fence("shop", 1))
        self.assertIsNotNone(self.lease.fence)
        self.assertEqual([1], self.did)

    def test_it_does_not_begin_before_it_has_ended(self) -> None:
        self.ending = Deferred()
        self.lease.start()
        self.journal.number = 2
        self.pass_time(10)
        self.assertEqual([1, "end"], self.did)
        self.ending.callback(None)
        self.assertEqual([1, "end", 2], self.did)

    def test_a_stop_gives_it_back(self) -> None:
        self.lease.start()
        self.successResultOf(self.lease.stop())
        self.assertEqual([1, "end"], self.did)
        self.assertEqual(1, self.journal.released)
        self.pass_time(10)
        self.assertEqual([1, "end"], self.did)

    def test_what_comes_while_it_stops_is_given_back(self) -> None:
        self.journal.answer = Deferred()
        self.lease.start()
        stopping = self.lease.stop()
        self.journal.answer.callback(Fence("shop", 1))
        self.successResultOf(stopping)
        self.assertEqual(([], 1), (self.did, self.journal.released))

    def test_a_stop_while_the_journal_is_away(self) -> None:
        self.lease.start()
        self.journal.away = True
        self.successResultOf(self.lease.stop())
        self.assertEqual([1, "end"], self.did)

    def test_an_owner_that_cannot_begin_gives_the_lease_back_and_tries_later(self) -> None:
        self.broken = True
        self.lease.start()
        self.assertEqual((1, None), (self.journal.released, self.lease.fence))
        self.pass_time(PAUSE - RENEW)
        self.assertEqual([1, "end"], self.did)  # another node may have it meanwhile
        self.broken = False
        self.pass_time(2 * RENEW)
        self.assertEqual([1, "end", 1], self.did)
        self.assertEqual(Fence("shop", 1), self.lease.fence)

    def test_a_stop_waits_for_the_end(self) -> None:
        self.ending = Deferred()
        self.lease.start()
        stopping = self.lease.stop()
        self.assertNoResult(stopping)
        self.assertEqual(0, self.journal.released)
        self.ending.callback(None)
        self.successResultOf(stopping)
        self.assertEqual(1, self.journal.released)


def raise_(error: Exception) -> Any:
    raise error


class ShiftTests(SynchronousTestCase):
    """A source that is run while its lease is held."""

    def setUp(self) -> None:
        self.daemon = Daemonette()
        self.journal = Grants()
        self.did: list[Any] = []
        journal: Any = self.journal
        self.shift = Shift("shop", self.make, journal, self.daemon.clock)

    def make(self) -> tuple[Any, Feed]:
        number = self.did.count("made") + 1
        self.did.append("made")
        source = SimpleNamespace(
            start=lambda feed: self.did.append((number, feed.fence)),
            stop=lambda: self.did.append("stopped"),
        )
        return source, self.daemon.feed()

    def test_it_is_made_anew_for_each_turn(self) -> None:
        self.shift.start()
        self.journal.number = 2
        self.daemon.clock.advance(RENEW)
        first, second = Fence("source:shop", 1), Fence("source:shop", 2)
        self.assertEqual(["made", (1, first), "stopped", "made", (2, second)], self.did)

    def test_each_takes_back_what_the_one_before_it_failed(self) -> None:
        self.daemon = Daemonette({"shop.a": Description()})
        append, put = self.daemon.journal.append, self.daemon.journal.put
        self.patch(
            self.daemon.journal, "append", lambda drafts, fence, **rest: append(drafts, **rest)
        )
        self.patch(self.daemon.journal, "put", lambda *record, fence: put(*record))
        self.shift = Shift("shop", self.make, cast(Any, self.journal), self.daemon.clock)
        self.shift.start()
        self.shift.feed.failed(Failure(SourceError("no answer")))
        self.assertEqual(("failed", "no answer"), self.daemon.health("shop.a"))
        self.journal.number = 2
        self.daemon.clock.advance(RENEW)
        self.shift.feed.put({"b": 1})
        self.assertEqual(("fresh", None), self.daemon.health("shop.a"))

    def test_what_cannot_be_made_leaves_the_lease_to_other_nodes_and_says_why(self) -> None:
        self.shift.start()
        self.journal.number = None
        self.daemon.clock.advance(RENEW)  # another node has its turn
        problems = ["sources.shop.token: no such file: token"]
        make = self.patch(self.shift, "_make", lambda: raise_(ConfigError(problems)))
        self.journal.number = 3
        self.daemon.clock.advance(RENEW)
        self.assertEqual((1, False), (self.journal.released, self.shift.runs))
        self.assertEqual(("failed", *problems), self.daemon.health("shop"))
        make.restore()
        for _ in range(round(PAUSE / RENEW) + 1):
            self.daemon.clock.advance(RENEW)
        self.assertTrue(self.shift.runs)
        self.assertEqual((2, Fence("source:shop", 3)), self.did[-1])
        self.assertEqual(1, self.did.count("stopped"))

    def test_without_a_shared_journal_it_runs_from_start_to_stop(self) -> None:
        journal: Any = self.daemon.journal
        for method in ("acquire", "release"):
            self.assertFalse(hasattr(self.daemon.journal, method))
        shift = Shift("shop", self.make, journal, self.daemon.clock)
        self.did.clear()
        shift.start()
        self.assertEqual(([(2, None)], True), (self.did, shift.runs))
        self.successResultOf(shift.stop())
        self.assertEqual([(2, None), "stopped"], self.did)

    def test_a_stop_while_it_takes_over_its_streams_starts_nothing(self) -> None:
        records: Deferred[Any] = Deferred()
        self.patch(self.daemon.journal, "records", lambda kind: records)
        journal: Any = self.daemon.journal
        shift = Shift("shop", self.make, journal, self.daemon.clock)
        self.did.clear()
        shift.start()
        self.successResultOf(shift.stop())
        records.callback({})
        self.assertEqual([], self.did)

    def test_an_outrun_source_stops(self) -> None:
        self.shift.start()
        self.journal.number = None
        self.shift.feed.failed(Failure(Outrun("somebody else went on")))
        self.assertEqual(["made", (1, Fence("source:shop", 1)), "stopped"], self.did)

    def test_a_stop_stops_it(self) -> None:
        self.shift.start()
        self.successResultOf(self.shift.stop())
        self.assertEqual("stopped", self.did[-1])
        self.assertEqual(1, self.journal.released)

"""Appending within bounds: room is reserved until the journal has answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.core.update import Draft
from streamd.journals.admission import append_within
from streamd.journals.journal import Away, Journal
from tests.support.fakes import Daemonette


class Slow:
    """A journal that takes its time."""

    def __init__(self) -> None:
        self.answers: list[Deferred[Any]] = []

    def append(self, drafts: Sequence[Draft], **options: Any) -> Deferred[Any]:
        self.answers.append(Deferred())
        return self.answers[-1]


class Broken:
    def append(self, drafts: Sequence[Draft], **options: Any) -> Deferred[Any]:
        raise Away("no room for another request")


def drafts(prefix: str, count: int) -> list[Draft]:
    return [Draft(f"{prefix}.{number}", b"1") for number in range(count)]


class AdmissionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.room = Daemonette(max_streams=100).state.room
        self.slow = Slow()
        self.journal = cast(Journal, self.slow)

    def append(self, prefix: str, count: int) -> Deferred[Any]:
        return append_within(self.room, self.journal, drafts(prefix, count))

    def test_ten_at_once_of_which_one_fits(self) -> None:
        self.append("a", 100)
        for prefix in "bcdefghij":
            self.assertRaises(Refused, self.append, prefix, 100)
        self.assertEqual(1, len(self.slow.answers))

    def test_its_room_is_given_back_when_it_is_refused(self) -> None:
        appended = self.append("a", 100)
        self.slow.answers[0].errback(Away("the disk is full"))
        self.failureResultOf(appended, Away)
        self.append("b", 100)

    def test_and_when_the_journal_takes_nothing(self) -> None:
        broken = cast(Journal, Broken())
        self.assertRaises(Away, append_within, self.room, broken, drafts("a", 100))
        self.append("b", 100)

    def test_its_room_stays_taken_when_nobody_waits_any_more(self) -> None:
        appended = self.append("a", 100)
        appended.addErrback(lambda failure: failure.trap(CancelledError))
        appended.cancel()  # the client went away; the journal may commit nevertheless
        self.assertRaises(Refused, self.append, "b", 100)
        self.slow.answers[0].callback([])
        self.append("b", 100)

    def test_what_it_appends_is_given_on(self) -> None:
        appended = self.append("a", 1)
        self.slow.answers[0].callback(["committed"])
        self.assertEqual(["committed"], self.successResultOf(appended))

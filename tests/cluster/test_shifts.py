"""The sources of one configuration, and then of another one."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamd.cluster.shifts import END_WITHIN, Shifts
from streamd.config.fields import ConfigError


class FakeShift:
    """A shift that notes what is done with it; it ends when `ends` fires."""

    def __init__(self, plan: Any, did: list[str]) -> None:
        if plan == "bad":
            raise ConfigError(["sources.a: bad"])
        self.name, self.plan = plan[0], plan
        self.did = did
        self.ends: Deferred[Any] = succeed(None)

    def start(self) -> None:
        self.did.append(f"start {self.plan}")

    def stop(self) -> Deferred[Any]:
        self.did.append(f"stop {self.plan}")
        return self.ends


class ShiftsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.did: list[str] = []
        make: Any = lambda plan: FakeShift(plan, self.did)  # noqa: E731
        plans: Any = {"a": "a1", "b": "b1"}
        self.shifts = Shifts(plans, make, self.clock)
        self.shifts.start()
        self.did.clear()

    def of(self, name: str) -> Any:
        return next(shift for shift in self.shifts if shift.name == name)

    def change(self, **plans: Any) -> list[str]:
        """What is done for other plans."""
        self.did.clear()
        self.shifts.change(plans, self.shifts.prepare(plans))
        return list(self.did)

    def test_equal_plans_continue(self) -> None:
        before = list(self.shifts)
        self.assertEqual([], self.change(a="a1", b="b1"))
        self.assertEqual(before, list(self.shifts))

    def test_the_difference_starts_and_stops(self) -> None:
        self.assertEqual(["stop b1", "start c1"], self.change(a="a1", c="c1"))
        self.assertEqual(["stop a1", "start a2"], self.change(a="a2", c="c1"))

    def test_a_successor_waits_until_the_former_one_has_ended(self) -> None:
        shift = self.of("a")
        shift.ends = Deferred()
        self.assertEqual(["stop a1"], self.change(a="a2", b="b1"))
        shift.ends.callback(None)
        self.assertEqual(["stop a1", "start a2"], self.did)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_of_several_successors_the_last_one_starts(self) -> None:
        shift = self.of("a")
        shift.ends = Deferred()
        self.change(a="a2", b="b1")
        self.assertEqual(["stop a2"], self.change(a="a3", b="b1"))
        self.assertEqual(["stop a3"], self.change(b="b1"))
        self.assertEqual([], self.change(a="a4", b="b1"))
        shift.ends.callback(None)
        self.assertEqual(["start a4"], self.did)

    def test_but_not_for_ever(self) -> None:
        shift = self.of("a")
        shift.ends = Deferred()
        self.change(a="a2", b="b1")
        self.clock.advance(END_WITHIN)
        self.assertEqual(["stop a1", "start a2"], self.did)
        shift.ends.callback(None)
        self.assertEqual(["stop a1", "start a2"], self.did)

    def test_a_shift_that_ends_with_an_error_is_in_the_log(self) -> None:
        self.of("a").ends = fail(OSError("no"))
        self.assertEqual(["stop a1", "start a2"], self.change(a="a2", b="b1"))
        self.assertEqual(1, len(self.flushLoggedErrors(OSError)))

    def test_what_cannot_be_made_changes_nothing(self) -> None:
        with self.assertRaises(ConfigError):
            self.change(a="bad", c="c1")
        self.assertEqual(([], ["a", "b"]), (self.did, [shift.name for shift in self.shifts]))

    def test_before_the_start_nothing_starts(self) -> None:
        self.successResultOf(self.shifts.stop())
        self.assertEqual([], self.change(c="c1"))
        self.shifts.start()
        self.assertEqual(["start c1"], self.did)

    def test_the_end_waits_for_former_ones_too(self) -> None:
        shift = self.of("a")
        shift.ends = Deferred()
        self.change(b="b1")
        stopping = self.shifts.stop()
        self.assertNoResult(stopping)
        shift.ends.callback(None)
        self.successResultOf(stopping)

"""Late updates: what they change is computed again, and nothing else."""

from __future__ import annotations

import math
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.histories.late_updates import NEAR, stretches, within


class StretchesTests(SynchronousTestCase):
    def test_from_the_slot_of_each_to_the_slot_of_the_next_update(self) -> None:
        times = [float(time) for time in range(0, 1000, 10)]
        self.assertEqual([(100, 120)], stretches([101.0], sorted([*times, 101.0]), 10))
        self.assertEqual([(60, 120)], stretches([101.0], sorted([*times, 101.0]), 60))

    def test_the_last_update_counts_to_the_end(self) -> None:
        self.assertEqual([(980, math.inf)], stretches([985.0], [0.0, 985.0], 10))

    def test_updates_of_the_same_time_have_the_same_next_one(self) -> None:
        self.assertEqual([(5, 10)], stretches([5.5, 5.5], [1.0, 5.5, 5.5, 9.0], 1))

    def test_stretches_that_overlap_are_one(self) -> None:
        with patch("streamd.core.histories.late_updates.NEAR", 0):
            found = stretches([5.0, 6.0, 90.0], [1.0, 5.0, 6.0, 20.0, 60.0, 90.0, 95.0], 1)
        self.assertEqual([(5, 21), (90, 96)], found)

    def test_stretches_with_few_updates_between_are_one(self) -> None:
        for between, count in (NEAR, 1), (NEAR + 1, 2):
            times = [0.0, 1.0, *(10.0 + n for n in range(between)), 100.0, 101.0]
            self.assertEqual(count, len(stretches([0.0, 100.0], times, 1)), between)


class WithinTests(SynchronousTestCase):
    def test_the_changes_of_the_time_and_the_last_one_before(self) -> None:
        changes = [(1.0, "a"), (2.0, None), (3.0, "b"), (4.0, None), (5.0, "c")]
        self.assertEqual(changes[1:4], within(changes, 3.0, 5.0))
        self.assertEqual(changes[:1], within(changes, 0.0, 2.0))
        self.assertEqual(changes[-1:], within(changes, 7.0, math.inf))
        self.assertEqual([], [*within([], 7.0, 8.0)])

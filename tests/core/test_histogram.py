"""Counting durations by their size."""

from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.histogram import FAST, SLOW, Histogram


class HistogramTests(SynchronousTestCase):
    def test_a_duration_counts_for_every_bound_from_its_own(self) -> None:
        histogram = Histogram((1.0, 2.0))
        for duration in (0.5, 1.0, 1.5, 7.0):
            histogram.add(duration)
        self.assertEqual([(1.0, 2), (2.0, 3), (math.inf, 4)], list(histogram.cumulative()))
        self.assertEqual((4, 10.0), (histogram.count, histogram.total))

    def test_empty(self) -> None:
        self.assertEqual([(1.0, 0), (math.inf, 0)], list(Histogram((1.0,)).cumulative()))

    def test_bounds_ascend(self) -> None:
        for bounds in (FAST, SLOW):
            self.assertEqual(sorted(set(bounds)), list(bounds))

"""Trends: a window says what a naive computation over all updates says."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.histories.slot import Slot
from streamd.core.histories.slots import Slots
from streamd.core.trend import FINE, Trend, Window

NUMBERS = st.one_of(st.none(), st.integers(0, 20).map(float), st.floats(0, 9))
STEPS = st.one_of(st.just(0.0), st.just(1.0), st.floats(0.5, 40))
HEARD = st.lists(st.tuples(STEPS, NUMBERS, st.booleans()), min_size=1, max_size=25)


def looked(trend: Trend, now: float) -> Window:
    window = trend.window(now)
    assert window is not None
    return window


class TrendTests(SynchronousTestCase):
    @given(st.sampled_from([10.0, 60.0, 3600.0]), HEARD)
    def test_equals_a_naive_computation(
        self, seconds: float, heard: Sequence[tuple[float, float | None, bool]]
    ) -> None:
        trend, time, said = Trend(seconds), 100.0, []
        for step, number, looks in heard:
            time += step
            trend.hear(time, number)
            said.append((time, number))
            if looks:
                time += seconds / 3
                self.compare(said, looked(trend, time), time - seconds, time)

    def compare(
        self, said: Sequence[tuple[float, float | None]], got: Window, begin: float, now: float
    ) -> None:
        area = known = 0.0
        for (time, number), until in zip(said, [*(t for t, _ in said[1:]), now], strict=True):
            held = min(until, now) - max(time, begin)
            if number is not None and held > 0:
                area += number * held
                known += held
        first = next((number for time, number in reversed(said) if time <= begin), None)
        within = [number for time, number in said if time > begin and number is not None]
        bounds = [*within, *([] if first is None else [first])]
        self.assertEqual(said[0][0] <= begin, got.whole)
        self.assertEqual((first, len(within)), (got.first, got.updates))
        self.assertAlmostEqual(sum(within), got.total, places=6)
        self.assertEqual(min(bounds, default=None), got.low)
        self.assertEqual(max(bounds, default=None), got.high)
        if known > 0.1:
            assert got.mean is not None
            self.assertAlmostEqual(area / known, got.mean, places=6)

    def test_a_counter_that_restarts(self) -> None:
        trend = Trend(60.0)
        for time, number in enumerate([100, 130, 5, 12, 11, 11]):
            trend.hear(time, float(number))
        self.assertEqual(30 + 5 + 7 - 1, looked(trend, 10.0).growth)

    def test_a_number_that_is_known_again_is_no_update(self) -> None:
        trend = Trend(60.0)
        trend.hear(0.0, 4.0)
        trend.hear(1.0, None)
        trend.hear(2.0, 6.0, counts=False)
        window = looked(trend, 4.0)
        self.assertEqual((1, 4.0, 2.0), (window.updates, window.total, window.growth))
        self.assertEqual((4.0 * 1 + 6.0 * 2) / 3, window.mean)

    def test_points_are_bounded(self) -> None:
        trend = Trend(60.0)
        for step in range(100_000):
            trend.hear(step / 1000, float(step % 7))
        window = looked(trend, 100.0)
        self.assertLess(len(trend._points), 1.1 * FINE)
        self.assertEqual((0.0, 6.0), (window.low, window.high))
        self.assertAlmostEqual(3.0, window.mean or 0.0, places=2)
        self.assertLess(abs(60_000 - window.updates), 60_000 / FINE + 1)

    def test_slots_stand_for_older_updates(self) -> None:
        slots, trend, other = Slots(600.0), Trend(30.0), Trend(30.0)
        for time, number in (0.0, 2.0), (7.5, 8.0), (12.0, None), (15.0, 3.0):
            slots.hear(time, number)
            other.hear(time, number)
        for slot in slots.read(0.0, 20.0):
            trend.hear_slot(slot, slots.width)
        trend.hear(20.0, 5.0)
        other.hear(20.0, 5.0)
        got, want = looked(trend, 30.0), looked(other, 30.0)
        self.assertEqual((want.low, want.high), (got.low, got.high))
        self.assertAlmostEqual(want.mean or 0.0, got.mean or 1.0)
        self.assertEqual(want.growth, got.growth)
        self.assertTrue(got.whole)
        self.assertFalse(got.counted)

    def test_a_huge_number_spoils_no_later_window(self) -> None:
        trend = Trend(60.0)
        for time, number in (0.0, 1.0), (10.0, 1e300), (11.0, 1.0), (20.0, 3.0):
            trend.hear(time, number)
        window = looked(trend, 100.0)
        self.assertEqual((3.0, 0.0, 0.0), (window.mean, window.growth, window.total))
        trend.hear(110.0, 5.0)
        window = looked(trend, 130.0)
        self.assertAlmostEqual((40 * 3.0 + 20 * 5.0) / 60, window.mean or 0.0)
        self.assertEqual((2.0, 5.0), (window.growth, window.total))

    def test_a_number_is_unknown_between_slots(self) -> None:
        trend = Trend(2000.0)
        for begin, number in (0.0, 5.0), (1000.0, 7.0):
            trend.hear_slot(Slot(begin, number, number, number, number, 60.0), 60.0)
        window = looked(trend, 2900.0)
        self.assertIsNone(window.first)
        self.assertAlmostEqual(7.0, window.mean or 0.0)

    def test_without_updates(self) -> None:
        self.assertIsNone(Trend(60.0).window(1.0))

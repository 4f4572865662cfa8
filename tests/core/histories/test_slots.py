"""Slots: every slot equals what a naive computation over all numbers gives."""

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import patch

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.histories.slot import Slot, combined
from streamd.core.histories.slots import BLOCK, BLOCK_BYTES, MOST, WIDTHS, Slots, width_for
from streamd.core.steps import STEP, finish
from tests.support.past import Said, close, naive

DAY = 86_400.0

NUMBERS = st.one_of(st.none(), st.integers(-5, 5).map(float), st.floats(-1e6, 1e6))
STEPS = st.one_of(st.just(0.0), st.integers(0, 7).map(float), st.floats(0, 90))
SAID = st.lists(st.tuples(STEPS, NUMBERS), min_size=1, max_size=15)
SPANS = st.sampled_from([60.0, 12_000.0, 24_000.0, 30 * 12_000.0])


class SlotsTests(SynchronousTestCase):
    def assert_slots(self, want: dict[int, Slot], got: Sequence[Slot], width: int) -> None:
        self.assertEqual([*want], [int(slot.time) // width for slot in got])
        for slot, other in zip(got, want.values(), strict=True):
            self.assertEqual((other.low, other.high, other.last), (slot.low, slot.high, slot.last))
            self.assertTrue(close(slot.known, other.known), (slot, other))
            size = max(abs(slot.low), abs(slot.high), 1.0) * 1e3
            self.assertTrue(close(slot.mean, other.mean, size), (slot, other))

    @given(SPANS, st.sampled_from([0.0, 1e6]), SAID, st.sampled_from([0.0, 0.5, 70.25]))
    @example(12_000.0, 0.0, [(0.0, 1.0), (1.0, 2.0)], 0.0)
    def test_equals_a_naive_computation(
        self, span: float, time: float, steps: Said, more: float
    ) -> None:
        slots = Slots(span)
        said = []
        for step, number in steps:
            time += step
            said.append((time, number))
            slots.hear(time, number)
        first = int(said[0][0]) // slots.width
        said = [
            (t - first * slots.width, number) for t, number in said
        ]  # keeps the naive one quick
        end = said[-1][0] + more
        got = [s._replace(time=s.time - first * slots.width) for s in slots.read(0.0, time + more)]
        self.assert_slots(naive(said, end, slots.width), got, slots.width)

    @given(SAID, st.sampled_from([2, 5, 60]))
    def test_wider_slots_are_those_of_wider_slots(self, steps: Said, width: int) -> None:
        slots, time, said = Slots(9000.0), 0.0, []  # longer than all steps: none is dropped
        for step, number in steps:
            time += step
            said.append((time, number))
            slots.hear(time, number)
        got = finish(combined(slots.parts(0, time + 7), width))
        self.assert_slots(naive(said, time + 7, width), got, width)

    @given(SAID, st.integers(0, 3))
    def test_a_busy_slot_is_the_same_whenever_it_is_written(self, steps: Said, every: int) -> None:
        slots, other, time = Slots(24_000.0), Slots(24_000.0), 0.0
        for count, (step, number) in enumerate(steps):
            time += step / 20
            slots.hear(time, number)
            other._open_until = 0.0  # so it writes each number into the block
            other.hear(time, number)
            if every and count % every == 0:
                slots.flush()
        self.assertEqual(
            [other.dump(n) for n in other.blocks], [slots.dump(n) for n in slots.blocks]
        )
        self.assertEqual(other.changed, slots.changed)

    def test_the_width_is_the_shortest_that_covers_the_time(self) -> None:
        widths = [
            (60.0, 1),
            (8 * DAY, 60),
            (90 * DAY, 900),
            (400 * DAY, 3600),
            (MOST * DAY, 86_400),
        ]
        for seconds, width in widths:
            self.assertEqual(width, width_for(seconds))
        self.assertEqual([], [width for width in WIDTHS if DAY % width])

    def test_old_blocks_are_dropped(self) -> None:
        slots = Slots(2.0 * BLOCK)
        for time in range(10 * BLOCK):
            slots.hear(float(time), float(time))
        self.assertEqual([7, 8, 9], slots.blocks)
        self.assertEqual(3 * BLOCK_BYTES, slots.size)
        self.assertEqual({*range(10)}, slots.changed)

    def test_a_number_that_holds_for_years_makes_no_more_slots_than_others(self) -> None:
        slots = Slots(2.0 * BLOCK)
        slots.hear(0.0, 7.0)
        slots.hear(1e9, 8.0)
        self.assertEqual(3, len(slots.blocks))
        self.assertEqual([7.0, 8.0], [slot.last for slot in slots.read(1e9 - 1, 1e9 + 1)])

    def test_numbers_near_the_largest_do_not_overflow(self) -> None:
        slots = Slots(60.0)
        for time, number in (0.0, 1.7e308), (0.25, -1.7e308), (0.5, 1.7e308), (1.0, -1.7e308):
            slots.hear(time, number)
        means = [slot.mean for slot in slots.read(0.0, 2.0)]
        self.assertTrue(close(0.85e308, means[0]) and close(-1.7e308, means[1]), means)

    def test_blocks_survive_being_stored(self) -> None:
        slots, other = Slots(600.0), Slots(600.0)
        slots.hear(0.0, 1.5)
        slots.hear(400.0, None)
        for block in slots.blocks:
            other.load(block, slots.dump(block) or b"")
        self.assertEqual([*slots.read(0.0, 500.0)], [*other.read(0.0, 500.0)])
        self.assertRaises(ValueError, other.load, 0, b"12345678")
        self.assertRaises(ValueError, other.load, 0, b"1")

    def test_a_number_that_comes_too_late_changes_only_the_bounds(self) -> None:
        slots = Slots(60.0)
        slots.hear(0.0, 4.0)
        slots.hear(1.0, 5.0)
        slots.touch(0.5, 9.0)
        [first, _] = slots.read(0.0, 2.0)
        self.assertEqual((4.0, 9.0, 4.0, 4.0), (first.low, first.high, first.mean, first.last))

    def test_a_number_older_than_all_slots_makes_none(self) -> None:
        slots, other = Slots(600.0), Slots(600.0)
        slots.hear(100_000.0, 1.0)
        slots.touch(0.0, 2.0)
        self.assertEqual(1, len(slots.blocks))
        with patch.object(Slots, "_get", return_value=None) as get:
            slots.copy(other, 0.0, 100_000.0)
        self.assertLess(get.call_count, 3000)

    def test_many_slots_are_combined_in_steps(self) -> None:
        slots = Slots(60.0 * MOST)
        slots.hear(0.0, 1.0)
        slots.hear(60.0 * MOST, 2.0)
        steps = sum(1 for _ in combined(slots.parts(0.0, 60.0 * MOST), 86_400))
        self.assertGreaterEqual(steps, MOST // STEP)

    def test_slots_after_the_cut_are_forgotten(self) -> None:
        slots = Slots(600.0)
        for time, number in (10.0, 1.0), (20.0, 2.0), (30.0, 3.0):
            slots.hear(time, number)
        slots.cut(15.0)
        got = [(slot.time, slot.mean) for slot in slots.read(0.0, 40.0)]
        self.assertEqual([(n, 1.0 if n < 15 else 3.0) for n in range(10, 40)], got)

"""One slot: what is combined is what happened in all of its parts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.histories.slot import Fields, Slot, combined, heard, held, stretches
from streamd.core.steps import finish

NUMBERS = st.floats(-1e6, 1e6)


class SlotTests(SynchronousTestCase):
    @given(NUMBERS, st.lists(st.tuples(st.sampled_from([0.0, 0.5, 3.25]), NUMBERS), max_size=8))
    def test_a_number_that_begins_is_joined_as_its_parts_are(
        self, first: float, steps: list[tuple[float, float]]
    ) -> None:
        slot, number = held(0.0, 0.0, first), first
        fields: Fields = (slot.low, slot.high, slot.mean, slot.last, slot.known)
        time = 0.0
        for seconds, new in steps:
            fields = heard(fields, seconds, new)
            if seconds:
                slot = slot.joined(held(time, time + seconds, number))
            slot = slot.joined(held(time, time, new))
            time, number = time + seconds, new
            self.assertEqual(slot[1:], fields)

    def test_parts_of_one_slot_become_one(self) -> None:
        parts = [held(0.0, 1.0, 2.0), held(1.0, 2.0, 4.0), held(60.0, 61.0, 7.0)]
        want = [Slot(0, 2.0, 4.0, 3.0, 4.0, 2.0), Slot(60, 7.0, 7.0, 7.0, 7.0, 1.0)]
        self.assertEqual(want, finish(combined(parts, 60)))

    def test_a_number_holds_in_parts_that_end_with_a_slot(self) -> None:
        want = [held(50.0, 60.0, 1.0), held(60.0, 120.0, 1.0), held(120.0, 130.0, 1.0)]
        self.assertEqual(want, [*stretches(50.0, 130.0, 1.0, 60)])
        self.assertEqual([], [*stretches(50.0, 50.0, 1.0, 60)])

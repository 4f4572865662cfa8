"""Rows of a backfill fill the pasts of their streams."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.histories.past import Past
from streamd.core.histories.slots import Slots
from streamd.core.steps import finish
from streamd.core.values import BadValue
from streamd.sources.backfills.rows import PastRow, fill, json_or_null


class RowsTests(SynchronousTestCase):
    def test_rows_fill_the_pasts_of_their_streams(self) -> None:
        past = Past(24_000.0, 2000.0, lambda value: None)
        told = [PastRow(10.0, {"n": b"5", "other": b"6"})]
        strange = finish(fill({"shop.n": past}, "shop", told))
        past.reach(2000.0)
        self.assertEqual({"shop.other"}, strange)
        [slot] = past.before(Slots(24_000.0)).read(10, 12)
        self.assertEqual((5.0, 2.0), (slot.mean, slot.known))

    def test_an_empty_end_is_the_stream_with_the_name_of_the_source(self) -> None:
        past = Past(24_000.0, 2000.0, lambda value: None)
        self.assertEqual(set(), finish(fill({"shop": past}, "shop", [PastRow(10.0, {"": b"5"})])))
        past.reach(2000.0)
        self.assertEqual(5.0, past.before(Slots(24_000.0)).read(10, 12)[0].mean)

    def test_many_values_are_filled_in_steps_however_they_are_in_rows(self) -> None:
        past = Past(24_000.0, 2000.0, lambda value: None)
        tall = [PastRow(float(n), {"n": b"5"}) for n in range(1000)]
        wide = [PastRow(float(n), {f"{i}": b"5" for i in range(100)}) for n in range(10)]
        for rows in tall, wide:
            self.assertGreater(len([*fill({"shop.n": past}, "shop", rows)]), 10)

    def test_a_value_that_no_stream_can_hold_is_unknown(self) -> None:
        self.assertEqual([b"7", b"null"], [json_or_null(each) for each in (7, BadValue("NaN"))])

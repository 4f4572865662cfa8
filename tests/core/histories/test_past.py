"""Past: with the long history after it, it is what one history of everything would be."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.histories.blocks import HEAD
from streamd.core.histories.long_history import LongHistory
from streamd.core.histories.past import Past
from streamd.core.histories.segments import Segments
from streamd.core.histories.slots import BLOCK, Slots
from streamd.core.update import Position, Update
from streamd.core.values import number_and_word
from tests.support.past import close

VALUES = st.sampled_from([b"null", b'"up"', b'"down"', b"true", b"-3", b"0", b"7.25", b"[1]"])
STEPS = st.one_of(st.just(0.0), st.integers(1, 9).map(float), st.floats(0, 900))
SAID = st.lists(st.tuples(STEPS, VALUES), min_size=2, max_size=20)
SECONDS = 24_000.0
"""The time that the histories cover: their slots have 2 s."""


def level(value: bytes) -> str | None:
    number, _ = number_and_word(value)
    return None if number is None else "warn" if number > 5 else "ok"


def heard(said: Sequence[tuple[float, bytes]]) -> LongHistory:
    """A long history of these times and values."""
    long = LongHistory(SECONDS, level)
    for number, (time, value) in enumerate(said, 1):
        long.hear(Update("a", number, Position(10**9 + number, number), time, value), ())
    return long


def filled(said: Sequence[tuple[float, bytes]], until: float) -> Past:
    past = Past(SECONDS, until, level)
    for time, value in said:
        past.hear(time, value)
    past.reach(until)
    return past


class PastTests(SynchronousTestCase):
    def assert_same(self, one: Slots, other: Slots, end: float) -> None:
        ours, theirs = [*one.read(0, end)], [*other.read(0, end)]
        self.assertEqual([s.time for s in ours], [s.time for s in theirs])
        for a, b in zip(ours, theirs, strict=True):
            self.assertEqual((a.low, a.high, a.last), (b.low, b.high, b.last))
            self.assertTrue(close(a.known, b.known) and close(a.mean, b.mean, 1e3), (a, b))

    @given(SAID, st.data())
    def test_equals_one_history(
        self, steps: Sequence[tuple[float, bytes]], data: st.DataObject
    ) -> None:
        said, time = [], 5000.0
        for step, value in steps:
            time += step
            said.append((time, value))
        number = data.draw(st.integers(1, len(said) - 1))
        live = [each for each in said if each[0] >= said[number][0]]
        whole = heard(said)
        past = filled(said, live[0][0])  # it leaves out what is live
        long = heard(live)
        self.assert_same(past.before(long.slots), whole.slots, time + 5)
        joined = past.before_segments(long.segments)
        for ours, theirs in zip(joined, whole.segments, strict=True):
            self.assertEqual([*theirs.read(0, time + 5)], [*ours.read(0, time + 5)])

    @given(SAID, st.integers(0, 20), st.integers(1, 20))
    def test_a_part_that_is_read_again_changes_nothing(
        self, steps: Sequence[tuple[float, bytes]], first: int, count: int
    ) -> None:
        time, said = 0.0, []
        for step, value in steps:
            time += step
            said.append((time, value))
        once, twice = filled(said, time), Past(SECONDS, time, level)
        end = max(first + count, 1)
        for part in said[:end], said[min(first, len(said)) : end], said[end:]:
            for at, value in part:
                twice.hear(at, value)
        twice.reach(time)
        empty = Slots(SECONDS)
        self.assert_same(once.before(empty), twice.before(empty), time + 5)

    def test_only_the_filled_past_is_known(self) -> None:
        past = Past(SECONDS, 2000.0, level)
        past.hear(1000.0, b"5")
        past.reach(1010.0)
        self.assertFalse(past.complete)
        slots = [*past.before(Slots(SECONDS)).read(0, 3000)]
        self.assertEqual([1000.0 + n for n in range(0, 10, 2)], [s.time for s in slots if s.known])
        past.reach(3000.0)
        self.assertTrue(past.complete)
        self.assertEqual(2000.0, past.reached)

    def test_the_slot_where_both_meet_is_combined(self) -> None:
        past = filled([(1000.0, b"4")], 1000.5)
        [slot] = past.before(heard([(1000.5, b"8")]).slots).read(1000, 1002)
        self.assertEqual((4.0, 8.0, 7.0, 8.0, 2.0), slot[1:])

    def test_a_late_value_changes_the_lowest_and_highest(self) -> None:
        past = filled([(1000.0, b"4"), (1010.0, b"4"), (1001.0, b"9"), (1001.0, b'"up"')], 2000.0)
        [slot] = past.before(Slots(SECONDS)).read(1000, 1002)
        self.assertEqual((4.0, 9.0, 4.0, 4.0), slot[1:5])

    def test_after_null_no_level_is_known(self) -> None:
        past = Past(SECONDS, 2000.0, lambda value: "ok")
        for time, value in ((1000.0, b'"up"'), (1010.0, b"null"), (1020.0, b'"up"')):
            past.hear(time, value)
        past.reach(2000.0)
        _, levels, _ = past.before_segments((Segments(), Segments(), Segments()))
        self.assertEqual([(1000, 1010), (1020, 2000)], [s[:2] for s in levels.read(0, 3000)])

    def test_it_is_stored(self) -> None:
        said = [(1000.0, b"4"), (1500.0, b"6"), (1600.0, b'"up"')]
        past = filled(said, 2000.0)
        blocks = {number: data for number, data in past.changes().items() if data is not None}
        self.assertEqual({HEAD}, past.changes().keys())
        again = Past(SECONDS, 0.0, level)
        again.load(blocks)
        self.assertEqual((2000.0, 2000.0), (again.until, again.reached))
        self.assert_same(past.before(Slots(SECONDS)), again.before(Slots(SECONDS)), 3000)
        self.assertEqual(blocks[HEAD], again.changes()[HEAD])

    def test_a_loaded_past_deletes_no_block_that_another_node_stores(self) -> None:
        blocks = filled([(1000.0, b"4")], 2000.0).changes()
        past = Past(SECONDS, 0.0, level, stored=[5, 6])
        past.load({number: data for number, data in blocks.items() if data is not None})
        self.assertEqual({}, past.dropped())

    def test_invalid_past_is_refused(self) -> None:
        past = filled([(1000.0, b"4")], 2000.0)
        head = past.changes()[HEAD]
        assert head is not None
        for blocks in {}, {HEAD: b"[]"}, {HEAD: head, 0: b"x"}:
            with self.assertRaises(ValueError):
                Past(SECONDS, 0.0, level).load(blocks)
        with self.assertRaises(ValueError):
            Past(10 * SECONDS, 0.0, level).load({HEAD: head})

    def test_slots_that_are_too_old_are_dropped(self) -> None:
        block = BLOCK * 2.0  # seconds
        past = filled([(number * block, b"4") for number in range(10)], 10 * block)
        past.changes()
        past.expire(2 * block + SECONDS + 1)
        self.assertEqual({0: None, 1: None}, past.dropped())
        self.assertEqual({}, past.dropped())
        past.expire(10 * block + SECONDS + 1)
        self.assertTrue(past.ended)
        self.assertEqual({HEAD, *range(2, 10)}, past.dropped().keys())
        self.assertEqual({}, past.dropped())
        past.hear(1000.0, b"4")
        self.assertEqual([], [*past.before(Slots(SECONDS)).read(0, 1e5)])

    def test_what_could_not_be_deleted_is_dropped_again(self) -> None:
        past = filled([(1000.0, b"4")], 2000.0)
        past.changes()
        past.end()
        dropped = past.dropped()
        self.assertIn(HEAD, dropped)
        past.mark(dropped)
        self.assertEqual(dropped, past.dropped())
        past = filled([(1000.0, b"4")], 2000.0)
        past.mark([HEAD])  # it could not be stored, which does not end it
        self.assertEqual({}, past.dropped())

    def test_it_gives_room(self) -> None:
        past = filled([(1000.0, b"4"), (9000.0, b'"up"')], 10_000.0)
        before = past.size
        self.assertTrue(past.shorten())
        self.assertLess(past.size, before)
        while past.shorten():
            pass
        self.assertEqual(0, past.size)

    def test_an_ended_past_is_deleted_where_it_is_stored(self) -> None:
        past = filled([(1000.0, b"4")], 2000.0)
        past.end()
        self.assertIsNone(past.changes()[HEAD])

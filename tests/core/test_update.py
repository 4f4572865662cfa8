"""What happened, and where in the log: names, positions, updates."""

from __future__ import annotations

import gc

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.core.update import (
    LIFE_UNIT,
    MAX_LIFE,
    ORIGIN,
    Draft,
    Position,
    Update,
    check_name,
    parse_position,
)

LIVES = st.integers(1, MAX_LIFE - 1)
CLOCKS = st.integers(-(10**6), 10**14)


class NameTests(SynchronousTestCase):
    def test_good_names(self) -> None:
        for name in ("a", "0", "orders", "shop.orders", "A-b_c.9", "a.", "x" * 128):
            self.assertEqual(name, check_name(name))

    def test_bad_names(self) -> None:
        for name in ("", ".a", "-a", "_a", "a b", "a/b", "ä", "a\n", "a\x00", "x" * 129, "*"):
            refused = self.assertRaises(Refused, check_name, name)
            self.assertEqual((400, "bad-name"), (refused.status, refused.code), name)
            self.assertIn("1 to 128", refused.message)

    def test_a_long_bad_name_is_not_repeated_whole(self) -> None:
        self.assertLess(len(self.assertRaises(Refused, check_name, "ä" * 5000).message), 500)


class PositionTests(SynchronousTestCase):
    def test_a_batch_that_its_millisecond_cannot_hold_gets_the_next_one(self) -> None:
        first = 7 * LIFE_UNIT
        begin = Position(5, first + LIFE_UNIT - 3)
        self.assertEqual(Position(5, first + LIFE_UNIT - 2), begin.next(5, 7, 2))
        self.assertEqual(Position(6, first), begin.next(5, 7, 3))
        self.assertEqual(Position(9, first), begin.next(9, 7, 3))

    @given(st.integers(0, 10**15 - 1), st.integers(0, 2**63 - 1))
    def test_what_is_written_is_read(self, ms: int, n: int) -> None:
        self.assertEqual(Position(ms, n), parse_position(str(Position(ms, n))))

    def test_anything_else_is_no_position(self) -> None:
        bad = ("", "1", "-", "1-", "-1", "1-2-3", "a-b", "1-2\n", " 1-2", "+1-2", "1.0-2", "٣-٣")
        for text in (*bad, "9" * 16 + "-0", "0-" + "9" * 20, "1" * 10**6 + "-1"):
            self.assertIs(None, parse_position(text), text[:30])

    @given(st.lists(CLOCKS, max_size=50), LIVES)
    @example([0, 0], 1)
    @example([-5, -5], 1)
    def test_strictly_increasing_for_any_clock(self, clock: list[int], life: int) -> None:
        at = ORIGIN
        for ms in clock:
            following = at.next(ms, life)
            self.assertGreater(following, at)
            self.assertEqual(life, following.life)
            self.assertLess(following.n, 2**63)
            at = following

    @given(CLOCKS, LIVES, LIVES, CLOCKS)
    def test_a_new_life_continues_after_the_old_one(
        self, ms: int, old: int, new: int, clock: int
    ) -> None:
        last = ORIGIN.next(ms, old)
        following = last.next(clock, new)
        self.assertGreater(following, last)
        self.assertEqual(new, following.life)

    def test_a_millisecond_that_is_full_flows_into_the_next(self) -> None:
        full = Position(5, 7 * LIFE_UNIT + LIFE_UNIT - 1)
        self.assertEqual(Position(6, 7 * LIFE_UNIT), full.next(5, 7))

    def test_a_cursor_of_another_life_is_recognised_by_its_number(self) -> None:
        self.assertNotEqual(ORIGIN.next(5, 7).life, ORIGIN.next(5, 8).life)


class UpdateTests(SynchronousTestCase):
    def test_the_garbage_collector_does_not_look_at_a_million(self) -> None:
        for one in (Draft("a", b"1"), Update("a", 1, ORIGIN, 0.0, b"1"), ORIGIN):
            self.assertFalse(gc.is_tracked(one), type(one))

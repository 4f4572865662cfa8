"""Selections: what they match, and what they may cost."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.core.selection import Selection

NAMES = st.text("ab.", min_size=1, max_size=6)


class SelectionTests(SynchronousTestCase):
    def test_all_some_and_none(self) -> None:
        self.assertIn("anything", Selection())
        self.assertIn("anything", Selection(["x", "*"]))
        self.assertNotIn("anything", Selection([]))
        self.assertIn("orders", Selection(["orders"]))
        self.assertNotIn("orders2", Selection(["orders"]))
        self.assertNotIn("my.orders", Selection(["orders"]))

    @given(st.lists(st.text("ab.*?", min_size=1, max_size=4), max_size=4), NAMES)
    def test_names_and_globs(self, patterns: list[str], name: str) -> None:
        selected = any(fnmatchcase(name, pattern) for pattern in patterns)
        self.assertEqual(selected, name in Selection(patterns))

    def test_equal_however_it_was_written(self) -> None:
        one, other = Selection(["a", "b.*", "a"]), Selection(["b.*", "a"])
        self.assertEqual((one, hash(one)), (other, hash(other)))
        self.assertEqual(Selection(), Selection(["a", "*"]))
        self.assertNotEqual(Selection(), Selection([]))
        self.assertNotEqual(Selection(["a"]), "a")

    def test_bounds(self) -> None:
        names = [f"n{number}" for number in range(33)]
        self.assertIn("n31", Selection(names[:32]))
        for patterns in (names, ["a b"], [""], ["x" * 129], ["[a]"], ["a/b"], ["a\n"]):
            refused = self.assertRaises(Refused, Selection, patterns)
            self.assertEqual((400, "bad-selection"), (refused.status, refused.code))

    def test_globs_have_few_stars(self) -> None:
        self.assertIn("aXbXcXdX", Selection(["a*b*c*d*"]))
        self.assertIn("x9", Selection([f"x*{number}" for number in range(32)]))
        for patterns, said in (
            (["a*b*c*d*e*"], '"a*b*c*d*e*" has more than 4 *'),
            (["*c*u*s*" + str(number) for number in range(9)], "the globs have 36 *"),
            (["?" * 100 + str(number) for number in range(10, 30)], "more than 1024 characters"),
        ):
            refused = self.assertRaises(Refused, Selection, patterns)
            self.assertEqual((400, "bad-selection"), (refused.status, refused.code))
            self.assertIn(said, refused.message)

    def test_long_names_are_bounded_by_their_number_alone(self) -> None:
        self.assertIn("y" * 126 + "31", Selection(["y" * 126 + f"{n:02}" for n in range(32)]))

    def test_no_pattern_is_slow(self) -> None:
        evil = Selection([f"{'*a' * 4}b{number}" for number in range(8)])
        self.assertNotIn("a", evil)  # it compiles
        began = time.process_time()
        for _ in range(1000):
            self.assertNotIn("a" * 128, evil)
        self.assertLess(time.process_time() - began, 0.5)

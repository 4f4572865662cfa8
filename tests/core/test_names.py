"""Ends of stream names, made of names that others gave."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.names import by_name, end_of_name
from streamd.core.update import check_name
from streamd.core.values import BadValue


class EndOfNameTests(SynchronousTestCase):
    @given(st.text(max_size=50))
    def test_any_text_ends_a_name(self, text: str) -> None:
        name = f"shop.{end_of_name(text)}"
        self.assertEqual(name, check_name(name))

    def test_a_good_end_stays(self) -> None:
        self.assertEqual("far-east_2.x", end_of_name("far-east_2.x"))


class ByNameTests(SynchronousTestCase):
    def test_names_that_become_one_are_both_bad(self) -> None:
        found = by_name({"a b": 1, "a/b": 2, "c": 3})
        self.assertEqual(3, found.pop("c"))
        [(name, bad)] = found.items()
        self.assertEqual("a_b", name)
        assert isinstance(bad, BadValue)
        self.assertIn("'a b'", bad.reason)

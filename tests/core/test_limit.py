"""Limits: conditions on a value."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.limit import Limit
from tests.support.values import JSON_VALUES


class LimitTests(SynchronousTestCase):
    def assertHolds(self, text: str, *values: Any) -> None:
        for value in values:
            self.assertTrue(Limit(text).holds(value), f"{value!r} {text}")

    def assertHoldsNot(self, text: str, *values: Any) -> None:
        for value in values:
            self.assertFalse(Limit(text).holds(value), f"{value!r} {text}")

    def test_numbers(self) -> None:
        self.assertHolds("> 80", 81, 80.5, 10**30)
        self.assertHoldsNot("> 80", 80, -81)
        self.assertHolds(">= 80", 80)
        self.assertHolds("<1000", 999.9, -5)
        self.assertHolds("<= -1.5e2", -150)
        self.assertHolds("== 5", 5, 5.0)
        self.assertHolds("!= 5", 6)
        self.assertHoldsNot("!= 5", 5)

    def test_texts(self) -> None:
        self.assertHolds("== failed", "failed")
        self.assertHolds('== "build failed"', "build failed")
        self.assertHolds("!= ok", "failed", 3)
        self.assertHoldsNot("!= ok", "ok")

    def test_a_number_that_came_as_text(self) -> None:
        self.assertHolds("== 404", "404", 404)
        self.assertHoldsNot("!= 404", "404")
        self.assertHoldsNot("== 404", "405", "x")

    def test_booleans_are_words(self) -> None:
        self.assertHolds("== true", True)
        self.assertHolds("!= true", False)
        self.assertHoldsNot("== 1", True)
        self.assertHoldsNot("> 0", True)

    def test_what_cannot_be_compared_is_never_alarming(self) -> None:
        for text in ("> 80", "< 80", "== x", "!= x", "!= 5"):
            self.assertHoldsNot(text, None, [], {}, [81], {"a": 1})
        self.assertHoldsNot("> 80", "81", "many")

    def test_invalid_limit(self) -> None:
        for text in ("", ">", "80", "= 80", "=> 80", "> many", "< nan", "> inf", "~ 5", "<> 5"):
            self.assertRaises(ValueError, Limit, text)

    @given(st.sampled_from(["> 1", "<= 1", "== 1", "!= x", "== true"]), JSON_VALUES)
    def test_any_value_can_be_judged(self, text: str, value: object) -> None:
        self.assertIn(Limit(text).holds(value), (True, False))

    def test_equal_when_written_alike(self) -> None:
        self.assertEqual(Limit("> 1"), Limit(" > 1 "))
        self.assertEqual(hash(Limit("> 1")), hash(Limit("> 1")))
        self.assertNotEqual(Limit("> 1"), Limit("> 2"))

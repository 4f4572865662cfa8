"""What msgspec says of a wrong value, without the names of Python's types."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.type_errors import reworded

Meta = msgspec.Meta


class Lamp(msgspec.Struct, forbid_unknown_fields=True):
    watts: int
    names: tuple[str, ...] = ()


class ExpectedTests(SynchronousTestCase):
    def check(self, value: Any, type: Any, wanted: str) -> None:
        with self.assertRaises(msgspec.ValidationError) as caught:
            msgspec.convert(value, type)
        self.assertEqual(wanted, str(reworded(caught.exception)))

    def test_types(self) -> None:
        self.check(5, str, "expected a text, not a whole number")
        self.check("5", int | None, "expected a whole number, not a text")
        self.check([], float, "expected a number, not an array")
        self.check({}, bool, "expected true or false, not an object")
        self.check("x", dict[str, int], "expected an object, not a text")
        self.check(5, str | list[str], "expected a text or an array, not a whole number")
        self.check(None, int, "expected a whole number, not null")

    def test_a_table_has_the_name_that_its_writers_know(self) -> None:
        text = "expected a table, not a text"
        self.assertEqual(text, str(reworded("Expected `object`, got `str`", "a table")))

    def test_bounds(self) -> None:
        for meta, value, wanted in (
            (Meta(min_length=1), "", "a text that is not empty"),
            (Meta(min_length=3), "a", "a text of at least 3 characters"),
            (Meta(max_length=3), "abcd", "a text of at most 3 characters"),
            (Meta(pattern="^[a-z]+$"), "A", "a text that matches ^[a-z]+$"),
        ):
            self.check(value, Annotated[str, meta], f"expected {wanted}")
        self.check(
            [], Annotated[list[str], Meta(min_length=1)], "expected an array that is not empty"
        )
        self.check(
            [1, 2],
            Annotated[list[int], Meta(max_length=1)],
            "expected an array of at most 1 entry",
        )
        self.check([1], tuple[int, int], "expected an array of 2 entries, not 1")
        self.check(0, Annotated[int, Meta(ge=1)], "expected a whole number of at least 1")
        self.check(2.5, Annotated[float, Meta(le=1.5)], "expected a number of at most 1.5")

    def test_place(self) -> None:
        self.check({"watts": "5"}, Lamp, "watts: expected a whole number, not a text")
        self.check(
            {"watts": 5, "names": [5]}, Lamp, "names[0]: expected a text, not a whole number"
        )
        self.check({"a": "b"}, dict[str, int], "of a member: expected a whole number, not a text")
        self.check({1: 5}, dict[str, int], "of a key: expected a text, not a whole number")

    def test_members(self) -> None:
        self.check({}, Lamp, "watts is missing")
        self.check({"watts": 5, "colour": 1}, Lamp, "unknown member colour")

    def test_other_texts_stay(self) -> None:
        self.check("x", datetime, "invalid RFC3339 encoded datetime")
        for text in ("JSON is malformed: invalid character (byte 0)", "expected good words", ""):
            self.assertEqual(text, str(reworded(text)))

    def test_no_message_names_a_type_of_python(self) -> None:
        python = re.compile(r"\b(str|int|float|bool|dict|list)\b|`")
        values: list[Any] = [5, 1.5, "x", True, None, [], {}, [5], {"a": 5}]
        types: list[Any] = [str, int, float, bool, list[str], dict[str, str], Lamp, int | list[int]]
        for type in types:
            for value in values:
                try:
                    msgspec.convert(value, type)
                except msgspec.ValidationError as error:
                    self.assertNotRegex(str(reworded(error)), python)

"""Values: JSON texts, checked and made canonical."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.core.values import MAX_DEPTH, MAX_VALUE, from_json, from_python, from_text, to_python
from tests.support.values import JSON_VALUES


class ValueTests(SynchronousTestCase):
    def refused(self, text: bytes) -> tuple[int, str]:
        refused = self.assertRaises(Refused, from_json, text)
        return refused.status, refused.message

    @given(JSON_VALUES)
    def test_json_means_what_it_says(self, value: object) -> None:
        text = json.dumps(value, indent=1).encode()
        self.assertEqual(value, json.loads(from_json(text)))
        self.assertEqual(value, to_python(from_json(text)))
        self.assertEqual(from_json(text), from_json(from_json(text)))
        self.assertEqual(from_json(text), from_python(value))

    @given(st.binary(max_size=40))
    def test_any_bytes_are_a_value_or_refused(self, text: bytes) -> None:
        try:
            canonical = from_json(text)
        except Refused as refused:
            self.assertEqual(400, refused.status)
        else:
            self.assertEqual(json.loads(text), json.loads(canonical))

    def test_no_white_space_and_each_key_once(self) -> None:
        self.assertEqual(b'{"a":[1,2.5]}', from_json(b' {"a": 0, "a": [1 , 2.50] }\n'))

    def test_what_is_not_json(self) -> None:
        texts = (b"", b"hello", b"{", b"[1,]", b"'a'", b"\xff", b'"\xff"', b'"\\ud800"', b"1 2")
        for text in (*texts, b"\xef\xbb\xbf1"):
            status, message = self.refused(text)
            self.assertEqual(400, status, text)
            self.assertIn("not JSON", message)

    def test_numbers_that_no_browser_can_hold(self) -> None:
        big = b"1" + b"0" * 309
        for text in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", big, b"-" + big):
            self.assertEqual(400, self.refused(text)[0], text[:20])
            self.assertEqual(400, self.refused(b'{"a":[' + text + b"]}")[0], text[:20])
        self.assertEqual(400, self.refused(b"9" * 5000)[0])

    def test_large_numbers_that_a_double_can_hold(self) -> None:
        for text in (b"18446744073709551616", b"1" + b"0" * 308, b"-1.5e308"):
            self.assertEqual(float(text), float(to_python(from_json(text))))

    def test_digits_in_a_text_are_no_number(self) -> None:
        self.assertEqual(b'"' + b"9" * 400 + b'"', from_json(b'"' + b"9" * 400 + b'"'))

    def test_the_largest_value(self) -> None:
        text = b'"' + b"x" * (MAX_VALUE - 2) + b'"'
        self.assertEqual(text, from_json(text))
        self.assertEqual(413, self.refused(text + b" ")[0])

    def test_a_value_that_grows_when_written_out(self) -> None:
        text = b"[" + b",".join([b"1e15"] * 8000) + b"]"
        self.assertLess(len(text), MAX_VALUE)
        self.assertEqual(413, self.refused(text)[0])

    def test_depth_has_one_bound_wherever_it_is_asked(self) -> None:
        def nested(depth: int) -> bytes:
            return b'{"a":' * (depth - 1) + b"[]" + b"}" * (depth - 1)

        self.assertEqual(nested(MAX_DEPTH), from_json(nested(MAX_DEPTH)))
        for depth in (MAX_DEPTH + 1, 990, 10_000):
            status, message = self.refused(nested(depth))
            self.assertEqual(400, status)
            self.assertIn("100 levels", message)
        wide = b"[" + b",".join([b"[]"] * 1000) + b"]"
        self.assertEqual(wide, from_json(wide))

    def test_text(self) -> None:
        self.assertEqual(b'"say \\"hi\\""', from_text(b'say "hi"'))
        self.assertEqual("ä\n", to_python(from_text("ä\n".encode())))
        self.assertEqual(400, self.assertRaises(Refused, from_text, b"\xff").status)
        self.assertEqual(413, self.assertRaises(Refused, from_text, b"x" * MAX_VALUE).status)
        self.assertEqual(413, self.assertRaises(Refused, from_text, b"\n" * 40_000).status)

    def test_python_values_that_are_no_json(self) -> None:
        endless: list[object] = []
        endless.append(endless)
        deep: object = None
        for _ in range(100_000):
            deep = [deep]
        for bad in ({1, 2}, b"x", float("nan"), float("inf"), "\ud800", {(1,): 2}, object()):
            self.assertEqual(400, self.assertRaises(Refused, from_python, bad).status, repr(bad))
        for bad in (endless, deep, 10**400, 10**5000):
            self.assertEqual(400, self.assertRaises(Refused, from_python, bad).status)
        self.assertEqual(413, self.assertRaises(Refused, from_python, "x" * MAX_VALUE).status)

    def test_python_values_that_become_json(self) -> None:
        self.assertEqual(b'{"1":[1,null],"b":true}', from_python({1: (1, None), "b": True}))

    def test_a_value_can_be_read_wherever_it_was_accepted(self) -> None:
        text = from_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)

        def far_down(levels: int) -> object:
            return far_down(levels - 1) if levels else msgspec.json.decode(text)

        far_down(200)

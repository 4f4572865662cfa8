"""The line protocol of InfluxDB."""

from __future__ import annotations

import json
from time import process_time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.wire.influx import MAX_LINE, parse_point, split_lines


def point(line: str, unit: float = 1e-9) -> tuple[str, dict[str, str], dict[str, Any], Any]:
    measurement, tags, fields, time = parse_point(line, unit)
    return measurement, dict(tags), {key: json.loads(value) for key, value in fields.items()}, time


class ParsePointTests(SynchronousTestCase):
    def test_points_as_telegraf_writes_them(self) -> None:
        line = "cpu,cpu=cpu-total,host=web-1 usage_idle=98.5,usage_user=1i 1763790000000000000"
        self.assertEqual(
            (
                "cpu",
                {"cpu": "cpu-total", "host": "web-1"},
                {"usage_idle": 98.5, "usage_user": 1},
                1763790000.0,
            ),
            point(line),
        )
        self.assertEqual(("a", {}, {"b": 1}, None), point("a b=1"))
        self.assertEqual(1763790000.0, point("a b=1 1763790000", 1.0)[3])

    def test_values(self) -> None:
        for text, value in (
            ("1", 1),
            ("-1.5e3", -1500),
            (".5", 0.5),
            ("1i", 1),
            ("-9223372036854775808i", -(2**63)),
            ("18446744073709551615u", 2**64 - 1),
            ("t", True),
            ("FALSE", False),
            ('"x"', "x"),
            ('""', ""),
            (r'"a\"b\\c\d, e=1"', 'a"b\\c\\d, e=1'),
            ('"two\nlines"', "two\nlines"),
            ('"é"', "é"),
        ):
            self.assertEqual({"b": value}, point(f"a b={text} 1")[2], text)

    def test_escapes(self) -> None:
        measurement, tags, fields, _ = point(
            r'my\ disk\,x,a\ b=c\,d\=e,path=C:\dir f\ \=1=1,g="2" 5'
        )
        self.assertEqual("my disk,x", measurement)
        self.assertEqual({"a b": "c,d=e", "path": "C:\\dir"}, tags)
        self.assertEqual({"f =1": 1, "g": "2"}, fields)

    def test_mistakes(self) -> None:
        for line in (
            "a",
            "a b",
            "a b=",
            "a b=x",
            "a b=1 x",
            "a b=1,",
            "a b=1,c",
            "a,b c=1",
            "a,b= c=1",
            ",a=b c=1",
            'a b="x',
            "a b=1i5",
            "a b=1.5i",
            "a b=-1u",
            "a b=NaN",
            "a b=inf",
            "a b=1e999",
            "a b=1 1 1",
            "a b=1 1.5",
            "a" * (MAX_LINE + 1),
        ):
            error = self.assertRaises(Refused, parse_point, line, 1.0)
            self.assertEqual("bad-line", error.code, line)

    def test_lines(self) -> None:
        text = '# c "\n\na b=1\r\n a b="x\ny" 1\n\t\na b="\\""\nlast "'
        self.assertEqual(
            [(3, "a b=1"), (4, 'a b="x\ny" 1'), (7, 'a b="\\""'), (8, 'last "')],
            list(split_lines(text)),
        )

    @given(st.text(alphabet='ab,= "\\\n#1i.', max_size=60))
    def test_any_text(self, text: str) -> None:
        for _, line in split_lines(text):
            try:
                parse_point(line, 1.0)
            except Refused:  # any other exception fails the test
                continue


class HostileTextTests(SynchronousTestCase):
    def test_backslashes_take_no_time(self) -> None:
        before = process_time()
        for text in ("m " + "\\" * 20_000, "m," + "\\" * 20_000 + " f=1", "m f\\" * 9000):
            self.assertRaises(Refused, parse_point, text, 1.0)
        self.assertLess(process_time() - before, 1)

    def test_backslashes_count_only_before_what_has_a_meaning(self) -> None:
        self.assertEqual(
            (r"m\x", {r"a\,b": r"c\d"}, {r"f\=": 1}, None), point(r"m\x,a\\,b=c\d f\\==1")
        )

    def test_text_that_never_ends_takes_no_time(self) -> None:
        before = process_time()
        [(number, line)] = split_lines('\nm f="' + "a\n" * 100_000)
        self.assertLess(process_time() - before, 1)
        self.assertEqual((2, 200_005), (number, len(line)))

"""A value of any kind is one line of text, and never does anything to the terminal that shows it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.description import Description
from streamd.core.one_line import MAX_LINE, one_line, single
from streamd.core.presentation import Currency
from streamd.core.values import from_json, from_python

NOON = datetime(2025, 11, 22, 12, 0, tzinfo=UTC).timestamp()
HOUR = 3600.0


def line(value: Any, **about: Any) -> str:
    return one_line(from_python(value), Description(**about), NOON)


class OneLineTests(SynchronousTestCase):
    def check(self, cases: list[tuple[Any, str]], **about: Any) -> None:
        for value, wanted in cases:
            self.assertEqual(wanted, line(value, **about), (value, about))

    def test_kinds_of_values(self) -> None:
        self.check(
            [
                (42, "42"),
                (-1, "-1"),
                (0.1 + 0.2, "0.3"),
                (3.14159, "3.142"),
                (412380.7, "412381"),
                (-0.0, "0"),
                (1.25e-7, "1.25e-07"),
                (2.5e18, "2.5e+18"),
                (12345678901234567890123, "12345678901234567890123"),
                (True, "yes"),
                (False, "no"),
                (None, "—"),
                ("all well", "all well"),
                ("", '""'),
                (" \n ", '" \\n "'),
                ([1, "a", None], '[1,"a",null]'),
                ({"a": {"b": [1]}}, '{"a":{"b":[1]}}'),
            ]
        )

    def test_number_with_hundreds_of_digits(self) -> None:
        nines = b"9" * 308
        self.assertEqual("9" * (MAX_LINE - 1) + "…", one_line(nines, Description(), NOON))
        for format in ("percent", "bytes", "duration", "time", "since"):
            text = one_line(from_json(nines), Description(format=format), NOON)
            self.assertLess(len(text), MAX_LINE, format)

    def test_units(self) -> None:
        self.check([(42, "42 /min"), ("closed", "closed"), (None, "—")], unit="/min")
        self.check([(42, "€ 42"), (-2.5, "-€ 2.5")], unit="€")
        self.check([(1, "1 uuuuuuuuuuuuuuuuuuuuuuu…")], unit="u" * 100)

    def test_decimals(self) -> None:
        self.check([(42, "42.00"), (0.005, "0.01"), (-0.001, "0.00")], decimals=2)
        self.check([(3.7, "4 ms")], decimals=0, unit="ms")

    def test_words(self) -> None:
        words = {"0": "shut\n\x1b[2J", "true": "open"}
        self.check([(0, "shut \\u001b[2J"), (True, "open"), (1, "1 x")], words=words, unit="x")

    def test_formats_of_numbers(self) -> None:
        self.check([(12, "12 %"), (99.95, "99.95 %"), ("off", "off")], format="percent")
        self.check([(999, "999 B"), (412_300, "412 kB"), (3.21e15, "3.21 PB")], format="bytes")
        self.check([(1500, "1.50 kB"), (15, "15 B")], format="bytes", decimals=2)
        self.check(
            [(0.045, "45 ms"), (1.18, "1.18 s"), (200, "3 min 20 s"), (-86400, "-1 d"), (0, "0 s")],
            format="duration",
        )
        euro, franc = Currency("EUR"), Currency("CHF")
        self.check([(412380.4, "€ 412380"), (3.2, "€ 3.20")], format="money", currency=euro)
        self.check([(-12, "-CHF 12 /d")], format="money", currency=franc, unit="/d")
        self.check([(12, "CHF 12.0")], format="money", currency=franc, decimals=1)

    def test_formats_of_times(self) -> None:
        last = "2025-11-22T14:02:00+04:00"
        self.check(
            [(NOON, "12:00 UTC"), (NOON - 24 * HOUR, "2025-11-21 12:00 UTC"), (last, "10:02 UTC")],
            format="time",
        )
        self.check([(NOON, "2025-11-22"), ("2026-01-01", "2026-01-01")], format="date")
        self.check([(NOON - 3 * HOUR, "3 h ago"), (NOON + 60, "in 1 min")], format="since")
        self.check([(NOON + 50 * HOUR, "2 d 2 h"), (NOON, "1 s ago")], format="until")
        # Neither says a certain time.
        self.check([(1e300, "1e+300"), ("soon", "soon"), (-1e12, "-1000000000000")], format="until")

    def test_text_of_any_kind_stays_on_its_line(self) -> None:
        text = line("a\r\nb\x00\x1b]0;x\x07\u202ec\u2028d\x85e <script>&\"'")
        self.assertEqual(text, "a b\\u0000\\u001b]0;x\\u0007\\u202ec d e <script>&\"'")
        self.assertEqual("\\ud800", single("\ud800"))

    def test_long_texts_are_cut(self) -> None:
        for value in ("x" * 1000, ["x" * 60_000], " " * 5000 + "x", "\x00" * MAX_LINE, "ab " * 500):
            text = line(value)
            self.assertLessEqual(len(text), MAX_LINE)
            self.assertEqual("…", text[-1])
        self.assertEqual("x" * MAX_LINE, line("x" * MAX_LINE))

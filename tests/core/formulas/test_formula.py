"""Formulas: what they read, what they give, and what is none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.formulas.evaluation import FUNCTIONS, Unknown, number
from streamd.core.formulas.formula import Circle, Formula, in_order
from streamd.core.formulas.formula_reader import MAX_PARTS, MAX_TEXT
from streamd.core.selection import Selection
from streamd.core.trend import Trend, Window


class Given:
    """Facts that a test gives."""

    def __init__(self, values: Mapping[str, Any], heard: Mapping[str, Sequence[Any]] = {}) -> None:
        self.values = values
        self.heard = heard

    def value(self, name: str) -> Any:
        return self.values[name]

    def window(self, name: str, seconds: float) -> Window | None:
        trend = Trend(seconds)
        for time, heard in self.heard.get(name, ()):
            trend.hear(time, heard)
        return trend.window(100.0)

    def numbers(self, pattern: str) -> Collection[float]:
        selection = Selection([pattern])
        return [number(value, name) for name, value in self.values.items() if name in selection]


FACTS = Given(
    {
        "shop.orders": 30,
        "shop.north.orders": 10,
        "shop.south.orders": 20.5,
        "web.visits": 120,
        "web-1.load": 0.5,
        "zero": 0,
        "door": "open",
        "up": True,
        "table": [1],
        "none": None,
        "huge": 1e308,
        "ends": 1,
        "nobody": 1,
        "back": 5,
    },
    {
        "shop.orders": [(0, 0), (80, 100), (90, 30), (95, 40)],
        "web.visits": [(50, 5)],
        "door": [(0, None)],
        "back": [(0, None), (98, 5)],
        "ends": [(0, 1e308), (60, -1e308), (80, 1)],
    },
)


def give(text: str, facts: Given = FACTS) -> Any:
    return Formula(text).evaluate(facts)


class ResultTests(SynchronousTestCase):
    def test_values(self) -> None:
        for text, value in {
            "100 * shop.orders / web.visits": 25.0,
            "1 + 2 * 3 - 4 / 8": 6.5,
            "7 // 2 + 7 % 4 + 2 ** 3": 14.0,
            "-shop.orders + +1": -29.0,
            's("web-1.load") * 2': 1.0,
            "up + 1": 2.0,
            "door": "open",
            "door == 'open'": True,
            "door != 'open' or shop.orders > 20": True,
            "not up": False,
            "1 < shop.orders <= 30": True,
            "1 < shop.orders < 30": False,
            "'much' if shop.orders > 20 else 'little'": "much",
            "abs(-3)": 3.0,
            "round(2.567, 1) + round(2.5)": 4.6,
            "max(shop.orders, 50) + min(1, zero)": 50.0,
            "sum('shop.*.orders')": 30.5,
            "mean('shop.*.orders')": 15.25,
            "min('shop.*.orders')": 10.0,
            "max('shop.*')": 30.0,
            "count('shop.*')": 3.0,
            "count('nothing.*')": 0.0,
            "true_is_a_name if up else 1" if False else "True and 1": 1.0,
            "shop.orders\n  + 1": 31.0,
        }.items():
            self.assertEqual(value, give(text), text)

    def test_windows(self) -> None:
        for text, value in {
            "delta(shop.orders, '20s')": 70.0 * -1 + 10.0,
            "rate(shop.orders, '20s')": -3.0,
            "rate(shop.orders, '20s', '1m')": -180.0,
            "mean(shop.orders, '20s')": (100 * 10 + 30 * 5 + 40 * 5) / 20,
            "min(shop.orders, '20s')": 30.0,
            "max(shop.orders, '20s')": 100.0,
            "sum(shop.orders, '15s')": 70.0,
            "count(shop.orders, '15s')": 2.0,
            "ago(shop.orders, '8s')": 30.0,
            "ago(shop.orders, '50s') - ago(shop.orders, '11s')": -100.0,
        }.items():
            self.assertAlmostEqual(value, give(text), msg=text)

    def test_no_value(self) -> None:
        for text, why in {
            "shop.orders / zero": "division by zero",
            "shop.orders % zero": "division by zero",
            "huge * 10": "the result is too large",
            "10.0 ** 400": "the result is too large",
            "(0 - 8) ** 0.5": "a root of a negative number has no value",
            "door + 1": 'door is the text "open", not a number',
            "table * 2": "table is a list, not a number",
            "none": "none is null, not a number",
            "door > 3": "'open' and 3.0 have no order",
            "mean(web.visits, '1m')": "web.visits is not known for 1m yet",
            "ago(door, '5s')": 'door is the text "open", not a number',
            "ago(back, '5s')": "back has no number in the last 5s",
            "rate(nobody, '1m')": "nobody is not known for 1m yet",
            "1 if huge * 10 - huge * 10 == 0 else 2": "huge * 10 is too large",
            "(0 - 1) ** (huge * 10 - huge * 10)": "huge * 10 is too large",
            "1 / (huge * 10)": "huge * 10 is too large",
            "mean(ends, '50s')": "the result is too large",
            "sum('nothing.*')": "no stream nothing.* has a value",
        }.items():
            with self.assertRaises(Unknown) as caught:
                give(text)
            self.assertEqual(why, str(caught.exception), text)


class ReadingTests(SynchronousTestCase):
    def test_inputs(self) -> None:
        formula = Formula('a.b + s("c-1") if x else rate(y, "1h") + sum("z.*")')
        self.assertEqual({"a.b", "c-1", "x", "y"}, formula.inputs)
        self.assertEqual({"z.*"}, formula.globs)
        self.assertEqual({("y", 3600.0)}, formula.windows)

    def test_invalid_formula(self) -> None:
        for text, why in {
            "1 +": "invalid syntax",
            "web-1.load + 2": 'write a name with "-" as s("web-1.load")',
            "": "invalid syntax",
            "median(x)": f'column 1: unknown function "median"; known: {", ".join(FUNCTIONS)}',
            "x.y(3)": 'column 1: unknown function "x.y"',
            "x[0]": 'column 1: "x[0]" has no meaning in a formula',
            "1 + (lambda: 1)": 'column 6: "lambda: 1" has no meaning in a formula',
            "[x for x in y]": "column 1: ",
            "x := 3": "column 3: invalid syntax",
            "~x": "column 1: this operator has no meaning in a formula",
            "x @ y": "column 1: this operator has no meaning in a formula",
            "x is y": "column 1: this comparison has no meaning in a formula",
            "None": 'column 1: "None" is no number and no text',
            "1e999": "column 1: ",
            "9" * 400: "column 1: ",
            "1j": "column 1: ",
            "b'x'": "column 1: ",
            "_x + 1": "column 1: ",
            's("a b")': "column 1: ",
            "s(x)": "column 3: expected a text in quotes",
            "rate(1, '5m')": "column 6: expected the name of a stream",
            "rate(x, '5 minutes')": "column 9: expected a duration",
            "rate(x, 5)": "column 9: expected a text in quotes",
            "rate(x)": "column 1: rate: expected 2 to 3 arguments",
            "mean(x)": "column 6: expected a text in quotes",
            "abs(x, y)": "column 1: abs: expected 1 argument",
            "abs(x=1)": "column 1: abs: expected 1 argument",
            "round(x, y)": "column 1: round: expected a number of digits",
            "sum('a b*')": 'column 1: "a b*" is neither name nor glob',
            "sum('*a*b*c*d*e*')": "column 1: ",
            "x + " * MAX_PARTS + "x": f"expected at most {MAX_PARTS} names",
            "(" * 300 + "x" + ")" * 300: "too many nested parentheses",
            "x" * (MAX_TEXT + 1): f"expected at most {MAX_TEXT} characters",
            "x\0": "null bytes",
            "x + 1  # a comment\n + 2": "expected no # before the last line",
            "f" + ".a" * 900 + "(1)": "",
        }.items():
            with self.assertRaises(ValueError) as caught:
                Formula(text)
            self.assertIn(why, str(caught.exception), text[:80])

    def test_only_texts_are_formulas(self) -> None:
        for written in 7, None, "", "  ":
            self.assertRaises(ValueError, Formula.parse, written)

    @given(st.text(max_size=40))
    def test_any_text_is_a_formula_or_refused(self, text: str) -> None:
        try:
            Formula(text)
        except ValueError as error:
            self.assertTrue(str(error))

    def test_nothing_of_python_can_be_reached(self) -> None:
        for text in (
            "__import__('os')",
            "x.__class__.__bases__",
            "().__class__",
            "''.join(x)",
            "open('/etc/passwd')",
            "f'{x}'",
            "(yield)",
            "await_(x)",
        ):
            try:
                formula = Formula(text)
            except ValueError:
                continue
            self.assertEqual({text}, formula.inputs)  # the name of a stream, and no more


class OrderTests(SynchronousTestCase):
    def order(self, **formulas: str) -> Sequence[str]:
        return in_order({name: Formula(text) for name, text in formulas.items()})

    def test_each_comes_after_those_that_it_needs(self) -> None:
        order = self.order(a="b + 1", b="c", c="x", d="a + b + sum('e.*')", **{"e.1": "b"})
        self.assertEqual(["c", "b"], [*order][:2])
        self.assertEqual("d", order[-1])

    def test_circles(self) -> None:
        for formulas, circle in (
            ({"a": "a + 1"}, {"a"}),
            ({"x": "a", "a": "b", "b": "c", "c": "a"}, {"a", "b", "c"}),
            ({"a": "sum('*')"}, {"a"}),
        ):
            with self.assertRaises(Circle) as caught:
                self.order(**formulas)
            said = str(caught.exception).removeprefix("it needs its own result: ")
            names = said.split(" needs ")
            self.assertEqual(names[0], names[-1])
            self.assertEqual(circle, set(names))
            for one, other in pairwise(names):
                self.assertIn(formulas[one], (other, f"{other} + 1", "sum('*')"))

    def test_a_long_chain(self) -> None:
        names = [f"a{n}" for n in range(3000)]
        chain = {name: Formula(f"{other} + 1") for name, other in pairwise(names)}
        self.assertEqual(names[-2::-1], in_order(chain))

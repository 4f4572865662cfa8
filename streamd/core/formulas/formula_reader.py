"""Reads the text of a formula: each node of Python's syntax becomes a function, which evaluation calls.

Only the nodes and functions that are listed here have a meaning.  Nothing is passed to ``eval``.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping
from typing import Any

from streamd.core.duration import Duration
from streamd.core.errors import Refused, shorten
from streamd.core.formulas.evaluation import (
    ARITHMETIC,
    CHOICES,
    COUNTING,
    EQUALITY,
    FUNCTIONS,
    GLOBS,
    ORDER,
    SIGNS,
    WINDOWS,
    Facts,
    Unknown,
    Value,
    number,
)
from streamd.core.selection import Selection
from streamd.core.trend import Window
from streamd.core.update import check_name

MAX_TEXT = 2000
"""The most characters of a formula."""

_HINTS = {"invalid decimal literal": '; write a name with "-" as s("web-1.load")'}
"""What probably mends a formula, by the messages of Python's parser."""

MAX_PARTS = 200
"""The most expressions in a formula: each name, number and operation counts.  Evaluation takes some
microseconds for each, and all may be nested."""

Evaluate = Callable[[Facts], Value]


class FormulaReader:
    """Turns the nodes of a formula into functions, and notes which streams they read."""

    def __init__(self) -> None:
        self.inputs: set[str] = set()
        self.globs: set[str] = set()
        self.windows: set[tuple[str, float]] = set()
        self._parts = 0

    def read(self, text: str) -> Evaluate:
        if len(text) > MAX_TEXT:
            raise ValueError(f"expected at most {MAX_TEXT} characters")
        *lines, last = text.strip().split("\n")
        if any("#" in line for line in lines):
            raise ValueError("expected no # before the last line: it begins a comment")
        try:
            return self._read(ast.parse(" ".join([*lines, last]), mode="eval").body)
        except SyntaxError as error:
            hint = _HINTS.get(error.msg, "")
            raise ValueError(f"column {error.offset or 1}: {error.msg}{hint}") from None
        except (RecursionError, MemoryError):
            raise ValueError("expected fewer expressions within one another") from None

    def _read(self, node: ast.expr) -> Evaluate:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise ValueError(f"expected at most {MAX_PARTS} names, numbers and operations")
        read = _READERS.get(type(node))
        if read is None:
            raise _wrong(node, f"{shorten(ast.unparse(node))} has no meaning in a formula")
        evaluate: Evaluate = read(self, node)
        return evaluate

    # -- operands ----------------------------------------------------------------------------------

    def _constant(self, node: ast.Constant) -> Evaluate:
        value = node.value
        if isinstance(value, str | bool):
            return lambda facts: value
        if not isinstance(value, int | float) or abs(value) > sys.float_info.max:
            raise _wrong(node, f"{shorten(repr(value))} is no number and no text")
        constant = float(value)
        return lambda facts: constant

    def _operand(self, node: ast.Name | ast.Attribute) -> Evaluate:
        return self._stream(self._name(node))

    def _stream(self, name: str) -> Evaluate:
        self.inputs.add(name)

        def value(facts: Facts) -> Value:
            found = facts.value(name)
            if isinstance(found, str | bool):
                return found
            return number(found, name)

        return value

    def _name(self, node: ast.expr) -> str:
        """Return the name of the stream that an operand names."""
        if isinstance(node, ast.Call) and _called(node) == "s":
            [argument] = self._arguments(node, 1, 1)
            return self._checked(node, _text(argument))
        words = []
        inner = node
        while isinstance(inner, ast.Attribute):
            words.append(inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name):
            raise _wrong(
                node, 'expected the name of a stream, such as shop.orders or s("web-1.load")'
            )
        return self._checked(node, ".".join([inner.id, *reversed(words)]))

    def _checked(self, node: ast.expr, name: str) -> str:
        try:
            return check_name(name)
        except Refused as refused:
            raise _wrong(node, refused.message) from None

    # -- operators ---------------------------------------------------------------------------------

    def _binary(self, node: ast.BinOp) -> Evaluate:
        compute = ARITHMETIC.get(type(node.op))
        if compute is None:
            raise _wrong(node, "this operator has no meaning in a formula")
        left, right = self._number(node.left), self._number(node.right)
        return lambda facts: compute(left(facts), right(facts))

    def _unary(self, node: ast.UnaryOp) -> Evaluate:
        if isinstance(node.op, ast.Not):
            inner = self._read(node.operand)
            return lambda facts: not inner(facts)
        sign = SIGNS.get(type(node.op))
        if sign is None:
            raise _wrong(node, "this operator has no meaning in a formula")
        operand = self._number(node.operand)
        return lambda facts: sign(operand(facts))

    def _both(self, node: ast.BoolOp) -> Evaluate:
        parts = [self._read(part) for part in node.values]
        stop = isinstance(node.op, ast.Or)

        def value(facts: Facts) -> Value:
            found: Value = not stop
            for part in parts:
                found = part(facts)
                if bool(found) is stop:
                    break
            return found

        return value

    def _compare(self, node: ast.Compare) -> Evaluate:
        parts = [self._read(part) for part in (node.left, *node.comparators)]
        tests = [self._test(node, kind) for kind in node.ops]

        def value(facts: Facts) -> bool:
            left = parts[0](facts)
            for test, part in zip(tests, parts[1:], strict=True):
                right = part(facts)
                if not test(left, right):
                    return False
                left = right
            return True

        return value

    def _test(self, node: ast.expr, kind: ast.cmpop) -> Callable[[Value, Value], bool]:
        if type(kind) in EQUALITY:
            return EQUALITY[type(kind)]
        if type(kind) not in ORDER:
            raise _wrong(node, "this comparison has no meaning in a formula")
        compare = ORDER[type(kind)]

        def test(left: Value, right: Value) -> bool:
            if isinstance(left, str) != isinstance(right, str):
                raise Unknown(f"{left!r} and {right!r} have no order")
            return compare(left, right)

        return test

    def _choice(self, node: ast.IfExp) -> Evaluate:
        test, then, other = map(self._read, (node.test, node.body, node.orelse))
        return lambda facts: then(facts) if test(facts) else other(facts)

    def _number(self, node: ast.expr) -> Callable[[Facts], float]:
        """Return a function for an expression that must be a number."""
        inner, what = self._read(node), ast.unparse(node)[:60]
        return lambda facts: number(inner(facts), what)

    # -- functions ---------------------------------------------------------------------------------

    def _call(self, node: ast.Call) -> Evaluate:
        name = _called(node)
        if name not in FUNCTIONS:
            raise _wrong(node, f"unknown function {shorten(name)}; known: {', '.join(FUNCTIONS)}")
        if name == "s":
            return self._stream(self._name(node))
        if name == "abs":
            [argument] = self._arguments(node, 1, 1)
            operand = self._number(argument)
            return lambda facts: abs(operand(facts))
        if name == "round":
            return self._round(node)
        if name == "rate":
            return self._rate(node)
        first = self._arguments(node, 1, 2)[0]
        if len(node.args) == 1 and name in GLOBS:
            return self._glob(node, name, _text(first))
        if name in CHOICES and not _is_text(node.args[-1]):
            return self._least(node, CHOICES[name])
        return self._of_window(node, WINDOWS[name], name in COUNTING)

    def _least(self, node: ast.Call, choose: Callable[..., float]) -> Evaluate:
        one, other = map(self._number, node.args)
        return lambda facts: choose(one(facts), other(facts))

    def _round(self, node: ast.Call) -> Evaluate:
        first, *rest = self._arguments(node, 1, 2)
        digits = 0
        if rest:
            found = rest[0].value if isinstance(rest[0], ast.Constant) else None
            if not isinstance(found, int) or not 0 <= found <= 15:
                raise _wrong(node, "round: expected a number of digits from 0 to 15")
            digits = found
        operand = self._number(first)
        return lambda facts: float(round(operand(facts), digits))

    def _rate(self, node: ast.Call) -> Evaluate:
        arguments = self._arguments(node, 2, 3)
        per = self._seconds(arguments[2]) if len(arguments) == 3 else 1.0
        seconds = self._seconds(arguments[1])
        growth = self._of_window(node, WINDOWS["delta"])
        return lambda facts: growth(facts) / seconds * per

    def _of_window(
        self, node: ast.Call, compute: Callable[[Window], float | None], counts: bool = False
    ) -> Callable[[Facts], float]:
        """Return a function for a number that a window has.

        :param counts: whether it needs every update of the window.
        """
        arguments = self._arguments(node, 2, 3)
        name, seconds = self._name(arguments[0]), self._seconds(arguments[1])
        length, what = _text(arguments[1]), ast.unparse(node)
        self.inputs.add(name)
        self.windows.add((name, seconds))

        def value(facts: Facts) -> float:
            number(facts.value(name), name)  # of a text, the window would tell what is over
            window = facts.window(name, seconds)
            if window is None or not (window.counted if counts else window.whole):
                raise Unknown(f"{name} is not known for {length} yet")
            found = compute(window)
            if found is None:
                raise Unknown(f"{name} has no number in the last {length}")
            return number(found, what)

        return value

    def _glob(self, node: ast.Call, name: str, pattern: str) -> Evaluate:
        try:
            Selection([pattern])
        except Refused as refused:
            raise _wrong(node, refused.message) from None
        self.globs.add(pattern)
        combine = GLOBS[name]

        def value(facts: Facts) -> float:
            numbers = facts.numbers(pattern)
            if not numbers and name != "count":
                raise Unknown(f"no stream {pattern} has a value")
            return float(combine(numbers))

        return value

    def _arguments(self, node: ast.Call, least: int, most: int) -> list[ast.expr]:
        if node.keywords or not least <= len(node.args) <= most:
            count = f"{least}" if least == most else f"{least} to {most}"
            raise _wrong(node, f"{_called(node)}: expected {count} arguments")
        return node.args

    def _seconds(self, node: ast.expr) -> float:
        try:
            return Duration.parse(_text(node))
        except ValueError as error:
            raise _wrong(node, str(error)) from None


_READERS: Mapping[type[ast.expr], Any] = {
    ast.Constant: FormulaReader._constant,
    ast.Name: FormulaReader._operand,
    ast.Attribute: FormulaReader._operand,
    ast.BinOp: FormulaReader._binary,
    ast.UnaryOp: FormulaReader._unary,
    ast.BoolOp: FormulaReader._both,
    ast.Compare: FormulaReader._compare,
    ast.IfExp: FormulaReader._choice,
    ast.Call: FormulaReader._call,
}


def _wrong(node: ast.expr, what: str) -> ValueError:
    return ValueError(f"column {node.col_offset + 1}: {what}")


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise _wrong(node, f"expected a text in quotes, not {shorten(ast.unparse(node))}")


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)

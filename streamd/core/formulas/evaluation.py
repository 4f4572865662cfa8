"""The values, facts, operators and functions of formulas.  Pure."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from streamd.core.errors import shorten
from streamd.core.trend import Window

Value = float | str | bool
"""The value of an expression.  Every number is a float."""


class Unknown(Exception):
    """A formula has no value now; the text says why, and names the input."""


class NoResult(Unknown):
    """A formula has no value now; the text names no input and quotes no value."""


class Facts(Protocol):
    """The facts about streams with which a formula is evaluated."""

    def value(self, name: str) -> Any:
        """Return the newest value of a stream.

        :raises Unknown: the stream has no value.
        """

    def window(self, name: str, seconds: float) -> Window | None:
        """Return the window of a number over the last ``seconds``; None if no update is known."""

    def numbers(self, pattern: str) -> Collection[float]:
        """Return the newest values of the streams that a glob selects.

        :raises Unknown: one of them is not a number.
        """


def number(value: Any, what: str) -> float:
    """Return a value as a number; true is 1 and false is 0.

    :param what: the name of the operand, for the error.
    :raises Unknown: it is not a number.
    """
    if isinstance(value, bool | int | float):
        if not math.isfinite(value):
            raise Unknown(f"{what} is too large")
        return float(value)
    raise Unknown(f"{what} is {_described(value)}, not a number")


def _described(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {shorten(value)}"
    return "null" if value is None else "an object" if isinstance(value, dict) else "a list"


def _power(base: float, exponent: float) -> float:
    if base < 0 and exponent != int(exponent):
        raise NoResult("a root of a negative number has no value")
    return float(base**exponent)


ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
SIGNS: Mapping[type[ast.unaryop], Callable[[float], float]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
EQUALITY: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
ORDER: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
WINDOWS: Mapping[str, Callable[[Window], float | None]] = {
    "mean": lambda window: window.mean,
    "min": lambda window: window.low,
    "max": lambda window: window.high,
    "sum": lambda window: window.total,
    "count": lambda window: window.updates,
    "delta": lambda window: window.growth,
    "ago": lambda window: window.first,
}
"""Functions of a stream and a time."""

COUNTING = ("sum", "count")
"""The functions of a stream and a time that need every update of the window."""

GLOBS: Mapping[str, Callable[[Collection[float]], float]] = {
    "mean": lambda numbers: math.fsum(numbers) / len(numbers),
    "min": min,
    "max": max,
    "sum": math.fsum,
    "count": len,
}
"""Functions of all streams that a glob selects."""

CHOICES: Mapping[str, Callable[[float, float], float]] = {"min": min, "max": max}
"""Functions of two numbers."""

FUNCTIONS = ("abs", "ago", "count", "delta", "max", "mean", "min", "rate", "round", "s", "sum")
"""All functions.  ``s("web-1.load")`` is the stream of that name."""

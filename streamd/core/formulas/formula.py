"""Formulas over streams, such as ``100 * shop.orders / web.visits``.  This module is pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from streamd.core.formulas.evaluation import Facts, NoResult, Value
from streamd.core.formulas.formula_reader import FormulaReader
from streamd.core.parsed_text import ParsedText
from streamd.core.selection import Selection


class Formula(ParsedText):
    """A formula that was parsed.

    :ivar text: the formula as it was written.
    :ivar inputs: the names of the streams that it reads.
    :ivar globs: the globs that it reads.
    :ivar windows: the streams of which it needs a window, each with the seconds of the window.
    """

    def __init__(self, text: str) -> None:
        """:raises ValueError: the message says what is wrong, and in which column."""
        self.text = text
        reader = FormulaReader()
        self._evaluate = reader.read(text)
        self.inputs = frozenset(reader.inputs)
        self.globs = frozenset(reader.globs)
        self.windows = frozenset(reader.windows)

    @property
    def reads(self) -> Sequence[str]:
        """The names and globs that it reads, sorted."""
        return sorted(self.inputs | self.globs)

    @classmethod
    def parse(cls, written: Any) -> Formula:
        """Parse a configured formula; a ValueError names the mistake."""
        if not isinstance(written, str) or not written.strip():
            raise ValueError('expected a formula such as "100 * shop.orders / web.visits"')
        return cls(written)

    def evaluate(self, facts: Facts) -> Value:
        """Return the value.

        :raises Unknown: an input has no value, a window is not wholly known, or there is no result.
        """
        try:
            result = self._evaluate(facts)
        except ZeroDivisionError:
            raise NoResult("division by zero") from None
        except (OverflowError, ValueError):  # math.fsum raises both
            raise NoResult("the result is too large") from None
        if isinstance(result, float) and not math.isfinite(result):
            raise NoResult("the result is too large")
        return result

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


class Circle(ValueError):
    """Formulas need one another's results; the text names them.

    :ivar first: the name of one of them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """:param names: each needs the result of the next; the first and the last are the same."""
        self.first = names[0]
        super().__init__(f"it needs its own result: {' needs '.join(names)}")


def in_order(formulas: Mapping[str, Formula]) -> Sequence[str]:
    """Return the names of formulas in an order in which each comes after those that it needs.

    :param formulas: by the name of the stream that gets the result.
    :raises Circle: there is no such order.
    """
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name, formula in formulas.items():
        globs = [Selection([pattern]) for pattern in formula.globs]
        matching = (other for glob in globs for other in formulas if other in glob)
        sorter.add(name, *formula.inputs & formulas.keys(), *matching)
    try:
        return list(sorter.static_order())
    except CycleError as error:
        raise Circle(error.args[1][::-1]) from None

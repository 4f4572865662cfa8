"""Limits: conditions on a value, such as ``"> 80"``, that make its level."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

_LIMIT = re.compile(r"(<=|>=|==|!=|<|>)\s*(\S.*)")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


class Limit:
    """A condition on a value: ``"> 80"``, ``"< 1000"``, ``"!= ok"``."""

    def __init__(self, text: str) -> None:
        """:raises ValueError: if ``text`` is not a comparison, or ``<`` or ``>`` has no number."""
        match = _LIMIT.fullmatch(text.strip())
        if not match:
            signs = " ".join(_COMPARE)
            raise ValueError(f'expected a comparison such as "> 80" or "!= ok", with {signs}')
        self.text = text.strip()
        self._compare = _COMPARE[match[1]]
        self._ordered = match[1][0] in "<>"
        self._operand = _number_or_text(match[2].strip())
        self._written = match[2].strip().strip("\"'")
        if self._ordered and isinstance(self._operand, str):
            raise ValueError(f"{match[1]} needs a number, not {match[2]}")

    def holds(self, value: Any) -> bool:
        """Return whether a decoded value meets the condition; False if they cannot be compared."""
        if value is None or isinstance(value, dict | list):
            return False
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, str) != isinstance(self._operand, str):
            return not self._ordered and self._compare(str(value), self._written)
        return self._compare(value, self._operand)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Limit) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Limit({self.text!r})"


def _number_or_text(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text.strip("\"'")
    return number if number - number == 0 else text  # not NaN, not infinity

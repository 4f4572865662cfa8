"""Whether a stream can be believed, and whether somebody should look: pure judgements.

``fresh``, ``late`` and ``failed`` speak about our knowledge; ``ok``, ``warn`` and ``critical`` about
the world.  A judge is told the time; it never asks.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec

Knowledge = Literal["fresh", "late", "failed"]
Level = Literal["ok", "warn", "critical"]

_LIMIT = re.compile(r"(<=|>=|==|!=|<|>)\s*(\S.*)")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


class Health(msgspec.Struct, frozen=True, omit_defaults=False):
    """What is said about a stream beside its value.

    :ivar state: ``failed``: its source says so; ``late``: no proof within what it promised.
    :ivar level: judged from the newest value by the stream's limits.
    :ivar since: when state or level last changed, seconds since the epoch.
    :ivar proof: when the value was last confirmed, by an update or by a run that found nothing new.
    :ivar error: why it failed, in words fit for a wall.
    """

    state: Knowledge
    level: Level
    since: float
    proof: float | None = None
    error: str | None = None


class Limit:
    """A condition on a value: ``"> 80"``, ``"< 1000"``, ``"!= ok"``."""

    def __init__(self, text: str) -> None:
        """:raises ValueError: if ``text`` is not a comparison; ordering needs a number."""
        match = _LIMIT.fullmatch(text.strip())
        if not match:
            raise ValueError('expected a comparison such as "> 80" or "!= ok"')
        self.text = text.strip()
        self._compare = _COMPARE[match[1]]
        self._ordered = match[1][0] in "<>"
        self._operand = _number_or_text(match[2].strip())
        self._written = match[2].strip().strip("\"'")
        if self._ordered and isinstance(self._operand, str):
            raise ValueError(f"{match[1]} needs a number, not {match[2]}")

    def holds(self, value: Any) -> bool:
        """Whether the condition is true of a decoded value; never of one it cannot compare."""
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


def level(value: Any, warn: Limit | None, critical: Limit | None) -> Level:
    """The level of a decoded value under its limits."""
    if critical is not None and critical.holds(value):
        return "critical"
    if warn is not None and warn.holds(value):
        return "warn"
    return "ok"


def knowledge(
    error: str | None,
    proof: float | None,
    expect: float | None,
    now: float,
    restored: bool = False,
) -> Knowledge:
    """The state of a stream whose last proof was at ``proof`` and that promised one per ``expect``.

    :param error: the reason that its source gave for failing, if it failed.
    :param proof: seconds since the epoch; None: never.
    :param expect: seconds; None: it promised nothing.
    :param restored: what it said is from before the start, and was not confirmed since.
    """
    if error is not None:
        return "failed"
    if restored:
        return "late"
    if expect is not None and (proof is None or now - proof > expect):
        return "late"
    return "fresh"

"""The types of configured values that are parsed, such as ``"24h"``.

Each has a class method ``parse(written)``, which takes a value as TOML has it, and returns one of the
type.  It raises a ValueError, whose message says which form is expected.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self


class ParsedText:
    """A base class: objects of the same class with equal attributes are equal.

    Such classes cannot be msgspec structures, dataclasses or named tuples.  msgspec would read those by
    their fields, and not call their ``parse``.
    """

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))


class FormedText(str):
    """A base class: a text that has to match an expression.

    :cvar FORM: matches the whole text.
    :cvar EXPECTED: the message for a value that it does not match.
    """

    FORM: ClassVar[re.Pattern[str]]
    EXPECTED: ClassVar[str]

    @classmethod
    def parse(cls, written: Any) -> Self:
        """Parse a configured value."""
        if not isinstance(written, str) or not cls.FORM.fullmatch(written):
            raise ValueError(cls.EXPECTED)
        return cls(written)

"""Equality for configured values that are parsed from a text, such as ``"24h"``."""

from __future__ import annotations


class ParsedText:
    """A base class: objects of the same class with equal attributes are equal.

    Such classes cannot be msgspec structures, dataclasses or named tuples.  msgspec would read those by
    their fields, and not call their ``parse``.
    """

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

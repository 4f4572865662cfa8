"""Equality for values that have a written form of their own in the configuration."""

from __future__ import annotations


class Written:
    """Equal to another value of the same class with equal attributes.

    Such values are no msgspec structures: msgspec reads those, dataclasses and named tuples by their
    fields, and ignores a written form.
    """

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

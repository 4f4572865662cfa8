"""Selections: which streams a viewer wants."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from typing import Annotated

import msgspec

from streamd.core.errors import Refused, shorten

Pattern = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.*?-]{1,128}\Z")]
"""A name, a position, a name or glob, in what is read as a structure."""


class Selection:
    """Which streams a viewer wants: names and globs (``*`` any characters, ``?`` one).

    Equal selections are equal objects for a dict, however they were written.
    """

    MAX_PATTERNS = 32
    _PATTERN = re.compile(r"[A-Za-z0-9_.*?-]{1,128}")

    def __init__(self, patterns: Iterable[str] | None = None) -> None:
        """:param patterns: names and globs; None selects all, an empty list nothing.

        :raises Refused: 400 if there are too many, or one can match no name.
        """
        wanted = frozenset(("*",) if patterns is None else patterns)
        if len(wanted) > self.MAX_PATTERNS:
            raise Refused(
                400,
                "bad-selection",
                f"at most {self.MAX_PATTERNS} names and globs, not {len(wanted)}",
            )
        for pattern in wanted:
            if not self._PATTERN.fullmatch(pattern):
                raise Refused(400, "bad-selection", f"{shorten(pattern)} is neither name nor glob")
        self.patterns = frozenset(("*",)) if "*" in wanted else wanted
        self.all = "*" in wanted
        self._names = frozenset(p for p in self.patterns if not set(p) & {"*", "?"})
        # fnmatch.translate makes atomic groups: no pattern takes more than linear time a name.
        globs = [translate(p) for p in sorted(self.patterns - self._names)]
        self._globs = re.compile("|".join(globs)) if globs else None

    def __contains__(self, name: str) -> bool:
        return (
            self.all
            or name in self._names
            or (self._globs is not None and self._globs.fullmatch(name) is not None)
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selection) and self.patterns == other.patterns

    def __hash__(self) -> int:
        return hash(self.patterns)

    def __repr__(self) -> str:
        return f"Selection({sorted(self.patterns)})"


ALL_STREAMS = Selection()
NO_STREAMS = Selection(())

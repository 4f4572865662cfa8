"""Selections: which streams a viewer wants."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import cached_property
from typing import Annotated

import msgspec

from streamd.core.errors import Refused, shorten

Pattern = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.*?-]{1,128}\Z")]
"""A name, a position, a name or glob, in what is read as a structure."""

MAX_PATTERNS = 32
MAX_STARS = 4
MAX_ALL_STARS = 32
MAX_GLOBS_LENGTH = 1024
"""Patterns of a selection; ``*`` in one glob, and in all of a selection; characters of all its globs.

Any viewer may select, and matching costs 0.3 microseconds a ``*`` and name: at most 10 for a name.
"""


class Selection:
    """Which streams a viewer wants: names and globs (``*`` any characters, ``?`` one).

    Equal selections are equal objects for a dict, however they were written.

    :ivar names: the patterns that are names; ``globs`` are the others.
    :ivar stars: the number of ``*`` in all globs.
    """

    _PATTERN = re.compile(r"[A-Za-z0-9_.*?-]{1,128}")

    def __init__(self, patterns: Iterable[str] | None = None) -> None:
        """:param patterns: names and globs; None selects all, an empty list nothing.

        :raises Refused: 400 if a pattern can match no name, or if a ``MAX_…`` above is exceeded.
        """
        wanted = frozenset(("*",) if patterns is None else patterns)
        if len(wanted) > MAX_PATTERNS:
            raise _refused(f"at most {MAX_PATTERNS} names and globs, not {len(wanted)}")
        for pattern in wanted:
            if not self._PATTERN.fullmatch(pattern):
                raise _refused(f"{shorten(pattern)} is neither name nor glob")
            if pattern.count("*") > MAX_STARS:
                raise _refused(f"{shorten(pattern)} has more than {MAX_STARS} *")
        self.patterns = frozenset(("*",)) if "*" in wanted else wanted
        self.all = "*" in wanted
        self.names = frozenset(p for p in self.patterns if not set(p) & {"*", "?"})
        self.globs = self.patterns - self.names
        self.stars = sum(glob.count("*") for glob in self.globs)
        if self.stars > MAX_ALL_STARS:
            raise _refused(f"the globs have {self.stars} *, at most {MAX_ALL_STARS} together")
        if sum(map(len, self.globs)) > MAX_GLOBS_LENGTH:
            raise _refused(f"the globs have more than {MAX_GLOBS_LENGTH} characters together")
        self._hash = hash(self.patterns)

    @cached_property
    def _regex(self) -> re.Pattern[str] | None:
        # fnmatch.translate makes atomic groups: no pattern takes more than linear time a name.
        globs = [translate(glob) for glob in sorted(self.globs)]
        return re.compile("|".join(globs)) if globs else None

    def __contains__(self, name: str) -> bool:
        return (
            self.all
            or name in self.names
            or (self._regex is not None and self._regex.fullmatch(name) is not None)
        )

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Selection) and self.patterns == other.patterns)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Selection({sorted(self.patterns)})"


def _refused(message: str) -> Refused:
    return Refused(400, "bad-selection", message)


ALL_STREAMS = Selection()
NO_STREAMS = Selection(())

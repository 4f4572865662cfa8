"""Selections: the names and globs by which a viewer chooses streams."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import cache, cached_property
from typing import Annotated

import msgspec

from streamd.core.errors import Refused, shorten

Pattern = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9_.*?-]{1,128}\Z",
        description="a name, or a glob such as shop.*, of at most 128 letters, digits, . _ - * ?",
    ),
]
"""A name or a glob, checked when a structure is decoded."""

MAX_PATTERNS = 32
MAX_STARS = 4
MAX_ALL_STARS = 32
MAX_GLOBS_LENGTH = 1024
"""The bounds of a selection: patterns, ``*`` in one glob, ``*`` in all globs, characters of all globs.

Any viewer may send a selection.  To match a name costs 0.3 microseconds for each ``*``, so at most 10.
"""


class Selection:
    """The streams that a viewer wants: names and globs (``*`` is any characters, ``?`` is one).

    Selections with the same patterns are equal, regardless of the order of the patterns.

    :ivar names: the patterns that are names.
    :ivar globs: the other patterns.
    :ivar stars: the number of ``*`` in all globs.
    """

    _PATTERN = re.compile(r"[A-Za-z0-9_.*?-]{1,128}")

    def __init__(self, patterns: Iterable[str] | None = None, bounded: bool = True) -> None:
        """:param patterns: names and globs; None selects all streams, an empty list none.

        :param bounded: whether the ``MAX_…`` above count.  For configured patterns they do not.
        :raises Refused: 400 if a pattern can match no name, or if a ``MAX_…`` above is exceeded.
        """
        wanted = frozenset(("*",) if patterns is None else patterns)
        if bounded and len(wanted) > MAX_PATTERNS:
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
        if bounded and self.stars > MAX_ALL_STARS:
            raise _refused(f"the globs have {self.stars} *, at most {MAX_ALL_STARS} together")
        if bounded and sum(map(len, self.globs)) > MAX_GLOBS_LENGTH:
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

    def __bool__(self) -> bool:
        """Return False if this selects no stream, whatever streams there are."""
        return bool(self.patterns)

    def within(self, other: Selection) -> Selection:
        """Return the selection of the streams that are in this one and in another one.

        Equal arguments give equal results.
        """
        if self.all or other.all or self == other:
            return other if self.all else self
        if self.globs and other.globs:
            return _Shared(self, other)
        names = (name for name in self.names | other.names if name in self and name in other)
        return Selection(names, bounded=False)

    def may_share(self, pattern: str) -> bool:
        """Return whether a name or glob can have a stream in common with this selection."""
        return pattern in self or any(_overlap(mine, pattern) for mine in self.patterns)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Selection) and self.patterns == other.patterns)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Selection({sorted(self.patterns)})"


def _overlap(one: str, other: str) -> bool:
    """Return whether a text exists that both globs match."""

    @cache
    def rest(i: int, j: int) -> bool:
        if i == len(one) or j == len(other):
            return not (one[i:] + other[j:]).strip("*")
        if "*" in (one[i], other[j]):  # a star matches one more character, or ends
            return rest(i + 1, j) or rest(i, j + 1)
        return (one[i] == other[j] or "?" in (one[i], other[j])) and rest(i + 1, j + 1)

    return rest(0, 0)


class _Shared(Selection):
    """The streams that two selections with globs have in common."""

    def __init__(self, one: Selection, other: Selection) -> None:
        self._one, self._other = one, other
        # No pattern of another selection equals a set: so only the same pair is equal.
        self.patterns = frozenset((one.patterns, other.patterns))  # type: ignore[arg-type]
        self.all = False
        names = one.names | other.names
        self.names = frozenset(name for name in names if name in self)
        self.globs = one.globs | other.globs
        self.stars = one.stars + other.stars
        self._hash = hash(self.patterns)

    def __contains__(self, name: str) -> bool:
        return name in self._one and name in self._other


def _refused(message: str) -> Refused:
    return Refused(400, "bad-selection", message)


ALL_STREAMS = Selection()
NO_STREAMS = Selection(())

"""Finds the parameter ``:after`` in a SELECT, and skips string literals, quoted names and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal, NamedTuple

Dialect = Literal["postgresql", "mysql", "mysql without escapes"]

_QUOTED = r"'(?:[^']|'')*' | \"(?:[^\"]|\"\")*\""
_ESCAPED = r"'(?:[^'\\]|''|\\.)*' | \"(?:[^\"\\]|\"\"|\\.)*\""

# PostgreSQL, 4.1.2 to 4.1.5: only E'…' has escapes, also where it goes on after a line break;
# $tag$…$tag$ is a string, too; ::after is a cast.
_E_PART = r"'(?:[^'\\]|''|\\.)*'"
_LINE_BREAK = r"(?:[^\S\n] | --[^\n]*)*\n(?:\s | --[^\n]*\n)*"
_POSTGRESQL = rf"""
    (?<!\w)[eE]{_E_PART}(?:{_LINE_BREAK}{_E_PART})* | {_QUOTED} | --[^\n]* | /\*
    | (?<![\w$])\$([^\W\d]\w*|)\$.*?\$\1\$ | ::
"""

# MySQL 11.1.1 and 11.7: strings have escapes, names have backticks, and "--" needs a space after it.
_MYSQL = r"`[^`]*` | --(?=\s|\Z)[^\n]* | \#[^\n]* | /\*"

_PARAMETER = r"| (?P<after>:after\b)"

_TOKENS: dict[Dialect, re.Pattern[str]] = {
    "postgresql": re.compile(_POSTGRESQL + _PARAMETER, re.VERBOSE | re.DOTALL),
    "mysql": re.compile(f"{_ESCAPED} | {_MYSQL}{_PARAMETER}", re.VERBOSE | re.DOTALL),
    # With sql_mode NO_BACKSLASH_ESCAPES.
    "mysql without escapes": re.compile(
        f"{_QUOTED} | {_MYSQL}{_PARAMETER}", re.VERBOSE | re.DOTALL
    ),
}


_GREATER = re.compile(r"(?<![-<>@#&|~!?*+^%])>\s*$")
_LESS = re.compile(r"\A\s*<(?![=<>@-])")


class Lowest(NamedTuple):
    """The lowest value that a column can have, in place of ``:after``: rows with it are new, too."""

    value: Any


def with_parameter(query: str, dialect: Dialect, after: Any) -> tuple[Any, ...]:
    """Return the arguments of ``execute`` for a driver with the DB-API's paramstyle "pyformat".

    A query without ``:after`` is passed without parameters, so that "%" needs no escape in it.

    :param after: the value of ``:after``.  With a :class:`Lowest`, ``> :after`` becomes ``>=``.
    """
    translated = _translated(query, dialect, isinstance(after, Lowest))
    after = after.value if isinstance(after, Lowest) else after
    return (query,) if translated is None else (translated, {"after": after})


@lru_cache  # the queries of a configuration, run again and again
def _translated(query: str, dialect: Dialect, inclusive: bool) -> str | None:
    places = list(_parameters(query, dialect))
    if not places:
        return None
    parts, end = [], 0
    for start in places:
        parts.append(query[end:start])
        end = start + len(":after")
    parts.append(query[end:])
    if inclusive:
        parts[:-1] = [_GREATER.sub(">= ", part) for part in parts[:-1]]
        parts[1:] = [_LESS.sub(" <=", part) for part in parts[1:]]
    return "%(after)s".join(part.replace("%", "%%") for part in parts)


def _parameters(query: str, dialect: Dialect) -> Iterator[int]:
    """Yield the index of each ``:after`` that is a parameter."""
    at = 0
    while found := _TOKENS[dialect].search(query, at):
        at = found.end()
        if found["after"]:
            yield found.start()
        elif found[0] == "/*":
            at = _end_of_comment(query, at, nests=dialect == "postgresql")


def _end_of_comment(query: str, at: int, nests: bool) -> int:
    """Return the index after the comment whose ``/*`` ends at ``at``; PostgreSQL's comments nest."""
    depth = 1
    for mark in re.compile(r"/\*|\*/").finditer(query, at):
        if mark[0] == "*/":
            depth -= 1
        elif nests:
            depth += 1
        if depth == 0:
            return mark.end()
    return len(query)

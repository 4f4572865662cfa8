"""Finds parameters such as ``:after`` in a SELECT; skips string literals, quoted names and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

Dialect = Literal["postgresql", "mysql", "mysql without escapes", "standard"]

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

_PARAMETER = r"| :(?P<name>[A-Za-z_]\w*)"

_TOKENS: dict[Dialect, re.Pattern[str]] = {
    "postgresql": re.compile(_POSTGRESQL + _PARAMETER, re.VERBOSE | re.DOTALL),
    "mysql": re.compile(f"{_ESCAPED} | {_MYSQL}{_PARAMETER}", re.VERBOSE | re.DOTALL),
    # With sql_mode NO_BACKSLASH_ESCAPES.
    "mysql without escapes": re.compile(
        f"{_QUOTED} | {_MYSQL}{_PARAMETER}", re.VERBOSE | re.DOTALL
    ),
    # Any other database: what SQL:2016 has, and casts with "::".
    "standard": re.compile(rf"{_QUOTED} | --[^\n]* | /\* | ::{_PARAMETER}", re.VERBOSE | re.DOTALL),
}

_TEXT_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w)")
"""Matches each colon that ``sqlalchemy.text`` takes for a parameter's, also in a string literal."""


_GREATER = re.compile(r"(?<![-<>@#&|~!?*+^%])>\s*$")
_LESS = re.compile(r"\A\s*<(?![=<>@-])")


class Lowest(NamedTuple):
    """The lowest value that a column can have, as the value of ``:after`` before the first row is read.

    Rows with this value are new, too: ``> :after`` becomes ``>= :after``.
    """

    value: Any


def with_parameters(query: str, dialect: Dialect, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the arguments of ``execute`` for a driver with the DB-API's paramstyle "pyformat".

    A query without a parameter is passed without values, so that "%" needs no escape in it.

    :param values: by the names of the parameters; ``:name`` with another name is not a parameter.  If
        one is a :class:`Lowest`, ``> :name`` becomes ``>=``.
    """
    inclusive = any(isinstance(value, Lowest) for value in values.values())
    translated = _translated(query, dialect, frozenset(values), inclusive)
    if translated is None:
        return (query,)
    return translated, {
        name: value.value if isinstance(value, Lowest) else value for name, value in values.items()
    }


def as_text(query: str, dialect: Dialect, values: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return a query for ``sqlalchemy.text``, and the names of its parameters.

    :param values: as for :func:`with_parameters`.
    """
    inclusive = any(isinstance(value, Lowest) for value in values.values())
    names, parts = _split(query, dialect, frozenset(values), inclusive)
    first, *others = (_TEXT_PARAMETER.sub(r"\\:", part) for part in parts)
    named = zip(names, others, strict=True)
    return first + "".join(f":{name}{part}" for name, part in named), names


def _translated(query: str, dialect: Dialect, names: frozenset[str], inclusive: bool) -> str | None:
    found, parts = _split(query, dialect, names, inclusive)
    if not found:
        return None
    first, *others = (part.replace("%", "%%") for part in parts)
    return first + "".join(f"%({name})s{part}" for name, part in zip(found, others, strict=True))


@lru_cache  # the queries of a configuration, run again and again
def _split(
    query: str, dialect: Dialect, names: frozenset[str], inclusive: bool
) -> tuple[list[str], list[str]]:
    """Return the parameters in a query, and the parts between them, one more."""
    places = [place for place in _parameters(query, dialect) if place[1] in names]
    parts, end = [], 0
    for start, name in places:
        parts.append(query[end:start])
        end = start + len(f":{name}")
    parts.append(query[end:])
    if inclusive:
        parts[:-1] = [_GREATER.sub(">= ", part) for part in parts[:-1]]
        parts[1:] = [_LESS.sub(" <=", part) for part in parts[1:]]
    return [name for _, name in places], parts


def _parameters(query: str, dialect: Dialect) -> Iterator[tuple[int, str]]:
    """Yield the index and the name of each ``:name`` that may be a parameter."""
    at = 0
    while found := _TOKENS[dialect].search(query, at):
        at = found.end()
        if found["name"]:
            yield found.start(), found["name"]
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

"""Finds the line of a file with a mistake.  Pure."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator

_SYNTAX = re.compile(r"not TOML: .*\bat line ([0-9]+)")
_HEADER = re.compile(r"\s*(\[\[?)(.+?)\]\]?\s*(?:#.*)?")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_LAST = re.compile(r"(\[[0-9]+\]|\.[^.\[]*|^[^.\[]+)$")
_QUOTES = re.compile(r'"""|\'\'\'')

_CURES = {
    "Invalid value": "a text needs quotes",
    "Expected newline or end of document after a statement": "a text needs quotes, all of it",
    "Illegal character '\\n'": "is a quote missing before the end of the line?",
    "Unescaped": "write single quotes around a text with backslashes",
    "Expected '='": 'the form is KEY = VALUE; a KEY with other characters than letters, digits, "_" '
    'and "-" needs quotes',
    "Expected ']'": 'a name with other characters than letters, digits, "_" and "-" needs quotes',
}
"""Messages of tomllib, by their beginnings, and what probably mends the file."""


def syntax_fault(message: str) -> str:
    """Return the line of a :class:`~streamd.config.fields.ConfigError` for a text that is not TOML.

    :param message: what tomllib says.
    """
    cures = (cure for beginning, cure in _CURES.items() if message.startswith(beginning))
    return "; ".join([f"not TOML: {message}", *cures])


def line_of(text: str, problem: str) -> int | None:
    """Return the number of the line with a problem, from 1; None if it is not known.

    :param text: the text of a configuration file.
    :param problem: a line of a :class:`~streamd.config.fields.ConfigError`, with its key path.
    """
    syntax = _SYNTAX.match(problem)
    if syntax is not None:
        return int(syntax[1])
    lines: dict[str, int] = {}
    for path, number in _paths(text):
        lines.setdefault(path, number)
    path = problem.partition(": ")[0]
    while path:
        if path in lines:
            return lines[path]
        # A key that is missing is a mistake of its table.  A key may have any characters.
        shorter = _LAST.sub("", path)
        path = shorter if shorter != path else path.rpartition(".")[0]
    return None


def with_line(file: str, text: str, problem: str) -> str:
    """Return a problem with its line in a file, if the line is known and the problem lacks it.

    :param text: the text of the file.
    """
    line = None if _SYNTAX.match(problem) else line_of(text, problem)
    return problem if line is None else f"{problem} ({file}, line {line})"


def key_of(problem: str) -> str:
    """Return the key path of a problem; empty if it has none."""
    path, colon, _ = problem.partition(": ")
    return path if colon and " " not in path else ""


def _paths(text: str) -> Iterator[tuple[str, int]]:
    """Yield the key path and the line of each table and of each key at the beginning of a line."""
    table = ""
    counts: Counter[str] = Counter()
    quoted = False
    for number, line in enumerate(text.splitlines(), 1):
        was_quoted = quoted
        quoted ^= len(_QUOTES.findall(line)) % 2 == 1
        if was_quoted:
            continue
        header, key = _HEADER.fullmatch(line), _KEY.match(line)
        if header is not None and (names := _names(header[2])):
            table = _path_of(names, header[1] == "[[", counts)
            yield table, number
        elif key is not None and (names := _names(key[1])):
            yield ".".join(filter(None, [table, *names])), number


def _names(dotted: str) -> list[str]:
    """Return the parts of a dotted key; nothing if it is none."""
    try:
        found = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return []
    names: list[str] = []
    while isinstance(found, dict):
        [(name, found)] = found.items()
        names.append(name)
    return names


def _path_of(names: list[str], is_array: bool, counts: Counter[str]) -> str:
    """Return the key path of a table; tables of an array have numbers, as in ``walls[0].tiles[2]``."""
    path = ""
    for place, name in enumerate(names, 1):
        path = f"{path}.{name}" if path else name
        if is_array and place == len(names):
            counts[path] += 1
        if counts[path]:
            path = f"{path}[{counts[path] - 1}]"
    return path

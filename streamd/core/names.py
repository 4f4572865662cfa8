"""Turns names of rows, columns and fields into valid ends of stream names.  Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from streamd.core.values import BadValue

_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]")


def end_of_name(text: str) -> str:
    """Return a text as the end of a stream's name: each invalid character becomes ``_``."""
    return _NO_NAME.sub("_", text) or "_"


def by_name(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values by the ends of their streams' names; duplicates become bad values."""
    found: dict[str, Any] = {}
    written: dict[str, str] = {}
    for text, value in parts.items():
        end = end_of_name(text)
        if end in found:
            value = BadValue(f"both {written[end]!r} and {text!r} are called {end}")
        found[end], written[end] = value, text
    return found


def join_ends(begin: str, end: str) -> str:
    """Return two parts of a stream's name with a dot between them, unless one is empty."""
    return f"{begin}.{end}" if begin and end else begin or end


def is_below(end: str, begin: str) -> bool:
    """Return whether ``end`` equals ``begin``, or continues it after a dot: ``a.b`` is below ``a``.

    Both are names of streams, or ends of names.  Everything is below the empty end.
    """
    return not begin or end == begin or end.startswith(f"{begin}.")

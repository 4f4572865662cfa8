"""JSON pointers (RFC 6901): how a configuration names the parts of a document that it wants.  Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from streamd.core.parsed_text import ParsedText
from streamd.core.values import BadValue

_POINTER = re.compile(r"(/([^~]|~[01])*)?")
_INDEX = re.compile("0|[1-9][0-9]{0,9}")


class Pick(ParsedText):
    """JSON pointers into a document: one for all, or one for each stream."""

    def __init__(self, pointers: Mapping[str, str] | str) -> None:
        self.pointers = pointers

    @classmethod
    def parse(cls, written: Any) -> Pick:
        for pointer in written.values() if isinstance(written, dict) else (written,):
            check_pointer(pointer)
        return cls(written)

    def out_of(self, document: Any) -> Any:
        """Return the parts that the pointers lead to; a missing part is a :class:`BadValue`."""
        if isinstance(self.pointers, str):
            return follow(self.pointers, document)
        return {member: follow(pointer, document) for member, pointer in self.pointers.items()}


def check_pointer(written: Any) -> str:
    """Return a JSON pointer.

    :raises ValueError: the text is not a JSON pointer; the message says which form is expected.
    """
    if not isinstance(written, str) or not _POINTER.fullmatch(written):
        raise ValueError('expected a JSON pointer such as "/data/0/count"')
    return written


def follow(pointer: str, document: Any) -> Any:
    """Return the part of a document that a JSON pointer leads to, or a :class:`BadValue`."""
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        try:
            if isinstance(document, list) and _INDEX.fullmatch(token):
                document = document[int(token)]
            elif isinstance(document, dict):
                document = document[token]
            else:
                raise LookupError
        except LookupError:
            return BadValue(f"there is nothing at {pointer}"[:200], "pick")
    return document

"""Templates of stream names, such as ``build.{/repository/name}``, for documents to fill."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from streamd.core.errors import Refused
from streamd.core.names import end_of_name
from streamd.core.parsed_text import ParsedText
from streamd.core.update import MAX_NAME, check_name
from streamd.core.values import BadValue

_FIELD = re.compile(r"\{([^{}]+)\}")
_LITERAL = re.compile(r"[A-Za-z0-9_.-]*")
_STARS = re.compile(r"\*+")


class Template(ParsedText):
    """A stream's name, in which each ``{FIELD}`` stands for a text.

    :ivar text: the template as it was written.
    :ivar fields: the texts between the braces, in order.
    """

    def __init__(self, text: str) -> None:
        """:raises ValueError: if no stream can have such a name; the message has a right one."""
        parts = _FIELD.split(text)
        self.text = text
        self.fields: Sequence[str] = parts[1::2]
        self._literals = parts[::2]
        fits = all(map(_LITERAL.fullmatch, self._literals)) and 0 < len(text) <= MAX_NAME
        if not fits or not re.match(r"[A-Za-z0-9{]", text):
            raise ValueError('expected a name such as "build.{/repository/name}"')

    @classmethod
    def parse(cls, written: Any) -> Template:
        if not isinstance(written, str):
            raise ValueError('expected a name such as "build.{/repository/name}"')
        return cls(written)

    @property
    def glob(self) -> str:
        """A glob that matches all names that the template can make."""
        return _STARS.sub("*", "*".join(self._literals))

    def name(self, find: Callable[[str], Any]) -> str:
        """Return the name that a document gives.

        :param find: returns the value for a field: a text, a number, true or false.  A character
            that is invalid in a name becomes ``_``.
        :raises Refused: 400 if ``find`` returns anything else, or the name is too long.
        """
        return check_name(self.fill(lambda field: end_of_name(_text(field, find(field)))))

    def fill(self, find: Callable[[str], str]) -> str:
        """Return the template with a text for each field; the result may be no valid name."""
        made = [find(field) for field in self.fields]
        pairs = zip(self._literals, [*made, ""], strict=True)
        return "".join([part for pair in pairs for part in pair])


def _text(field: str, found: Any) -> str:
    """Return the text for a field.

    :raises Refused: 400 if it has none.
    """
    if isinstance(found, BadValue):
        raise Refused(400, "bad-value", found.reason)
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, str | int | float) and found != "":
        return str(found)
    raise Refused(400, "bad-value", f"{field} is not a text, a number, true or false")

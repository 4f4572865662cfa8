"""The error whose text goes to the client that caused it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from streamd.core.printable import showable


class Refused(Exception):
    """A request is refused; the client that sent it gets the message.

    All other exceptions go only to the log.

    :ivar status: the HTTP status.
    :ivar code: a short, stable word for programs, such as ``bad-name``.
    :ivar message: one sentence for people: the fault, and what is expected instead.
    :ivar wait: the least seconds after which the request may be repeated, if that is known.
    :ivar members: more members of the answer, for clients that look for the error in another place.
    :ivar key: the key of a source's table that the error refers to; empty for its main key.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        wait: float = 0.0,
        members: Mapping[str, Any] | None = None,
        key: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.wait = wait
        self.members = members or {}
        self.key = key
        self.message = showable(message)  # it may quote what the client sent


def shorten(text: str, limit: int = 40) -> str:
    """Return ``text`` in quotes for a message; a long text loses its middle."""
    if len(text) > limit:
        text = f"{text[: limit // 2]}…{text[-limit // 4 :]}"
    return json.dumps(text, ensure_ascii=True)

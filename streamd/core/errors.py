"""The error that its cause may read."""

from __future__ import annotations

import json


class Refused(Exception):
    """A request that cannot be served, told in words that whoever sent it may read.

    Its counterpart is every other exception: those go to the log, and never further.

    :ivar status: the HTTP status that says it best.
    :ivar code: a short, stable word for programs, such as ``bad-name``.
    :ivar message: one sentence for people: what was wrong, and what would be right.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def shorten(text: str, limit: int = 40) -> str:
    """``text`` quoted for a message, its middle left out when it is long."""
    if len(text) > limit:
        text = f"{text[: limit // 2]}…{text[-limit // 4 :]}"
    return json.dumps(text, ensure_ascii=True)

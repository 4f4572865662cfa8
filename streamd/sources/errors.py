"""Errors of sources, which walls show."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

from streamd.core.printable import showable

_LIBRARIES = tuple(
    sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_STREAMD = str(Path(__file__).parents[1])


class SourceError(Exception):
    """A source failed; its streams are shown as failed, with the message.

    :ivar message: the text that walls show: short, without passwords, addresses or traces.
    :ivar detail: more text, for the log only.
    :ivar key: the key of the source's table that the error refers to; empty for its main key, such as
        ``query``.
    """

    def __init__(self, message: str, detail: str = "", key: str = "") -> None:
        super().__init__(message)
        # Kinds of other packages may pass an exception or nothing, but a wall needs a text.
        text = str(message or "").strip() or "the source failed and did not say why"
        self.message = showable(text)
        self.detail = detail
        self.key = key


class Unreachable(SourceError):
    """The server cannot be reached; the source tries again soon, because this puts no load on it."""


def raised_at(error: BaseException) -> str:
    """Return where a user's own code raised an error: `` (office.py, line 5)``; or an empty text.

    The place is the innermost call outside of Python, installed packages and streamd.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith((*_LIBRARIES, _STREAMD, "<")):
            return f" ({Path(frame.filename).name}, line {frame.lineno})"
    return ""

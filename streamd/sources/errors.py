"""Errors of sources, which walls show."""

from __future__ import annotations

from streamd.core.printable import told


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
        self.message = told(text)
        self.detail = detail
        self.key = key


class Unreachable(SourceError):
    """The server cannot be reached; the source tries again soon, because this puts no load on it."""

"""Errors of sources, told on the wall."""

from __future__ import annotations


class SourceError(Exception):
    """A source cannot say what is.

    :ivar message: for the wall: short, without passwords, addresses or traces.
    :ivar detail: for the log.
    :ivar key: of the source's table, which this is about; empty: the one that tells what it does.
    """

    def __init__(self, message: str, detail: str = "", key: str = "") -> None:
        super().__init__(message)
        # A kind from elsewhere may hand over what it caught, or nothing: a wall needs a text.
        self.message = str(message or "").strip() or "the source failed and did not say why"
        self.detail = detail
        self.key = key


class Unreachable(SourceError):
    """What it reads is not there to be asked: to try again soon costs nobody anything."""

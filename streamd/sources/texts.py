"""What programs print and publish: texts, each a reading, however many come."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from streamd.core.errors import Refused
from streamd.sources.feed import Feed
from streamd.wire.requests import PACE

MAX_TEXT = 2**20
"""Bytes of one text; each value in it may have less."""

ROOM = 32
"""Texts in each :data:`PACE` that are all told: a thousand a second.  Of more, the newest is."""


def read_text(text: bytes) -> Any:
    """What a text says: JSON, or else the text itself.

    :raises Refused: if it is neither JSON nor UTF-8, or too long.
    """
    if len(text) > MAX_TEXT:
        raise too_long()
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    try:
        return text.decode()
    except UnicodeError:
        raise Refused(400, "bad-value", "what came is neither JSON nor UTF-8 text") from None


def too_long() -> Refused:
    """A text is longer than :data:`MAX_TEXT`."""
    return Refused(413, "too-large", f"a text may have {MAX_TEXT // 2**20} MiB, this has more")


class Texts:
    """Puts texts into a feed.  A flood costs no more than a thousand readings a second."""

    def __init__(self, feed: Feed, clock: IReactorTime) -> None:
        self._feed = feed
        self._clock = clock
        self._room = ROOM
        self._newest: bytes | None = None
        self._turn: IDelayedCall | None = None

    def put(self, text: bytes) -> None:
        """A reading, as text."""
        if self._turn is None:
            self._turn = self._clock.callLater(PACE, self._turned)
        if self._room:
            self._room -= 1
            self._tell(text)
        else:
            self._newest = text

    def flush(self) -> None:
        """Nothing comes for now: what was held back is told."""
        if self._turn is not None and self._turn.active():
            self._turn.cancel()
        self._turned()

    def stop(self) -> None:
        """Tell nothing more."""
        self._newest = None
        self.flush()

    def _turned(self) -> None:
        self._turn = None
        self._room = ROOM
        if self._newest is not None:
            newest, self._newest = self._newest, None
            self.put(newest)

    def _tell(self, text: bytes) -> None:
        try:
            value = read_text(text)
        except Refused:
            self._feed.failed(Failure())
        else:
            self._feed.put(value)

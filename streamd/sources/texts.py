"""Texts that programs print or publish: each is a reading, and a flood of them is bounded."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from streamd.core.errors import Refused
from streamd.sources.errors import SourceError
from streamd.sources.feed import Feed
from streamd.wire.requests import PACE

MAX_TEXT = 2**20
"""Bytes of one text; each value in it may have less."""

ROOM = 32
"""Texts in each :data:`PACE` that are published one by one: a thousand a second."""


def read_text(text: bytes) -> Any:
    """The value of a text: what its JSON says, or else the text itself.

    :raises Refused: if it is neither JSON nor UTF-8, or longer than 1 MiB.
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


def missing_since(when: float) -> Failure:
    """Why streams are failed whose messages nobody heard for a while.

    :param when: when the source listened last, seconds since the epoch.
    """
    clock = time.strftime("%H:%M", time.localtime(when))
    return Failure(SourceError(f"messages may be missing since {clock}"))


class Texts:
    """Puts texts into a feed; a flood costs no more than a thousand readings a second.

    Up to 32 texts in 33 ms are all published.  Of further texts in that time, the newest value of each
    stream is published at its end.
    """

    _members: dict[str, Any] | None  # what objects said: stream's end -> newest value
    _values: list[Any]  # the newest value that is no object, if there is one
    _bad: Failure | None  # why the newest text has no value

    def __init__(self, feed: Feed, clock: IReactorTime, whole: bool = False) -> None:
        """:param whole: an object is one value, not one stream a member."""
        self._feed = feed
        self._clock = clock
        self._whole = whole
        self._room = ROOM
        self._turn: IDelayedCall | None = None
        self._forget()

    def put(self, text: bytes) -> None:
        """Publish one text as a reading, or hold it back for a moment."""
        if self._turn is None:
            self._turn = self._clock.callLater(PACE, self._turned)
        try:
            value = read_text(text)
        except Refused:
            self._bad = Failure()
        else:
            self._bad = None
            if isinstance(value, dict) and not self._whole:
                self._members = value if self._members is None else self._members | value
            else:
                self._values[:] = [value]
        if self._room:
            self._room -= 1
            self._publish()

    def flush(self) -> None:
        """Publish what is held back: the program has ended."""
        if self._turn is not None and self._turn.active():
            self._turn.cancel()
        self._turned()

    def stop(self) -> None:
        """Publish nothing more."""
        self._forget()
        self.flush()

    def _forget(self) -> None:
        """Hold nothing back."""
        self._members = None
        self._values = []
        self._bad = None

    def _turned(self) -> None:
        self._turn = None
        self._room = ROOM
        if self._members is not None or self._values or self._bad:
            self._turn = self._clock.callLater(PACE, self._turned)
            self._room -= 1
            self._publish()

    def _publish(self) -> None:
        members, values, bad = self._members, self._values, self._bad
        self._forget()
        if members is not None:
            self._feed.put(members)
        for value in values:
            self._feed.put(value)
        if bad is not None:
            self._feed.failed(bad)

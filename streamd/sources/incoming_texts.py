"""Texts that programs print or publish: each becomes a reading, at a bounded rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from streamd.core.errors import Refused
from streamd.core.values import BadValue
from streamd.reactor.deadline import Deadline
from streamd.sources.feed import Feed
from streamd.sources.shape import NOTHING
from streamd.wire.requests import PACE

MAX_TEXT = 2**20
"""Bytes of one text; each value in it may have less."""

ROOM = 32
"""The most texts that are published one by one in each :data:`PACE`: a thousand a second."""


def read_text(text: bytes) -> Any:
    """Return the value of a text: its decoded JSON, or the text itself if it is not JSON.

    :raises Refused: if the text is neither JSON nor UTF-8, or longer than 1 MiB.
    """
    if len(text) > MAX_TEXT:
        raise Refused(413, "too-large", f"a text may have {MAX_TEXT // 2**20} MiB, this has more")
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    try:
        return text.decode()
    except UnicodeError:
        raise Refused(400, "bad-value", "the text is neither JSON nor UTF-8") from None


def read_text_or_why(text: bytes) -> Any:
    """Return the value of a text, or a :class:`BadValue` with the reason: only its own stream fails."""
    try:
        return read_text(text)
    except Refused as refused:
        return BadValue(refused.message)


class Texts:
    """Publishes texts through a feed, at most a thousand readings a second.

    The first 32 texts of an interval of 33 ms are published at once.  Further texts are coalesced: at
    the end of the interval the newest value of each stream is published.
    """

    _members: dict[str, Any] | None  # from objects: member -> its newest value
    _values: list[Any]  # the newest value that is not an object, or empty
    _bad: Failure | None  # the error of the newest text, if it has no value

    def __init__(
        self,
        feed: Feed,
        clock: IReactorTime,
        whole: bool = False,
        read: Callable[[bytes], Any] = read_text,
    ) -> None:
        """:param whole: publish an object as one value, instead of one stream for each member.

        :param read: returns the reading in a text or :data:`NOTHING`, or raises :class:`Refused`.
        """
        self._read = read
        self._feed = feed
        self._whole = whole
        self._room = ROOM
        self._turn = Deadline(clock)
        self._forget()

    def put(self, text: bytes) -> None:
        """Publish a text as a reading, now or at the end of the interval of at most 33 ms."""
        if not self._turn:
            self._turn.set(PACE, self._turned)
        try:
            value = self._read(text)
        except Refused:
            self._bad = Failure()
        else:
            if value is NOTHING:
                return
            self._bad = None
            if isinstance(value, dict) and not self._whole:
                self._members = value if self._members is None else self._members | value
            else:
                self._values[:] = [value]
        if self._room:
            self._room -= 1
            self._publish()

    def flush(self) -> None:
        """Publish waiting texts at once: the program has ended."""
        self._turn.cancel()
        self._turned()

    def stop(self) -> None:
        """Publish nothing more."""
        self._forget()
        self.flush()

    def _forget(self) -> None:
        """Drop everything that waits for the end of the interval."""
        self._members = None
        self._values = []
        self._bad = None

    def _turned(self) -> None:
        self._room = ROOM
        if self._members is not None or self._values or self._bad:
            self._turn.set(PACE, self._turned)
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

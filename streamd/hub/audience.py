"""Audiences: groups of viewers that get the same messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from streamd.core.cursor import Cursor
from streamd.core.roster import Matches
from streamd.hub.deliveries import Deliveries
from streamd.wire.encoding import Encoding, packed


class Pieces:
    """The pieces of a long message, each made just before it is sent; false once all are taken."""

    def __init__(self, parts: Iterable[bytes] = ()) -> None:
        self._pieces = packed(parts)
        self._next = next(self._pieces, None)

    def __bool__(self) -> bool:
        return self._next is not None

    def pop(self) -> bytes:
        """Return the next piece; call this only while the object is true."""
        piece, self._next = self._next or b"", next(self._pieces, None)
        return piece


class Viewer(Protocol):
    """The interface of a viewer, as the hub uses it.

    Only the hub changes ``audience``, ``cursor``, ``unsent`` and ``ticked``.

    :ivar ready: whether the kernel has taken all bytes that were written.  The transport clears it in
        :meth:`write` if some bytes remain, and calls :meth:`Hub.drained` when they were sent.
    :ivar audience: the viewer's audience; None before :meth:`Hub.join` and after :meth:`Hub.leave`.
    :ivar cursor: how far this viewer has read.
    :ivar unsent: the rest of a long message, or None.
    :ivar ticked: whether this viewer got the last tick.
    """

    ready: bool
    audience: Audience | None
    cursor: Cursor
    unsent: Pieces | None
    ticked: bool

    def write(self, data: bytes) -> None:
        """Send these bytes after all earlier ones."""

    def proceed(self) -> None:
        """Do the work that waits for the end of the first answer, if all of it was written."""

    def lose(self) -> None:
        """Drop the connection of this viewer at once."""


class Audience:
    """Viewers with the same selection, encoding and pace.

    :ivar pace: seconds between two flushes.
    :ivar matches: the streams that their selection matches.
    :ivar viewers: in the order in which they joined, which is mostly their order in memory.
    :ivar flushed: the cursor up to which the last flush brings the viewers.
    :ivar deliveries: the counts of messages to them; all audiences with this encoding share it.
    """

    def __init__(
        self,
        pace: float,
        encoding: Encoding,
        matches: Matches,
        flushed: Cursor,
        deliveries: Deliveries,
    ) -> None:
        self.pace = pace
        self.selection = matches.selection
        self.encoding = encoding
        self.deliveries = deliveries
        self.matches = matches
        self.viewers: dict[Viewer, None] = {}
        self.flushed = flushed

    def is_behind(self, cursor: Cursor) -> bool:
        """Return whether a viewer at ``cursor`` lacks a part of the last flush."""
        flushed = self.flushed
        return (
            cursor.backlog is not None
            or cursor.at < flushed.at
            or cursor.revision < flushed.revision
        )

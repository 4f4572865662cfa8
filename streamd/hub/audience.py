"""Audiences: viewers that are sent the same bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from streamd.core.cursor import Cursor
from streamd.core.roster import Matches
from streamd.wire.encoding import Encoding, packed


class Pieces:
    """Pieces of a message, each made when the one before it is taken; false when there are no more."""

    def __init__(self, parts: Iterable[bytes] = ()) -> None:
        self._pieces = packed(parts)
        self._next = next(self._pieces, None)

    def __bool__(self) -> bool:
        return self._next is not None

    def pop(self) -> bytes:
        """Return the next piece; there has to be one."""
        piece, self._next = self._next or b"", next(self._pieces, None)
        return piece


class Viewer(Protocol):
    """What the hub asks of a transport.

    :ivar ready: whether all that was written has left for the kernel.  The transport clears it in
        :meth:`write` when something stays behind, and calls :meth:`Hub.drained` when that has left.
    :ivar audience: the viewers that are sent the same, None before :meth:`Hub.join` and after
        :meth:`Hub.leave`; the hub's alone, as are the next three.
    :ivar cursor: how far this viewer has read.
    :ivar unsent: the rest of a long message, None if there is no rest.
    :ivar ticked: whether this viewer was told of the last tick.
    """

    ready: bool
    audience: Audience | None
    cursor: Cursor
    unsent: Pieces | None
    ticked: bool

    def write(self, data: bytes) -> None:
        """Send all of this after what was sent before."""

    def lose(self) -> None:
        """Drop this viewer: writing to it failed."""


class Audience:
    """Viewers that want the same streams in the same encoding at the same pace.

    :ivar pace: seconds between two flushes.
    :ivar matches: the streams that their selection matches.
    :ivar viewers: in the order in which they came, and lie in memory.
    :ivar flushed: how far the viewers are to be brought.
    """

    def __init__(self, pace: float, encoding: Encoding, matches: Matches, flushed: Cursor) -> None:
        self.pace = pace
        self.selection = matches.selection
        self.encoding = encoding
        self.matches = matches
        self.viewers: dict[Viewer, None] = {}
        self.flushed = flushed

    def is_behind(self, cursor: Cursor) -> bool:
        """Whether a viewer at ``cursor`` has not been told all that was flushed."""
        flushed = self.flushed
        return (
            cursor.backlog is not None
            or cursor.at < flushed.at
            or cursor.revision < flushed.revision
        )

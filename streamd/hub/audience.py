"""Audiences: viewers that are sent the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from streamd.core import catchup
from streamd.core.catchup import Cursor
from streamd.core.selection import Selection
from streamd.core.state import State
from streamd.wire.encoding import Encoding, overview, packed

_REMEMBERED = 8
"""Messages that an audience keeps while the state stands still; a chain of them per straggler would
be memory for every slow viewer."""


class Pieces:
    """Pieces of a message, each made when the one before it is taken; false when there are no more."""

    def __init__(self, parts: Iterable[bytes] = ()) -> None:
        self._pieces = packed(parts)
        self._next = next(self._pieces, None)

    def __bool__(self) -> bool:
        return self._next is not None

    def pop(self) -> bytes:
        """The next; there has to be one."""
        piece, self._next = self._next or b"", next(self._pieces, None)
        return piece


class Viewer(Protocol):
    """What the hub asks of a transport.

    :ivar ready: whether all that was written has left for the kernel.  The transport clears it in
        :meth:`write` when something stays behind, and calls :meth:`Hub.drained` when that has left.
    :ivar cursor: how far this viewer is; the hub's alone.
    :ivar unsent: what is left of a long message, None when nothing is; the hub's alone.
    :ivar ticked: whether it was told of the last tick; the hub's alone.
    """

    ready: bool
    cursor: Cursor
    unsent: Pieces | None
    ticked: bool

    def write(self, data: bytes) -> None:
        """Send this, all of it, after what was sent before."""

    def lose(self) -> None:
        """Drop this viewer: writing to it failed."""


class Audience:
    """Viewers that want the same streams in the same form at the same pace, which is its beat's."""

    def __init__(self, state: State, beat: Any, selection: Selection, encoding: Encoding) -> None:
        self.beat = beat
        self.viewers: dict[Viewer, None] = {}  # in the order in which they came, and lie in memory
        self.selection = selection
        self.encoding = encoding
        self._state = state
        self._messages: dict[Cursor, tuple[bytes, Cursor]] = {}
        self._made_at = self.flushed = self._head()

    def _head(self) -> Cursor:
        return Cursor(self._state.head, self._state.revision)

    def flush(self) -> None:
        """Everybody here is to know what the state is now."""
        self.flushed = self._head()

    def next(self, cursor: Cursor) -> tuple[bytes, Cursor]:
        """What a viewer at ``cursor`` is sent, and its cursor then."""
        head = self._head()
        if head != self._made_at:
            self._messages.clear()
            self._made_at = head
        found = self._messages.get(cursor)
        if found is None:
            answer = catchup.since(self._state, cursor, self.selection, self.encoding.newest)
            message = self.encoding.write(answer)
            after = Cursor(message.at, answer.revision, cursor.backlog if message.more else None)
            found = message.data, after
            # One who left in the middle of its own write still asks once: there may be nobody.
            if len(self._messages) >= max(1, min(_REMEMBERED, len(self.viewers))):
                del self._messages[next(iter(self._messages))]
            self._messages[cursor] = found
        return found

    def step(self, cursor: Cursor) -> tuple[bytes, Cursor] | None:
        """What brought a viewer from ``cursor`` to where all are, if that was one message."""
        found = self._messages.get(cursor)
        if found is None or not found[0] or self.is_behind(found[1]):
            return None
        return found

    def is_behind(self, cursor: Cursor) -> bool:
        """Whether a viewer at ``cursor`` has not been told what was flushed."""
        flushed = self.flushed
        return (
            cursor.backlog is not None
            or cursor.at < flushed.at
            or cursor.revision < flushed.revision
        )

    def overview(self) -> Iterator[bytes]:
        """Descriptions and health of all that is selected, as a hello ends."""
        return overview(self._state, self.selection, self._state.journal)

    def tick(self, now: float, after: float) -> bytes:
        """What is said at a tick to those who know what was flushed; see :class:`Encoding`."""
        if self.encoding.tick is None:
            return b""
        plain = self.encoding.newest  # which says nothing of proofs
        proofs = (
            {} if plain else catchup.proofs(self._state, self.selection, after, self.flushed.at)
        )
        return self.encoding.tick(now, proofs)

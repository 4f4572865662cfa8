"""Cursors: how far a viewer has read the log, and the answer that brings it forward."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from streamd.core.selection import NO_STREAMS, Selection
from streamd.core.update import ORIGIN, Position, Update


class Backlog(NamedTuple):
    """What a viewer lacks when it joins; the answer to it may take several messages.

    :ivar history: the viewer gets so many of the newest updates of each stream that it did not follow.
    :ivar until: the head of the log when the answer began; later updates are sent whatever ``history``.
    :ivar known: the streams that the viewer followed before, and has up to ``after``.
    """

    history: int
    until: Position
    known: Selection = NO_STREAMS
    after: Position = ORIGIN

    @property
    def is_newest(self) -> bool:
        """Whether the backlog is the newest update of each stream and no more."""
        return self.history == 1 and not self.known.patterns


class Cursor(NamedTuple):
    """How far a viewer has read: a position in the log, and what it knows besides the values.

    :ivar at: everything selected up to this position was written to the viewer.
    :ivar revision: so was every health and description up to this revision of the state.
    :ivar backlog: what the viewer lacked when it joined, while that is being sent.
    """

    at: Position
    revision: int
    backlog: Backlog | None = None


class Answer(NamedTuple):
    """What a viewer has to be told; an encoding makes a message of it.

    :ivar updates: in the order of the log.  Where only the newest of each stream is asked for, a
        forgotten stream has an update without a value; elsewhere ``gone`` names it.
    :ivar gone: names of streams that were forgotten, also of those that have come back since.
    :ivar streams: descriptions that changed, by name.
    :ivar health: health that changed, by name.
    :ivar journal: the fields of a ``journal`` message, if they changed.
    :ivar at: the position up to which this answers.
    :ivar more: whether the log goes on after ``at``.
    :ivar revision: the revision of the state up to which changes are in this answer.
    :ivar floor: the cursor never moves behind this position: the viewer already has everything up to it
        for part of its selection.
    :ivar first: whether this begins the answer to a viewer that had nothing.
    """

    updates: Sequence[Update]
    gone: Collection[str]
    streams: Mapping[str, Any]
    health: Mapping[str, Any]
    journal: Mapping[str, Any] | None
    at: Position
    more: bool
    revision: int
    floor: Position
    first: bool

"""Cursors: how far a viewer has read the log, and the answer that brings it forward."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from streamd.core.selection import NO_STREAMS, Selection
from streamd.core.update import ORIGIN, Position, Update

UNCOUNTED = -1
"""See :attr:`Cursor.counted`."""


class Backlog(NamedTuple):
    """The updates that a viewer lacks when it joins; they may take several messages.

    :ivar history: how many of the newest updates the viewer gets of each stream that is new to it.
    :ivar until: the head of the log when the viewer joined.  ``history`` does not limit later updates.
    :ivar known: the streams that the viewer followed before.
    :ivar after: the position up to which it has the updates of ``known``.
    """

    history: int
    until: Position
    known: Selection = NO_STREAMS
    after: Position = ORIGIN

    @property
    def is_newest(self) -> bool:
        """Return whether the backlog is only the newest update of each stream."""
        return self.history == 1 and not self.known.patterns


class Cursor(msgspec.Struct, frozen=True):
    """The progress of a viewer: a position in the log, and the viewer's knowledge besides the values.

    :ivar at: everything selected up to this position was written to the viewer.
    :ivar revision: every change of health or a description up to this revision was written, too.
    :ivar backlog: the updates that the viewer lacked when it joined, while they are being sent.
    :ivar counted: the hub's statistics are complete for the first ``counted`` updates of the log:
        each was counted as sent to this viewer or skipped; :data:`UNCOUNTED` if none was counted.
    """

    at: Position
    revision: int
    backlog: Backlog | None = None
    counted: int = UNCOUNTED


class Answer(msgspec.Struct, frozen=True):
    """The updates and changes for a viewer; an encoding turns them into a message.

    :ivar updates: in the order of the log.  Where only the newest of each stream is asked for, a
        forgotten stream has an update without a value; elsewhere ``gone`` names it.
    :ivar gone: names of streams that were forgotten, also of those that have come back since.
    :ivar streams: descriptions that changed, by name.
    :ivar health: health that changed, by name.
    :ivar journal: the fields of a ``journal`` message, if they changed.
    :ivar at: the position up to which this answer is complete.
    :ivar more: whether the log has updates after ``at``.
    :ivar revision: the revision of the state up to which changes are in this answer.
    :ivar floor: the cursor never moves behind this position: the viewer already has everything up to it
        for part of its selection.
    :ivar first: whether this begins the answer to a viewer that had nothing.
    :ivar configuration: the fields of a ``configuration`` message, if they changed.
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
    configuration: Mapping[str, Any] | None = None

"""Catching up: where a viewer stands in the log, and the answer that brings it forward."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from streamd.core.selection import Selection
from streamd.core.update import ORIGIN, Position, Update

ALL_STREAMS = Selection()

MANY_UPDATES = 2048
MANY_BYTES = 128 * 1024
"""Updates, and bytes of their values, of one answer at most: a message of 64 KiB holds fewer."""

MANY_LOOKS = 20_000
"""Updates that are looked at for one message, wanted or not: some five milliseconds."""


class Fill(NamedTuple):
    """An answer that may take several messages: what a viewer lacks when it comes.

    Of what it did not know it gets the newest ``history`` updates of each stream.

    :ivar until: the head when the answer began; what comes later is sent whatever ``history`` says.
    :ivar known: what the viewer followed before, and has up to ``after``.
    """

    history: int
    until: Position
    known: Selection = Selection(())
    after: Position = ORIGIN

    @property
    def is_newest(self) -> bool:
        """Whether it is the newest of everything, and no more."""
        return self.history == 1 and not self.known.patterns


class Mark(NamedTuple):
    """How far a viewer is: its cursor, and what it knows beside the values.

    :ivar at: everything selected up to here was written to it.
    :ivar revision: and every health and description up to this revision of the state.
    :ivar fill: the answer to its coming, while that is under way.
    """

    at: Position
    revision: int
    fill: Fill | None = None


class Answer(NamedTuple):
    """What a viewer has to be told; the state gives it, a format puts it into words.

    :ivar updates: in the order of the log.  If only the newest of each stream was asked for, one
        without a value says that the stream was forgotten; else ``gone`` does.
    :ivar gone: streams that were forgotten, also those that came back since.
    :ivar streams: descriptions that changed.
    :ivar health: and health.
    :ivar journal: how the journal is, if that changed.
    :ivar at: up to where this answers: the head of the log when it was asked, if there is no more.
    :ivar more: whether there is more after that.
    :ivar revision: of the state: what changed up to it is told.
    :ivar floor: what the viewer had of a part of its selection: its cursor does not go back behind it.
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

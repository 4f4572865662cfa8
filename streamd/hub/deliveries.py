"""Deliveries: counts the updates that were sent to viewers, and the skipped ones.

For a viewer that selects all streams the counts add up exactly: each update that was committed while it
was connected was sent to it, is counted as skipped, or waits for it.
"""

from __future__ import annotations

import msgspec

from streamd.core.cursor import Cursor


class Step(msgspec.Struct, frozen=True):
    """A message, with the cursor and the counts of a viewer that gets it.

    :ivar data: the message; empty if nothing has changed for the viewer.
    :ivar cursor: the cursor of a viewer that has got it.
    :ivar updates: how many updates are in it that were committed after the viewer joined.
    :ivar backlog: how many updates are in it that were committed before the viewer joined.
    :ivar skipped: how many updates a viewer never gets, because newer values of their streams replace
        them, or because history no longer had them.
    """

    data: bytes
    cursor: Cursor
    updates: int = 0
    backlog: int = 0
    skipped: int = 0


class Deliveries:
    """Counts the messages to the viewers with one encoding.

    :ivar messages: how many messages with changes were written.
    :ivar octets: the bytes of everything that was written, also of hellos and ticks.
    :ivar updates: see :class:`Step`, as are ``backlog`` and ``skipped``; summed over all viewers.
    """

    def __init__(self) -> None:
        self.messages = 0
        self.octets = 0
        self.updates = 0
        self.backlog = 0
        self.skipped = 0

    def add(self, step: Step, viewers: int) -> None:
        """Count a message that was written to this many viewers."""
        self.updates += step.updates * viewers
        self.backlog += step.backlog * viewers
        self.skipped += step.skipped * viewers
        if step.data:
            self.messages += viewers

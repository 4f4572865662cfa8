"""Appends drafts within the bounds on streams and memory, for sources and publishers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred

from streamd.core.room import Room
from streamd.core.update import Draft, Update
from streamd.journals.journal import Journal


def append_within(
    room: Room, journal: Journal, drafts: Sequence[Draft], **options: Any
) -> Deferred[Sequence[Update]]:
    """Append drafts if there is room for them, in addition to all appends that wait.

    :param options: further arguments of :meth:`~streamd.journals.journal.Journal.append`.
    :raises Refused: 429, see :meth:`~streamd.core.room.Room.reserve`.
    """
    held = room.reserve(drafts)

    def give_back(result: Any) -> Any:
        room.release(held)
        return result

    try:
        appended = journal.append(drafts, **options)
    except Exception:
        room.release(held)
        raise
    # A Deferred of its own: cancelled by a caller that waits no more, it leaves the room reserved until
    # the journal answers, which may commit the drafts nevertheless.
    answered: Deferred[Sequence[Update]] = Deferred()
    appended.addBoth(give_back).chainDeferred(answered)
    return answered

"""The journal: keeps the log, and orders what happens.

Whoever has news appends it; the journal gives every update its ``seq`` and its position, and says what
was committed to one callback, its own appends and other nodes' alike.  Nothing is served that was not
committed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from twisted.internet.defer import Deferred

from streamd.update import Draft, Refused, Update

KEY_LIFETIME = 300.0
"""Seconds for which an idempotency key is remembered."""

Committed = Callable[[Sequence[Update]], None]


class Key(NamedTuple):
    """An idempotency key, and what it was first used for.

    :ivar digest: of the request; the same key with another one is a conflict.
    """

    text: str
    digest: bytes


class SourceCursor(NamedTuple):
    """A source's own place in what it reads, stored in the same step as the updates it led to.

    :ivar expected: what is stored now; None: nothing.
    :ivar place: what is stored from then on.
    """

    source: str
    expected: str | None
    place: str


class Fence(NamedTuple):
    """A lease's number: an append under an older number than the newest seen is refused."""

    lease: str
    number: int


class Conflict(Refused):
    """The key was used for something else."""

    def __init__(self) -> None:
        super().__init__(409, "conflict", "this Idempotency-Key was used for another request")


class Outrun(Exception):
    """The source's cursor or its lease is not what the caller believed: somebody else went on."""


class Journal(Protocol):
    """The promise that every kind of journal keeps.

    An append is atomic: all of its updates are committed, in the order given, or none.  What is
    committed is told to the callback of :meth:`start` before the append's Deferred fires.
    """

    @property
    def life(self) -> int:
        """The life of this log; positions carry it."""

    def start(self, committed: Committed) -> Deferred[None]:
        """Open the log, tell what it holds, and from then on all that is committed."""

    def append(
        self,
        drafts: Sequence[Draft],
        key: Key | None = None,
        cursor: SourceCursor | None = None,
        fence: Fence | None = None,
    ) -> Deferred[Sequence[Update]]:
        """Commit updates.

        :returns: them with ``seq`` and ``at``; for a key seen before, those of the first time.
        :raises Conflict: the key was used for something else.
        :raises Outrun: ``cursor`` or ``fence`` is not the newest.
        :raises Refused: 503 while the journal is away, 429 while there are too many keys.
        """

    def receipt(self, key: Key) -> Deferred[Sequence[Update] | None]:
        """What was committed under a key, as :meth:`append` would answer; None for a new one.

        :raises Conflict: the key was used for something else.
        """

    def place(self, source: str) -> Deferred[str | None]:
        """The stored cursor of a source."""

    def stop(self) -> Deferred[None]:
        """Commit what is under way, and close."""

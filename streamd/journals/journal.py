"""The journal: keeps the log, and orders what happens.

Whoever has news appends it; the journal gives every update its ``seq`` and its position, and tells one
follower what was committed, its own appends and other nodes' alike.  Nothing is served that was not
committed.

How much history there is, the follower decides.  The journal keeps what the follower keeps, and of each
stream the newest update that it let go: a mark, by which a follower to come knows what is missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, cast

from twisted.internet.defer import Deferred

from streamd.core.errors import Refused
from streamd.core.update import Draft, Position, Update

KEY_LIFETIME = 300.0
"""Seconds for which an idempotency key is remembered."""


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


class Unusable(Exception):
    """There can be no log: a sentence for whoever started the daemon."""


class Away(Refused):
    """The journal cannot commit now.

    :ivar message: why, in words fit for a wall.
    """

    def __init__(self, why: str) -> None:
        super().__init__(503, "journal-away", why)


class Follower(Protocol):
    """Who is told what the log says.  What it raises is logged, and undoes nothing."""

    def restore(self, life: int, held: Iterable[Update], horizon: Position) -> None:
        """This is the log; what was known of it before is void.

        Told at the start, and whenever there is another log than before, or its end was missed.

        :param life: of the log; its positions carry it.
        :param held: in order; a stream's first one, when it has no value or a ``seq`` above 1, is the
            mark: it was let go.
        :param horizon: see :meth:`Journal.trim`.
        """

    def committed(self, updates: Sequence[Update]) -> None:
        """These were, in this order."""

    def away(self, why: str | None) -> None:
        """Nothing can be committed or heard, in words fit for a wall; None: it can again."""

    def skipped(self, streams: Collection[str], why: str) -> None:
        """Entries of these streams in the log could not be read, for a reason fit for a wall."""

    def lost(self, why: str) -> None:
        """The log that was is gone, and why, in words fit for a wall: another one was restored."""


class Journal(Protocol):
    """The promise that every kind of journal keeps.

    What is asked of it in one turn of the reactor or another is done in that order, one thing after the
    other.  An append is atomic: all of its updates are committed, in the order given, or none.  The
    follower is told what was committed before the append's Deferred fires.
    """

    @property
    def life(self) -> int:
        """The life of this log, once it has started."""

    @property
    def shared(self) -> bool:
        """Whether other processes may have the same log at the same time."""

    def start(self, follower: Follower) -> Deferred[None]:
        """Open the log, tell what it holds, and from then on all that is committed.

        :raises Unusable: at once, or by the Deferred.
        """

    def append(
        self,
        drafts: Sequence[Draft],
        key: Key | None = None,
        cursor: SourceCursor | None = None,
    ) -> Deferred[Sequence[Update]]:
        """Commit updates.

        :returns: them with ``seq`` and ``at``; for a key seen before, those of the first time.
        :raises Conflict: the key was used for something else.
        :raises Outrun: ``cursor`` is not the newest.
        :raises Away: nothing was committed as far as is known; with its key, or its cursor, it may be
            tried again.
        :raises Refused: 429 while there are too many keys.
        """

    def receipt(self, key: Key) -> Deferred[Sequence[Update] | None]:
        """What was committed under a key, as :meth:`append` would answer; None for a new one.

        :raises Conflict: the key was used for something else.
        """

    def place(self, source: str) -> Deferred[str | None]:
        """The stored cursor of a source."""

    def put(self, kind: str, name: str, record: bytes, seconds: float | None) -> Deferred[None]:
        """Keep a small record, instead of the one of this name.

        :param seconds: for so long; 0: take it away, None: for ever.
        """

    def records(self, kind: str) -> Deferred[Mapping[str, bytes]]:
        """The records of a kind that have not expired, by name."""

    def trim(self, first: Mapping[str, Position], horizon: Position) -> Deferred[None]:
        """Let go of what the follower let go of.

        :param first: of each stream the position before which nothing is needed any more.
        :param horizon: nor are their tombstones up to here; a cursor before it is worth nothing.
        """

    def stop(self) -> Deferred[None]:
        """Commit what is under way, and close; what is asked from then on is :class:`Away`."""


class SharedJournal(Journal, Protocol):
    """The promise of a journal that several processes have at the same time."""

    def append(
        self,
        drafts: Sequence[Draft],
        key: Key | None = None,
        cursor: SourceCursor | None = None,
        fence: Fence | None = None,
    ) -> Deferred[Sequence[Update]]:
        """Commit updates under a lease, see :meth:`Journal.append`.

        :raises Outrun: ``fence`` is not the newest of its lease, too.
        """

    def acquire(self, lease: str, seconds: float) -> Deferred[Fence | None]:
        """Take a lease for some time, or extend the lease that this process holds.

        :returns: the fencing token for what is appended under the lease: its number grows with every
            change of hands.  None if another process holds the lease.
        """

    def release(self, lease: str) -> Deferred[None]:
        """Give a lease back, so that others can have it at once."""


def as_shared(journal: Journal) -> SharedJournal | None:
    """Return the journal if other processes may have it too, or None."""
    return cast(SharedJournal, journal) if journal.shared else None

"""The journal: keeps the log, and puts all updates in order.

Sources and publishers append drafts.  The journal gives every update its ``seq`` and its position.  It
tells one follower which updates were committed, by this node and by others.  Viewers are told only
committed updates.

The follower decides how much history is kept.  The journal keeps the same updates, and in addition
the newest dropped update of each stream.  This is the mark: it shows the next follower which
updates are missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, cast

from twisted.internet.defer import Deferred

from streamd.core.errors import Refused
from streamd.core.histories.blocks import Blocks, StoredBlocks
from streamd.core.room import Room
from streamd.core.update import Draft, Position, Update
from streamd.journals.append_counts import AppendCounts

KEY_LIFETIME = 300.0
"""Seconds for which an idempotency key is remembered."""


class Key(NamedTuple):
    """An idempotency key of a request.

    :ivar text: the key as the client sent it.
    :ivar digest: the digest of the request; the same key with another digest is a conflict.
    :ivar publisher: identifies the publisher: the place of its token in the configuration, without
        spaces; empty for a program without a token.
    """

    text: str
    digest: bytes
    publisher: str = ""

    @property
    def name(self) -> str:
        """The key with its publisher.  A key itself contains no space."""
        return f"{self.publisher} {self.text}" if self.publisher else self.text


def publisher_of(name: str) -> str:
    """Return the publisher in :attr:`Key.name`."""
    return name.rpartition(" ")[0]


class SourceCursor(NamedTuple):
    """A move of a source's cursor, stored in the same step as the updates that belong to it.

    :ivar source: the name of the source.
    :ivar expected: the cursor that must be stored now; None if no cursor is stored yet.
    :ivar place: the new cursor.
    """

    source: str
    expected: str | None
    place: str


class Fence(NamedTuple):
    """The fencing token of a lease.  An append with an older number than the newest one is refused."""

    lease: str
    number: int


class Conflict(Refused):
    """The idempotency key was used for another request."""

    def __init__(self) -> None:
        super().__init__(409, "conflict", "this Idempotency-Key was used for another request")


class TooManyKeys(Refused):
    """The publisher has used too many idempotency keys."""

    def __init__(self) -> None:
        message = "too many idempotency keys of one publisher in five minutes"
        super().__init__(429, "too-many-keys", message)


class Outrun(Exception):
    """The source's cursor or its lease is not as expected: another node runs the source."""


DOWNGRADE = "install the newer version again, or restore a backup from before the update"
"""The cure for a log that a newer version has upgraded: the end of an :class:`Unusable`'s text."""


class Unusable(Exception):
    """The journal cannot be used at all; the text is for the person who started the daemon."""


class Away(Refused):
    """The journal cannot commit now.

    :ivar message: the reason, a sentence that walls show.
    """

    def __init__(self, why: str) -> None:
        super().__init__(503, "journal-away", why)


class Follower(Protocol):
    """The object to which a journal reports.  Its exceptions are logged; updates stay committed."""

    @property
    def room(self) -> Room:
        """The bounds on appends."""

    def restore(
        self, life: int, held: Iterable[Update], horizon: Position, blocks: StoredBlocks
    ) -> None:
        """Replace everything with the content of a log.

        The journal calls this at the start, when there is a new log, and when this node missed a part
        of the log.

        :param life: the life of the log; its positions contain it.
        :param held: the updates in order.  The first one of a stream is its mark if it has no value or
            a ``seq`` above 1: this update counts as dropped.
        :param horizon: see :meth:`Journal.trim`.
        :param blocks: the stored parts of long histories; see :meth:`Journal.store`.
        """

    def committed(self, updates: Sequence[Update]) -> None:
        """Apply updates that were committed, in this order."""

    def away(self, why: str | None) -> None:
        """Note that the journal is away, and why, a sentence that walls show; None if it is back."""

    def skipped(self, streams: Collection[str], why: str) -> None:
        """Note that the log has unreadable entries of these streams, and why."""

    def lost(self, why: str) -> None:
        """Note that the old log is lost, and why; the new one was restored before."""


class Journal(Protocol):
    """The interface of every kind of journal.

    Requests are carried out one after the other, in the order in which they were made.  An append is
    atomic: all of its updates are committed, in the given order, or none.  The follower is told about
    the updates before the append's Deferred fires.
    """

    @property
    def life(self) -> int:
        """The life of this log; valid once the journal has started."""

    @property
    def appends(self) -> AppendCounts:
        """The counts of all appends since the daemon started."""

    @property
    def waiting(self) -> int:
        """How many requests were not answered yet."""

    @property
    def shared(self) -> bool:
        """Return whether other processes may use the same log at the same time."""

    def start(self, follower: Follower) -> Deferred[None]:
        """Open the log; tell the follower its content, and from then on every committed update.

        :raises Unusable: at once, or by the Deferred.
        """

    def append(
        self,
        drafts: Sequence[Draft],
        key: Key | None = None,
        cursor: SourceCursor | None = None,
    ) -> Deferred[Sequence[Update]]:
        """Commit updates.

        :returns: the updates with ``seq`` and ``at``.  For a repeated key, the updates of the first
            request.
        :raises Conflict: the key was used for another request.
        :raises Refused: at once: 429 if there is no room for the updates.
        :raises Outrun: the stored cursor is not the expected one of ``cursor``.
        :raises Away: nothing was committed, as far as the journal knows.  With the same key or cursor
            the append may safely be tried again.
        :raises Refused: 429 while there are too many keys.
        """

    def receipt(self, key: Key) -> Deferred[Sequence[Update] | None]:
        """Return the updates that :meth:`append` committed with a key; None if the key is new.

        :raises Conflict: the key was used for another request.
        """

    def place(self, source: str) -> Deferred[str | None]:
        """Return the stored cursor of a source; None if no cursor is stored."""

    def put(self, kind: str, name: str, record: bytes, seconds: float | None) -> Deferred[None]:
        """Store a small record; it replaces the record with the same kind and name.

        :param seconds: how long the record is kept; 0 deletes it, None keeps it forever.
        """

    def swap(
        self, kind: str, name: str, expected: bytes | None, record: bytes, seconds: float | None
    ) -> Deferred[bool]:
        """Store a small record if the stored one is still the expected one (compare and swap).

        So a node cannot bring back a record that another node deleted meanwhile.

        :param expected: None if no record may be stored.
        :param seconds: see :meth:`put`.
        :returns: whether the record was stored.
        """

    def records(self, kind: str) -> Deferred[Mapping[str, bytes]]:
        """Return the records of a kind that have not expired, by name."""

    def store(self, blocks: Blocks) -> Deferred[None]:
        """Store parts of long histories: stream -> number of the part -> its bytes; None deletes it.

        The journal does not read them.  They replace parts with the same numbers.  It stores all of
        one call in one step, or none.
        """

    def trim(self, first: Mapping[str, Position], horizon: Position) -> Deferred[None]:
        """Delete the updates that the follower has dropped.

        :param first: stream -> the position before which its updates are not needed any more.
        :param horizon: tombstones of these streams up to this position are not needed either.  A
            cursor before it cannot resume.
        """

    def stop(self) -> Deferred[None]:
        """Commit waiting appends, and close; later requests fail with :class:`Away`."""


class SharedJournal(Journal, Protocol):
    """The interface of a journal that several processes use at the same time."""

    def append(
        self,
        drafts: Sequence[Draft],
        key: Key | None = None,
        cursor: SourceCursor | None = None,
        fence: Fence | None = None,
    ) -> Deferred[Sequence[Update]]:
        """Commit updates under a lease; see :meth:`Journal.append`.

        :raises Outrun: also if ``fence`` is not the newest fencing token of its lease.
        """

    def put(
        self,
        kind: str,
        name: str,
        record: bytes,
        seconds: float | None,
        fence: Fence | None = None,
    ) -> Deferred[None]:
        """Store a record under a lease; see :meth:`Journal.put`.

        :raises Outrun: if ``fence`` is older than the newest fencing token of its lease.
        """

    def store(self, blocks: Blocks, fence: Fence | None = None) -> Deferred[None]:
        """Store parts of long histories under a lease; see :meth:`Journal.store`.

        :raises Outrun: if ``fence`` is older than the newest fencing token of its lease.
        """

    def stored(self, name: str) -> Deferred[Mapping[int, bytes]]:
        """Return the parts that were stored under a name, by their numbers."""

    def acquire(self, lease: str, seconds: float) -> Deferred[Fence | None]:
        """Take a lease for some time, or extend the lease that this process holds.

        :returns: the fencing token for appends under the lease; its number grows with every new holder.
            None if another process holds the lease.
        """

    def release(self, lease: str) -> Deferred[None]:
        """Release a lease, so that another process can take it at once."""

    def read_again(self) -> None:
        """Read the whole log again for the follower, which may know less than other nodes."""


def as_shared(journal: Journal) -> SharedJournal | None:
    """Return the journal if other processes may use it, too; else None."""
    return cast(SharedJournal, journal) if journal.shared else None

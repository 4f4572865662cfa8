"""Publishes every entry of a log, such as rows or a Redis stream, as an update."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from twisted.python.failure import Failure

from streamd.core.errors import Refused
from streamd.core.update import check_time
from streamd.core.values import from_python
from streamd.journals.journal import SourceCursor
from streamd.sources.errors import SourceError
from streamd.sources.feed import Feed


class Entry(NamedTuple):
    """One entry of the log that a source reads.

    :ivar name: its name in errors, such as ``entry 17-0``.
    :ivar value: a Python value that JSON can express, or a :class:`BadValue`.
    :ivar time: when it was true, in seconds since the epoch; None for now.
    """

    name: str
    value: Any
    time: float | None


class Entries:
    """Publishes entries through a feed, and skips those that no stream can hold.

    A bad entry stays bad, so later entries must not wait for it.  The stream is failed from a bad entry
    until the next good one.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._wrong: SourceError | None = None  # the error of the newest entry, if that was bad

    def asks(self) -> None:
        """Note that the source now asks for its next entries.

        See :meth:`~streamd.sources.feed.Feed.asks`.
        """
        self._feed.asks()

    async def add(self, entries: Sequence[Entry], cursor: SourceCursor) -> None:
        """Publish entries, and store the cursor in the same step.

        :param entries: in order.
        :raises Refused: if the journal or the state has no room.
        :raises Outrun: if another node runs this source now.
        """
        good = [(entry.value, entry.time) for entry in self._good(entries)]
        await self._feed.add(good, cursor)
        if self._wrong is not None:
            self._feed.failed(Failure(self._wrong))

    def unchanged(self) -> None:
        """Record that the source was read and had no new entries."""
        if self._wrong is None:
            self._feed.proved()
        else:
            self._feed.failed(Failure(self._wrong))

    def _good(self, entries: Iterable[Entry]) -> Iterable[Entry]:
        for entry in entries:
            try:
                _check(entry)
            except Refused as refused:
                self._wrong = SourceError(f"{entry.name}: {refused.message}", key=refused.key)
                self._feed.failed(Failure(self._wrong))  # a good entry may follow at once: log it
            else:
                self._wrong = None
                yield entry


def _check(entry: Entry) -> None:
    """Raise :class:`Refused` if no stream can hold the entry."""
    check_time(entry.time)
    from_python(entry.value)

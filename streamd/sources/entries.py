"""Publishing entries of a log, such as rows or a Redis stream: each is an update, and none is lost."""

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

    :ivar name: what an error calls it, such as ``entry 17-0``.
    :ivar value: Python's for JSON, or the reason why it cannot be had.
    :ivar time: seconds since the epoch when it was true; None: now.
    """

    name: str
    value: Any
    time: float | None


class Entries:
    """Adds entries to a feed, and skips those that no stream can hold.

    A bad entry never becomes a good one, so the others must not wait for it.  The stream is failed
    from a bad entry until the next good one.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._wrong: SourceError | None = None  # about the newest entry, if that was bad

    async def add(self, entries: Sequence[Entry], cursor: SourceCursor) -> None:
        """Publish entries, and store the cursor in the same step.

        :param entries: in order.
        :raises Refused: if the journal or the state has no room.
        :raises Outrun: if another node runs this source by now.
        """
        good = [(entry.value, entry.time) for entry in self._good(entries)]
        await self._feed.add(good, cursor)
        if self._wrong is not None:
            self._feed.failed(Failure(self._wrong))

    def unchanged(self) -> None:
        """The source was read and had nothing new."""
        if self._wrong is None:
            self._feed.proved()
        else:
            self._feed.failed(Failure(self._wrong))

    def _good(self, entries: Iterable[Entry]) -> Iterable[Entry]:
        for entry in entries:
            try:
                _check(entry)
            except Refused as refused:
                self._wrong = SourceError(f"{entry.name}: {refused.message}")
                self._feed.failed(Failure(self._wrong))  # a good entry may follow at once: log it
            else:
                self._wrong = None
                yield entry


def _check(entry: Entry) -> None:
    """:raises Refused: if no stream can hold the entry."""
    check_time(entry.time)
    from_python(entry.value)

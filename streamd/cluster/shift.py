"""Shifts: a source is run by one node at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from streamd.cluster.lease import Lease
from streamd.journals.journal import Fence, Journal
from streamd.sources.feed import Feed
from streamd.sources.source import Source


class Shift:
    """A source, run by one node: made anew whenever this node's turn comes again.

    :ivar source: as it runs, ran last, or will run first; :ivar feed: where it puts what it finds.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], tuple[Source, Feed]],
        journal: Journal,
        clock: IReactorTime,
    ) -> None:
        """:raises ConfigError: see :func:`~streamd.sources.source.furnish`."""
        self.name = name
        self.source, self.feed = make()
        self._make = make
        self._ran = False
        self.lease = Lease(f"source:{name}", journal, clock, self._begin, self._end)

    async def _start(self, fence: Fence) -> None:
        former = self.feed
        if self._ran:
            self.source, self.feed = self._make()
        self._ran = True
        self.feed.fence, self.feed.outrun = fence, self.lease.lose
        await self.feed.adopt(former)
        if not self.lease.stopped:
            self.source.start(self.feed)

    def _begin(self, fence: Fence) -> Deferred[None]:
        def failed(failure: Failure) -> None:
            self.feed.failed(failure)

        return Deferred.fromCoroutine(self._start(fence)).addErrback(failed)

    def _end(self) -> Any:
        return self.source.stop()

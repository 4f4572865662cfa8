"""Shifts: run a source on only one node at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from streamd.cluster.lease import Lease
from streamd.config.fields import ConfigError
from streamd.journals.journal import Fence, Journal, as_shared
from streamd.sources.errors import SourceError
from streamd.sources.feed import Feed
from streamd.sources.source import Source


class Shift:
    """Runs a source while this node holds its lease, as a new object for each lease.

    If the journal cannot be shared, the source runs all the time, without a lease.

    :ivar source: the source that runs now, ran last, or will run first.
    :ivar feed: the feed of that source.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], tuple[Source, Feed]],
        journal: Journal,
        clock: IReactorTime,
    ) -> None:
        """:param make: makes the source and its feed.

        :raises ConfigError: see :func:`~streamd.sources.source.furnish`.
        """
        self.name = name
        self.source, self.feed = make()
        self._make = make
        self._made = True  # and not started yet
        self._begun = self._started = self._stopped = False
        self._lease: Lease | None = None
        if (shared := as_shared(journal)) is not None:
            self._lease = Lease(f"source:{name}", shared, clock, self._begin, self._end)

    @property
    def runs(self) -> bool:
        """Return whether this node runs the source; False once another node may run it."""
        return self._lease is None or self._lease.fence is not None

    def start(self) -> None:
        """Start the source, or begin to try to take its lease."""
        self._begun = True
        if self._lease is not None:
            self._lease.start()
        else:
            Deferred.fromCoroutine(self._start()).addErrback(self._failed)

    def stop(self) -> Deferred[Any]:
        """Stop the source, and let another node run it at once."""
        self._stopped = True
        if not self._begun:  # its predecessor may have the lease still
            return succeed(None)
        return maybeDeferred(self._end) if self._lease is None else self._lease.stop()

    def _begin(self, fence: Fence) -> Deferred[None]:
        return Deferred.fromCoroutine(self._start(fence)).addErrback(self._failed_to_start)

    async def _start(self, fence: Fence | None = None) -> None:
        if not self._made:
            self.source, self.feed = self._make()
        self._made = False
        if self._lease is not None:
            self.feed.fence, self.feed.outrun = fence, self._lease.lose
        await self.feed.adopt()
        if not self._stopped:
            self._started = True
            self.source.start(self.feed)

    def _failed_to_start(self, failure: Failure) -> Failure:
        """Show the error on the streams of the source; this or another node will try again."""
        self._failed(failure)
        return failure

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, ConfigError):  # its text names keys and files, and never a secret
            failure = Failure(SourceError("; ".join(error.problems)))
        self.feed.failed(failure)

    def _end(self) -> Any:
        started, self._started = self._started, False
        return self.source.stop() if started else None

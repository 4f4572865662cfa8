"""Leases: make sure that only one node at a time does a task; another node takes over if it fails."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime

from streamd.journals.journal import Away, Fence, SharedJournal
from streamd.reactor.timer import Timer

LASTS = 3.0
"""Seconds after which another node may take a lease that its holder does not renew."""

RENEW = 0.5
"""Seconds between two attempts to take or renew a lease.  With the time that a source needs to start,
another node takes over within five seconds."""

PAUSE = 10.0
"""Seconds for which a node leaves the lease to others after its task could not be started."""


class Lease:
    """Tries to take and keep a lease of a shared journal, and starts and stops its task."""

    def __init__(
        self,
        name: str,
        journal: SharedJournal,
        clock: IReactorTime,
        begin: Callable[[Fence], Any] = lambda fence: None,
        end: Callable[[], Any] = lambda: None,
    ) -> None:
        """:param begin: starts the task; called with the fencing token when this node gets the lease.
            It may return a Deferred.  If it fails, the lease is released for :data:`PAUSE` seconds.

        :param end: stops the task when this node loses the lease; may return a Deferred.
        """
        self.name = name
        self._journal = journal
        self._clock = clock
        self._begin, self._end = begin, end
        self._fence: Fence | None = None
        self._renewed = self._pause_until = 0.0
        self._outrun = self._stopped = False
        self._timer = Timer(clock, RENEW, self._look)

    def __repr__(self) -> str:
        return f"<Lease {self.name}>"  # for the log of the timer

    @property
    def fence(self) -> Fence | None:
        """The fencing token; None if this node does not hold the lease or it may have expired."""
        expired = self._clock.seconds() - self._renewed > LASTS
        return None if expired else self._fence

    def start(self) -> None:
        """Begin to try to take the lease, at an interval."""
        self._timer.start()
        self._timer.call_now()

    def lose(self) -> None:
        """Stop the task because another node holds the lease; then try to take it again."""
        self._outrun = True
        self._timer.call_now()

    def stop(self) -> Deferred[None]:
        """Stop the task, and release the lease so that another node can take it at once."""
        self._stopped = True
        stopping = self._timer.stop()
        return stopping.addCallback(lambda _: Deferred.fromCoroutine(self._give_back()))

    async def _look(self) -> None:
        asked = self._clock.seconds()
        if self._stopped or asked < self._pause_until:
            return
        try:
            fence = await self._journal.acquire(self.name, LASTS)
        except Away:
            # While the journal is away no other node can take the lease, unless only this node is cut
            # off.  So the task goes on until the lease may have expired.
            fence = self._fence if asked - self._renewed <= LASTS else None
        else:
            self._renewed = asked
        if self._fence is not None and (fence != self._fence or self._outrun):
            await self._finish()
        self._outrun = False
        if fence is not None and self._fence is None and not self._stopped:
            self._fence = fence
            try:
                await maybeDeferred(self._begin, fence)
            except Exception:
                # Another node may be able to start the task, so it must get the lease.
                self._pause_until = self._clock.seconds() + PAUSE
                await self._give_back()

    async def _finish(self) -> None:
        self._fence = None
        await maybeDeferred(self._end)

    async def _give_back(self) -> None:
        if self._fence is not None:
            await self._finish()
        with suppress(Away):  # it expires
            await self._journal.release(self.name)

"""Leases: one node at a time does a thing, and another one when that node is gone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from streamd.journals.journal import Away, Fence, SharedJournal
from streamd.reactor.timer import Timer

LASTS = 3.0
"""Seconds after which another node may take a lease that its holder does not renew."""

RENEW = 0.5
"""Seconds between two attempts to take a lease, or to keep it: with what a source takes to start,
another node goes on within five seconds."""

PAUSE = 10.0
"""Seconds for which a node leaves the lease to others when it could not begin what the lease is for."""


class Lease:
    """Tries to hold a lease of a shared journal, and says when it begins and ends to hold it."""

    _log = Logger()

    def __init__(
        self,
        name: str,
        journal: SharedJournal,
        clock: IReactorTime,
        begin: Callable[[Fence], Any] = lambda fence: None,
        end: Callable[[], Any] = lambda: None,
    ) -> None:
        """:param begin: called with the fencing token when this node holds the lease.

        It may return a Deferred, as may ``end``.  If it fails, the lease is given back for a while.
        """
        self.name = name
        self._journal = journal
        self._clock = clock
        self._begin, self._end = begin, end
        self._fence: Fence | None = None
        self._renewed = self._pause_until = 0.0
        self._outrun = self._stopped = False
        self._turning: Deferred[None] | None = None
        self._timer = Timer(clock, RENEW, self._turn)

    @property
    def fence(self) -> Fence | None:
        """The current fencing token; None without the lease, also if it may have expired."""
        expired = self._clock.seconds() - self._renewed > LASTS
        return None if expired else self._fence

    def start(self) -> None:
        """Try to take the lease, from now on."""
        self._timer.start()
        self._turn()

    def lose(self) -> None:
        """End, because another node holds the lease; then try again."""
        self._outrun = True
        self._turn()

    def stop(self) -> Deferred[None]:
        """End, and let other nodes take the lease at once."""
        self._stopped = True
        self._timer.stop()
        turning = self._turning or succeed(None)
        return turning.addCallback(lambda _: Deferred.fromCoroutine(self._give_back()))

    def _turn(self) -> None:
        pauses = self._clock.seconds() < self._pause_until
        if self._turning is None and not self._stopped and not pauses:
            turning = self._turning = Deferred()
            running = Deferred.fromCoroutine(self._look())
            running.addErrback(
                lambda failure: self._log.failure("a lease: {name}", failure, name=self.name)
            )
            running.addCallback(lambda _: self._turned(turning))

    def _turned(self, turning: Deferred[None]) -> None:
        self._turning = None
        turning.callback(None)

    async def _look(self) -> None:
        asked = self._clock.seconds()
        try:
            fence = await self._journal.acquire(self.name, LASTS)
        except Away:
            # While the journal is away no other node takes the lease, unless only this node is cut off.
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
                # Another node may be able to: it must not wait for one that is not.
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

"""Who does it, of several nodes: one at a time, and another one when that one is gone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from streamd.journals.journal import Away, Fence, Journal
from streamd.reactor.timer import Timer

LASTS = 3.0
"""Seconds after which others may have it, when whoever has it says nothing more."""

RENEW = 0.5
"""Seconds between two attempts to get it, or to keep it: with what a source takes to start, another
node goes on within five seconds."""


class Lease:
    """Tries to have a lease, and says when it has it and when it has it no more."""

    _log = Logger()

    def __init__(
        self,
        name: str,
        journal: Journal,
        clock: IReactorTime,
        begin: Callable[[Fence], Any] = lambda fence: None,
        end: Callable[[], Any] = lambda: None,
    ) -> None:
        """:param begin: called when this node has it; may give a Deferred, as may ``end``."""
        self.name = name
        self.stopped = False
        self._journal = journal
        self._clock = clock
        self._begin, self._end = begin, end
        self._fence: Fence | None = None
        self._renewed = 0.0
        self._outrun = False
        self._turning: Deferred[None] | None = None
        self._timer = Timer(clock, RENEW, self._turn)

    @property
    def fence(self) -> Fence | None:
        """That under which this node has it; None: it has it not, or it may have run out."""
        ran_out = self._clock.seconds() - self._renewed > LASTS
        return None if ran_out else self._fence

    def start(self) -> None:
        """Try, from now on."""
        self._timer.start()
        self._turn()

    def lose(self) -> None:
        """Somebody else went on: end, and try again."""
        self._outrun = True
        self._turn()

    def stop(self) -> Deferred[None]:
        """End, and let others have it at once."""
        self.stopped = True
        self._timer.stop()
        turning = self._turning or succeed(None)
        return turning.addCallback(lambda _: Deferred.fromCoroutine(self._give_back()))

    def _turn(self) -> None:
        if self._turning is None and not self.stopped:
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
        except Away:  # while it is, nobody else gets it; unless only this node is cut off
            alone = not self._journal.shared
            fence = self._fence if alone or asked - self._renewed <= LASTS else None
        else:
            self._renewed = asked
        if self._fence is not None and (fence != self._fence or self._outrun):
            await self._finish()
        self._outrun = False
        if fence is not None and self._fence is None and not self.stopped:
            self._fence = fence
            await maybeDeferred(self._begin, fence)

    async def _finish(self) -> None:
        self._fence = None
        await maybeDeferred(self._end)

    async def _give_back(self) -> None:
        if self._fence is not None:
            await self._finish()
        with suppress(Away):  # it expires
            await self._journal.release(self.name)

"""A timer that continues after exceptions."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure


class Timer:
    """Calls a function at an interval until it is stopped; one call ends before the next begins.

    Twisted's LoopingCall ends at the first exception; this timer logs it and continues.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, interval: float, call: Callable[[], object]) -> None:
        """:param interval: seconds from the start of one call to the start of the next.

        :param call: may be a coroutine function, or return a Deferred; it is under way until then.
        """
        self._clock = clock
        self._interval = interval
        self._call = call
        self._next: IDelayedCall | None = None
        self._running: Deferred[None] | None = None

    def start(self) -> None:
        """Make the first call one interval from now."""
        self._next = self._clock.callLater(self._interval, self._run)

    def stop(self) -> Deferred[None]:
        """Make no more calls; the Deferred fires when no call is under way."""
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None
        return self._running or succeed(None)

    def call_now(self) -> None:
        """Make a call now, unless one is under way."""
        if self._running is None:
            running = self._running = Deferred()
            calling = maybeDeferred(self._call).addErrback(self._failed)
            calling.addCallback(lambda _: self._ended(running))

    def _run(self) -> None:
        self.start()
        self.call_now()

    def _failed(self, failure: Failure) -> None:
        self._log.failure("{call} failed; its timer goes on", failure, call=self._call)

    def _ended(self, running: Deferred[None]) -> None:
        self._running = None
        running.callback(None)

"""A timer that continues after exceptions."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger


class Timer:
    """Calls a function at an interval until it is stopped.

    Twisted's LoopingCall ends at the first exception; this timer logs it and continues.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, interval: float, call: Callable[[], object]) -> None:
        """:param interval: seconds from the start of one call to the start of the next."""
        self._clock = clock
        self._interval = interval
        self._call = call
        self._next: IDelayedCall | None = None

    def start(self) -> None:
        """Make the first call one interval from now."""
        self._next = self._clock.callLater(self._interval, self._run)

    def stop(self) -> None:
        """Make no more calls."""
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None

    def _run(self) -> None:
        self.start()
        try:
            self._call()
        except Exception:
            self._log.failure("{call} failed; its timer goes on", call=self._call)

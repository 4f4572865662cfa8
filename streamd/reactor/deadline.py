"""A deadline: one delayed call, which can be replaced or cancelled."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Deadline:
    """Calls a function after a delay, unless it is cancelled or set again before."""

    __slots__ = ("_call", "_clock")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._call: IDelayedCall | None = None

    def __bool__(self) -> bool:
        """Return True while a call is pending."""
        return self._call is not None and bool(self._call.active())

    def set(self, seconds: float, call: Callable[[], object]) -> None:
        """Call ``call`` after ``seconds``; this replaces an earlier call."""
        if self._call is not None:
            self.cancel()
        self._call = self._clock.callLater(seconds, call)

    def cancel(self) -> None:
        """Cancel the pending call, if there is one."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()

"""A deadline: at most one call later."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Deadline:
    """Calls something later, unless it is cancelled or set anew before."""

    __slots__ = ("_call", "_clock")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._call: IDelayedCall | None = None

    def __bool__(self) -> bool:
        """Return True while the call is still to come."""
        return self._call is not None and bool(self._call.active())

    def set(self, seconds: float, call: Callable[[], object]) -> None:
        """Call ``call`` in so many seconds, and no longer what was set before."""
        if self._call is not None:
            self.cancel()
        self._call = self._clock.callLater(seconds, call)

    def cancel(self) -> None:
        """Call nothing."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()

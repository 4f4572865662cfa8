"""The end of a turn of the reactor: work for many connections is done there together."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger


class TurnEnd:
    """Calls functions at the end of a turn of the reactor, with one delayed call for all."""

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._calls: list[Callable[[], object]] = []

    def call(self, call: Callable[[], object]) -> None:
        """Call a function in the next round of delayed calls.

        Other events may come before, also the end of a connection.
        """
        if not self._calls:
            self._clock.callLater(0, self._run)
        self._calls.append(call)

    def _run(self) -> None:
        calls, self._calls = self._calls, []
        for call in calls:
            try:
                call()
            except Exception:
                self._log.failure("work at the end of a turn failed")

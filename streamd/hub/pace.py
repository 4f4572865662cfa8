"""Paces: when audiences are flushed."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamd.core.selection import Selection
from streamd.hub.audience import Audience
from streamd.wire.encoding import Encoding

TIMER = 0.003
"""Seconds by which a reactor's timer may be late when there is little to do."""


class Pace:
    """The audiences of one pace, flushed together: at once after a pause, else one pace apart."""

    def __init__(self, clock: IReactorTime, pace: float, flush: Callable[[Audience], None]) -> None:
        self.audiences: dict[tuple[Selection, Encoding], Audience] = {}
        self._clock = clock
        self._pace = pace
        self._broadcast = flush
        self._earliest = 0.0
        self._call: IDelayedCall | None = None

    def wake(self) -> None:
        if self._call is not None:
            return
        now = self._clock.seconds()
        if now < self._earliest:
            self._call = self._clock.callLater(self._earliest - now, self._flush)
        else:
            self._earliest = now  # no timer was late
            self._flush()

    def _flush(self) -> None:
        self._call = None
        now = self._clock.seconds()
        # A timer is late by a moment: kept out of the account, it does not add up.
        self._earliest = (self._earliest if now - self._earliest < TIMER else now) + self._pace
        for audience in list(self.audiences.values()):
            self._broadcast(audience)

    def stop(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None

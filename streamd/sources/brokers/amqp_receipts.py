"""Receipts: tell a broker which messages of a channel are stored."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime


def stop_call(call: IDelayedCall | None) -> None:
    """Cancel a delayed call that is still to come; None is ignored."""
    if call is not None and call.active():
        call.cancel()


class Receipts:
    """Acknowledges stored messages to the broker, as many as possible in one frame.

    :ivar channel: the channel on which they came.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.channel: Any = None
        self._clock = clock
        self._telling: IDelayedCall | None = None
        self._stored: set[int] = set()  # the tags of stored messages behind one that is not
        self._told = 0
        self._over = False

    def add(self, tag: int) -> None:
        """Note that a message is stored, and acknowledge it soon.

        :param tag: its number on the channel; the first has 1.
        """
        self._stored.add(tag)
        if not self._over and (self._telling is None or not self._telling.active()):
            self._telling = self._clock.callLater(0, self._tell)

    def stop(self) -> None:
        """Acknowledge nothing more."""
        self._over = True
        stop_call(self._telling)

    def _tell(self) -> None:
        before = self._told
        while self._told + 1 in self._stored:
            self._told += 1
            self._stored.remove(self._told)
        if self._told > before and self.channel.is_open:
            self.channel.basic_ack(self._told, multiple=True)

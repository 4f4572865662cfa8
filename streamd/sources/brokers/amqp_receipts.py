"""Receipts: tell a broker which messages of a channel are stored."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReactorTime

from streamd.reactor.deadline import Deadline


class Receipts:
    """Acknowledges stored messages to the broker, as many as possible in one frame.

    :ivar channel: the channel on which they came.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.channel: Any = None
        self._telling = Deadline(clock)
        self._stored: set[int] = set()  # the tags of stored messages behind one that is not
        self._told = 0
        self._over = False

    def add(self, tag: int) -> None:
        """Note that a message is stored, and acknowledge it soon.

        :param tag: its number on the channel; the first has 1.
        """
        self._stored.add(tag)
        if not (self._over or self._telling):
            self._telling.set(0, self._tell)

    def stop(self) -> None:
        """Acknowledge nothing more."""
        self._over = True
        self._telling.cancel()

    def _tell(self) -> None:
        before = self._told
        while self._told + 1 in self._stored:
            self._told += 1
            self._stored.remove(self._told)
        if self._told > before and self.channel.is_open:
            self.channel.basic_ack(self._told, multiple=True)

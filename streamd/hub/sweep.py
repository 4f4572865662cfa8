"""The sweep: pings all viewers, without a timer for each."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import chain
from typing import Protocol

from twisted.logger import Logger

PING_EVERY = 25
"""Seconds between pings of one viewer: below the 30 to 60 s after which proxies drop idle links."""

PONG_WITHIN = 8
"""Seconds to answer a ping: two round trips over the slowest link that is usable for a wall."""


class Watched(Protocol):
    """The interface of a viewer, as the sweep uses it.

    :ivar slot: the result of :meth:`Sweep.next_slot`.
    """

    slot: int

    def ping(self, now: float) -> None:
        """Send a ping."""

    def check_pong(self, now: float) -> None:
        """Drop the viewer if it did not answer the last ping."""


class Sweep:
    """Each second pings the viewers of one slot, and checks the answers of an earlier one.

    The search through 10,000 viewers takes half a millisecond each second.  A set of viewers for
    each slot would need no search, but more memory.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._kinds: list[Collection[Watched]] = []
        self._hand = 0
        self._slot = 0

    def __len__(self) -> int:
        return sum(map(len, self._kinds))

    def watch(self, viewers: Collection[Watched]) -> None:
        """Include the viewers of one transport; the collection may change at any time."""
        self._kinds.append(viewers)

    def next_slot(self) -> int:
        """Return the second, out of every :data:`PING_EVERY`, in which a new viewer is pinged.

        Slots are assigned in turn, so that viewers that reconnect together are not pinged together.
        """
        self._slot = (self._slot - 1) % PING_EVERY
        return self._slot

    def turn(self, now: float) -> None:
        """Check and ping the viewers whose slot has come; to be called once a second.

        :param now: seconds on a monotonic clock.
        """
        hand, self._hand = self._hand, (self._hand + 1) % PING_EVERY
        for viewer in self._of((hand - PONG_WITHIN) % PING_EVERY):
            self._look(viewer.check_pong, now)
        for viewer in self._of(hand):
            self._look(viewer.ping, now)

    def _of(self, slot: int) -> list[Watched]:
        # A list, because a viewer that is dropped may leave its collection at once.
        return [viewer for viewer in chain(*self._kinds) if viewer.slot == slot]

    def _look(self, look: Callable[[float], None], now: float) -> None:
        try:
            look(now)
        except Exception:
            self._log.failure("a viewer could not be looked at")

"""The sweep: pings every viewer, without a timer for any of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import chain
from typing import Protocol

from twisted.logger import Logger

PING_EVERY = 25
"""Seconds between pings of one viewer: below the 30 to 60 s after which proxies drop idle links."""

PONG_WITHIN = 8
"""Seconds; two round trips over the worst link that still shows a live picture."""


class Watched(Protocol):
    """What the sweep asks of a viewer.

    :ivar slot: from :meth:`Sweep.next_slot`.
    """

    slot: int

    def ping(self, now: float) -> None:
        """Ask whether somebody is there."""

    def check_pong(self, now: float) -> None:
        """Give the viewer up if it did not answer the last ping."""


class Sweep:
    """Looks each second at the viewers whose slot has come.

    A walk over all of 10,000 viewers takes half a millisecond a second; it saves the set of each slot
    and the slot of each viewer.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._kinds: list[Collection[Watched]] = []
        self._hand = 0
        self._slot = 0

    def __len__(self) -> int:
        return sum(map(len, self._kinds))

    def watch(self, viewers: Collection[Watched]) -> None:
        """Look at the open viewers of one transport from now on: at those that are open each time."""
        self._kinds.append(viewers)

    def next_slot(self) -> int:
        """Return the second, out of every :data:`PING_EVERY`, in which a new viewer is pinged.

        Slots are given in turn: viewers that come back together, after a restart, are not pinged
        together.
        """
        self._slot = (self._slot - 1) % PING_EVERY
        return self._slot

    def turn(self, now: float) -> None:
        """Look at the viewers of one slot; to be called once a second.

        :param now: seconds on a monotonic clock.
        """
        hand, self._hand = self._hand, (self._hand + 1) % PING_EVERY
        for viewer in self._of((hand - PONG_WITHIN) % PING_EVERY):
            self._look(viewer.check_pong, now)
        for viewer in self._of(hand):
            self._look(viewer.ping, now)

    def _of(self, slot: int) -> list[Watched]:
        # A list: a viewer that is given up may leave its collection at once.
        return [viewer for viewer in chain(*self._kinds) if viewer.slot == slot]

    def _look(self, look: Callable[[float], None], now: float) -> None:
        try:
            look(now)
        except Exception:
            self._log.failure("a viewer could not be looked at")

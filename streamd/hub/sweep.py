"""The sweep: pings for every viewer without a timer for any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.logger import Logger

PING_EVERY = 25
"""Seconds between pings of one viewer: below the 30 to 60 s after which proxies drop idle links."""

PONG_WITHIN = 8
"""Seconds; two round trips over the worst link that still shows a live picture."""


class Watched(Protocol):
    """What the sweep looks at."""

    def ping(self, now: float) -> None:
        """Ask whether somebody is there."""

    def check_pong(self, now: float) -> None:
        """Give up if nobody was."""


class Sweep:
    """One look a second at a few viewers, so that each is looked at every :data:`PING_EVERY`.

    A wheel with a slot for each second: no timer for any viewer.

    :ivar left: viewers that have gone, ever.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._slots: list[set[Watched]] = [set() for _ in range(PING_EVERY)]
        self._of: dict[Watched, set[Watched]] = {}
        self._hand = 0
        self.left = 0

    def __len__(self) -> int:
        return len(self._of)

    def add(self, viewer: Watched) -> None:
        """Look at this one from now on; first after a whole turn."""
        self._of[viewer] = slot = self._slots[self._hand - 1]
        slot.add(viewer)

    def discard(self, viewer: Watched) -> None:
        """It is gone."""
        if slot := self._of.pop(viewer, None):
            slot.discard(viewer)
            self.left += 1

    def turn(self, now: float) -> None:
        """To be called once a second.

        :param now: seconds on a clock that nobody sets.
        """
        hand, self._hand = self._hand, (self._hand + 1) % PING_EVERY
        for viewer in list(self._slots[hand - PONG_WITHIN]):
            self._look(viewer.check_pong, now)
        for viewer in list(self._slots[hand]):
            self._look(viewer.ping, now)

    def _look(self, look: Callable[[float], None], now: float) -> None:
        try:
            look(now)
        except Exception:
            self._log.failure("a viewer could not be looked at")

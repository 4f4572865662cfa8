"""The seats of viewers: how many there are, who gets them, and which are kept for viewers that left."""

from __future__ import annotations

import sys
from bisect import insort
from collections import Counter
from collections.abc import Sequence
from functools import partial
from math import inf
from typing import NamedTuple

from twisted.internet.interfaces import IReactorTime

from streamd.core.errors import Refused
from streamd.core.quota import Quota, Share

KEPT_FOR = 600.0
"""Seconds for which a seat is kept: a television restarts within two minutes."""

KEPT_PART = 5
"""At most every fifth seat is kept, and at most :data:`MAX_KEPT`."""

MAX_UNREAD = 256 * 2**20
"""Bytes that all viewers may leave unread, beyond which there are no seats: 2000 viewers that read
nothing of a long first answer.  Without this bound, 10,000 such viewers took over 1 GB."""

MAX_KEPT = 250
"""A viewer that leaves searches the kept seats for the shortest stay: some 20 µs for this many."""


class Seat(NamedTuple):
    """The seat of one viewer.

    :ivar client: the address under which the viewer is counted.
    :ivar since: when the viewer came, in seconds on a monotonic clock; a stay before a short
        absence makes it earlier.
    :ivar linked: whether the viewer has a connection that stays open; a viewer that polls has none.
    """

    client: str
    since: float
    linked: bool = True


class LinkedSeats:
    """Counts the viewers whose connections stay open."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()
        self._total = 0

    def __len__(self) -> int:
        return self._total

    def of(self, client: str) -> int:
        """Return how many of these viewers come from this address."""
        return self._of[client]

    def change(self, seat: Seat, by: int) -> None:
        """Count a seat that was taken (``by`` is 1) or left (-1)."""
        if seat.linked:
            self._total += by
            self._of[seat.client] += by
            if not self._of[seat.client]:
                del self._of[seat.client]


class KeptSeat(NamedTuple):
    """A seat that is reserved for a viewer that left.

    :ivar stay: seconds for which the viewer had it.
    :ivar until: when the seat is given up, in seconds on a monotonic clock.
    :ivar client: the address for which it is kept.
    """

    stay: float
    until: float
    client: str


class KeptSeats:
    """The seats that are reserved for viewers that left.

    A viewer that comes searches only those of its address, because thousands may come back at once.
    """

    def __init__(self) -> None:
        self._of: dict[str, list[KeptSeat]] = {}  # by client; the shortest stay first
        self._total = 0
        self._next_end = inf  # no seat is given up before

    def __len__(self) -> int:
        return self._total

    def of(self, client: str) -> Sequence[KeptSeat]:
        """Return the seats that are kept for this address, the longest stay last."""
        return self._of.get(client, ())

    def add(self, seat: KeptSeat) -> None:
        """Keep a seat."""
        insort(self._of.setdefault(seat.client, []), seat)
        self._total += 1
        self._next_end = min(self._next_end, seat.until)

    def remove(self, seat: KeptSeat) -> None:
        """Keep a seat no longer."""
        of_client = self._of[seat.client]
        of_client.remove(seat)
        if not of_client:
            del self._of[seat.client]
        self._total -= 1

    def remove_shortest(self) -> None:
        """Give up the seat with the shortest stay."""
        self.remove(min(of_client[0] for of_client in self._of.values()))

    def give_up_old(self, now: float) -> None:
        """Give up the seats whose time has passed."""
        if now < self._next_end:
            return
        kept = [seat for seats in self._of.values() for seat in seats]
        for seat in kept:
            if seat.until <= now:
                self.remove(seat)
        self._next_end = min((seat.until for seat in kept if seat.until > now), default=inf)


class Seats:
    """Assigns seats to viewers.

    One address gets only a part of the seats.  The seat of a viewer that left is kept for its address,
    so a screen that comes back gets in before strangers.  If too many seats would be kept, those with
    the longest stays are kept.  So a stranger's seat is kept only if the stranger stayed longer than a
    screen.

    :ivar links: the viewers whose connections stay open.
    :ivar unread: the bytes that viewers have not read.  Links count them.
    """

    def __init__(
        self, clock: IReactorTime, total: int = 10_000, share: Share | None = None
    ) -> None:
        """:param share: the part of the seats that one client address may have."""
        self._clock = clock
        self._quota = Quota(total, share)
        self.links = LinkedSeats()
        self.unread = Quota(MAX_UNREAD, share)
        self._kept = KeptSeats()

    def change(self, total: int) -> None:
        """Change how many seats there are; viewers beyond the new number keep their seats."""
        self._quota.total = total

    def offer(self, client: str, linked: bool = True) -> Seat:
        """Return a seat for a viewer from this address, which :meth:`take` then takes.

        :param linked: see :class:`Seat`.

        :raises Refused: 503 if there are too many viewers, or if viewers leave too much unread, in
            total or from this address.
        """
        now = self._clock.seconds()
        self._kept.give_up_old(now)
        own = self._kept.of(client)
        others = len(self._kept) - len(own)
        full = partial(self._full, others)
        refused = self._quota.refusal(client, "viewers", elsewhere=others, full=full)
        if refused is not None:
            raise refused
        if not own:  # one that comes back gets in, too
            self.unread.check(client, 1, "unread messages")
        return Seat(sys.intern(client), now - (own[-1].stay if own else 0), linked)

    def _full(self, kept: int) -> Refused:
        used, total = self._quota.used, self._quota.total
        back = f", and {kept} that have just left may come back" if kept else ""
        raises = f"raise [server] max_viewers, which allows {total}"
        return Refused(503, "too-many-viewers", f"there are {used} viewers{back}; {raises}")

    def take(self, seat: Seat) -> None:
        """Take a seat, if possible a seat that was kept for its address."""
        self._quota.take(seat.client)
        self.links.change(seat, 1)
        own = self._kept.of(seat.client)
        if own:
            self._kept.remove(own[-1])

    def leave(self, seat: Seat) -> None:
        """Free a seat, and keep it for its address for a while."""
        self._quota.give_back(seat.client)
        self.links.change(seat, -1)
        now = self._clock.seconds()
        self._kept.add(KeptSeat(now - seat.since, now + KEPT_FOR, seat.client))
        if len(self._kept) > min(self._quota.total // KEPT_PART, MAX_KEPT):
            self._kept.remove_shortest()

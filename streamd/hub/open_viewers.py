"""The viewers whose connections stay open, of one transport."""

from __future__ import annotations

from typing import Protocol, TypeVar

from streamd.hub.audience import Viewer
from streamd.hub.hub import Hub
from streamd.hub.seats import Seat
from streamd.hub.sweep import Sweep, Watched
from streamd.reactor.connections import Connections


class Seated(Viewer, Watched, Protocol):
    """A viewer that has a seat, and that the sweep pings."""

    seat: Seat

    def release(self) -> None:
        """Count nothing as unread any more."""


S = TypeVar("S", bound=Seated)


class OpenViewers(Connections[S]):
    """The open viewers of one transport: each has its seat, and its slot in the sweep.

    :ivar lost: how many were dropped because they did not answer, or accepted no bytes for too long.
    """

    def __init__(self, hub: Hub, sweep: Sweep) -> None:
        super().__init__(hub.clock)
        self.lost = 0
        self._hub = hub
        self._sweep = sweep
        sweep.watch(self)

    def opened(self, viewer: S) -> None:
        """Add a viewer that may be served now."""
        viewer.slot = self._sweep.next_slot()
        self.add(viewer)
        self._hub.seats.take(viewer.seat)

    def closed(self, viewer: S) -> None:
        """Forget a viewer whose connection has ended, even if it was never added."""
        self._hub.leave(viewer)
        viewer.release()
        if viewer in self:
            self.discard(viewer)
            self._hub.seats.leave(viewer.seat)

    def give_up(self, viewer: S) -> None:
        """Drop a viewer that does not answer."""
        self.lost += 1
        viewer.lose()

"""The viewers whose connections stay open, of one transport."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from twisted.logger import Logger

from streamd.hub.audience import Viewer
from streamd.hub.hub import Hub
from streamd.hub.seats import Seat
from streamd.hub.sweep import Sweep, Watched
from streamd.reactor.connections import Connections


class Seated(Viewer, Watched, Protocol):
    """A viewer that has a seat, and that the sweep pings.

    :ivar principal: the client that the credentials of its request name.
    """

    seat: Seat
    principal: Any
    why: str

    def release(self) -> None:
        """Count nothing as unread any more."""

    def sign_out(self) -> None:
        """Close the connection: the client may no longer read its streams."""


S = TypeVar("S", bound=Seated)


class OpenViewers(Connections[S]):
    """The open viewers of one transport: each has its seat, and its slot in the sweep.

    :ivar lost: how many viewers were dropped because they did not answer, or accepted no bytes for too
        long.
    """

    _log = Logger()

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

    def closed(self, viewer: S, name: str = "", tell: bool = True) -> None:
        """Forget a viewer whose connection has ended, even if it was never added.

        :param name: the name of its screen, for the log.
        :param tell: whether to log it.
        """
        self._hub.leave(viewer)
        viewer.release()
        if viewer in self:
            self.discard(viewer)
            self._hub.seats.leave(viewer.seat)
            if tell:
                self._log.info(
                    "a viewer left after {stay:.0f} s: {client}{name}{why}",
                    stay=self._hub.clock.seconds() - viewer.seat.since,
                    client=viewer.seat.client,
                    name=f", the screen {name}" if name else "",
                    why=f" ({viewer.why})" if viewer.why else "",
                )

    def judge(self, is_current: Callable[[Any], bool]) -> None:
        """Close the viewers of clients whose rights have changed.

        :param is_current: returns whether a principal still has the same rights.
        """
        for viewer in list(self):
            if not is_current(viewer.principal):
                viewer.sign_out()

    def give_up(self, viewer: S) -> None:
        """Drop a viewer that does not answer."""
        self.lost += 1
        viewer.why = "it did not answer"
        viewer.lose()

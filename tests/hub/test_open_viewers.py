"""The open viewers of a transport: their seats, their slots, and how many were lost."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.core.quota import Share
from streamd.core.selection import ALL_STREAMS
from streamd.hub.hub import Hub
from streamd.hub.open_viewers import OpenViewers
from streamd.hub.seats import Seats
from streamd.hub.sweep import PING_EVERY, Sweep
from streamd.wire.frames import PLAIN_WEBSOCKET
from streamd.wire.requests import Subscription
from tests.support.fakes import Daemonette, FakeViewer


class SeatedViewer(FakeViewer):
    slot = 0
    why = ""

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self.seat = hub.seats.offer("192.0.2.1")
        self.pings = 0
        self.principal = "ann"
        self.signed_out = False

    def sign_out(self) -> None:
        self.signed_out = True

    def release(self) -> None:
        """Do nothing: it has read everything."""

    def ping(self, now: float) -> None:
        self.pings += 1

    def check_pong(self, now: float) -> None:
        """Do nothing: it answers."""


class OpenViewersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = Daemonette()
        seats = Seats(self.daemon.clock, total=1, share=Share(1.0))
        self.hub = Hub(self.daemon.state, self.daemon.clock, seats=seats)
        self.sweep = Sweep()
        self.viewers: OpenViewers[SeatedViewer] = OpenViewers(self.hub, self.sweep)

    def test_an_open_viewer_has_its_seat_until_it_is_closed(self) -> None:
        viewer = SeatedViewer(self.hub)
        self.viewers.opened(viewer)
        self.assertRaises(Refused, SeatedViewer, self.hub)
        self.viewers.closed(viewer)
        SeatedViewer(self.hub)
        self.assertEqual((0, 1), (len(self.viewers), self.viewers.left))

    def test_one_that_never_opened_has_no_seat_to_give_back(self) -> None:
        viewer, other = SeatedViewer(self.hub), SeatedViewer(self.hub)
        self.viewers.opened(other)
        self.viewers.closed(viewer)
        self.assertRaises(Refused, SeatedViewer, self.hub)
        self.assertEqual(0, self.viewers.left)

    def test_the_hub_forgets_a_closed_viewer(self) -> None:
        viewer = SeatedViewer(self.hub)
        self.viewers.opened(viewer)
        subscription = Subscription(ALL_STREAMS)
        self.hub.join(viewer, subscription, PLAIN_WEBSOCKET, self.daemon.times.now())
        self.viewers.closed(viewer)
        self.assertEqual(0, len(self.hub))

    def test_each_is_pinged_once_a_round(self) -> None:
        viewer = SeatedViewer(self.hub)
        self.viewers.opened(viewer)
        for second in range(PING_EVERY):
            self.sweep.turn(float(second))
        self.assertEqual(1, viewer.pings)

    def test_those_that_are_given_up_are_dropped_and_counted(self) -> None:
        viewer = SeatedViewer(self.hub)
        self.viewers.opened(viewer)
        self.viewers.give_up(viewer)
        self.assertEqual((True, 1), (viewer.lost, self.viewers.lost))

"""A viewer that asks for more history than the updates that are kept gets the rest from slots, once."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.description import Description, Keep
from streamd.core.duration import Duration
from streamd.core.selection import ALL_STREAMS, Selection
from streamd.core.update import Draft, Position
from streamd.hub import fills
from streamd.hub.hub import Hub
from streamd.reactor.slices import PAUSE
from streamd.wire.encoding import Encoding
from streamd.wire.events import V1_EVENTS
from streamd.wire.frames import PLAIN_WEBSOCKET, V1_WEBSOCKET
from streamd.wire.requests import Subscription
from tests.support.fakes import TODAY, Daemonette, FakeViewer, value

ROLLED = Description(keep=Keep(3), rollup=Duration(8 * 3600))  # slots of 5 s
NAMES = [f"s{number}" for number in range(4)]


class FillTests(SynchronousTestCase):
    def setUp(self) -> None:
        described = dict.fromkeys(NAMES, ROLLED) | {"raw": Description()}
        self.daemon = Daemonette(described)
        self.clock = self.daemon.clock
        self.hub = Hub(self.daemon.state, self.clock)
        for number in range(20):
            self.clock.advance(7)
            self.publish(*NAMES, "raw", number=number)

    def publish(self, *names: str, number: float) -> None:
        self.daemon.journal.append([Draft(name, value(number)) for name in names])
        self.hub.wake()

    def join(
        self,
        viewer: FakeViewer | None = None,
        history: int = 100,
        streams: list[str] | None = None,
        after: Position | None = None,
        encoding: Encoding = V1_WEBSOCKET,
        known: Selection = ALL_STREAMS,
    ) -> FakeViewer:
        viewer = viewer or FakeViewer()
        subscription = Subscription(
            Selection(streams), after=after, asked=after is not None, history=history
        )
        self.hub.join(viewer, subscription, encoding, self.daemon.times.now(), known)
        self.take_turns()
        return viewer

    def take_turns(self) -> None:
        for _ in range(50):
            self.clock.advance(PAUSE)

    def pasts(self, viewer: FakeViewer) -> list[Any]:
        return [message for message in viewer.messages if message["type"] == "past"]

    def test_slots_fill_what_the_updates_lack(self) -> None:
        viewer = self.join(streams=["s1"], history=400)
        hello, updates, past = viewer.messages
        self.assertEqual(["hello", "updates"], [hello["type"], updates["type"]])
        self.assertEqual(("s1", 5), (past["stream"], past["width"]))
        self.assertEqual([17, 18, 19], [update["value"] for update in updates["updates"]])
        # Update 16 came 17 * 7 = 119 s after the beginning; the next slot begins at 120.
        self.assertEqual(TODAY + 120, past["to"])
        since = [u["value"] for u in updates["updates"] if u["time"] >= past["to"]]
        self.assertEqual([17, 18, 19], since)
        self.assertEqual([TODAY + 5, 0, 0, 0, 0], past["points"][0])
        time, low, _, high, last = past["points"][-1]
        self.assertEqual((TODAY + 115, 15, 16, 16), (time, low, high, last))
        self.assertEqual(23, len(past["points"]))

    def test_points_are_as_many_as_updates_are_missing(self) -> None:
        [past] = self.pasts(self.join(streams=["s1"], history=8))
        self.assertEqual(5, 8 - 3)
        self.assertLessEqual(len(past["points"]), 6)
        self.assertEqual([0, 16], [past["points"][0][1], past["points"][-1][4]])
        with patch.object(fills, "MOST", 2):
            [past] = self.pasts(self.join(streams=["s1"], history=100_000))
        self.assertLessEqual(len(past["points"]), 3)

    def test_a_viewer_that_lacks_nothing_gets_no_fill(self) -> None:
        self.assertEqual([], self.pasts(self.join(history=1)))
        self.assertEqual([], self.pasts(self.join(history=3)))
        self.assertEqual([], self.pasts(self.join(streams=["raw", "none"])))
        after = self.daemon.state.head
        self.assertEqual([], self.pasts(self.join(after=after)))
        self.assertEqual({"s0", "s1", "s2", "s3", "raw"}, {*self.plain().messages[0]})

    def plain(self) -> FakeViewer:
        viewer = self.join(encoding=PLAIN_WEBSOCKET)
        self.assertEqual(1, len(viewer.messages))
        return viewer

    def test_a_stream_that_is_new_in_the_selection_is_filled(self) -> None:
        viewer = self.join(streams=["s1"])
        known = Selection(["s1"])
        self.join(viewer, streams=["s1", "s2"], after=self.daemon.state.head, known=known)
        self.assertEqual(["s1", "s2"], [past["stream"] for past in self.pasts(viewer)])

    def test_one_stream_at_a_time_when_the_viewer_has_read(self) -> None:
        viewer = self.join(FakeViewer(room=2))
        self.assertEqual(["hello", "updates"], [message["type"] for message in viewer.messages])
        for count in range(1, 5):
            viewer.drain(1)
            self.hub.drained(viewer)
            self.take_turns()
            self.assertEqual(NAMES[:count], [past["stream"] for past in self.pasts(viewer)])
        viewer.drain()
        self.hub.drained(viewer)
        self.take_turns()
        self.assertEqual(6, len(viewer.messages))
        self.assertEqual({}, self.hub.fills._fills)

    def test_updates_go_on_meanwhile(self) -> None:
        viewer = self.join(FakeViewer(room=2))
        self.publish("s1", number=99)
        viewer.drain()
        self.hub.drained(viewer)
        self.take_turns()
        kinds = [message["type"] for message in viewer.messages]
        self.assertEqual(["hello", "updates", "updates", *["past"] * 4], kinds)
        # The update that raw history dropped meanwhile is in the slots.
        [past] = [past for past in self.pasts(viewer) if past["stream"] == "s1"]
        self.assertEqual((TODAY + 130, 17), (past["to"], past["points"][-1][4]))

    def test_a_viewer_that_leaves_is_forgotten(self) -> None:
        viewer = FakeViewer()
        subscription = Subscription(Selection(None), history=100)
        self.hub.join(viewer, subscription, V1_WEBSOCKET, self.daemon.times.now())
        self.hub.leave(viewer)
        self.take_turns()
        self.assertEqual([], self.pasts(viewer))
        self.assertEqual({}, self.hub.fills._fills)

    def test_a_fill_that_fails_is_in_the_log(self) -> None:
        with patch.object(fills, "look_before", side_effect=ZeroDivisionError):
            viewer = self.join()
        self.assertEqual([], self.pasts(viewer))
        self.assertEqual({}, self.hub.fills._fills)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_an_event_stream_is_filled_too(self) -> None:
        viewer = self.join(streams=["s1"], encoding=V1_EVENTS)
        self.assertIn(b"event: past\ndata: {", viewer.written[-1])

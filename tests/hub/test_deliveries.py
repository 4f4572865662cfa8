"""What was sent, and what was left out, adds up to what was published."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.cursor import Cursor
from streamd.core.description import Description, Keep
from streamd.core.selection import Selection
from streamd.core.update import ORIGIN, Draft
from streamd.hub.deliveries import Deliveries, Step
from streamd.hub.hub import Hub
from streamd.wire.encoding import Encoding
from streamd.wire.frames import PLAIN_WEBSOCKET, V1_WEBSOCKET
from streamd.wire.requests import PACE, Subscription
from tests.hub.test_hub import HubTestCase, forget
from tests.support.fakes import Daemonette, FakeViewer, value


class AddTests(SynchronousTestCase):
    def test_a_message_counts_for_each_viewer(self) -> None:
        deliveries = Deliveries()
        deliveries.add(Step(b"x", Cursor(ORIGIN, 0), updates=2, backlog=1, skipped=5), 3)
        deliveries.add(Step(b"", Cursor(ORIGIN, 0), skipped=1), 3)
        found = deliveries.messages, deliveries.updates, deliveries.backlog, deliveries.skipped
        self.assertEqual((3, 6, 3, 18), found)


class CountTests(HubTestCase):
    def counts(self, encoding: Encoding = PLAIN_WEBSOCKET) -> tuple[int, int, int]:
        """Updates, backlog and skipped of an encoding."""
        found = self.hub.audiences.deliveries[encoding.name]
        return found.updates, found.backlog, found.skipped

    def test_each_viewer_counts(self) -> None:
        for _ in range(3):
            self.join()
        self.publish(a=1, b=2)
        self.assertEqual((6, 0, 0), self.counts())

    def test_what_was_there_before_is_backlog(self) -> None:
        self.publish(a=1, b=2)
        self.join()
        self.join(encoding=V1_WEBSOCKET)
        self.assertEqual((0, 2, 0), self.counts())
        self.assertEqual((0, 2, 0), self.counts(V1_WEBSOCKET))

    def test_values_that_a_newer_one_replaces_are_skipped(self) -> None:
        self.join()
        self.join(encoding=V1_WEBSOCKET)
        self.publish(a=0)
        for number in range(1, 6):
            self.publish(a=number, b=number)
        self.clock.advance(PACE)
        self.assertEqual((3, 0, 8), self.counts())
        self.assertEqual((11, 0, 0), self.counts(V1_WEBSOCKET))

    def test_only_selected_streams_count(self) -> None:
        for _ in range(2):
            self.join(streams=["a"])
        self.publish(a=0)
        for number in range(1, 6):
            self.publish(a=number, b=number)
        self.clock.advance(PACE)
        self.assertEqual((4, 0, 8), self.counts())

    def test_what_history_lost_is_skipped_even_if_one_busy_stream_is_selected(self) -> None:
        for encoding in (PLAIN_WEBSOCKET, V1_WEBSOCKET):
            self.setUp()
            self.join(streams=["a"], encoding=encoding)
            self.publish(a=0)
            for number in range(1, 1001):
                self.publish(a=number)
            self.clock.advance(PACE)
            sent, _, skipped = self.counts(encoding)
            self.assertEqual(1001, sent + skipped)

    def test_values_of_a_stream_that_was_forgotten_are_skipped(self) -> None:
        self.join()
        self.join(encoding=V1_WEBSOCKET)
        self.publish(a=0)
        self.publish(a=1, b=1)
        self.publish(b=forget)
        self.clock.advance(PACE)
        self.assertEqual((2, 0, 1), self.counts())
        self.assertEqual((2, 0, 1), self.counts(V1_WEBSOCKET))

    def test_bytes_are_all_that_was_written(self) -> None:
        self.publish(a="x" * 60_000, b="y" * 60_000)
        viewers = [self.join(encoding=V1_WEBSOCKET) for _ in range(3)]
        self.publish(a=1)
        self.take_turns()
        self.hub.tick(self.daemon.times.now())
        self.take_turns()
        written = sum(len(b"".join(viewer.written)) for viewer in viewers)
        self.assertGreater(written, 3 * 120_000)
        self.assertEqual(written, self.hub.audiences.deliveries[V1_WEBSOCKET.name].octets)


@given(seed=st.integers(0, 2**32), plain=st.booleans())
@settings(max_examples=150, deadline=None)
def test_nothing_is_lost_from_the_count(seed: int, plain: bool) -> None:
    """Viewers come, stall, lag behind history and drain; streams are forgotten and come back."""
    rng = random.Random(seed)
    encoding = PLAIN_WEBSOCKET if plain else V1_WEBSOCKET
    names = ["a", "b", "c"]
    size = rng.choice((1, 1, 9000))
    daemon = Daemonette(dict.fromkeys(names[:2], Description(keep=Keep(rng.choice((1, 3, 100))))))
    hub = Hub(daemon.state, daemon.clock)
    viewers: list[FakeViewer] = []
    due = 0

    def publish() -> None:
        nonlocal due
        chosen = rng.choices(names, k=rng.randrange(1, 30))
        drafts = [
            Draft(n, None if rng.random() < 0.05 else value("x" * rng.randrange(size)))
            for n in chosen
        ]
        before = daemon.state.applied
        daemon.journal.append(drafts)
        due += (daemon.state.applied - before) * len(viewers)
        hub.wake()

    def join() -> None:
        viewers.append(FakeViewer())
        history = rng.choice((1, 1, 5))
        wanted = Subscription(Selection(None), rng.choice((PACE, PACE * 4)), history=history)
        hub.join(viewers[-1], wanted, encoding, daemon.times.now())

    def stall() -> None:
        if viewers:
            rng.choice(viewers).drain(rng.randrange(3))

    def drain() -> None:
        for viewer in viewers:
            viewer.drain()
            hub.drained(viewer)

    def wait() -> None:
        daemon.clock.advance(rng.choice((0.0, 0.001, PACE, 1.0)))

    for _ in range(60):
        rng.choice((publish, publish, publish, join, stall, drain, wait, wait))()
    for _ in range(200):
        drain()
        daemon.clock.advance(PACE)
    found = hub.audiences.deliveries.get(encoding.name, Deliveries())
    assert found.updates + found.skipped == due
    assert found.skipped >= 0
    assert not any(viewer.lost for viewer in viewers)
    if not plain:
        told = [u for v in viewers for m in v.messages for u in m.get("updates", ())]
        assert found.updates + found.backlog == len(told)

"""Server-sent events, as an EventSource reads them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.update import Position
from streamd.wire.events import event, retry


class EventTests(SynchronousTestCase):
    def test_the_state_is_an_event_without_a_name(self) -> None:
        self.assertEqual(b'data: {"a":1}\n\n', event("state", b'{"a":1}'))

    def test_every_other_event_has_its_name(self) -> None:
        self.assertEqual(b"event: tick\ndata: {}\n\n", event("tick", b"{}"))

    def test_the_id_is_the_cursor(self) -> None:
        self.assertEqual(b"id: 17-2\ndata: {}\n\n", event("state", b"{}", Position(17, 2)))

    def test_the_wait_before_a_reconnect_is_in_milliseconds(self) -> None:
        self.assertEqual(b"retry: 1500\n\n", retry(1.5))

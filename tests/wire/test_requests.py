"""What a viewer may ask for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.core.selection import Selection
from streamd.wire.requests import MAX_PACE, PACE, parse_json_object, parse_query, round_pace


class SubscriptionTests(SynchronousTestCase):
    def test_nothing_said_is_everything_at_the_usual_pace(self) -> None:
        wish = parse_query({"unknown": "1"})
        self.assertEqual((Selection(), PACE), (wish.selection, wish.pace))

    def test_streams(self) -> None:
        wish = parse_query({"streams": "orders,db.*,"})
        self.assertEqual(Selection(["orders", "db.*"]), wish.selection)
        self.assertEqual(Selection([]), parse_query({"streams": ""}).selection)

    def test_invalid_subscriptions(self) -> None:
        for query in ({"streams": "a b"}, {"streams": ",".join(f"n{n}" for n in range(33))}):
            self.assertEqual(400, self.assertRaises(Refused, parse_query, query).status)
        refused = self.assertRaises(Refused, parse_query, {"pace": "fast"})
        self.assertEqual((400, "bad-pace"), (refused.status, refused.code))

    @given(st.floats(0, 1e6))
    def test_paces_are_few_and_never_faster_than_asked(self, seconds: float) -> None:
        pace = round_pace(f"{seconds:.3f}s")
        steps = [PACE * 2**n for n in range(12)]
        self.assertIn(pace, steps)
        self.assertGreaterEqual(pace, min(round(seconds, 3), MAX_PACE))
        if pace > PACE:
            self.assertLess(pace / 2, seconds + 0.001)

    def test_objects(self) -> None:
        self.assertEqual({"a": [1]}, parse_json_object(b'{"a": [1]}'))
        for text in (b"", b"[]", b"1", b"{", b"\xff", b'{"a":"\xff"}', b"[" * 5000):
            refused = self.assertRaises(Refused, parse_json_object, text)
            self.assertEqual((400, "bad-json"), (refused.status, refused.code))

"""A period as viewers are told it: numbers in slots, words, levels and silences."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.histories.period import Period
from streamd.core.histories.slot import Slot
from streamd.wire.past import v1_past


class PastTests(SynchronousTestCase):
    def test_the_members_of_a_past(self) -> None:
        slots = [Slot(0.0, 1.0, 3.0, 2.0, 2.5, 60.0)]
        words, levels = [(0.0, 9.0, "open")], [(0.0, 60.0, "ok")]
        period = Period(0.0, 60, slots, words, levels, [(9.0, 12.0, "silent")], rough=False)
        payload = v1_past("orders", period, 60.0)
        self.assertEqual("past", payload.type)
        told = {
            "type": "past",
            "stream": "orders",
            "from": 0.0,
            "to": 60.0,
            "width": 60,
            "words": [[0.0, 9.0, "open"]],
            "levels": [[0.0, 60.0, "ok"]],
            "silences": [[9.0, 12.0]],
            "points": [[0.0, 1.0, 2.0, 3.0, 2.5]],
        }
        self.assertEqual(told, json.loads(payload.text))
        rough = v1_past("orders", period._replace(rough=True), 60.0)
        self.assertEqual({**told, "rough": True}, json.loads(rough.text))

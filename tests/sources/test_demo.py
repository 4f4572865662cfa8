"""The demo: lively streams of an imaginary shop, the same at every start."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.values import from_python
from streamd.sources.demo import DESCRIPTIONS, NAME, Shop

MINUTES = 5
READINGS = MINUTES * 120


class ShopTests(SynchronousTestCase):
    def test_every_value_is_described_and_can_be_shown(self) -> None:
        shop = Shop(random.Random(7))
        for _ in range(READINGS):
            values = shop.read()
            self.assertEqual({f"{NAME}.{name}" for name in values}, set(DESCRIPTIONS))
            for value in values.values():
                from_python(value)

    def test_every_start_is_the_same(self) -> None:
        one, other = Shop(random.Random(7)), Shop(random.Random(7))
        for _ in range(READINGS):
            self.assertEqual(one.read(), other.read())

    def test_every_stream_changes_within_minutes(self) -> None:
        shop = Shop(random.Random(7))
        seen: dict[str, set[str]] = {}
        for _ in range(READINGS):
            for name, value in shop.read().items():
                seen.setdefault(name, set()).add(str(value))
        self.assertEqual([], [name for name, values in seen.items() if len(values) < 2])

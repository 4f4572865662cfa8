"""How often a client may do something."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.rate import MAX_CLIENTS, Rate


class RateTests(SynchronousTestCase):
    def test_a_burst_and_then_the_rate(self) -> None:
        rate = Rate(2.0, burst=3.0)
        self.assertEqual([0.0] * 6, [rate.take("a", 100.0) for _ in range(6)])
        self.assertAlmostEqual(0.5, rate.take("a", 100.0))
        self.assertAlmostEqual(0.25, rate.take("a", 100.25))
        self.assertEqual(0.0, rate.take("a", 100.5))
        self.assertAlmostEqual(0.5, rate.take("a", 100.5))

    def test_a_refusal_takes_no_token(self) -> None:
        rate = Rate(1.0, burst=1.0)
        self.assertEqual(0.0, rate.take("a", 0.0))
        for _ in range(100):
            self.assertEqual(0.5, rate.take("a", 0.5))
        self.assertEqual(0.0, rate.take("a", 1.0))

    def test_a_full_bucket_does_not_overflow(self) -> None:
        rate = Rate(1.0, burst=2.0)
        rate.take("a", 0.0)
        self.assertEqual([0.0, 0.0], [rate.take("a", 1e9) for _ in range(2)])
        self.assertEqual(1.0, rate.take("a", 1e9))

    def test_clients_do_not_share(self) -> None:
        rate = Rate(1.0, burst=1.0)
        self.assertEqual((0.0, 0.0), (rate.take("a", 0.0), rate.take("b", 0.0)))
        self.assertEqual(1.0, rate.take("a", 0.0))

    def test_a_slow_rate_lets_one_in(self) -> None:
        rate = Rate(0.01, burst=10.0)
        self.assertEqual(0.0, rate.take("a", 0.0))
        self.assertAlmostEqual(100.0, rate.take("a", 0.0))

    def test_no_rate_is_no_limit(self) -> None:
        rate = Rate(0.0)
        self.assertEqual({0.0}, {rate.take("a", 0.0) for _ in range(100_000)})
        self.assertEqual(0, len(rate))

    def test_invented_clients_do_not_grow_the_table(self) -> None:
        rate = Rate(1.0, burst=1.0)
        for number in range(MAX_CLIENTS + 100):
            rate.take(f"c{number}", 0.0)
        self.assertEqual(MAX_CLIENTS, len(rate))
        self.assertEqual(0.0, rate.take("c0", 0.0))
        self.assertEqual(1.0, rate.take(f"c{MAX_CLIENTS + 99}", 0.0))

    def test_never_more_than_the_rate_and_a_burst(self) -> None:
        rng = random.Random(1)
        rate, now, taken = Rate(5.0, burst=2.0), 0.0, 0
        for _ in range(20_000):
            now += rng.expovariate(20.0)
            taken += rate.take("a", now) == 0.0
            self.assertLessEqual(taken, 10 + 5.0 * now)
        self.assertGreater(taken, 0.99 * 5.0 * now)

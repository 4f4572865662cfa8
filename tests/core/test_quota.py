"""One client address does not get all."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.core.quota import Quota, Share, refuse_greedy


class QuotaTests(SynchronousTestCase):
    def test_one_address_gets_its_share(self) -> None:
        quota = Quota(10)
        for _ in range(8):
            self.assertFalse(quota.exceeds("a"))
            quota.take("a")
        self.assertTrue(quota.exceeds("a"))
        self.assertFalse(quota.exceeds("b", 8))
        quota.give_back("a", 2)
        self.assertFalse(quota.exceeds("a", 2))
        self.assertTrue(quota.exceeds("a", 3))
        self.assertEqual(6, quota.used)

    def test_refusal_of_what_there_is_no_room_for(self) -> None:
        quota = Quota(10)
        quota.check("a", 8, "bodies")
        quota.take("a", 8)
        for client, amount, code in (("a", 1, "too-much-for-one-client"), ("b", 3, "busy")):
            with self.assertRaises(Refused) as caught:
                quota.check(client, amount, "bodies")
            self.assertEqual((503, code), (caught.exception.status, caught.exception.code))
            self.assertIn("many bodies", caught.exception.message)

    def test_the_total_is_asked_before_the_share(self) -> None:
        quota = Quota(10)
        quota.take("a", 8)
        for elsewhere, own, client, code in (
            (0, 0, "a", "too-much-for-one-client"),
            (0, 8, "b", "too-much-for-one-client"),
            (0, 8, "", None),
            (1, 0, "b", None),
            (2, 0, "a", "busy"),
        ):
            refused = quota.refusal(client, "viewers", elsewhere=elsewhere, own=own)
            self.assertEqual(code, refused and refused.code)
        full = Refused(503, "too-many-viewers", "raise max_viewers")
        self.assertIs(full, quota.refusal("a", "viewers", elsewhere=2, full=lambda: full))

    def test_a_small_total_serves_everybody(self) -> None:
        for total, share, each in ((1, 0.8, 1), (2, 0.8, 1), (5, 0.8, 4), (5, 1, 5), (5, 0.001, 1)):
            self.assertEqual(each, Quota(total, Share(share)).each)

    def test_nothing_stays_of_an_address_that_holds_nothing(self) -> None:
        quota = Quota(10)
        for number in range(100):
            quota.take(f"a{number}", 3)
            quota.give_back(f"a{number}", 3)
        self.assertEqual((0, {}), (quota.used, quota._held))

    def test_the_refusal_says_what_to_add(self) -> None:
        refused = refuse_greedy("192.0.2.1", "viewers")
        self.assertEqual(503, refused.status)
        for part in ("192.0.2.1 has as many viewers", 'trusted_proxies = ["192.0.2.1"]'):
            self.assertIn(part, refused.message)

"""Equality of values with a written form."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.config.fields import Secret
from streamd.core.description import Keep


class WrittenTests(SynchronousTestCase):
    def test_equal_with_equal_attributes(self) -> None:
        self.assertEqual(Keep(7), Keep(7))
        self.assertNotEqual(Keep(7), Keep(8))
        self.assertNotEqual(Secret("a"), Secret(env="a"))

    def test_values_of_two_classes_are_never_equal(self) -> None:
        class Other(Keep):
            pass

        self.assertNotEqual(Keep(7), Other(7))
        self.assertNotEqual(Keep(7), 7)

    def test_equal_values_have_one_hash(self) -> None:
        self.assertEqual(1, len({Secret("a"), Secret("a")}))

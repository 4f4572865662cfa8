"""Steps: long computations that pause, and go on."""

from __future__ import annotations

from collections.abc import Generator

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.steps import STEP, finish, steps_of


class StepsTests(SynchronousTestCase):
    def test_lists_of_a_step_each(self) -> None:
        lists = [*steps_of(range(2 * STEP + 7))]
        self.assertEqual([STEP, STEP, 7], [*map(len, lists)])
        self.assertEqual([*range(2 * STEP + 7)], [*lists[0], *lists[1], *lists[2]])

    def test_no_items_make_no_list(self) -> None:
        self.assertEqual([], [*steps_of(())])

    def test_the_result_is_that_of_the_generator(self) -> None:
        def steps() -> Generator[None, None, int]:
            yield
            yield
            return 7

        self.assertEqual(7, finish(steps()))

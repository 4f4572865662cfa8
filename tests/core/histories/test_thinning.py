"""A long history in few points: what stays of any."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.histories import thinning as module
from streamd.core.histories.thinning import SHAPE
from streamd.core.steps import STEP, finish
from streamd.core.update import Position, Update
from streamd.core.values import to_python

VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**300), 10**300),
    st.sampled_from([None, True, False, "7", "", {"a": 1}, [1]]),
)
HISTORIES = st.lists(st.tuples(st.floats(0, 2e9), VALUES), max_size=60)
POINTS = st.integers(2, 40)


def history(*said: tuple[float, Any]) -> list[Update]:
    """Updates with these times and values."""
    return [
        Update("a", n, Position(n, 0), time, json.dumps(value).encode())
        for n, (time, value) in enumerate(said, 1)
    ]


def thin(updates: Sequence[Update], points: int) -> Sequence[Update]:
    """What is left at the end."""
    return finish(module.thin(updates, points))


def is_number(update: Update) -> bool:
    value = to_python(update.value or b"null")
    return isinstance(value, int | float) and not isinstance(value, bool)


def numbers(updates: Any) -> list[float]:
    return [float(to_python(u.value)) for u in updates if is_number(u)]


class ThinTests(SynchronousTestCase):
    def test_shape_of_each_slot(self) -> None:
        said = [*enumerate([3, 4, 9, 1, 5, 6]), *enumerate([7, 7, 2, 2, 8, 8], 6)]
        left = thin(history(*said), 2 * SHAPE)
        self.assertEqual([3, 9, 1, 6, 7, 2, 8, 8], [to_python(u.value or b"") for u in left])

    def test_slots_are_of_time(self) -> None:
        """An hour in which little happened is as wide as one in which much did."""
        busy = [(n / 100, n % 10) for n in range(1000)]
        left = thin(history(*busy, (3600.0, 5), (7200.0, 6)), 8)
        self.assertEqual([3600.0, 7200.0], [u.time for u in left][-2:])
        self.assertLessEqual(len(left), SHAPE + 2)

    def test_breaks(self) -> None:
        values = [1, None, "x", None, 2, 3, 3, 4, None, 5]
        left = thin(history(*enumerate(values)), SHAPE)
        self.assertEqual(
            [1, None, None, 5], [to_python(u.value or b"") for u in left if u.seq != 9]
        )
        self.assertEqual([1, 2, 4, 9, 10], [u.seq for u in left])

    @given(HISTORIES, POINTS)
    def test_a_short_history_stays_unchanged(self, said: list[Any], points: int) -> None:
        updates = history(*said)[:points]
        self.assertEqual(updates, list(thin(updates, points)))

    @example([(1e-310, 0.0), (0.0, 0.0), (0.0, 0.0)], 2)
    @given(HISTORIES, POINTS)
    def test_order_ends_and_extremes_stay(self, said: list[Any], points: int) -> None:
        updates = history(*said)
        left = list(thin(updates, points))
        self.assertEqual([u for u in updates if u in set(left)], left)
        if before := numbers(updates):
            after = numbers(left)
            self.assertEqual((min(before), max(before)), (min(after), max(after)))
        if updates:
            first, last = (min(updates, key=lambda u: u.time).time, max(u.time for u in updates))
            self.assertTrue(all(first <= u.time <= last for u in left))

    @given(HISTORIES, POINTS)
    def test_every_run_of_breaks_shows(self, said: list[Any], points: int) -> None:
        updates = history(*said)
        left = list(thin(updates, points))
        for number, group in groupby(updates, is_number):
            run = list(group)
            if not number:
                self.assertIn(run[0], left)
                self.assertIn(run[-1], left)

    @given(HISTORIES, POINTS)
    def test_about_so_many_are_left(self, said: list[Any], points: int) -> None:
        left = [u for u in thin(history(*said), points) if is_number(u)]
        self.assertLessEqual(len(left), max(points, SHAPE))

    def test_a_long_one_is_thinned_in_steps(self) -> None:
        updates = history(*((n, n % 7) for n in range(20 * STEP)))
        steps = [*module.thin(updates, 10)]
        self.assertGreaterEqual(len(steps), 40)

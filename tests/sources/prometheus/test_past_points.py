"""Points of series become rows of a backfill: gaps, numbers that are none, and shared names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.histories.slots import WIDTHS
from streamd.core.steps import finish
from streamd.sources.backfills.rows import PastRows
from streamd.sources.errors import SourceError
from streamd.sources.prometheus.past_points import Steps, past_points, step_for, steps_of

STEPS = Steps(60.0, 30.0, 5)
"""60, 90, 120, 150 and 180."""


def rows(
    *series: tuple[dict[str, str], Sequence[Any]],
    key: Sequence[str] = ("a",),
    known: Sequence[str] = (),
) -> PastRows:
    return finish(past_points(series, key, STEPS, known))


def told(found: PastRows, end: str) -> dict[float, str]:
    """Time -> JSON text."""
    return {row.time: row.values[end].decode() for row in found.rows if end in row.values}


class PointsTests(SynchronousTestCase):
    def test_labels_name_streams_and_rows_are_in_the_order_of_time(self) -> None:
        found = rows(
            ({"a": "x y"}, [[90, "1.5"], [120, "7"]]),
            ({}, [[60, "2"], [90, "2"], [120, "2"], [150, "2"], [180, "1e+06"]]),
        )
        self.assertEqual([60, 90, 120, 150, 180], [row.time for row in found.rows])
        self.assertEqual({60: "null", 90: "1.5", 120: "7", 150: "null"}, told(found, "x_y"))
        self.assertEqual("1000000", told(found, "null")[180])
        self.assertEqual({}, found.faults)

    def test_without_labels_there_is_one_stream(self) -> None:
        found = rows(({"job": "b"}, [[60, "1"]]), key=())
        self.assertEqual({60: "1", 90: "null"}, told(found, ""))

    def test_numbers_that_are_none_are_unknown(self) -> None:
        points = [[60, "NaN"], [90, "+Inf"], [120, "-Inf"], [150, "0"], [180, "-0.5"]]
        self.assertEqual(
            ["null", "null", "null", "0", "-0.5"], [*told(rows(({}, points)), "null").values()]
        )

    def test_a_stream_without_a_series_is_unknown_from_the_first_step_on(self) -> None:
        self.assertEqual({60: "null"}, told(rows(known=["b"]), "b"))

    def test_series_that_follow_each_other_under_one_name_are_one_stream(self) -> None:
        found = rows(
            ({"a": "x", "pod": "1"}, [[60, "1"], [90, "2"]]),
            ({"a": "x", "pod": "2"}, [[120, "3"], [150, "4"], [180, "5"]]),
        )
        self.assertEqual(["1", "2", "3", "4", "5"], [*told(found, "x").values()])
        self.assertEqual({}, found.faults)

    def test_two_series_at_one_time_are_unknown_there(self) -> None:
        series = ({"a": "x"}, [[60, "1"], [90, "2"]]), ({"a": "x", "b": "c"}, [[90, "3"]])
        found = rows(*series)
        self.assertEqual({60: "1", 90: "null", 120: "null"}, told(found, "x"))
        text = "two series are x at the same time: left out there"
        self.assertEqual({"key": text}, found.faults)
        text = "two series are one stream at the same time: left out there"
        self.assertEqual({"promql": text}, rows(*series, key=()).faults)

    def test_rubbish(self) -> None:
        for point in (7, [], [1], [1, "x"], [1, None], ["x", "1"], [float("nan"), "1"]):
            with self.assertRaises(SourceError) as caught:
                rows(({}, [point]))
            self.assertEqual("the answer is not one of Prometheus", caught.exception.message)

    def test_long_work_is_done_in_steps(self) -> None:
        points = [[60 + 30 * n, "1"] for n in range(1000)]
        steps = Steps(60.0, 30.0, 1000)
        self.assertGreater(len([*past_points([({}, points)], [], steps, [])]), 10)


class StepTests(SynchronousTestCase):
    @given(
        st.lists(st.floats(1.7e9, 1.8e9), min_size=2, max_size=9),
        st.one_of(st.integers(100_000, 864_000).map(float), st.floats(100_000.0, 1e6)),
    )
    def test_times_do_not_depend_on_the_windows(self, cuts: list[float], step: float) -> None:
        cuts.sort()

        def times(begin: float, end: float) -> list[float]:
            steps = steps_of(begin, end, step)
            return [steps.first + n * step for n in range(steps.number)]

        whole = times(cuts[0], cuts[-1])
        parts = [time for pair in pairwise(cuts) for time in times(*pair)]
        self.assertEqual(len(whole), len(parts))
        self.assertTrue(all(abs(a - b) < 0.001 for a, b in zip(whole, parts, strict=True)))
        self.assertTrue(all(cuts[0] - 0.001 <= time < cuts[-1] + 0.001 for time in whole))

    def test_a_window_without_a_step(self) -> None:
        self.assertEqual(0, steps_of(61, 89, 30).number)
        self.assertEqual((90, 1, 90), (*steps_of(61, 91, 30)[::2], steps_of(61, 91, 30).last))

    def test_a_step_fits_the_narrowest_slots(self) -> None:
        self.assertEqual(60, step_for([3600, 300]))
        self.assertEqual(1, step_for([2]))
        for width in WIDTHS:
            self.assertEqual(0, width % step_for([width]))

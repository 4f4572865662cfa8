"""A period of the past: the same numbers, whether raw history or slots have them."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.description import Description, Keep
from streamd.core.duration import Duration
from streamd.core.limit import Limit
from streamd.core.period import Period, look_back
from streamd.core.slots import Slots
from streamd.core.state import State
from streamd.core.steps import finish
from streamd.core.update import ORIGIN, Position, Update

HOUR = 3600.0


def spoken(description: Description, *said: tuple[float, bytes]) -> State:
    """A state whose stream ``a`` said these values at these seconds."""
    state = State(0.0, {"a": description})
    state.restore(1, (), ORIGIN, {}, 0.0, 0.0)
    for number, (time, value) in enumerate(said, 1):
        update = Update("a", number, Position(int(time * 1000), number), time, value)
        state.apply([update], time)
    return state


def look(state: State, begin: float, end: float, most: int) -> Period:
    return finish(look_back(state.streams["a"], begin, end, most))


def rows(period: Period) -> list[Any]:
    return [
        (slot.time, slot.low, slot.high, round(slot.mean, 9), slot.last) for slot in period.slots
    ]


SAID = [(second, b"%d" % (second // 60 % 7)) for second in range(0, 3600, 20)]


class PeriodTests(SynchronousTestCase):
    def test_a_stream_without_long_history_is_answered_from_its_updates(self) -> None:
        period = look(spoken(Description(keep=Keep(1000)), *SAID), 0, HOUR, 60)
        self.assertEqual(60, period.width)
        self.assertEqual([(60.0 * n, *[n % 7] * 4) for n in range(60)], rows(period))

    def test_slots_say_the_same_as_updates(self) -> None:
        raw = spoken(Description(keep=Keep(1000)), *SAID)
        rolled = spoken(Description(keep=Keep(2), rollup=Duration(HOUR)), *SAID)
        for begin, end, most in (0, HOUR, 60), (600, 1234, 11), (0, HOUR, 7), (3000, HOUR, 600):
            self.assertEqual(
                rows(look(raw, begin, end, most)), rows(look(rolled, begin, end, most))
            )

    def test_updates_make_finer_slots_than_the_long_history_has(self) -> None:
        fine = spoken(Description(keep=Keep(1000), rollup=Duration(90 * 86_400)), *SAID)
        self.assertEqual(1, look(fine, 0, 60, 60).width)
        coarse = spoken(Description(keep=Keep(2), rollup=Duration(90 * 86_400)), *SAID)
        self.assertEqual(900, look(coarse, 0, 60, 60).width)

    def test_the_width_is_a_multiple_of_a_slot(self) -> None:
        state = spoken(Description(keep=Keep(1), rollup=Duration(24_000)), *SAID)  # slots of 2 s
        self.assertEqual(10, look(state, 0, HOUR, 720).width)

    def test_nothing_is_known_before_the_first_update(self) -> None:
        for keep in Keep(1000), Keep(1):
            period = look(spoken(Description(keep=keep), (1000, b"5"), (1001, b"6")), 0, 1002, 2000)
            self.assertEqual([1000, 1001][-len(period.slots) :], [s.time for s in period.slots])

    def test_words_levels_and_silences(self) -> None:
        warn = Limit("== down")
        rolled = Description(warn=warn, rollup=Duration(HOUR), keep=Keep(1))
        for description in rolled, Description(warn=warn):
            state = spoken(description, (10, b'"up"'), (20, b'"down"'))
            state.skip(["a"], "unreadable", 25)
            update = Update("a", 3, Position(30_000, 3), 30, b'"up"')
            state.apply([update], 30)
            period = look(state, 0, 40, 40)
            self.assertEqual([], period.slots)
            self.assertEqual([(10, 20, "up"), (30, 40, "up")], period.words)
            self.assertEqual([(10, 20, "ok"), (30, 40, "ok")], period.levels)
            self.assertEqual([(20, 30, "silent")], period.silences)

    def test_a_time_in_the_future_hides_nothing(self) -> None:
        for rollup in None, Duration(90 * 86_400):
            state = spoken(Description(rollup=rollup), (10, b"1"), (20, b"2"))
            ahead = Update("a", 3, Position(30_000, 3), 1e9, b"3")
            state.apply([ahead], 30)
            self.assertEqual([1, 2, 3], [slot.last for slot in look(state, 10, 40, 3).slots])

    def test_updates_during_the_computation_leave_no_gap(self) -> None:
        state = spoken(Description(keep=Keep(1), rollup=Duration(HOUR)), (0, b"1"), (10, b"2"))
        looking = look_back(state.streams["a"], 0, HOUR, 3600)
        next(looking)
        state.apply([Update("a", 3, Position(3_600_000, 3), HOUR, b"3")], HOUR)
        self.assertEqual(HOUR, sum(slot.known for slot in finish(looking).slots))

    def test_a_long_period_has_no_more_slots_than_were_asked_for(self) -> None:
        state = spoken(Description(), (0, b"1"))
        self.assertEqual(5, len(look(state, 0, 20_000 * 86_400, 5).slots))

    def test_updates_before_the_period_cost_nothing(self) -> None:
        said = [(hour * HOUR, b"%d" % hour) for hour in range(200)]
        state = spoken(Description(keep=Keep(1000)), *said)
        with patch.object(Slots, "_fill", autospec=True, side_effect=Slots._fill) as fill:
            period = look(state, 199.5 * HOUR, 200 * HOUR, 3600)
        self.assertEqual((1800, 199.0), (len(period.slots), period.slots[0].mean))
        self.assertLess(fill.call_count, 3)

    def test_updates_that_came_late_are_counted(self) -> None:
        state = spoken(Description(rollup=Duration(HOUR)), (10, b"1"), (20, b"2"))
        state.apply([Update("a", 3, Position(30_000, 3), 15.0, b"9")], 30)
        self.assertEqual([1, 9, 2], [slot.last for slot in look(state, 10, 25, 3).slots])

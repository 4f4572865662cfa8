"""A period of the past: the same numbers, whether raw history or slots have them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.description import Description, Keep
from streamd.core.duration import Duration
from streamd.core.histories.period import Period, look_back, look_before
from streamd.core.histories.slots import Slots
from streamd.core.limit import Limit
from streamd.core.state import State
from streamd.core.steps import STEP, finish
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


def naive(times: Sequence[float], begin: float, end: float) -> tuple[float, float, float]:
    """The lowest and highest number of a stretch, and its known seconds; the numbers are t % 97."""
    held = [t for t in times if t <= begin][-1:]
    numbers = [t % 97 for t in held + [t for t in times if begin < t < end]]
    return min(numbers), max(numbers), end - max(begin, times[0])


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

    def test_pages_have_no_gap_and_no_double(self) -> None:
        """Also where raw history ends, and where pages differ in length and in points."""
        random = Random(7)
        for keep, rollup in (40, None), (40, 90 * 86_400), (3, 90 * 86_400), (1000, 24_000):
            description = Description(
                keep=Keep(keep), rollup=None if rollup is None else Duration(rollup)
            )
            times = sorted(random.sample(range(100_000, 110_000), 100))
            state = spoken(description, *((t, b"%d" % (t % 97)) for t in times))
            told, end = times[-keep:] if rollup is None else times, 111_600.0
            while end > 99_000:
                begin = end - random.choice([100, 397, 397, 3000])
                period = look(state, begin, end, random.choice([5, 60, 400]))
                self.assertLessEqual(period.begin, begin)
                for slot in period.slots:
                    stretch = max(slot.time, period.begin), min(slot.time + period.width, end)
                    self.assertEqual(naive(told, *stretch), (slot.low, slot.high, slot.known))
                known = sum(slot.known for slot in period.slots)
                self.assertEqual(max(0, end - max(period.begin, told[0])), known)
                end = period.begin

    def test_what_raw_history_no_longer_has(self) -> None:
        """Slots and updates together tell each moment once."""
        random = Random(7)
        for keep, rollup in (3, 24_000), (20, 90 * 86_400), (1, 24_000), (60, 400_000):
            description = Description(keep=Keep(keep), rollup=Duration(rollup))
            times = sorted(random.sample(range(100_000, 110_000), 100))
            state = spoken(description, *((t, b"%d" % (t % 97)) for t in times))
            looking = look_before(state.streams["a"], 110_000, 500)
            assert looking is not None
            period, end = finish(looking)
            self.assertEqual(period.slots[0].time, times[0] // period.width * period.width)
            for slot in period.slots:
                until = end + 1 if end == times[-1] else end  # the newest update counts in its slot
                stretch = slot.time, min(slot.time + period.width, until)
                self.assertEqual(naive(times, *stretch)[:2], (slot.low, slot.high))
            raw = [u.time for u in state.streams["a"].history if u.time >= end]
            self.assertEqual([t for t in times if t >= end], raw)
            long = state.streams["a"].long
            assert long is not None
            self.assertTrue(end % long.slots.width == 0 or end == times[-1])

    def test_raw_history_that_has_all_lacks_nothing(self) -> None:
        for description in Description(), Description(rollup=Duration(HOUR)):
            state = spoken(description, (10, b"1"), (20, b"2"))
            self.assertIsNone(look_before(state.streams["a"], 30, 500))
        old = spoken(Description(keep=Keep(1), rollup=Duration(HOUR)), (10, b"1"), (20, b"2"))
        self.assertIsNone(look_before(old.streams["a"], 2 * HOUR, 500))
        self.assertIsNotNone(look_before(old.streams["a"], 30, 500))

    def test_a_period_ends_at_any_second_if_raw_history_knows_it(self) -> None:
        for rollup in None, Duration(90 * 86_400):
            description = Description(keep=Keep(1000), rollup=rollup)
            state = spoken(description, (0, b"1"), (1000, b"2"), (1010, b"99"), (1020, b"3"))
            [slot] = look(state, 0, 1010, 1).slots
            self.assertEqual(
                (0, 1, 2, 2, 1010), (slot.time, slot.low, slot.high, slot.last, slot.known)
            )

    def test_many_updates_are_read_in_short_steps(self) -> None:
        said = [(float(second), b"%d" % (second % 7)) for second in range(STEP)]
        state = spoken(Description(keep=Keep(STEP)), *said)
        steps = sum(1 for _ in look_back(state.streams["a"], 0, STEP, 5000))
        self.assertGreater(steps, 5)

    def test_updates_that_came_late_are_counted(self) -> None:
        state = spoken(Description(rollup=Duration(HOUR)), (10, b"1"), (20, b"2"))
        state.apply([Update("a", 3, Position(30_000, 3), 15.0, b"9")], 30)
        self.assertEqual([1, 9, 2], [slot.last for slot in look(state, 10, 25, 3).slots])


class BackfilledTests(SynchronousTestCase):
    """A stream whose past a backfill filled."""

    def filled(self, keep: int, reached: float = 1000.0) -> State:
        """A state that has values since 1000, and a past up to that time."""
        state = spoken(Description(keep=Keep(keep), rollup=Duration(24_000)), (1000, b"5"))
        stream = state.streams["a"]
        stream.past = stream.make_past(2000.0)
        assert stream.past is not None
        for time in range(500, 1000, 100):
            stream.past.hear(time, b"%d" % (time // 100))
        stream.past.reach(reached)
        return state

    def test_the_past_comes_before_the_updates(self) -> None:
        for keep in 1, 1000:
            period = look(self.filled(keep), 400, 1200, 8)
            numbers = [(time, low, high) for time, low, high, _, _ in rows(period)]
            self.assertEqual(
                [(480, 5, 5), (600, 6, 7), (720, 7, 8), (840, 8, 9), (960, 5, 9), (1080, 5, 5)],
                numbers,
            )
            self.assertIsNone(period.backfill)

    def test_updates_alone_are_finer(self) -> None:
        self.assertEqual(1, look(self.filled(1000), 1000, 1060, 60).width)
        self.assertEqual(2, look(self.filled(1000), 990, 1050, 60).width)

    def test_progress(self) -> None:
        state = self.filled(1, 800.0)
        self.assertEqual((800.0, 1000.0, None), look(state, 400, 1200, 8).backfill)
        past = state.streams["a"].past
        assert past is not None
        past.trouble = "no table"
        self.assertEqual((800.0, 1000.0, "no table"), look(state, 400, 1200, 8).backfill)

    def test_it_ends_where_the_long_history_begins(self) -> None:
        for keep in 1, 1000:
            state = spoken(
                Description(keep=Keep(keep), rollup=Duration(24_000)), (1001, b"5"), (1100, b"6")
            )
            past = state.streams["a"].make_past(2000.0)
            assert past is not None
            self.assertEqual(1000.0 if keep == 1 else 1001.0, past.until)
        for value, until in (b'"up"', 1001.0), (b"null", 2000.0):
            state = spoken(
                Description(keep=Keep(1), rollup=Duration(24_000)), (1001, value), (1100, b"null")
            )
            past = state.streams["a"].make_past(2000.0)
            assert past is not None
            self.assertEqual(until, past.until)

    def test_a_stream_without_long_history_has_none(self) -> None:
        self.assertIsNone(spoken(Description(), (1001, b"5")).streams["a"].make_past(2000.0))

    def test_a_forgotten_stream_has_none(self) -> None:
        state = self.filled(1)
        state.apply([Update("a", 2, Position(1_300_000, 2), 1300, None)], 1300)
        self.assertEqual([], look(state, 400, 1400, 8).slots)

    def test_history_goes_back_into_the_past(self) -> None:
        state = self.filled(1000)
        stream = state.streams["a"]
        looking = look_before(stream, 1200.0, 100)
        assert looking is not None
        period, end = finish(looking)
        self.assertEqual(1000.0, end)
        self.assertEqual([5, 6, 7, 8, 9], [*dict.fromkeys(slot.low for slot in period.slots)])
        stream.past = None
        self.assertIsNone(look_before(stream, 1200.0, 100))

"""Long history: it is what a naive computation over all updates gives, in whatever order they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.histories.blocks import HEAD
from streamd.core.histories.late_updates import NEAR
from streamd.core.histories.long_history import AHEAD, LEFT, LongHistory
from streamd.core.histories.slots import BLOCK
from streamd.core.update import Position, Update
from streamd.core.values import number_and_word
from tests.support.past import Moments, close, moments_of, naive, naive_segments

VALUES = st.sampled_from(
    [b"null", b'"up"', b'"down"', b"true", b"-3", b"0", b"7.25", b"[1]", b"1e400"]
)
STEPS = st.one_of(st.just(0.0), st.just(1.0), st.floats(0, 60))
BACK = st.one_of(st.just(0.0), st.just(0.0), st.floats(0, 5), st.floats(0, 100))
HEARD = st.tuples(st.just("hear"), STEPS, BACK, VALUES)
SILENT = st.tuples(st.just("silence"), STEPS, st.floats(0, 10), st.none())
RESUMED = st.tuples(st.just("resume"), STEPS, st.none(), st.none())
STORED = st.tuples(st.just("store"), STEPS, st.none(), st.none())
SETTLED = st.tuples(st.just("settle"), STEPS, st.none(), st.none())
HAPPENED = [HEARD, HEARD, HEARD, SILENT, RESUMED, STORED, SETTLED]
SET_BACK = st.tuples(st.just("set back"), STEPS, st.sampled_from([30.0, 70.0, 7200.0]), st.none())
Happened = Sequence[tuple[str, float, Any, Any]]


def level(value: bytes) -> str | None:
    number, _ = number_and_word(value)
    return "critical" if number is not None and number > 5 else "ok"


class Model:
    """A stream with its raw history, its long history, and everything that ever happened."""

    def __init__(self, seconds: float, keep: int) -> None:
        self.seconds = seconds
        self.long = LongHistory(seconds, level)
        self.raw: deque[Update] = deque()
        self.keep = keep
        self.updates: list[tuple[float, int, bytes]] = []  # time, seq, value
        self.seq = 0
        self.at = self.at_cut = 0  # milliseconds of the newest position, and at a step of the clock
        # Parts of slots that a step of the clock cut off; whether the newest update is not older, and
        # whether it was silent then.
        self.blank: list[tuple[float, float, bool, bool]] = []
        self.stored: dict[int, bytes] = {}
        self.silences: list[list[float | None]] = []
        self.until = 0.0  # up to when the newest value held when this was stored

    @property
    def silent(self) -> bool:
        return bool(self.silences) and self.silences[-1][1] is None

    def hear(self, now: float, time: float, value: bytes) -> None:
        self.seq += 1
        stuck = int(now * 1000) <= self.at_cut  # positions stand still after a step back
        self.at = max(self.at, int(now * 1000))
        update = Update("a", self.seq, Position(self.at, self.seq), time, value)
        newest = self.long.slots.began
        self.raw.append(update)
        while len(self.raw) > self.keep:
            self.long.drop(self.raw.popleft())
        self.long.hear(update, self.raw)
        self.updates.append((time, self.seq, value))
        if self.silent and (time >= newest or not stuck):
            # A late update ends a silence when it is appended.
            self.silences[-1][1] = time if time >= newest else max(newest, self.at / 1000)
        self.resume(now)

    def silence(self, time: float) -> None:
        last = self.silences[-1][1] if self.silences else 0.0
        if self.silent or last is None:
            return
        time = max(time, last + 0.5, self.long.slots.began, self.until)
        self.silences.append([time, None])
        self.long.silence(time)

    def resume(self, now: float) -> None:
        """The newest value by time is known again."""
        self.long.resume(now, None) if not self.silent else None
        if not self.silent or not self.updates:
            return
        begin = self.silences[-1][0]
        assert begin is not None
        time = max(now, begin, self.long.slots.began) + 0.25
        self.long.resume(time, max(self.updates)[2])
        self.silences[-1][1] = time

    def bound(self, now: float) -> None:
        """If the clock was set back, what holds begins at this moment, and later times never were."""
        began = self.long.slots.began
        self.until = min(self.until, now)
        self.long.bound(now)
        if began <= now + AHEAD:
            return
        self.at_cut = self.at
        newest = max(self.updates, default=(0.0, 0, b"null"))
        if new := newest[0] >= now:
            self.updates = [known for known in self.updates if known[0] < now]
            self.updates.append((now, *newest[1:]))
        silences = [(begin or 0.0, end) for begin, end in self.silences]
        self.silences = [
            [min(begin, now), None if end is None else min(end, now)]
            for begin, end in silences
            if end is None or begin < now
        ]
        if len(self.silences) > 1 and self.silences[-2][1] == now:
            self.silences[-2:] = [[self.silences[-2][0], None]]  # known for no time between them
        self.blank = [blank for blank in self.blank if blank[1] < now]
        begin = now // self.long.slots.width * self.long.slots.width
        self.blank.append((begin, now, new, self.silent))

    def store(self, until: float) -> None:
        """Continue with what a journal stored."""
        self.until = until
        for number, data in self.long.changes().items():
            if data is None:
                self.stored.pop(number, None)
            else:
                self.stored[number] = data
        self.long = LongHistory(self.seconds, level)
        if self.stored:
            self.long.load(self.stored, until)

    def moments(self) -> Moments:
        """When which value began, in the order of time; None while it was not known."""
        return moments_of([(time, value) for time, _, value in self.updates], self.silences)

    def numbers(self) -> list[tuple[float, float | None]]:
        """When which number began."""
        said = [(time, number_and_word(value)[0]) for time, value in self.moments()]
        for begin, end, new, silent in self.blank:
            before = [pair for pair in said if pair[0] < begin]
            _, held = [(0.0, None), *(pair for pair in said if pair[0] < end)][-1]
            after = [pair for pair in said if pair[0] >= end]
            if new and silent:
                del after[0]  # it held for no time
            elif not new and not silent:
                after.insert(0, (end, held))
            said = [*before, (begin, None), *after]
        return said


class LongHistoryTests(SynchronousTestCase):
    @settings(max_examples=400)
    @given(
        st.sampled_from([600.0, 24_000.0, 120_000.0]),
        st.sampled_from([1, 3, 10, 100]),
        st.sampled_from([0, NEAR]),
        st.lists(st.one_of(*HAPPENED), min_size=1, max_size=30),
    )
    def test_equals_a_naive_computation(
        self, seconds: float, keep: int, near: int, happened: Happened
    ) -> None:
        with patch("streamd.core.histories.late_updates.NEAR", near):
            self.follow(Model(seconds, keep), 20.0, happened)

    @settings(max_examples=400)
    @given(
        st.sampled_from([600.0, 24_000.0]),
        st.sampled_from([1, 10, 100]),
        st.lists(st.one_of(*HAPPENED, SET_BACK), min_size=1, max_size=30),
    )
    def test_what_holds_when_the_clock_is_set_back_holds_from_then_on(
        self, seconds: float, keep: int, happened: Happened
    ) -> None:
        self.follow(Model(seconds, keep), 10_000.0, happened)

    def follow(self, model: Model, now: float, happened: Happened) -> None:
        """Let it happen, and compare; a history that says that it is rough is not compared."""
        for what, step, back, value in happened:
            resumed = max([end for _, end in model.silences if end is not None], default=0.0)
            now = max(now + step, resumed + 0.5)
            if what == "hear":
                # Not at the very moment of a confirmation: whether the value that was confirmed then
                # held for no time, or not at all, is the same to a chart, but not to this test.
                if now - back != resumed:
                    model.hear(now, max(0.0, now - back), value)
            elif what == "silence":
                model.silence(now - back)
            elif what == "resume":
                model.resume(now)
            elif what == "settle":
                model.long.settle()
            elif what == "store":
                model.store(now)
                if not model.silent:
                    model.long.resume(now, None)  # nothing was missed
            else:
                now = max(20.0, now - back)
            model.bound(now)
        model.long.settle()
        end = max(now, model.long.slots.began) + 7
        if model.long.rough is None:
            self.assert_slots(model, end)
            self.assert_segments(model, end)

    def assert_slots(self, model: Model, end: float) -> None:
        width = model.long.slots.width
        said = model.numbers()
        want = naive(said, end, width) if said else {}
        oldest = min(model.long.slots.blocks, default=0) * BLOCK
        want = {n: slot for n, slot in want.items() if n >= oldest}
        got = {int(slot.time) // width: slot for slot in model.long.slots.read(0.0, end)}
        self.assertEqual([*want], [*got])
        for n, slot in got.items():
            self.assertEqual(
                (want[n].low, want[n].high, want[n].last), (slot.low, slot.high, slot.last)
            )
            self.assertTrue(close(slot.known, want[n].known), (slot, want[n]))
            self.assertTrue(close(slot.mean, want[n].mean, 1e3), (slot, want[n]))

    def assert_segments(self, model: Model, end: float) -> None:
        moments = model.moments()
        words = naive_segments(moments, end, lambda value: number_and_word(value)[1])
        self.assertEqual(words, [*model.long.segments[0].read(0.0, end)])
        levels = naive_segments(moments, end, level)
        self.assertEqual(levels, [*model.long.segments[1].read(0.0, end)])

    def test_an_update_that_comes_too_late_makes_the_mean_rough(self) -> None:
        model = Model(600.0, 1)
        for now, time, value in (10.0, 10.0, b"1"), (20.0, 20.0, b"2"), (30.0, 12.0, b"9"):
            model.hear(now, time, value)
        self.assertEqual(12.0, model.long.rough)
        [slot] = model.long.slots.read(12.0, 12.5)
        self.assertEqual((1.0, 9.0, 1.0), (slot.low, slot.high, slot.mean))

    def test_a_time_in_the_future_does_not_end_the_past(self) -> None:
        model = Model(600.0, 1)
        for now, time, value in (10.0, 10.0, b"1"), (20.0, 1e9, b"2"), (30.0, 30.0, b"3"):
            model.hear(now, time, value)
        self.assertIsNone(model.long.rough)
        slots = model.long.slots.read(0.0, 40.0)
        self.assertEqual([10.0, 20.0], [slots[0].time, next(s.time for s in slots if s.high == 2)])
        self.assertEqual((29, 3.0), (len(slots) - 1, slots[-1].last))

    def test_a_time_before_all_slots_makes_none(self) -> None:
        for keep in 1, 10:
            model = Model(600.0, keep)
            for now, time in (100_000.0, 100_000.0), (100_001.0, 1.0), (100_002.0, 100_002.0):
                model.hear(now, time, b"1")
            model.long.settle()
            self.assertLess(len(model.long.slots.blocks), 5)

    def test_a_clock_that_was_set_back(self) -> None:
        for keep in 1, 100:
            model = Model(600.0, keep)
            model.hear(1000.0, 1000.0, b"1")
            model.hear(5000.0, 5000.0, b"7")
            model.long.bound(1100.0)
            for number, (time, value) in enumerate(
                [(1101.0, b"8"), (1102.5, b"9"), (1101.5, b"2")]
            ):
                update = Update("a", 3 + number, Position(5_000_000, 3 + number), time, value)
                model.raw.append(update)
                model.long.drop(model.raw.popleft()) if keep == 1 else None
                model.long.hear(update, model.raw)
            model.long.settle()
            self.assertEqual(1101.5 if keep == 1 else None, model.long.rough)
            slots = {slot.time: slot for slot in model.long.slots.read(900.0, 2000.0)}
            self.assertEqual((2.0, 9.0, 9.0), (slots[1101].low, slots[1102].high, slots[1103].mean))
            self.assertEqual(2000.0, max(slots) + 1)
            levels = [*model.long.segments[1].read(0.0, 2000.0)]
            self.assertEqual((1000.0, 1100.0, "ok"), levels[0])
            self.assertEqual((2000.0, "critical"), levels[-1][1:])

    def test_updates_of_before_a_step_of_the_clock_are_not_read_again(self) -> None:
        model = Model(600.0, 100)
        for time in 990.0, 1000.0, 5000.0:
            model.hear(time, time, b"7")
        self.assertTrue(model.long.covers(900.0))
        model.long.bound(1100.5)
        model.hear(1200.0, 1200.0, b"8")
        self.assertEqual([1200.0], [update.time for update in model.long.since_cut(model.raw)])
        model.store(1201.0)
        self.assertEqual(
            [False, False, True], [model.long.covers(time) for time in (1000.0, 1100.9, 1101.0)]
        )

    def test_late_updates_are_counted_all_at_once(self) -> None:
        model = Model(600.0, 1000)
        model.hear(1000.0, 1000.0, b"1")
        original = LongHistory.replayed
        with patch.object(LongHistory, "replayed", autospec=True) as replayed:
            replayed.side_effect = original
            for number in range(500):
                model.hear(1001.0, 999.0 - number, b"%d" % number)
            model.long.changes()
        self.assertEqual(1, replayed.call_count)
        self.assertEqual(7.0, model.long.slots.read(992.0, 993.0)[0].high)

    def test_updates_far_from_a_late_one_are_not_read_again(self) -> None:
        model = Model(600.0, 1000)
        for second in range(500):
            model.hear(second, second, b"%d" % second)
        model.hear(500.0, 490.5, b"900")
        with patch.object(model.long, "_moment", side_effect=model.long._moment) as read:
            self.assertEqual(501, model.long.unread)
            model.long.settle()
        self.assertEqual((4, 0), (read.call_count, model.long.unread))
        slots = {slot.time: slot for slot in model.long.slots.read(480.0, 492.0)}
        self.assertEqual((490.0, 900.0, 695.0), (slots[490].low, slots[490].high, slots[490].mean))
        self.assertEqual((489.0, 491.0), (slots[489].mean, slots[491].mean))

    def test_the_past_of_an_update_that_is_dropped_is_settled_before(self) -> None:
        model = Model(600.0, 3)
        for now, time, value in (10.0, 10.0, b"1"), (20.0, 20.0, b"2"), (30.0, 5.0, b"9"):
            model.hear(now, time, value)
        for now in 40.0, 41.0, 42.0:
            model.hear(now, now, b"3")
        model.long.settle()
        self.assertEqual([9.0] * 5, [s.mean for s in model.long.slots.read(5.0, 10.0)])

    def test_silence_begins_where_the_stored_history_ends(self) -> None:
        model = Model(600.0, 1)
        model.hear(10.0, 10.0, b"1")
        model.store(15.0)
        model.long.silence(10.0)
        model.long.resume(30.0, b"1")
        self.assertEqual([(15.0, 30.0, "silent")], [*model.long.segments[2].read(0.0, 40.0)])

    def test_another_node_vouches_for_a_silence(self) -> None:
        model = Model(600.0, 1)
        model.hear(10.0, 10.0, b"1")
        model.long.silence(12.0)
        model.long.resume(0.0, b"1")
        self.assertEqual([], [*model.long.segments[2].read(0.0, 40.0)])
        self.assertEqual(30.0, sum(slot.known for slot in model.long.slots.read(0.0, 40.0)))

    def test_a_late_update_ends_a_silence_when_it_is_appended(self) -> None:
        model = Model(600.0, 10)
        model.hear(10.0, 10.0, b"5")
        model.long.silence(12.0)
        model.hear(20.0, 8.0, b"3")
        self.assertEqual([(12.0, 20.0, "silent")], [*model.long.segments[2].read(0.0, 40.0)])
        model.long.settle()
        got = {slot.time: slot.mean for slot in model.long.slots.read(8.0, 22.0)}
        self.assertEqual({8: 3.0, 9: 3.0, 10: 5.0, 11: 5.0, 20: 5.0, 21: 5.0}, got)

    def test_an_update_that_was_stored_is_not_counted_again(self) -> None:
        model = Model(600.0, 10)
        model.hear(10.0, 10.0, b"1")
        model.hear(11.5, 11.5, b"9")
        model.store(12.0)
        for update in model.raw:
            model.long.hear(update, model.raw)
        [slot] = model.long.slots.read(11.0, 12.0)
        self.assertEqual((1.0, 9.0, 5.0), (slot.low, slot.high, slot.mean))

    def test_other_limits_begin_another_level(self) -> None:
        long = Model(600.0, 1).long
        long.hear(Update("a", 1, Position(10_000, 1), 10.0, b"4"), ())
        long._level = lambda value: "warn"
        long.judge_level(15.0, b"3")  # another value is newer by time
        long.judge_level(20.0, b"4")
        self.assertEqual(
            [(10.0, 20.0, "ok"), (20.0, 30.0, "warn")], [*long.segments[1].read(0.0, 30.0)]
        )
        long.silence(25.0)
        long._level = lambda value: "ok"
        long.judge_level(27.0, b"4")
        long.resume(28.0, b"4")
        self.assertEqual((28.0, 30.0, "ok"), [*long.segments[1].read(0.0, 30.0)][-1])

    def test_what_another_node_may_not_have_stored_is_kept_for_a_while(self) -> None:
        model = Model(24_000.0, 1)
        for time in 10.0, 1000.0, 2000.0, 3000.0:
            model.hear(time, time, b"1")
        for _ in range(LEFT):
            self.assertEqual({*model.long.slots.blocks}, model.long.stored)
            model.long.leave_changes()
        self.assertEqual({HEAD, *model.long.slots.blocks}, {*model.long.changes()})
        model.hear(3001.0, 3001.0, b"2")
        for _ in range(LEFT + 1):
            model.long.leave_changes()
        self.assertEqual({HEAD}, {*model.long.changes()})

    def test_what_no_history_can_say_is_refused(self) -> None:
        model = Model(600.0, 1)
        model.hear(10.0, 10.0, b"1")
        head = model.long.changes()[HEAD] or b""
        for blocks in (
            {},
            {HEAD: b"[]"},
            {HEAD: head, 0: b"1"},
            {HEAD: head.replace(b"1,", b"2,", 1)},
        ):
            self.assertRaises(ValueError, LongHistory(600.0, level).load, blocks, 0.0)

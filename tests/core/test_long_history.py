"""Long history: it is what a naive computation over all updates gives, in whatever order they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.long_history import HEAD, LongHistory
from streamd.core.slots import BLOCK
from streamd.core.update import Position, Update
from streamd.core.values import number_and_word
from tests.core.test_slots import close, naive

VALUES = st.sampled_from(
    [b"null", b'"up"', b'"down"', b"true", b"-3", b"0", b"7.25", b"[1]", b"1e400"]
)
STEPS = st.one_of(st.just(0.0), st.just(1.0), st.floats(0, 60))
BACK = st.one_of(st.just(0.0), st.just(0.0), st.floats(0, 5), st.floats(0, 100))
HEARD = st.tuples(st.just("hear"), STEPS, BACK, VALUES)
SILENT = st.tuples(st.just("silence"), STEPS, st.floats(0, 10), st.none())
RESUMED = st.tuples(st.just("resume"), STEPS, st.none(), st.none())
STORED = st.tuples(st.just("store"), STEPS, st.none(), st.none())
HAPPENED = st.lists(st.one_of(HEARD, HEARD, SILENT, RESUMED, STORED), min_size=1, max_size=20)


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
        self.updates: list[Update] = []
        self.stored: dict[int, bytes] = {}
        self.silences: list[list[float | None]] = []
        self.until = 0.0  # up to when the newest value held when this was stored

    @property
    def silent(self) -> bool:
        return bool(self.silences) and self.silences[-1][1] is None

    def hear(self, now: float, time: float, value: bytes) -> None:
        seq = len(self.updates) + 1
        update = Update("a", seq, Position(int(now * 1000), seq), time, value)
        newest = self.long.slots.began
        self.raw.append(update)
        while len(self.raw) > self.keep:
            self.long.drop(self.raw.popleft())
        self.long.hear(update, self.raw)
        self.updates.append(update)
        if self.silent and time >= newest:
            self.silences[-1][1] = time
        self.until = 0.0
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
        self.until = 0.0
        if not self.silent or not self.updates:
            return
        begin = self.silences[-1][0]
        assert begin is not None
        time = max(now, begin, self.long.slots.began) + 0.25
        self.long.resume(time, max(self.updates, key=lambda u: (u.time, u.seq)).value)
        self.silences[-1][1] = time

    def store(self, until: float) -> None:
        """Continue with what a journal stored."""
        self.until = until
        for number, data in self.long.changes().items():
            if data is None:
                del self.stored[number]
            else:
                self.stored[number] = data
        self.long = LongHistory(self.seconds, level)
        if self.stored:
            self.long.load(self.stored, until)

    def moments(self) -> list[tuple[float, bytes | None]]:
        """When which value began, in the order of time; None while it was not known."""
        at: list[tuple[float, int, bytes | None]] = [(u.time, 0, u.value) for u in self.updates]
        at += [(begin or 0.0, 1, None) for begin, end in self.silences if begin != end]
        at += [(end, -1, None) for begin, end in self.silences if end is not None and begin != end]
        held: bytes | None = None
        found: list[tuple[float, bytes | None]] = []
        times = {u.time for u in self.updates}
        for time, kind, value in sorted(at, key=lambda moment: moment[:2]):
            if kind == 0:
                held = value
                found.append((time, value))
            elif kind == 1:
                found.append((time, None))
            elif time not in times:
                found.append((time, held))
        return found


class LongHistoryTests(SynchronousTestCase):
    @settings(max_examples=400)
    @given(
        st.sampled_from([600.0, 24_000.0, 120_000.0]), st.sampled_from([1, 3, 10, 100]), HAPPENED
    )
    def test_equals_a_naive_computation(
        self, seconds: float, keep: int, happened: Sequence[tuple[str, float, float, bytes]]
    ) -> None:
        model, now = Model(seconds, keep), 20.0
        for what, step, back, value in happened:
            resumed = max([end for _, end in model.silences if end is not None], default=0.0)
            now = max(now + step, resumed + 0.5)
            if what == "hear":
                model.hear(now, max(0.0, now - back), value)
            elif what == "silence":
                model.silence(now - back)
            elif what == "resume":
                model.resume(now)
            else:
                model.store(now)
                if not model.silent:
                    model.long.resume(now, None)  # nothing was missed
                    model.until = 0.0
        model.long.settle()
        end = max(now, model.long.slots.began) + 7
        if model.long.rough is None:
            self.assert_slots(model, end)
            self.assert_segments(model, end)

    def assert_slots(self, model: Model, end: float) -> None:
        width = model.long.slots.width
        said = [(time, number_and_word(value)[0]) for time, value in model.moments()]
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
        words: list[tuple[float, float, str]] = []
        levels: list[tuple[float, float, str]] = []
        moments = model.moments()
        for (begin, value), (stop, _) in pairwise([*moments, (end, None)]):
            for found, word in (
                (words, number_and_word(value)[1]),
                (levels, level(value) if value else None),
            ):
                if word is None or begin == stop:
                    continue
                if found and found[-1][1:] == (begin, word):
                    found[-1] = found[-1][0], stop, word
                else:
                    found.append((begin, stop, word))
        self.assertEqual(words, [*model.long.segments[0].read(0.0, end)])
        self.assertEqual(levels, [*model.long.segments[1].read(0.0, end)])

    def test_an_update_that_comes_too_late_is_said(self) -> None:
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
        slots = [*model.long.slots.read(0.0, 40.0)]
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
                update = Update("a", 3 + number, Position(5_000_000, 1 + number), time, value)
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
        self.assertEqual(7.0, next(model.long.slots.read(992.0, 993.0)).high)

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

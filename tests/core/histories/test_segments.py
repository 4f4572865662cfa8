"""Segments: what they say of each moment is what was heard."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.histories.segments import MOST, SEGMENT_BYTES, WORD_LENGTH, Segments

HEARD = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([None, "up", "down"])), max_size=20)

Heard = Sequence[tuple[int, str | None]]


def spoken(heard: Heard) -> tuple[Segments, dict[int, str | None], int]:
    """The segments, the word that holds from each whole second on, and the end."""
    segments, time, word = Segments(), 0, None
    words: dict[int, str | None] = {}
    for step, new in heard:
        for second in range(time, time + step):
            words[second] = word
        time, word = time + step, new
        segments.hear(time, word)
    words[time] = word
    return segments, words, time + 1


def at(segments: Segments, end: int) -> dict[int, str | None]:
    """The word of each whole second."""
    found: dict[int, str | None] = dict.fromkeys(range(end))
    for begin, stop, word in segments.read(0, end):
        for second in range(int(begin), int(stop)):
            found[second] = word
    return found


class SegmentsTests(SynchronousTestCase):
    @given(HEARD)
    def test_each_moment_has_the_word_that_was_heard(self, heard: Heard) -> None:
        segments, words, end = spoken(heard)
        self.assertEqual(words, at(segments, end))
        times = [time for time, _ in segments.changes]
        self.assertEqual(sorted(set(times)), times)

    @given(HEARD, HEARD, st.integers(0, 40))
    def test_what_is_replaced_is_that_of_the_other(
        self, one: Heard, other: Heard, time: int
    ) -> None:
        segments, words, end = spoken(one)
        others, other_words, other_end = spoken(other)
        segments.replace(time, others)
        found = at(segments, max(end, other_end))
        for second, word in found.items():
            if second < time and second in words:
                self.assertEqual(words[second], word)
            elif second >= time and second in other_words:
                self.assertEqual(other_words[second], word)

    @given(HEARD, HEARD, st.integers(0, 40), st.integers(1, 20))
    def test_a_stretch_is_replaced_and_what_is_later_stays(
        self, one: Heard, other: Heard, begin: int, length: int
    ) -> None:
        segments, words, end = spoken(one)
        others, other_words, other_end = spoken(other)
        segments.replace(begin, others, begin + length)
        found = at(segments, max(end, other_end))
        for second, word in found.items():
            is_other = begin <= second < begin + length
            if second in (other_words if is_other else words):
                self.assertEqual((other_words if is_other else words)[second], word)
        times = [time for time, _ in segments.changes]
        self.assertEqual(sorted(set(times)), times)

    def test_a_period_cuts_the_segments_at_its_ends(self) -> None:
        segments, _, _ = spoken([(1, "up"), (3, "down")])
        self.assertEqual([(2, 4, "up"), (4, 9, "down")], [*segments.read(2, 9)])
        self.assertEqual([], [*segments.read(0, 1)])

    def test_the_oldest_are_dropped(self) -> None:
        segments = Segments()
        for time in range(MOST + 7):
            segments.hear(time, str(time))
        self.assertEqual(MOST, len(segments.changes))
        self.assertEqual((7, "7"), segments.changes[0])
        self.assertEqual(MOST * SEGMENT_BYTES, segments.size)

    def test_long_words_are_cut(self) -> None:
        segments = Segments()
        segments.hear(0, "x" * 1000)
        segments.hear(1, "x" * 2000)
        self.assertEqual([(0, "x" * WORD_LENGTH)], segments.changes)

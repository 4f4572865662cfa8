"""When updates were appended, on a clock that nobody sets."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.timeline import PRECISION, Timeline
from streamd.core.update import ORIGIN, Position


class TimelineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.timeline = Timeline()

    def note(self, elapsed: float) -> None:
        self.timeline.note(elapsed, Position(int(elapsed), 0))

    def test_nothing_is_older_than_the_first_note(self) -> None:
        self.assertEqual(ORIGIN, self.timeline.before(10))
        self.note(5)
        self.assertEqual(ORIGIN, self.timeline.before(5))
        self.assertEqual(Position(5, 0), self.timeline.before(5.1))

    def test_the_newest_note_before_a_time(self) -> None:
        for elapsed in (1, 2, 4):
            self.note(elapsed)
        found = [self.timeline.before(time).ms for time in (1, 1.5, 2.5, 4, 100)]
        self.assertEqual([0, 1, 2, 2, 4], found)

    def test_a_log_that_stands_still_needs_no_notes(self) -> None:
        for elapsed in range(100):
            self.timeline.note(float(elapsed), Position(1, 0))
        self.assertEqual(1, len(self.timeline._times))

    def test_ages_stay_precise_and_notes_few(self) -> None:
        day = 24 * 3600
        for elapsed in range(day):
            self.note(elapsed)
        for age in (1, 60, 600, 3600, day // 2, day - 400):
            wanted, found = day - age, self.timeline.before(day - age).ms
            self.assertLess(found, wanted)
            self.assertLess(wanted - found, 2 + 2 * age / PRECISION)
        self.assertLess(len(self.timeline._times), 8000)

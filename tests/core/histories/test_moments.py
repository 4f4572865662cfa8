"""Moments: their order, and the silences among them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.histories.moments import SILENT, Moment, silence, since, with_silences


def said(time: float, number: float) -> Moment:
    return Moment(time, number, (None, None, None))


ONE, TWO, THREE = said(1.0, 1.0), said(2.0, 2.0), said(3.0, 3.0)


class MomentsTests(SynchronousTestCase):
    def test_a_silence_ends_with_the_value_that_held_before(self) -> None:
        found = [*with_silences([ONE, THREE], [(1.5, SILENT), (2.5, None)])]
        self.assertEqual([ONE, silence(1.5), said(2.5, 1.0), THREE], found)

    def test_an_update_that_ends_a_silence_is_not_preceded_by_the_old_value(self) -> None:
        found = [*with_silences([ONE, THREE], [(1.5, SILENT), (3.0, None)])]
        self.assertEqual([ONE, silence(1.5), THREE], found)

    def test_a_silence_begins_after_an_update_of_the_same_time(self) -> None:
        self.assertEqual([ONE, silence(1.0)], [*with_silences([ONE], [(1.0, SILENT)])])

    def test_an_update_within_a_silence_holds_for_no_time(self) -> None:
        found = [*with_silences([ONE, TWO], [(1.5, SILENT), (2.5, None)])]
        self.assertEqual([ONE, silence(1.5), TWO, silence(2.0), said(2.5, 2.0)], found)

    def test_what_holds_at_a_time_is_the_last_moment_before(self) -> None:
        moments = [ONE, TWO, THREE]
        self.assertEqual([TWO, THREE], [*since(2.5, moments)])
        self.assertEqual([TWO, THREE], [*since(2.0, [TWO, THREE])])
        self.assertEqual([THREE], [*since(9.0, moments)])
        self.assertEqual([], [*since(9.0, [])])

    def test_what_a_moment_says_is_its_number_and_its_word(self) -> None:
        up, down = Moment(1.0, None, ("up", None, None)), Moment(2.0, None, ("down", None, None))
        self.assertTrue(up.says_as(Moment(5.0, None, ("up", "warn", None))))
        self.assertFalse(up.says_as(down) or ONE.says_as(TWO))

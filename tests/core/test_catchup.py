"""What a viewer is told from its cursor on, and whether it resumes there."""

from __future__ import annotations

from msgspec.structs import replace

from streamd.core import catchup
from streamd.core.catchup import Missed
from streamd.core.cursor import Cursor
from streamd.core.description import Description, Keep
from streamd.core.selection import Selection
from streamd.core.update import LIFE_UNIT, ORIGIN, Position, Update
from tests.core.test_state import StateTestCase, forget


class SinceTests(StateTestCase):
    def test_live_and_long_away(self) -> None:
        start = Cursor(self.publish("a", 1), 0)
        self.publish("b", 2)
        self.publish("a", 3)
        self.publish("a", 4)
        self.assertEqual([("b", 2), ("a", 3), ("a", 4)], self.told(start))
        self.assertEqual([("b", 2), ("a", 4)], self.told(start, newest=True))
        self.assertEqual([], self.told(Cursor(self.state.head, 0)))

    def test_the_first_answer_has_as_much_history_as_was_asked_for(self) -> None:
        for number in range(5):
            self.publish("a", number)
        self.publish("b", 7)
        self.assertEqual([("a", 4), ("b", 7)], self.told(catchup.start(self.state)))
        self.assertEqual([("a", 3), ("a", 4), ("b", 7)], self.told(catchup.start(self.state, 2)))
        self.assertEqual(6, len(self.told(catchup.start(self.state, 100))))

    def test_what_comes_while_the_first_answer_is_sent_is_sent_too(self) -> None:
        self.publish("a", 1)
        self.publish("a", 2)
        mark, two = catchup.start(self.state), catchup.start(self.state, 2)
        self.publish("a", 3)
        self.publish("a", 4)
        self.assertEqual([("a", 2)], self.told(mark))
        answer = catchup.since(self.state, mark, Selection())
        self.assertTrue(answer.more)
        self.assertEqual([("a", 3), ("a", 4)], self.told(replace(mark, at=answer.at)))
        self.assertEqual([("a", 1), ("a", 2), ("a", 3), ("a", 4)], self.told(two))

    def test_a_viewer_far_behind_catches_up_in_steps(self) -> None:
        self.patch(catchup, "MANY_MISSED", 3)
        cursor = Cursor(self.publish("a", 0), self.state.revision)
        for number in range(1, 11):
            self.publish("a" if number == 9 else "b", number)
        told: list[Update] = []
        steps = 0
        while (answer := catchup.since(self.state, cursor, Selection(["a"]))).more:
            self.assertLessEqual(len(answer.updates), 3)
            told += answer.updates
            cursor, steps = Cursor(answer.at, answer.revision), steps + 1
        told += answer.updates
        self.assertEqual(["a"], [update.stream for update in told])
        self.assertEqual(3, steps)

    def test_an_answer_continues_where_nothing_is_wanted_of_very_much(self) -> None:
        self.patch(catchup, "MANY_LOOKS", 3)
        for number in range(10):
            self.publish("a", number)
        self.publish("b", 1)
        mark, looks = catchup.resume(self.state, ORIGIN), 0
        while (answer := catchup.since(self.state, mark, Selection(["b"]))).more:
            self.assertEqual([], list(answer.updates))
            mark = replace(mark, at=answer.at)
            looks += 1
        self.assertEqual((3, 1), (looks, len(answer.updates)))

    def test_few_streams_of_many_updates_are_picked_as_all_others_are(self) -> None:
        for number in range(60):
            self.publish(f"s{number % 40}", number)
        roster = self.state.roster
        for newest in (True, False):
            missed = Missed(self.state, Cursor(Position(1, 0), 0), newest)
            for wanted in ([7], [7, 39, 0], range(0, 40, 2), range(39), []):
                bits = roster.bits_of(roster.numbers[f"s{number}"] for number in wanted)
                names = {f"s{number}" for number in wanted}
                places = [i for i, u in enumerate(missed.updates) if u.stream in names]
                self.assertEqual(places, list(missed.pick(bits)))

    def test_what_was_known_goes_on_and_what_is_new_begins(self) -> None:
        self.publish("a", 1)
        cursor = self.publish("b", 1)
        self.publish("b", 2)
        self.publish("a", 2)
        known = Selection(["a"])
        mark = catchup.resume(self.state, cursor, known)
        self.assertEqual([("b", 2), ("a", 2)], self.told(mark))
        self.assertEqual(
            [("b", 1), ("b", 2), ("a", 2)], self.told(catchup.resume(self.state, cursor, known, 2))
        )

    def test_asking_changes_nothing(self) -> None:
        self.publish("a", 1)
        mark = catchup.start(self.state)
        self.assertEqual(self.told(mark), self.told(mark))


class ResumeTests(StateTestCase):
    def test_a_cursor_from_a_node_that_is_further(self) -> None:
        head = self.publish("a")
        ahead = Position(head.ms + 5, head.n)
        self.assertFalse(self.resumes(ahead))
        self.state.shared = True
        self.assertTrue(self.resumes(ahead))
        self.assertFalse(catchup.resumes(self.state, ahead, Selection(), Selection(["a"])))
        self.assertFalse(self.resumes(Position(ahead.ms, ahead.n + LIFE_UNIT)))
        mark = catchup.resume(self.state, ahead)
        for newest in (False, True):
            answer = catchup.since(self.state, mark, Selection(), newest)
            self.assertEqual(([], ahead, False), (list(answer.updates), answer.at, answer.more))
        told, new = (
            Update("a", seq, Position(ahead.ms + seq - 2, head.n), 1.0, b"1") for seq in (2, 3)
        )
        self.state.apply([told, new], self.now())
        for newest in (False, True):
            answer = catchup.since(self.state, mark, Selection(), newest)
            self.assertEqual(([new], new.at), (list(answer.updates), answer.at))

    def resumes(self, cursor: Position, *names: str) -> bool:
        return catchup.resumes(self.state, cursor, Selection(names or None))

    def test_the_head_and_the_origin(self) -> None:
        self.assertTrue(self.resumes(ORIGIN))
        self.assertTrue(self.resumes(self.publish("a")))
        self.assertTrue(self.resumes(ORIGIN))

    def test_foreign_and_future_cursors(self) -> None:
        at = self.publish("a")
        ms, n = at.ms, at.n
        self.assertFalse(self.resumes(Position(ms, n - LIFE_UNIT)))
        self.assertFalse(self.resumes(Position(ms - 1, 0)))
        self.assertFalse(self.resumes(Position(ms, n + 1)))
        self.assertFalse(self.resumes(Position(ms + 10**9, n)))

    def test_a_loss_counts_only_for_viewers_that_select_it(self) -> None:
        self.make({"a": Description(keep=Keep(2))})
        cursor = self.publish("a", 1)
        self.publish("b", 1)
        self.publish("a", 2, times=2)
        self.assertTrue(self.resumes(cursor, "a"))
        self.publish("a", 3)
        self.assertFalse(self.resumes(cursor, "a"))
        self.assertFalse(self.resumes(cursor))
        self.assertTrue(self.resumes(cursor, "b"))
        self.assertTrue(self.resumes(cursor, "new.*"))

    def test_forgetting_is_a_loss(self) -> None:
        cursor = self.publish("a")
        self.publish("b")
        after = self.publish("a", forget)
        self.assertFalse(self.resumes(cursor, "a"))
        self.assertTrue(self.resumes(cursor, "b"))
        self.assertTrue(self.resumes(after, "a"))
        self.publish("a")
        self.assertFalse(self.resumes(cursor, "a"))
        self.assertTrue(self.resumes(after, "a"))

    def test_where_tombstones_are_gone_no_cursor_is_believed(self) -> None:
        self.make(max_streams=2)
        cursor = self.publish("a")
        for name in ("x", "y", "z"):
            self.publish(name)
            after = self.publish(name, forget)
        self.assertEqual(2, len(self.state.kept.tombs))
        self.assertFalse(self.resumes(cursor, "a"))
        self.assertTrue(self.resumes(after, "a"))


class ProofsTests(StateTestCase):
    def test_names_that_changed_hands_meanwhile_are_left_out(self) -> None:
        """A tick is told in slices: by then the number of a stream may be an entry's."""
        self.publish("a", 1)
        shop = self.state.sources.record("shop", None)
        self.state.sources.fail(shop, "no answer", self.now())
        roster = self.state.roster
        bits = roster.bits_of([roster.numbers["a"], roster.numbers["shop"]])
        self.assertEqual({"a"}, catchup.proofs(self.state, bits, self.state.head).keys())

    def test_a_value_that_was_followed_is_proved_up_to_what_viewers_have(self) -> None:
        until = self.publish("a", 1)
        self.daemon.clock.advance(1)
        self.publish("a", 2)
        bits, seconds = self.state.roster.matches(Selection()).bits, until.ms / 1000
        self.assertEqual({"a": seconds}, catchup.proofs(self.state, bits, until, seconds - 1))
        self.assertEqual({}, catchup.proofs(self.state, bits, until, seconds))

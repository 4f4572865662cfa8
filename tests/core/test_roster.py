"""Which streams a selection matches: found once for each name, in slices, in bounded memory."""

from __future__ import annotations

import gc
import random
from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.roster import CHUNK, REMEMBERED, SLICE, Roster
from streamd.core.selection import Selection


class Counting(Selection):
    """Counts the names that it is asked for."""

    asked = 0

    def __contains__(self, name: str) -> bool:
        self.asked += 1
        return super().__contains__(name)


def selected(roster: Roster, selection: Selection) -> list[str]:
    return sorted(roster.select(roster.matches(selection).bits))


class RosterTests(SynchronousTestCase):
    def test_a_number_that_another_name_gets_is_not_of_the_old_selection(self) -> None:
        roster = self.roster(*(f"open.{number}" for number in range(3 * CHUNK)))
        found = roster.select(roster.matches(Selection(["open.*"])).bits)
        self.assertEqual("open.0", next(found))
        for name in ("open.1", f"open.{2 * CHUNK}", f"open.{2 * CHUNK + 1}"):
            roster.discard(name)
        for name in ("secret", "hidden", "open.new"):
            roster.add(name)
        rest = set(found)
        self.assertLess({f"open.{CHUNK}", f"open.{3 * CHUNK - 1}"}, rest)
        self.assertEqual(set(), {"secret", "hidden"} & rest)

    def roster(self, *names: str) -> Roster:
        roster = Roster()
        for name in names:
            roster.add(name)
        return roster

    @given(st.integers(0, 2**32))
    def test_names_come_and_go(self, seed: int) -> None:
        rng = random.Random(seed)
        roster, names = Roster(), set[str]()
        patterns = [["*"], ["a*"], ["*1"], ["a1", "b2"], ["?1", "b*"], []]
        held = [roster.matches(Selection(p)) for p in patterns]
        for _ in range(rng.choice((20, 1500))):
            name = f"{rng.choice('abc')}{rng.randrange(40)}"
            if name in names:
                names.discard(name)
                roster.discard(name)
            else:
                names.add(name)
                roster.add(name)
            if rng.random() < 0.1:
                number = rng.randrange(len(patterns))
                wanted = sorted(
                    n for n in names if any(fnmatchcase(n, p) for p in patterns[number])
                )
                self.assertEqual(wanted, sorted(roster.select(held[number].bits)))
        self.assertLessEqual(len(roster.news), 2 * len(roster.names) + CHUNK)
        self.assertLessEqual(len(roster.names), 120)

    def test_a_name_is_matched_once(self) -> None:
        roster = self.roster("a1", "b1", "a2")
        selection = Counting(["a*"])
        matches = roster.matches(selection)
        for _ in range(10):
            self.assertEqual(["a1", "a2"], sorted(roster.select(matches.bits)))
        self.assertEqual(3, selection.asked)
        roster.add("a3")
        self.assertEqual(["a1", "a2", "a3"], selected(roster, Selection(["a*"])))
        self.assertEqual(4, selection.asked)

    def test_names_alone_are_not_searched_for(self) -> None:
        roster = self.roster(*(f"s{number}" for number in range(1000)))
        selection = Counting(["s1", "s999", "unknown"])
        matches = roster.matches(selection)
        self.assertEqual(["s1", "s999"], sorted(roster.select(matches.bits)))
        self.assertEqual(0, selection.asked)

    def test_equal_selections_share_their_matches(self) -> None:
        roster = self.roster("a")
        self.assertIs(
            roster.matches(Selection(["a*", "b"])), roster.matches(Selection(["b", "a*"]))
        )

    def test_many_names_are_matched_in_slices(self) -> None:
        roster = self.roster(*(f"s{number}" for number in range(2 * SLICE)))
        selection = Counting(["s*1", "*2*", "*3*"])
        matches = roster.matches(selection)
        turns = 1
        while not matches.advance():
            turns += 1
            self.assertLessEqual(selection.asked, turns * SLICE / 6)
        self.assertGreaterEqual(turns, 10)
        self.assertTrue(all(n in selection for n in roster.select(matches.bits)))

    def test_a_selection_of_everything_waits_for_nothing(self) -> None:
        roster = self.roster(*(f"s{number}" for number in range(2 * SLICE)))
        self.assertTrue(roster.matches(Selection()).advance())

    def test_unused_selections_are_forgotten(self) -> None:
        roster = self.roster("a")
        held = roster.matches(Selection(["held"]))
        for number in range(10 * REMEMBERED):
            roster.matches(Selection([f"s{number}"]))
        gc.collect()
        self.assertLessEqual(len(roster._matches), REMEMBERED + 1)
        self.assertIs(held, roster.matches(Selection(["held"])))

    def test_a_name_that_comes_meanwhile_is_not_among_those_that_there_were(self) -> None:
        roster = self.roster("a", "b")
        names = roster.select(roster.matches(Selection()).bits)
        self.assertEqual("a", next(names))
        roster.add("c")
        self.assertEqual(["b"], list(names))

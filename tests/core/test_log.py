"""streamd/core/log.py: what a cursor points into."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from streamd.core import log
from streamd.core.log import Log
from streamd.core.update import ORIGIN, Position, Update


def update(ms: int) -> Update:
    return Update("a", ms, Position(ms, 0), ms, b"1")


class LogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.log = Log()
        self.patch(log, "FEW", 4)

    def test_what_happened_after_a_position_in_order(self) -> None:
        for ms in range(1, 20):
            self.log.extend([update(ms)])
        self.assertEqual([*range(1, 20)], [u.seq for u in self.log.after(ORIGIN)])
        self.assertEqual([*range(8, 20)], [u.seq for u in self.log.after(Position(7, 0))])
        self.assertEqual([*range(8, 20)], [u.seq for u in self.log.after(Position(7, 5))])
        self.assertEqual([], [*self.log.after(Position(19, 0))])

    def test_what_is_dropped_is_gone_and_its_memory_too(self) -> None:
        chance = random.Random(7)
        kept: list[Update] = []
        for ms in range(1, 3000):
            self.log.extend([update(ms)])
            kept.append(update(ms))
            while len(kept) > 50:
                self.log.drop([kept.pop(chance.randrange(len(kept)))])
            self.assertLessEqual(len(self.log._updates), 2 * len(kept) + 5)
        self.assertEqual(kept, [*self.log.after(ORIGIN)])
        self.assertEqual(len(kept), len(self.log))

    def test_updates_that_are_dropped_in_turn_need_no_search(self) -> None:
        for ms in range(1, 20):
            self.log.extend([update(ms)])
        self.patch(log, "bisect_left", None)
        for kept in [*self.log.after(ORIGIN)][:4]:
            self.log.drop([kept])
        self.log.drop([*self.log.after(ORIGIN)][:5])
        self.assertEqual([*range(10, 20)], [u.seq for u in self.log.after(ORIGIN)])

    def test_a_drop_of_several_updates_returns_the_newest_position(self) -> None:
        updates = [update(ms) for ms in range(1, 20)]
        self.log.extend(updates)
        self.assertEqual(Position(3, 0), self.log.drop(updates[:3]))
        self.assertEqual(Position(17, 0), self.log.drop([updates[16], updates[4], updates[9]]))
        rest = [*self.log.after(ORIGIN)]
        self.assertEqual(13, len(rest))
        self.assertEqual(Position(19, 0), self.log.drop(rest))
        self.assertEqual(0, len(self.log))

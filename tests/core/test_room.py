"""Room for updates: what waits for the journal counts as if it were applied."""

from __future__ import annotations

import random
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.description import Description
from streamd.core.errors import Refused
from streamd.core.retention import UPDATE_BYTES
from streamd.core.room import Reservation
from streamd.core.update import Draft
from tests.support.fakes import Daemonette


def drafts(*names: str, value: bytes | None = b"1") -> list[Draft]:
    return [Draft(name, value) for name in names]


class RoomTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.make()

    def make(
        self, configured: Sequence[str] = (), max_streams: int = 4, max_state: int = 10**6
    ) -> None:
        descriptions = dict.fromkeys(configured, Description())
        self.daemon = Daemonette(descriptions, max_streams=max_streams, max_state=max_state)
        self.room = self.daemon.state.room

    def reserve(self, *names: str) -> Reservation:
        return self.room.reserve(drafts(*names))

    def refusal(self, *names: str, value: bytes | None = b"1") -> str:
        refused: Refused = self.assertRaises(
            Refused, self.room.reserve, drafts(*names, value=value)
        )
        self.assertEqual(429, refused.status)
        return refused.code

    def test_waiting_appends_count(self) -> None:
        self.reserve("a", "b", "c")
        self.assertEqual("too-many-streams", self.refusal("d", "e"))
        self.reserve("d")

    def test_released_room_does_not_count(self) -> None:
        held = self.reserve("a", "b", "c")
        self.room.release(held)
        self.reserve("d", "e", "f", "g")

    def test_several_that_make_the_same_stream(self) -> None:
        self.reserve("a", "b", "c", "d")
        again = [self.reserve("a", "b", "c", "d") for _ in range(3)]
        self.assertEqual("too-many-streams", self.refusal("e"))
        for held in again:
            self.room.release(held)
        self.assertEqual("too-many-streams", self.refusal("e"))

    def test_updates_of_streams_that_are_there_make_none(self) -> None:
        self.daemon.journal.append(drafts("a", "b", "c"))
        for _ in range(10):
            self.reserve("a", "b", "c")
        self.reserve("d")
        self.assertEqual("too-many-streams", self.refusal("e"))

    def test_applied_and_given_back(self) -> None:
        for names in (("a", "b"), ("c", "d"), ("a", "d")):
            held = self.reserve(*names)
            self.daemon.journal.append(held.drafts)
            self.room.release(held)
        self.assertEqual("too-many-streams", self.refusal("e"))

    def test_configured_streams_that_are_forgotten_make_no_room(self) -> None:
        self.make(["c"], max_streams=2)
        self.daemon.journal.append(drafts("a", "c"))
        swap = [Draft("c", None), Draft("d", b"1")]
        self.assertRaises(Refused, self.room.reserve, swap)
        self.room.reserve([Draft("a", None), Draft("d", b"1")])

    def test_bytes_that_wait_count(self) -> None:
        self.make(max_state=3 * (UPDATE_BYTES + 1))
        self.reserve("a", "b")
        self.assertEqual("state-full", self.refusal("c", value=b"12"))
        self.reserve("c")

    def test_an_append_that_makes_the_state_smaller_is_always_allowed(self) -> None:
        self.make(max_state=2 * (UPDATE_BYTES + 1))
        self.daemon.append_elsewhere(drafts("a", "b", "c", value=b"123"))
        self.room.reserve(drafts("a"))
        self.assertEqual("state-full", self.refusal("a", value=b"1234"))

    def test_all_that_was_reserved_can_be_given_back_in_any_order(self) -> None:
        rng = random.Random(7)
        held: list[Reservation] = []
        for _ in range(2000):
            if held and rng.random() < 0.5:
                one = held.pop(rng.randrange(len(held)))
                if rng.random() < 0.5:
                    self.daemon.append_elsewhere(one.drafts)
                self.room.release(one)
                continue
            names = rng.choices("abcdefgh", k=rng.randrange(1, 4))
            value = rng.choice((None, b"1", b"2" * 50))
            try:
                held.append(self.room.reserve(drafts(*names, value=value)))
            except Refused:
                continue
        self.assertLessEqual(len(self.daemon.state), 4)
        for one in held:
            self.room.release(one)
        self.assertEqual((0, 0), (self.room._size, self.room._loose_drafts))
        self.assertEqual((0, 0), (len(self.room._new), len(self.room._loose)))

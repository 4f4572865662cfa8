"""Who gets a seat when there are few, and whose seat is kept."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.hub.seats import KEPT_FOR, MAX_KEPT, Seat, Seats


class SeatsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.seats = Seats(self.clock, 10)

    def come(self, client: str, count: int = 1) -> list[Seat]:
        """So many viewers come from an address; Refused if one is not let in."""
        seats = []
        for _ in range(count):
            seats.append(self.seats.offer(client))
            self.seats.take(seats[-1])
        return seats

    def refusal(self, client: str) -> str:
        refused = self.assertRaises(Refused, self.come, client)
        self.assertEqual(503, refused.status)
        return str(refused.code)

    def test_one_address_does_not_get_all(self) -> None:
        self.come("hostile", 8)
        self.assertEqual("too-much-for-one-client", self.refusal("hostile"))
        self.come("a")
        self.come("b")
        self.assertEqual("too-many-viewers", self.refusal("c"))

    def test_viewers_that_poll_have_a_seat_and_no_link(self) -> None:
        links = self.seats.links
        self.come("a", 2)
        polls = self.seats.offer("a", linked=False)
        self.seats.take(polls)
        self.assertEqual((2, 2, 0), (len(links), links.of("a"), links.of("b")))
        self.seats.leave(polls)
        self.assertEqual(2, len(links))
        linked = polls._replace(linked=True)
        self.seats.take(linked)
        self.assertEqual((3, 3), (len(links), links.of("a")))
        self.seats.leave(linked)
        self.assertEqual(2, len(links))

    def test_no_seat_while_too_much_is_unread(self) -> None:
        [seat] = self.come("screen")
        self.come("hostile")
        self.seats.unread.take("hostile", self.seats.unread.each)
        self.assertEqual("too-much-for-one-client", self.refusal("hostile"))
        self.come("b")
        self.seats.unread.take("worse", self.seats.unread.total - self.seats.unread.used)
        self.assertEqual("busy", self.refusal("c"))
        self.seats.leave(seat)
        self.come("screen")  # it was there before

    def test_a_seat_that_is_free_again(self) -> None:
        [seat, *_] = self.come("a", 8)
        self.seats.leave(seat)
        self.come("a")
        self.assertEqual("too-much-for-one-client", self.refusal("a"))

    def test_a_viewer_that_comes_back_is_let_in_before_strangers(self) -> None:
        [screen] = self.come("screen")
        self.come("hostile", 8)
        self.clock.advance(1)
        self.seats.leave(screen)
        self.come("accomplice")
        self.assertEqual("too-many-viewers", self.refusal("accomplice"))
        self.come("screen")
        self.assertEqual("too-many-viewers", self.refusal("screen"))

    def test_a_seat_is_not_kept_for_ever(self) -> None:
        [screen] = self.come("screen")
        self.come("hostile", 8)
        self.seats.leave(screen)
        self.clock.advance(KEPT_FOR)
        self.come("accomplice", 2)
        self.assertEqual("too-many-viewers", self.refusal("screen"))

    def test_each_seat_is_kept_for_its_own_time(self) -> None:
        for client in ("first", "second"):
            [seat] = self.come(client)
            self.seats.leave(seat)
            self.clock.advance(KEPT_FOR / 2)
        self.come("hostile", 8)
        self.come("stranger")
        self.assertEqual("too-many-viewers", self.refusal("first"))
        self.come("second")

    def test_of_too_many_the_longest_stays_are_kept(self) -> None:
        old = self.come("screen", 2)
        self.clock.advance(1)
        for seat in [*old, *self.come("hostile", 8)]:
            self.seats.leave(seat)
        self.come("stranger", 8)
        self.assertEqual("too-many-viewers", self.refusal("hostile"))
        self.come("screen", 2)

    def test_a_short_absence_does_not_end_a_stay(self) -> None:
        [screen] = self.come("screen")
        self.clock.advance(100)
        self.seats.leave(screen)
        self.clock.advance(50)
        [screen] = self.come("screen")
        self.assertEqual(-50, screen.since - self.clock.seconds() + 50)
        self.assertEqual(100, self.clock.seconds() - screen.since)

    def test_one_seat_may_be_taken_by_anyone(self) -> None:
        self.seats = Seats(self.clock, 1)
        [seat] = self.come("a")
        self.assertEqual("too-many-viewers", self.refusal("a"))
        self.seats.leave(seat)
        self.come("b")

    def test_not_many_are_kept(self) -> None:
        self.seats = Seats(self.clock, 100_000)
        for number in range(MAX_KEPT + 10):
            [seat] = self.come(f"a{number}")
            self.seats.leave(seat)
        self.assertEqual(MAX_KEPT, len(self.seats._kept))
        self.clock.advance(KEPT_FOR)
        self.seats.offer("b")
        self.assertEqual(0, len(self.seats._kept))

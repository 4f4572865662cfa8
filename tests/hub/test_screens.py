"""Which screens are out there: what is kept of their reports, and for how long."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.hub.screens import KEEP, MAX_SCREENS, Screens
from streamd.wire.requests import ScreenReport
from tests.support.fakes import TODAY


class Terminal:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[bytes] = []

    def command(self, text: bytes) -> None:
        self.told.append(text)


class ScreensTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.screens = Screens()

    def report(
        self, terminal: Terminal, name: str, now: float = 0, wall: str = "kitchen", delay: float = 0
    ) -> None:
        self.screens.report(terminal, ScreenReport(name, wall, "5-0", delay), TODAY + now)

    def listing(self, now: float = 0) -> dict[str, tuple[bool, float, float]]:
        """Of each: connected, since, seen."""
        listed = self.screens.listing(TODAY + now)
        return {
            n: (s["connected"], s["since"] - TODAY, s["seen"] - TODAY) for n, s in listed.items()
        }

    def refusal(self, name: str) -> tuple[int, str]:
        refused: Refused = self.assertRaises(Refused, self.screens.command, name, b"x")
        return refused.status, refused.code

    def test_what_is_told_of_one(self) -> None:
        self.report(Terminal(), "tv", wall="hall", delay=0.5)
        told = {"wall": "hall", "at": "5-0", "delay": 0.5, "connected": True}
        self.assertEqual(
            {"tv": {**told, "since": TODAY, "seen": TODAY}}, self.screens.listing(TODAY)
        )

    def test_since_stays_while_it_reports_and_while_it_is_gone(self) -> None:
        tv = Terminal()
        self.report(tv, "tv", 1)
        self.report(tv, "tv", 16)
        self.assertEqual({"tv": (True, 1, 16)}, self.listing(20))
        self.screens.lost(tv, TODAY + 30)
        self.screens.lost(tv, TODAY + 40)
        self.assertEqual({"tv": (False, 30, 16)}, self.listing(50))
        self.report(Terminal(), "tv", 60)
        self.assertEqual({"tv": (True, 60, 60)}, self.listing(60))

    def test_several_of_one_name(self) -> None:
        one, other = Terminal(), Terminal()
        self.report(one, "tv", 1, "kitchen")
        self.report(other, "tv", 2, "hall")
        self.assertEqual("hall", self.screens.listing(TODAY)["tv"]["wall"])
        self.screens.command("tv", b"x")
        self.assertEqual([[b"x"], [b"x"]], [one.told, other.told])
        self.screens.lost(other, TODAY + 3)
        self.assertEqual({"tv": (True, 1, 2)}, self.listing())
        self.screens.lost(one, TODAY + 4)
        self.assertEqual({"tv": (False, 4, 2)}, self.listing())

    def test_a_connection_is_one_screen(self) -> None:
        tv = Terminal()
        self.report(tv, "tv", 1)
        self.report(tv, "hall-tv", 2)
        self.assertEqual({"tv": (True, 1, 1)}, self.listing(2))
        self.screens.lost(tv, TODAY + 3)
        self.assertEqual({"tv": (False, 3, 1)}, self.listing(3))

    def test_whom_a_command_does_not_reach(self) -> None:
        tv = Terminal()
        self.assertEqual((404, "unknown-screen"), self.refusal("tv"))
        self.report(tv, "tv")
        self.screens.lost(tv, TODAY)
        self.assertEqual((409, "not-connected"), self.refusal("tv"))
        self.assertEqual([], tv.told)

    def test_viewer_that_never_reported(self) -> None:
        self.screens.lost(Terminal(), TODAY)
        self.assertEqual({}, self.listing())

    def test_lost_ones_go_in_the_end(self) -> None:
        tv, other = Terminal(), Terminal()
        self.report(tv, "tv")
        self.report(other, "other")
        self.screens.lost(tv, TODAY)
        self.assertEqual(["other", "tv"], list(self.listing(KEEP)))
        self.assertEqual(["other"], list(self.listing(KEEP + 1)))

    def test_one_that_came_back_stays(self) -> None:
        tv, again = Terminal(), Terminal()
        self.report(tv, "tv")
        self.screens.lost(tv, TODAY)
        self.report(again, "tv", 1)
        self.assertEqual({"tv": (True, 1, 1)}, self.listing(KEEP + 2))
        self.screens.lost(again, TODAY + KEEP)
        self.assertEqual({"tv": (False, KEEP, 1)}, self.listing(KEEP + 1))

    def test_no_more_than_so_many(self) -> None:
        terminals = [Terminal() for _ in range(MAX_SCREENS)]
        for number, terminal in enumerate(terminals):
            self.report(terminal, f"tv{number}")
        late = Terminal()
        self.report(late, "late")
        self.assertNotIn("late", self.listing())
        for number in (7, 5):
            self.screens.lost(terminals[number], TODAY + number)
        self.assertEqual(MAX_SCREENS, len(self.listing()))
        self.report(late, "late")
        listed = self.listing()
        self.assertEqual(MAX_SCREENS, len(listed))
        self.assertEqual([True, True, False], [n in listed for n in ("late", "tv5", "tv7")])
        for number in range(3000):
            self.report(late, f"late{number}")
        self.assertEqual(MAX_SCREENS, len(self.listing()))

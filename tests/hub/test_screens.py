"""Which screens are out there: what is kept of their reports, and for how long."""

from __future__ import annotations

from typing import Any, NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.hub.screens import KEEP, MAX_OTHERS, MAX_SCREENS, Screens, Told, merged
from streamd.wire.requests import ScreenReport
from tests.support.fakes import TODAY

WHERE = "wall", "address", "connections"


class Host(NamedTuple):
    """The address of a client."""

    group: str = "192.0.2.1"

    def __str__(self) -> str:
        return self.group


class Terminal:
    """Keeps what it is told; if it lags, it takes nothing."""

    def __init__(self, client: str = "192.0.2.1", lags: bool = False) -> None:
        self.client = Host(client)
        self.lags = lags
        self.told: list[bytes] = []

    def command(self, text: bytes) -> None:
        if self.lags:
            raise Refused(503, "screen-lags", "no")
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

    def test_the_entry_of_a_screen(self) -> None:
        self.report(Terminal(), "tv", wall="hall", delay=0.5)
        told = {"wall": "hall", "at": "5-0", "delay": 0.5, "address": "192.0.2.1"}
        known = {"connected": True, "connections": 1, "since": TODAY, "seen": TODAY}
        self.assertEqual({"tv": {**told, **known}}, self.screens.listing(TODAY))

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
        """Two TVs by mistake, or somebody who takes the name: both are listed, and both are told."""
        one, other = Terminal(), Terminal("192.0.2.9")
        self.report(one, "tv", 1, "kitchen")
        self.report(other, "tv", 2, "hall")
        self.report(one, "tv", 3, "kitchen")
        tv = self.screens.listing(TODAY)["tv"]
        self.assertEqual(("kitchen", "192.0.2.1", 2), tuple(map(tv.get, WHERE)))
        beside = {"wall": "hall", "address": "192.0.2.9", "seen": TODAY + 2}
        self.assertEqual([beside], tv["others"])
        self.assertEqual(Told(2, 0), self.screens.command("tv", b"x"))
        self.assertEqual([[b"x"], [b"x"]], [one.told, other.told])
        self.screens.lost(one, TODAY + 3)
        tv = self.screens.listing(TODAY)["tv"]
        self.assertEqual(("hall", "192.0.2.9", 1), tuple(map(tv.get, WHERE)))
        self.assertNotIn("others", tv)
        self.assertEqual({"tv": (True, 1, 2)}, self.listing())
        self.screens.lost(other, TODAY + 4)
        self.assertEqual({"tv": (False, 4, 2)}, self.listing())
        self.assertEqual("192.0.2.9", self.screens.listing(TODAY)["tv"]["address"])

    def test_many_of_one_name_are_counted_and_few_are_listed(self) -> None:
        for number in range(100):
            self.report(Terminal(f"192.0.2.{number}"), "tv")
        tv = self.screens.listing(TODAY)["tv"]
        self.assertEqual((100, MAX_OTHERS), (tv["connections"], len(tv["others"])))

    def test_one_that_lags_fails_alone(self) -> None:
        for _ in range(12):
            self.report(Terminal(lags=True), "tv")
        self.assertEqual((503, "screen-lags"), self.refusal("tv"))
        tv = Terminal()
        self.report(tv, "tv")
        self.assertEqual(Told(1, 12), self.screens.command("tv", b"x"))
        self.assertEqual([b"x"], tv.told)

    def test_a_connection_is_one_screen(self) -> None:
        tv = Terminal()
        self.report(tv, "tv", 1)
        self.report(tv, "hall-tv", 2)
        self.assertEqual({"tv": (True, 1, 1)}, self.listing(2))
        self.screens.lost(tv, TODAY + 3)
        self.assertEqual({"tv": (False, 3, 1)}, self.listing(3))

    def test_connections_that_a_command_does_not_reach(self) -> None:
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

    def fill(self, clients: int = 1) -> list[Terminal]:
        """Report :data:`MAX_SCREENS` invented names."""
        terminals = [Terminal(f"10.0.0.{number % clients}") for number in range(MAX_SCREENS)]
        for number, terminal in enumerate(terminals):
            self.report(terminal, f"fake{number}", number / MAX_SCREENS)
        return terminals

    def test_new_screen_is_seen_whatever_names_others_invent(self) -> None:
        for clients in (1, 7):
            self.setUp()
            terminals = self.fill(clients)
            for number in range(20):
                self.report(Terminal(f"192.0.2.{number % 3}"), f"tv{number}")
            listed = self.listing(1)
            self.assertEqual(MAX_SCREENS, len(listed))
            self.assertLessEqual({f"tv{number}" for number in range(20)}, listed.keys())
            for number, terminal in enumerate(terminals):  # they report again
                self.report(terminal, f"fake{number}", 15)
            for number in range(2000):
                self.report(Terminal("10.0.0.0"), f"more{number}", 16)
            listed = self.listing(17)
            self.assertEqual(MAX_SCREENS, len(listed))
            self.assertLessEqual({f"tv{number}" for number in range(20)}, listed.keys())

    def test_new_screen_is_seen_behind_the_same_address_too(self) -> None:
        self.fill()
        self.report(Terminal("10.0.0.0"), "tv")
        self.assertIn("tv", self.listing())

    def test_names_from_many_addresses_do_not_hide_a_new_screen(self) -> None:
        for number in range(MAX_SCREENS):
            self.report(Terminal(f"2001:db8::{number:x}"), f"fake{number}")
        self.report(Terminal(), "tv")
        self.assertIn("tv", self.listing())

    def test_lost_screen_is_not_forgotten_for_names_that_others_invent(self) -> None:
        tv = Terminal()
        self.report(tv, "tv")
        self.screens.lost(tv, TODAY + 1)
        for number in range(3 * MAX_SCREENS):
            terminal = Terminal("10.0.0.0")
            self.report(terminal, f"fake{number}", 2)
            self.screens.lost(terminal, TODAY + 2)
        listed = self.listing(3)
        self.assertEqual(MAX_SCREENS, len(listed))
        self.assertIn("tv", listed)

    def test_lost_ones_of_a_client_go_before_its_live_ones(self) -> None:
        terminals = self.fill()
        for number in (7, 5):
            self.screens.lost(terminals[number], TODAY + number)
        self.report(Terminal("10.0.0.0"), "late")
        listed = self.listing(8)
        self.assertEqual([True, True, False], [n in listed for n in ("late", "fake5", "fake7")])

    def test_displaced_screen_comes_back_when_there_is_room(self) -> None:
        terminals = self.fill()
        tv = Terminal()
        self.report(tv, "tv")
        last = f"fake{MAX_SCREENS - 1}"
        self.assertNotIn(last, self.listing())
        self.assertEqual((404, "unknown-screen"), self.refusal(last))
        self.screens.lost(terminals[0], TODAY)
        self.listing(KEEP + 1)
        self.report(terminals[-1], last, KEEP + 2)
        self.assertIn(last, self.listing(KEEP + 2))
        self.screens.lost(terminals[-1], TODAY + KEEP + 3)
        self.assertFalse(self.listing(KEEP + 3)[last][0])

    def test_displaced_screen_ends(self) -> None:
        terminals = self.fill()
        self.report(Terminal(), "tv")
        self.screens.lost(terminals[-1], TODAY)
        self.assertEqual(MAX_SCREENS, len(self.listing()))


class MergedTests(SynchronousTestCase):
    """The entries of several nodes."""

    def entry(self, name: str = "tv", **known: Any) -> dict[str, dict[str, Any]]:
        screens = Screens()
        terminal = Terminal(known.pop("address", "192.0.2.1"))
        since = TODAY + known.pop("since", 0)
        screens.report(terminal, ScreenReport(name, known.pop("wall", "hall"), "5-0", 0), since)
        if not known.pop("connected", True):
            screens.lost(terminal, since + 1)
        return dict(screens.here())  # type: ignore[arg-type]

    def test_name_on_two_nodes(self) -> None:
        first = self.entry(since=1, address="192.0.2.1")
        second = self.entry(since=2, address="192.0.2.9", wall="roof")
        expected = {
            **first["tv"],
            "connections": 2,
            "others": [{"wall": "roof", "address": "192.0.2.9", "seen": TODAY + 2}],
        }
        self.assertEqual({"tv": expected}, merged([first, second]))
        self.assertEqual({"tv": expected}, merged([second, first]))

    def test_connected_one_counts(self) -> None:
        here, lost = self.entry(since=1), self.entry(since=5, connected=False)
        self.assertEqual(here, merged([here, lost]))
        self.assertEqual(here, merged([lost, here]))

    def test_of_two_that_were_lost_the_later_one_counts(self) -> None:
        early, late = (self.entry(since=since, connected=False) for since in (1, 5))
        self.assertEqual(late, merged([early, late]))
        self.assertEqual(late, merged([late, early]))

    def test_entry_of_a_node_of_0_1_0(self) -> None:
        old = {
            "wall": "hall",
            "at": "5-0",
            "delay": 0,
            "connected": True,
            "since": TODAY + 9,
            "seen": TODAY,
        }
        tv = merged([self.entry(), {"tv": old}])["tv"]
        self.assertEqual((2, ""), (tv["connections"], tv["others"][0]["address"]))

    def test_others_are_bounded(self) -> None:
        tv = merged(self.entry(since=number) for number in range(20))["tv"]
        self.assertEqual((20, MAX_OTHERS), (tv["connections"], len(tv["others"])))

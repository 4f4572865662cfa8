"""The tables of screens: hours, days, turns, and every mistake in them."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamd.config.faults import convert, faults
from streamd.config.fields import ConfigError
from streamd.config.parse import parse
from streamd.config.screens import Hours, ScreenTable, Weekdays

WALLS = '[[walls]]\nname = "hall"\n[[walls]]\nname = "lab"\n'


def screen(**keys: Any) -> ScreenTable:
    return convert({"name": "tv", **keys}, ScreenTable)


class HoursTests(SynchronousTestCase):
    def test_forms(self) -> None:
        for written, minutes in {
            "08:00-18:00": (480, 1080),
            "20:00-06:30": (1200, 390),
            "00:00-24:00": (0, 1440),
            "22:00-00:00": (1320, 0),
        }.items():
            hours = Hours.parse(written)
            self.assertEqual(minutes, (hours.begin, hours.end))

    def test_mistakes(self) -> None:
        mistakes: list[Any] = ["8:00-18:00", "08:00", "08:00-18:60", "24:00-08:00", "08:00-24:01"]
        for written in [*mistakes, "x", 8, []]:
            self.assertRaises(ValueError, Hours.parse, written)
        error: ValueError = self.assertRaises(ValueError, Hours.parse, "08:00-08:00")
        self.assertIn('"00:00-24:00"', str(error))


class DaysTests(SynchronousTestCase):
    def test_forms(self) -> None:
        for written, numbers in (
            ("mon-fri", (0, 1, 2, 3, 4)),
            ("sun", (6,)),
            ("sat-mon", (0, 5, 6)),
            ("tue-mon", (0, 1, 2, 3, 4, 5, 6)),
            (["sun", "mon-tue", "mon"], (0, 1, 6)),
        ):
            self.assertEqual(numbers, Weekdays.parse(written).numbers)

    def test_mistakes(self) -> None:
        for written in ("monday", "Mon", "mon-", "mon fri", "", [], [0], 5, ["mon", "x"]):
            self.assertRaises(ValueError, Weekdays.parse, written)


class ScreenTests(SynchronousTestCase):
    def test_members_for_the_page(self) -> None:
        turns = [
            {"wall": "hall", "for": "1m", "hours": "08:00-18:00", "days": "mon-fri"},
            {"wall": "lab"},
        ]
        table = screen(walls=turns, dim={"hours": "20:00-06:00", "to": 0.4})
        told = json.loads(json.dumps(table.public("Europe/Berlin")))
        first = {"wall": "hall", "for": 60.0, "hours": [480, 1080], "days": [0, 1, 2, 3, 4]}
        wanted = {
            "name": "tv",
            "walls": [first, {"wall": "lab", "for": 30.0}],
            "dim": {"hours": [1200, 360], "to": 0.4},
            "timezone": "Europe/Berlin",
        }
        self.assertEqual(wanted, told)
        self.assertEqual({"name": "tv", "walls": []}, screen().public())

    def test_mistakes(self) -> None:
        for keys, wanted in (
            ({"walls": []}, "s.walls: expected an array that is not empty"),
            ({"walls": ["hall"]}, "s.walls[0]: expected a table"),
            ({"walls": [{"for": "1m"}]}, "s.walls[0].wall: is missing"),
            ({"walls": [{"wall": "a", "for": 5}]}, "s.walls[0].for: expected a duration"),
            ({"walls": [{"wall": "a", "hours": "8-18"}]}, "s.walls[0].hours: expected hours"),
            ({"walls": [{"wall": "a", "days": "all"}]}, "s.walls[0].days: expected days"),
            ({"walls": [{"wall": "a", "day": "mon"}]}, "s.walls[0].day: unknown key; did you mean"),
            ({"dim": {"to": 0.4}}, "s.dim.hours: is missing"),
            (
                {"dim": {"hours": "20:00-06:00", "to": 0}},
                "s.dim.to: expected a number of at least 0.1",
            ),
            (
                {"dim": {"hours": "20:00-06:00", "to": 40}},
                "s.dim.to: expected a number of at most 1",
            ),
        ):
            [problem] = faults("s", {"name": "tv", **keys}, ScreenTable)
            self.assertIn(wanted, problem)


class TablesTests(SynchronousTestCase):
    def check(self, text: str, problem: str) -> None:
        error: ConfigError = self.assertRaises(ConfigError, parse, text, ())
        self.assertEqual([problem], error.problems)

    def test_good_tables(self) -> None:
        text = (
            '[[screens]]\nname = "tv"\nwalls = [{ wall = "lab" }, { wall = "hall", days = "sat" }]'
        )
        self.assertEqual(["tv"], [table.name for table in parse(WALLS + text, ()).screens])
        everything = '[[screens]]\nname = "tv"\nwalls = [{ wall = "all" }]'
        self.assertEqual(1, len(parse(everything, ()).screens))

    def test_wall_has_to_exist(self) -> None:
        text = '[[screens]]\nname = "tv"\nwalls = [{ wall = "hall" }, { wall = "attic" }]'
        problem = "screens[0].walls[1].wall: there is no wall attic; there are hall, lab"
        self.check(WALLS + text, problem)

    def test_names_are_different(self) -> None:
        self.check(
            '[[screens]]\nname = "tv"\n' * 2, "screens[1].name: there is a screen tv already"
        )
        self.check("screens = 5", "screens: expected tables, [[screens]]")

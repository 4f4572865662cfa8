"""The tables of walls and groups, and what pages are told of them."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamd.config.colour import Accent
from streamd.config.fields import Language, Timezone
from streamd.config.tiles import (
    BandTile,
    ChartTile,
    ProgressTile,
    QuantilesTile,
    Tile,
    ValueTile,
)
from streamd.config.walls import Group, Wall
from streamd.core.description import Description, Keep
from streamd.core.duration import Duration
from streamd.core.presentation import Currency, DateOrTime, Days
from streamd.core.selection import MAX_PATTERNS

WEEK = Days(7)


def told(wall: Wall) -> Any:
    return json.loads(json.dumps(wall.public()))


class WallTests(SynchronousTestCase):
    def test_without_streams_and_tiles_it_shows_all(self) -> None:
        wall = told(Wall(name="hall"))
        self.assertEqual(("hall", [{"stream": "*"}]), (wall["title"], wall["tiles"]))

    def test_streams_are_tiles_in_their_order(self) -> None:
        tiles = told(Wall(name="hall", streams=("b", "a.*")))["tiles"]
        self.assertEqual([{"stream": "b"}, {"stream": "a.*"}], tiles)

    def test_options_have_their_names_and_durations_in_seconds(self) -> None:
        chart = ChartTile(stream="a", size="hero", compare=WEEK, scale="log", group="Shop")
        group = Group(title="Shop", share="time", window=Duration(8 * 3600), events="deploys")
        wall = told(Wall(name="hall", tiles=(chart,), groups=(group,)))
        options = {"size": "hero", "compare": "7d", "scale": "log", "group": "Shop"}
        self.assertEqual([{"show": "chart", "stream": "a", **options}], wall["tiles"])
        group_told = {"title": "Shop", "share": "time", "window": 28800.0, "events": "deploys"}
        self.assertEqual([group_told], wall["groups"])

    def test_moments_and_days_stay_as_written(self) -> None:
        begin, by = DateOrTime.parse("2026-10-01"), DateOrTime.parse("18:00")
        tile = ProgressTile(stream="a", goal=3e7, begin=begin, by=by)
        [tile_told] = told(Wall(name="hall", tiles=(tile,)))["tiles"]
        options = {"goal": 3e7, "from": "2026-10-01", "by": "18:00:00"}
        self.assertEqual({"show": "progress", "stream": "a", **options}, tile_told)

    def test_own_language_and_timezone_come_before_those_of_the_server(self) -> None:
        wall = Wall(name="hall", language=Language("de"), timezone=Timezone("Asia/Tokyo"))
        place = json.loads(json.dumps(wall.public("fr", "Europe/Paris")))
        self.assertEqual(("de", "Asia/Tokyo"), (place["language"], place["timezone"]))
        place = Wall(name="hall").public("fr", "Europe/Paris")
        self.assertEqual(("fr", "Europe/Paris"), (place["language"], place["timezone"]))
        self.assertNotIn("language", Wall(name="hall").public())

    def test_no_more_patterns_than_a_page_may_subscribe_to(self) -> None:
        names = tuple(f"s{number}" for number in range(MAX_PATTERNS))
        self.assertEqual(len(names), len(Wall(name="a", streams=names).public()["tiles"]))
        self.assertRaises(ValueError, Wall, name="a", streams=(*names, "x"))
        tiles = tuple(Tile(stream=name, group="A") for name in names)
        events = (Group(title="A", share="time", events="x"),)
        self.assertRaises(ValueError, Wall, name="a", tiles=tiles, groups=events)


class LookTests(SynchronousTestCase):
    def problems(self, theme: str, accent: Any) -> list[tuple[str, str]]:
        return list(Wall(name="a", theme=theme, accent=Accent.parse(accent)).problems({}))

    def test_clocks_date_and_accent_are_public(self) -> None:
        clocks = (Timezone("America/New_York"), Timezone("Asia/Singapore"))
        wall = told(Wall(name="a", clocks=clocks, date=True, accent=Accent.parse("#6AB0FF")))
        self.assertEqual(["America/New_York", "Asia/Singapore"], wall["clocks"])
        self.assertEqual((True, {"dark": "#6ab0ff"}), (wall["date"], wall["accent"]))

    def test_accent_has_to_suit_the_theme(self) -> None:
        self.assertEqual([], self.problems("dark", "#6ab0ff"))
        self.assertEqual([], self.problems("auto", {"dark": "#6ab0ff", "light": "#0066cc"}))
        [(path, message)] = self.problems("light", "#6ab0ff")
        self.assertEqual("accent", path)
        self.assertIn("contrast of 2.0", message)


class GroupTests(SynchronousTestCase):
    def problems(self, *tiles: Tile, groups: tuple[Group, ...]) -> list[tuple[str, str]]:
        return list(Wall(name="a", tiles=tiles, groups=groups).problems({}))

    def test_window_and_events_need_a_shared_axis(self) -> None:
        self.assertRaises(ValueError, Group, title="A", window=Duration(5))
        self.assertRaises(ValueError, Group, title="A", events="deploys")

    def test_good_groups(self) -> None:
        tiles = (
            ChartTile(stream="a", group="A"),
            QuantilesTile(streams=("b", "c"), group="A"),
            BandTile(streams=("svc.*",), group="A"),
            ValueTile(stream="d", group="B"),
            Tile(stream="e"),
        )
        groups = (Group(title="A", share="time"), Group(title="B"))
        self.assertEqual([], self.problems(*tiles, groups=groups))

    def test_mistakes(self) -> None:
        group, shared = Group(title="A"), Group(title="A", share="time")
        chart = ChartTile(stream="a", group="A")
        for tiles, groups, path, words in (
            ([Tile(stream="a", group="B")], (), "tiles[0].group", "known: none"),
            ([chart, Tile(stream="a", group="B")], (group,), "tiles[1].group", "known: A"),
            ([chart], (group, group), "groups[1].title", "there is a group A already"),
            ([Tile(stream="a")], (group,), "groups[0]", "no tile is in this group"),
            ([Tile(stream="a", group="A")], (shared,), "tiles[0].show", "chart, quantiles, band"),
            ([chart] * 6, (shared,), "groups[0].share", "at most 5 tiles"),
            (
                [ChartTile(stream="a", group="A", window=Duration(5))],
                (shared,),
                "tiles[0].window",
                "the window of its group counts",
            ),
        ):
            [(where, message)] = self.problems(*tiles, groups=groups)
            self.assertEqual(path, where)
            self.assertIn(words, message)


class ContradictionTests(SynchronousTestCase):
    def problems(self, tile: Tile, **streams: Description) -> list[tuple[str, str]]:
        return list(Wall(name="a", tiles=(tile,)).problems(streams))

    def test_stream_has_to_keep_its_values_for_so_long(self) -> None:
        chart = ChartTile(stream="a", compare=WEEK)
        week = Duration(WEEK.seconds)
        for description in (
            Description(keep=Keep(None, week)),
            Description(keep=Keep(5), rollup=week),
        ):
            self.assertEqual([], self.problems(chart, a=description))
        for description in (
            Description(),
            Description(keep=Keep(None, 3600), rollup=Duration(week - 1)),
        ):
            [(path, message)] = self.problems(chart, a=description)
            self.assertEqual("tiles[0].compare", path)
            self.assertIn('a: the history is shorter than 7 d; add the line rollup = "8d"', message)

    def test_stream_without_a_table_keeps_too_little(self) -> None:
        self.assertEqual(1, len(self.problems(ChartTile(stream="a", compare=WEEK))))

    def test_each_configured_stream_of_a_glob(self) -> None:
        chart = ChartTile(streams=("a.*",), compare=WEEK)
        kept = Description(rollup=Duration(WEEK.seconds))
        streams = {"a.b": kept, "a.c": Description(), "b": Description()}
        [(_, message)] = self.problems(chart, **streams)
        self.assertIn("a.c: the history", message)

    def test_what_a_stream_says_itself_is_reported_there(self) -> None:
        self.assertEqual([], self.problems(ValueTile(stream="a"), a=Description(compare=WEEK)))

    def test_format_has_to_fit_the_stream(self) -> None:
        money = ValueTile(stream="a", format="money")
        self.assertEqual(
            [], self.problems(money, a=Description(format="money", currency=Currency("EUR")))
        )
        [(path, message)] = self.problems(money)
        self.assertEqual("tiles[0].format", path)
        self.assertIn("needs one, such as currency", message)
        percent = ValueTile(stream="a", format="percent")
        [(path, message)] = self.problems(percent, a=Description(unit="€"))
        self.assertEqual("tiles[0].format", path)
        self.assertIn("takes no unit", message)

    def test_progress_needs_a_goal(self) -> None:
        progress = ProgressTile(stream="a", begin=DateOrTime.parse("2026-10-01"))
        self.assertEqual("tiles[0].goal", self.problems(ProgressTile(stream="a"))[0][0])
        [(path, _)] = self.problems(progress, a=Description(goal=5.0))
        self.assertEqual("tiles[0].from", path)
        by = Description(goal=5.0, by=DateOrTime.parse("2026-12-31"))
        self.assertEqual([], self.problems(progress, a=by))

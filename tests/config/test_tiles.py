"""The tables of tiles: each kind has its own options, and every mistake has its key path."""

from __future__ import annotations

from typing import Any, Union, cast

from twisted.trial.unittest import SynchronousTestCase

from streamd.config import tiles
from streamd.config.faults import convert, faults
from streamd.config.tiles import (
    STRUCTURES,
    BandTile,
    ChartTile,
    HoursTile,
    LogTile,
    ProgressTile,
    QuantilesTile,
    RankedTile,
    TableTile,
    Tile,
    ValueTile,
    kind_of,
    with_kinds,
)
from streamd.core.description import KINDS_OF_TILE, Description

# All kinds that have options, whether or not the page has them yet.
Each = Union[  # noqa: UP007
    Tile,
    ValueTile,
    ChartTile,
    QuantilesTile,
    BandTile,
    TableTile,
    RankedTile,
    HoursTile,
    LogTile,
    ProgressTile,
]


def tile(**options: Any) -> Any:
    return convert({"stream": "a", **options}, cast(Any, Each))


def problems(**options: Any) -> list[str]:
    return list(faults("t", {"stream": "a", **options}, Each))


class TileTests(SynchronousTestCase):
    def test_the_streams_that_it_shows(self) -> None:
        self.assertEqual(("shop.*",), Tile(stream="shop.*").patterns)
        self.assertEqual(("a", "b.*"), Tile(streams=("a", "b.*")).patterns)

    def test_one_of_both(self) -> None:
        self.assertRaises(ValueError, Tile)
        self.assertRaises(ValueError, Tile, stream="a", streams=("b",))

    def test_structures_are_those_of_the_kinds_that_the_page_has(self) -> None:
        self.assertEqual(("auto", *KINDS_OF_TILE), tuple(map(kind_of, STRUCTURES)))

    def test_kind_without_options_has_the_common_ones(self) -> None:
        made = tiles._plain("status")
        self.assertEqual("status", kind_of(made))
        self.assertEqual([], list(faults("t", {"stream": "a", "size": "s"}, made)))
        [problem] = faults("t", {"stream": "a", "window": "1h"}, made)
        self.assertIn("t.window: unknown key", problem)

    def test_options_of_every_kind(self) -> None:
        column = {"key": "loaded", "show": "bar", "of": 100, "title": "load", "align": "left"}
        for options in (
            {"show": "auto", "size": "hero", "group": "Shop", "title": "A"},
            {"show": "value", "compare": "7d", "window": "8h", "format": "bytes"},
            {"show": "chart", "compare": "1d", "window": "8h", "scale": "log"},
            {"show": "quantiles", "scale": "linear", "window": "90m"},
            {"show": "band", "window": "8h"},
            {"show": "progress", "goal": 30e6, "from": "2026-10-01", "by": "2026-12-31"},
            {"show": "table", "columns": [column, {"key": "at"}], "now": "at"},
            {"show": "table", "flag": {"result": "rolled back", "n": 5, "ok": False}},
            {"show": "ranked", "former": "week_ago", "compare": "7d"},
            {"show": "hours", "rows": "day"},
            {"show": "log", "text": "{product} to {city}, {amount} €"},
        ):
            self.assertEqual(options["show"], tile(**options).kind)

    def test_mistakes_say_where_and_what_would_be_right(self) -> None:
        table = {"show": "table"}
        for options, wanted in (
            ({"show": "gauge"}, "t.show: expected one of auto, value, chart"),
            ({"show": 5}, "t.show: expected one of auto, value, chart"),
            ({"show": "value", "size": "xl"}, "t.size: expected one of s, m, l, wide, hero"),
            (
                {"show": "hours", "columns": []},
                'hours has no option columns; it needs show = "table"',
            ),
            (
                {"show": "auto", "text": "x"},
                't.text: auto has no option text; it needs show = "log"',
            ),
            ({"show": "log", "window": "1h"}, '"value" or "chart" or "quantiles" or "band"'),
            ({"show": "band", "windwo": "1h"}, "t.windwo: unknown key; did you mean window?"),
            ({"show": "chart", "window": 5}, "t.window: expected a duration"),
            ({"show": "chart", "scale": "ln"}, "t.scale: expected one of linear, log"),
            ({**table, "columns": []}, "t.columns: expected an array that is not empty"),
            ({**table, "columns": {}}, "t.columns: expected an array, not a table"),
            ({**table, "columns": [{"title": "x"}]}, "t.columns[0].key: is missing"),
            (
                {**table, "columns": [{"key": "a", "show": "pie"}]},
                "t.columns[0].show: expected one of",
            ),
            ({**table, "columns": [{"key": "a", "of": 5}]}, 't.columns[0]: of needs show = "bar"'),
            ({**table, "columns": [{"key": "a"}] * 2}, "t: columns: the key a is there twice"),
            (
                {**table, "columns": [{"key": "a"}], "now": "at"},
                "t: now: expected the key of a column",
            ),
            ({**table, "flag": {"a": [1]}}, "t.flag.a: expected"),
            ({"show": "ranked", "compare": "7d"}, "t: compare needs former"),
            ({"show": "value", "compare": "90m"}, "t.compare: expected whole days"),
            ({"show": "value", "format": "fraction"}, "t.format: expected one of number"),
            ({"show": "hours", "rows": "year"}, "t.rows: expected one of day"),
            ({"show": "log", "text": "{a to b"}, "t: text: expected members in braces"),
            ({"show": "log", "text": "{}"}, "t: text: expected members in braces"),
        ):
            [problem] = problems(**options)
            self.assertIn(wanted, problem)

    def test_bar_is_full_at_a_number_above_0(self) -> None:
        for of in (0, -1, float("inf"), float("nan")):
            column = {"key": "a", "show": "bar", "of": of}
            [problem] = problems(show="table", columns=[column])
            self.assertEqual("t.columns[0]: of: expected a number above 0", problem)


class WithKindsTests(SynchronousTestCase):
    STREAMS = {"a": Description(show="chart"), "b": Description()}

    def shows(self, *tables: Any) -> list[Any]:
        return [table["show"] for table in with_kinds({"tiles": [*tables]}, self.STREAMS)["tiles"]]

    def test_stream_chooses_the_options_of_a_tile_without_a_kind(self) -> None:
        found = self.shows(
            {"stream": "a", "window": "8h"},
            {"streams": ["a", "b"], "window": "8h"},
            {"stream": "a", "show": "list", "window": "8h"},
            {"stream": "b", "window": "8h"},
            {"stream": "c", "window": "8h"},
            {"stream": ["a"], "window": "8h"},
            {"streams": "a", "window": "8h"},
        )
        self.assertEqual(["chart", "chart", "list", "auto", "auto", "auto", "auto"], found)

    def test_tile_with_the_common_options_leaves_the_choice_to_the_page(self) -> None:
        self.assertEqual(["auto"], self.shows({"stream": "a", "title": "A", "size": "s"}))

    def test_tables_of_another_form_stay_as_they_are(self) -> None:
        for table in (5, {}, {"tiles": 5}, {"tiles": [5]}):
            self.assertEqual(table, with_kinds(table, self.STREAMS))

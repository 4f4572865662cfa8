"""The configuration that fits the result of a query."""

from __future__ import annotations

import tomllib
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamd.app.cli.suggestion import database_url, source_name, suggest
from streamd.config.parse import parse
from streamd.sources.registry import find_kinds


class SuggestionTests(SynchronousTestCase):
    def sources(self, *rows: dict[str, Any]) -> dict[str, object]:
        text = suggest("shop", rows, database="sqlite:///shop.db", query='SELECT "1"\n', every="2s")
        parse(text, find_kinds())
        table = tomllib.loads(text)
        assert table["sources"]["shop"].pop("query") == 'SELECT "1"\n'
        streams = table.get("streams", {})
        return {**table["sources"]["shop"], **streams, **streams.get("shop", {})}

    def shape(self, *rows: dict[str, Any]) -> str:
        keys = self.sources(*rows)
        return "list" if keys.get("table") else f"key {keys['key']}" if "key" in keys else "columns"

    def test_one_row(self) -> None:
        keys = self.sources({"orders": 3, "latency_ms": 4.5, "Max_Load_percent": None})
        self.assertEqual({"title": "Orders"}, keys["orders"])
        self.assertEqual({"title": "Latency", "unit": "ms"}, keys["latency_ms"])
        self.assertEqual({"title": "Max Load", "unit": "%"}, keys["Max_Load_percent"])

    def test_a_time_is_written_as_one(self) -> None:
        keys = self.sources({"newest": "2026-11-30T09:52:05Z", "day": "2026-11-30"})
        self.assertEqual({"title": "Newest", "format": "time"}, keys["newest"])
        self.assertEqual({"title": "Day"}, keys["day"])

    def test_rows_that_a_text_tells_apart(self) -> None:
        north, south = {"region": "north", "sold": 1}, {"region": "south", "sold": 1}
        self.assertEqual("key region", self.shape(north, south))
        self.assertEqual("list", self.shape(north, north))
        self.assertEqual("list", self.shape(north, {"region": None, "sold": 1}))
        far = self.sources(north, {"region": "far east", "paid_eur": 1})
        self.assertEqual("region", far["key"])
        self.assertEqual({"title": "North sold"}, far["shop.north.sold"])
        self.assertEqual({"title": "Far east paid", "unit": "€"}, far["shop.far_east.paid_eur"])
        self.assertEqual("list", self.shape(*({"c": c, "n": 1} for c in ("a b", "a_b"))))
        self.assertEqual("list", self.shape({"region": "north"}, {"region": "south"}))
        self.assertEqual("list", self.shape(*({"n": f"a{n}", "sold": n} for n in range(25))))

    def test_rows_of_times(self) -> None:
        hours = [
            {"hour": f"2026-11-30T0{n}:00:00+01:00", "orders": n, "paid_eur": None} for n in (8, 9)
        ]
        keys = self.sources(*hours)
        self.assertEqual("hour", keys["series"])
        self.assertEqual({"title": "Paid", "unit": "€"}, keys["paid_eur"])
        self.assertEqual("hour", self.sources(*hours, {"hour": "… and 7 rows more"})["series"])
        self.assertEqual("key hour", self.shape(*(hour | {"state": "busy"} for hour in hours)))
        self.assertEqual("list", self.shape(hours[0], hours[0]))
        self.assertEqual("list", self.shape(*({"hour": hour["hour"]} for hour in hours)))
        self.assertEqual("key day", self.shape(*({"day": f"day {n}", "n": n} for n in range(3))))

    def test_other_rows(self) -> None:
        self.assertEqual("list", self.shape({"id": 1, "a": "x"}, {"id": 2, "a": "y"}))
        self.assertEqual("list", self.shape())

    def test_comments_show_how_to_read_the_past(self) -> None:
        north, south = {"region": "north", "sold": 1}, {"region": "south", "sold": 1}
        for rows, columns in (
            ([{"orders": 3, "paid": 4}], "… AS time, … AS orders, … AS paid"),
            ([north, south], "… AS time, … AS region, … AS sold"),
        ):
            text = suggest("shop", rows, database="sqlite:///shop.db", query="SELECT 1")
            self.assertIn(f"SELECT {columns} FROM …", text)
            for key in ("[sources", "query"):
                text = text.replace(f"# {key}", key)
            text += '[streams."shop.past"]\nrollup = "8d"\n'
            settings: Any = parse(text, find_kinds()).sources["shop"].settings
            self.assertIsNotNone(settings.backfill)
        self.assertNotIn("backfill", suggest("shop", [], database="sqlite:///shop.db"))

    def test_column_without_a_name(self) -> None:
        self.assertRaises(ValueError, self.sources, {"count(*)": 3})

    def test_names(self) -> None:
        for url, name in {
            "sqlite:///shop.db": "shop",
            "sqlite:////srv/my%20shop.v2.db": "my-shop",
            "postgresql://me:secret@db.example.org/sales?sslmode=require": "sales",
            "postgresql://db.example.org": "query",
            "sqlite:///---.db": "query",
        }.items():
            self.assertEqual(name, source_name(url))
        self.assertEqual("sqlite:///my%20shop.db", database_url("my shop.db"))
        self.assertEqual("sqlite:////srv/shop.db", database_url("/srv/shop.db"))

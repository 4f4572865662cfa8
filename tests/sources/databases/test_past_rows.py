"""The rows that a database gives to a backfill."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.steps import finish
from streamd.core.values import BadValue
from streamd.sources.backfills.rows import PastRow
from streamd.sources.databases.past_rows import check_columns, past_rows
from streamd.sources.databases.rows import Table
from streamd.sources.errors import SourceError
from tests.support.clock import machine_in


def rows(columns: Sequence[str], *cells: Sequence[Any], key: str | None = None) -> Any:
    return finish(past_rows(Table(columns, cells), "time", key))


class PastRowsTests(SynchronousTestCase):
    def test_columns_are_streams_in_the_order_of_time(self) -> None:
        found = rows(["time", "load", "a name"], [2, 5, "x"], [1, 4.5, None])
        self.assertEqual({}, found.faults)
        self.assertEqual(
            [
                PastRow(1.0, {"load": b"4.5", "a_name": b"null"}),
                PastRow(2.0, {"load": b"5", "a_name": b'"x"'}),
            ],
            found.rows,
        )

    def test_a_key_is_a_part_of_the_name(self) -> None:
        found = rows(["shop", "n", "time"], ["north 1", 5, 7], [None, 6, 8], key="shop")
        self.assertEqual(
            [{"north_1.n": b"5"}, {"null.n": b"6"}], [row.values for row in found.rows]
        )

    def test_times_of_every_kind(self) -> None:
        summer = datetime(2026, 7, 1, 12, tzinfo=UTC)
        written = [summer, summer.timestamp(), "2026-07-01 12:00:00+00:00", "2026-07-01T14:00:00"]
        with machine_in("Europe/Berlin"):
            found = rows(["time", "n"], *([each, 1] for each in written))
        self.assertEqual({summer.timestamp()}, {row.time for row in found.rows})

    def test_a_row_without_a_time_is_counted(self) -> None:
        found = rows(["time", "n"], [None, 1], ["soon", 1], [3, 1], [BadValue("x"), 1])
        self.assertEqual(1, len(found.rows))
        self.assertEqual(
            {"backfill.time": "rows without a time in time are left out"}, found.faults
        )

    def test_a_cell_that_no_stream_can_hold_is_unknown(self) -> None:
        [row] = rows(["time", "n"], [3, BadValue("bytes")]).rows
        self.assertEqual({"n": b"null"}, row.values)

    def test_missing_columns(self) -> None:
        for columns, key, told, where in (
            (["n"], None, "the query gives no column time", "backfill.time"),
            (["time", "n"], "shop", "the query gives no column shop", "key"),
            (["time"], None, "the query gives only time: a value is missing", "backfill.query"),
        ):
            with self.assertRaises(SourceError) as caught:
                rows(columns, key=key)
            self.assertEqual((told, where), (caught.exception.message, caught.exception.key))

    def test_columns_are_those_of_the_live_query(self) -> None:
        streams = ["shop.orders", "shop.to_pay"]
        head = "its columns are not those of the source's query: "
        for columns, live, told in (
            (["time", "orders", "to pay"], ["to pay", "orders"], ""),
            (["orders", "time", "to pay"], ["time", "orders", "to pay", "note"], ""),
            (["time", "orders"], ["orders", "to pay"], "to pay missing"),
            (["time", "orders", "to pay", "x"], ["orders", "to pay"], "x unknown to the query"),
            (
                ["time", "b", "a"],
                ["orders", "to pay"],
                "orders, to pay missing; a, b unknown to the query",
            ),
        ):
            apart = ("time", None)
            if not told:
                check_columns(columns, live, apart, streams)
                continue
            with self.assertRaises(SourceError) as caught:
                check_columns(columns, live, apart, streams)
            self.assertEqual(head + told, caught.exception.message)
            self.assertEqual("backfill.query", caught.exception.key)
        check_columns(["time", "city", "n"], ["n", "city"], ("time", "city"), ["shop.graz.n"])
        with self.assertRaises(SourceError):
            check_columns(["time", "city"], ["n", "city"], ("time", "city"), ["shop.graz.n"])

    def test_long_work_is_done_in_steps(self) -> None:
        table = Table(["time", "n"], [[n, n] for n in range(1000)])
        self.assertGreater(len([*past_rows(table, "time", None)]), 10)

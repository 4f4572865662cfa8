"""The rows of a backfill, and its windows: no day is cut in two, whatever the clock does in it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.past import Past
from streamd.core.slots import Slots
from streamd.core.steps import finish
from streamd.core.values import BadValue
from streamd.sources.databases.past_rows import (
    DAY,
    LONGEST,
    PARTS,
    PastRow,
    check_columns,
    end_of_window,
    fill,
    longer,
    midnight,
    past_rows,
    shorter,
)
from streamd.sources.databases.rows import Table
from streamd.sources.errors import SourceError

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
SIZES = [*PARTS, *(DAY * 2**n for n in range(7))]


def rows(columns: Sequence[str], *cells: Sequence[Any], key: str | None = None) -> Any:
    return finish(past_rows(Table(columns, cells), "time", key))


@contextmanager
def machine_in(zone: str) -> Iterator[None]:
    """The machine's own zone is this one."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


class PastRowsTests(SynchronousTestCase):
    def test_columns_are_streams_in_the_order_of_time(self) -> None:
        found = rows(["time", "load", "a name"], [2, 5, "x"], [1, 4.5, None])
        self.assertEqual(0, found.timeless)
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
        self.assertEqual((1, 3), (len(found.rows), found.timeless))

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
        past = Past(24_000.0, 2000.0, lambda value: None)
        told = finish(past_rows(table, "time", None)).rows
        self.assertGreater(len([*fill({"shop.n": past}, "shop", told)]), 10)

    def test_rows_fill_the_pasts_of_their_streams(self) -> None:
        past = Past(24_000.0, 2000.0, lambda value: None)
        told = [PastRow(10.0, {"n": b"5", "other": b"6"})]
        strange = finish(fill({"shop.n": past}, "shop", told))
        past.reach(2000.0)
        self.assertEqual({"shop.other"}, strange)
        [slot] = past.before(Slots(24_000.0)).read(10, 12)
        self.assertEqual((5.0, 2.0), (slot.mean, slot.known))


class WindowTests(SynchronousTestCase):
    @given(st.sampled_from(ZONES), st.booleans(), st.integers(1, 10**9), st.sampled_from(SIZES))
    def test_a_window_lies_within_a_day_or_is_made_of_days(
        self, name: str, own: bool, begin: float, size: int
    ) -> None:
        zone = ZoneInfo(name)
        with machine_in(name):
            given = zone if not own else None
            end = end_of_window(begin, size, given)
            self.assertTrue(begin < end <= begin + max(size, DAY) + 3600)
            midnights = [midnight(each, given) for each in (begin, end)]
            if size >= DAY:
                self.assertEqual(end, midnights[1])
            else:
                self.assertTrue(midnights[0] == midnights[1] or end == midnights[1])
            at = datetime.fromtimestamp(midnights[0], zone)
            self.assertEqual((0, 0, 0), (at.hour, at.minute, at.second))

    def test_days_of_23_and_25_hours(self) -> None:
        for zone in ZoneInfo("Europe/Berlin"), None:
            with machine_in("Europe/Berlin"):
                for day, hours in (
                    (datetime(2026, 3, 28), [24, 23, 24]),
                    (datetime(2026, 10, 24), [24, 25, 24]),
                ):
                    ends = [day.replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()]
                    for _ in hours:
                        ends.append(end_of_window(ends[-1], DAY, zone))
                    self.assertEqual(hours, [(b - a) / 3600 for a, b in pairwise(ends)])

    def test_a_window_of_days_that_begins_within_a_day_ends_with_a_day(self) -> None:
        noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
        end = end_of_window(noon.timestamp(), 2 * DAY, ZoneInfo("UTC"))
        self.assertEqual(noon + timedelta(days=1, hours=12), datetime.fromtimestamp(end, UTC))

    def test_shorter_and_longer(self) -> None:
        sizes = [LONGEST]
        while (size := shorter(sizes[-1])) is not None:
            sizes.append(size)
        self.assertEqual([64 * DAY, 32 * DAY, 1], [sizes[0], sizes[1], sizes[-1]])
        self.assertEqual(sorted(sizes), [*dict.fromkeys(sorted(sizes))])
        for size, before in pairwise(reversed(sizes)):
            self.assertEqual(before, longer(size))
        self.assertEqual(LONGEST, longer(LONGEST))
        self.assertEqual((None, DAY), (shorter(DAY, DAY), shorter(3 * DAY, DAY)))

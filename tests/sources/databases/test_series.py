"""Rows become pairs that a chart draws; what cannot be drawn is told, and never becomes a zero."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from streamd.core.values import MAX_VALUE, BadValue, from_python
from streamd.sources.databases.rows import Table
from streamd.sources.databases.series import series_of
from streamd.sources.errors import SourceError


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine stands in Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
    assert os.environ.get("TZ") != "Europe/Berlin"


def pairs(*rows: tuple[Any, Any]) -> Any:
    """The series of rows with an axis `x` and a column `n`, as JSON tells it."""
    return json.loads(from_python(series_of(Table(["x", "n"], rows), "x", whole=False)["n"]))


def refusal(*rows: tuple[Any, ...], columns: str = "x n") -> SourceError:
    with pytest.raises(SourceError) as caught:
        series_of(Table(columns.split(), rows), "x", whole=False)
    assert caught.value.key == "series"
    return caught.value


def bad(*rows: tuple[Any, Any]) -> str:
    found = series_of(Table(["x", "n"], rows), "x", whole=False)["n"]
    assert isinstance(found, BadValue)
    return found.reason


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (datetime(2026, 11, 30, 9, tzinfo=UTC), "2026-11-30T09:00:00+00:00"),
        (datetime(2026, 11, 30, 9), "2026-11-30T09:00:00+01:00"),
        (datetime(2026, 7, 1, 9), "2026-07-01T09:00:00+02:00"),
        (date(2026, 11, 30), "2026-11-30T00:00:00+01:00"),
        ("2026-11-30", "2026-11-30T00:00:00+01:00"),
        ("2026-11-30 09:00", "2026-11-30T09:00:00+01:00"),
        ("2026-11-30T09:00:00.5Z", "2026-11-30T09:00:00.500000+00:00"),
        ("2026-11-30 09:00:00-0300", "2026-11-30T09:00:00-03:00"),
    ],
)
@pytest.mark.usefixtures("berlin")
def test_times_have_an_offset(written: Any, told: str) -> None:
    assert pairs((written, 1)) == [[told, 1]]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("north", "north"),
        (9, 9),
        (Decimal(9), 9),
        (1.5, 1.5),
        (True, True),
        (None, None),
        (timedelta(hours=9), "9:00:00"),
        ("20261130", "20261130"),
        ("2026", "2026"),
        ("2026-13-01", "2026-13-01"),
    ],
)
def test_other_cells_are_names(written: Any, told: Any) -> None:
    assert pairs((written, 1)) == [[told, 1]]


@pytest.mark.usefixtures("berlin")
def test_times_are_in_order_and_names_stay_as_they_came() -> None:
    utc = [datetime(2026, 11, 30, hour, tzinfo=UTC) for hour in (11, 9, 10)]
    assert [n for _, n in pairs(*zip(utc, (11, 9, 10), strict=True))] == [9, 10, 11]
    # 9:00 in Berlin is 8:00 UTC: the instant counts, not the digits.
    assert [n for _, n in pairs((utc[1], 2), ("2026-11-30 09:30", 1))] == [1, 2]
    assert pairs(("south", 1), ("north", 2)) == [["south", 1], ["north", 2]]
    assert pairs(("2026-11-30", 1), ("total", 2)) == [["2026-11-30", 1], ["total", 2]]


def test_null_is_a_hole_and_a_row_without_a_time_comes_last() -> None:
    hour = datetime(2026, 11, 30, 9, tzinfo=UTC)
    told = pairs((None, 3), (hour, None), (hour + timedelta(hours=1), 0))
    assert told == [
        ["2026-11-30T09:00:00+00:00", None],
        ["2026-11-30T10:00:00+00:00", 0],
        [None, 3],
    ]
    assert pairs() == []


def test_numbers_of_databases() -> None:
    told = pairs(("a", Decimal("2.50")), ("b", Decimal(7)), ("c", timedelta(minutes=1)), ("d", 0.5))
    assert [n for _, n in told] == [2.5, 7, 60, 0.5]


@pytest.mark.parametrize("cell", ["12", True, [1], datetime(2026, 1, 1), {"a": 1}])
def test_a_cell_that_is_no_number_fails_its_own_column(cell: Any) -> None:
    assert bad(("a", 1), ("b", cell)) == f"column n: {str(cell)!r} is no number"
    found = series_of(Table(["x", "n", "m"], [["a", cell, 1]]), "x", whole=False)
    assert found["m"] == [("a", 1)]


def test_a_bad_cell_says_what_to_write() -> None:
    assert bad(("a", BadValue("column n: JSON has no NaN"))) == "column n: JSON has no NaN"


def test_each_column_is_a_stream() -> None:
    table = Table(["orders", "x", "süd west", "count(*)"], [[1, "a", 2, 3]])
    found = series_of(table, "x", whole=False)
    assert found.pop("orders") == [("a", 1)]
    assert found.pop("s_d_west") == [("a", 2)]
    assert found.pop("count___").reason == "the column has no name: write count(*) AS a_name"
    assert not found
    assert [*series_of(table, "x", whole=True)] == ["orders", "süd west", "count(*)"]


def test_rows_that_are_no_series() -> None:
    assert refusal((1,), columns="n").message == "the query gives no column x"
    assert refusal((1,), columns="x").message == "the query gives no column beside x"
    assert refusal((BadValue("column x: bytes"), 1)).message == "column x: bytes"
    twice = refusal(("a", 1), ("b", 2), ("a", 3)).message
    assert twice == "two rows have the x 'a': write GROUP BY x, or name another column"
    assert "two rows have the x 'NULL'" in refusal((None, 1), (None, 2)).message


@pytest.mark.usefixtures("berlin")
def test_local_times_that_are_one_instant_are_no_double() -> None:
    """A database may keep UTC without saying so: in Berlin, 2:00 does not exist on this day."""
    told = pairs(("2026-03-29 02:00", 1), ("2026-03-29 03:00", 2))
    assert [n for _, n in told] == [1, 2]


def test_a_long_series_keeps_what_fits_and_counts_the_rest() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    times = [(begin + timedelta(minutes=minute), minute) for minute in range(5000)]
    first, *rest = pairs(*times)
    assert [n for _, n in rest] == [*range(5000 - len(rest), 5000)], "the newest ones stay"
    assert first == [f"… and {5000 - len(rest)} rows before", None]
    names = [("x" * 50 + str(number), number) for number in range(5000)]
    *rest, last = pairs(*names)
    assert [n for _, n in rest] == [*range(len(rest))]
    assert last == [f"… and {5000 - len(rest)} rows more", None]
    assert MAX_VALUE - 200 < len(from_python([*rest, last])) <= MAX_VALUE

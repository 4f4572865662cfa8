"""Cells become values, and a bad cell stays one bad cell."""

from __future__ import annotations

import math
import os
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from streamd.core.values import MAX_VALUE, BadValue, from_python
from streamd.sources.databases.rows import Table, by_key, first_row, fitting, make_table, seconds
from streamd.sources.errors import SourceError


def cell(value: Any) -> Any:
    """What becomes of a cell in a column `c`."""
    [[found]] = make_table([["c"]], [[value]]).rows
    return found


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (Decimal("12345678901234567890"), Decimal("12345678901234567890")),
        (Decimal("33.3333333333333333"), Decimal("33.3333333333333333")),
        (Decimal("12345678901234567890.12"), "12345678901234567890.12"),
        (Decimal("-9007199254740993.5"), "-9007199254740993.5"),
        (Decimal("-1e200"), Decimal("-1e200")),
        (Decimal("9" * 40 + ".5"), "9" * 40 + ".5"),
        (datetime(1, 1, 1), "0001-01-01 00:00:00"),
        (timedelta(1), timedelta(1)),
        (1 + 2j, "(1+2j)"),
    ],
)
def test_values(value: Any, wanted: Any) -> None:
    assert cell(value) == wanted


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "column c: JSON has no NaN; write NULLIF(c, 'NaN')"),
        (Decimal("NaN"), "column c: JSON has no NaN; write NULLIF(c, 'NaN')"),
        (-math.inf, "column c: JSON has no -Infinity; write NULLIF(c, '-Infinity')"),
        (b"\1", "column c: bytes are no value; make them text, or a BIT a number: c + 0"),
        (BadValue("the text is not UTF-8"), "column c: the text is not UTF-8"),
    ],
)
def test_bad_cells(value: Any, reason: str) -> None:
    assert cell(value).reason == reason


def test_columns_without_a_name_say_what_to_write() -> None:
    row = first_row(Table(["count(*)", "?column?", "süd west"], [[1, 2, 3]]), whole=False)
    assert row.pop("s_d_west") == 3
    assert [bad.reason for bad in row.values()] == [
        "the column has no name: write count(*) AS a_name",
        "the column has no name: write … AS a_name",
    ]
    assert first_row(Table(["count(*)"], [[1]]), whole=True) == {"count(*)": 1}


def test_columns_of_one_name_are_both_bad() -> None:
    row = first_row(Table(["a b", "a/b", "c"], [[1, 2, 3]]), whole=False)
    assert row["a_b"].reason == "both 'a b' and 'a/b' are called a_b"
    assert row["c"] == 3


def test_a_list_keeps_what_fits_and_counts_the_rest() -> None:
    table = Table(["name", "n"], [["x" * 50, n] for n in range(10_000)])
    *rows, last = fitting(table)
    assert rows[0] == {"name": "x" * 50, "n": 0}
    assert last == {"name": f"… and {10_000 - len(rows)} rows more"}
    assert MAX_VALUE - 200 < len(from_python([*rows, last])) <= MAX_VALUE
    assert fitting(Table(["n"], [[1], [2]])) == [{"n": 1}, {"n": 2}]
    assert fitting(Table(["n"], [])) == []
    assert fitting(Table(["n"], [["x" * MAX_VALUE], [2]]))[-1] == {"n": 2}


def test_bytes_name_no_row() -> None:
    table = make_table([["k"], ["v"]], [[b"x", 1]])
    with pytest.raises(SourceError, match="column k: bytes are no value"):
        by_key(table, "k", whole=False)


def test_a_naive_time_is_one_instant_as_time_and_as_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the hour that clocks leave out in March."""
    monkeypatch.setitem(os.environ, "TZ", "Europe/Berlin")
    time.tzset()
    try:
        for value in (datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30)):
            assert seconds(value, "c") == value.astimezone().timestamp()
            assert value.astimezone(UTC).timestamp() == seconds(str(value), "c")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_cells_that_would_get_one_name_fail_alone() -> None:
    table = make_table([("k",), ("b.c",), ("c",)], [["a", 1, 2], ["a.b", 3, 4]])
    found = by_key(table, "k", whole=False)
    assert isinstance(found.pop("a.b.c"), BadValue)
    assert found == {"a.c": 2, "a.b.b.c": 3}

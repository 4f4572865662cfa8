"""What rows become, and what a table with `query` may say."""

from __future__ import annotations

import sys
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from streamd.config.extras import needs_extra
from streamd.config.parse import parse
from streamd.sources.databases.rows import Table, by_key, make_table, seconds
from streamd.sources.errors import SourceError
from streamd.sources.registry import find_kinds
from tests.support.streams import make_sources, mistake

HERE = 'database = "sqlite:///shop.db"\n'
AFTER = 'query = "SELECT id FROM t WHERE id > :after ORDER BY id"\nafter = "id"\n'
ONE = 'query = "SELECT 1 AS one"\n'
POSTGRES = 'database = "postgresql://shop:pa55@localhost/shop"\n'


def problem(lines: str) -> str:
    """The one line that is said of these."""
    line = mistake(f"[sources.shop]\n{lines}")
    assert "pa55" not in line
    return line


BACKFILL = """
[sources.shop.backfill]
query = "SELECT at AS time, a FROM t WHERE at >= :from AND at < :to"
"""
ROLLED = '[streams.shop.a]\nrollup = "8d"\n'


@pytest.mark.parametrize(
    "lines",
    [
        HERE + ONE + 'key = "one"\nwhole = true',
        HERE + ONE + "table = true\n",
        HERE + ONE + 'series = "one"\nwhole = true',
        HERE + AFTER + 'start = 5\ntime = "at"\nsettle = "1m"\ntimeout = "500ms"',
        HERE + AFTER + "start = 2026-01-01",
        POSTGRES + 'listen = "alerts"',
        POSTGRES + 'listen = "alerts"\n' + AFTER,
        'database = "mysql://a:b@localhost:3306/shop?charset=utf8mb4"\n' + ONE,
        HERE + ONE + BACKFILL,
        HERE + ONE + 'key = "a"\n' + BACKFILL.replace(":from", ":from_epoch"),
        POSTGRES + 'listen = "alerts"\n' + ONE + BACKFILL,
    ],
)
def test_what_may_be_said(lines: str) -> None:
    make_sources(f"[sources.shop]\n{lines}\n{ROLLED}")


@pytest.mark.parametrize(
    ("lines", "path", "text"),
    [
        (HERE + ONE + 'every = "0s"', "shop.every", "longer than 0"),
        (HERE + 'query = " ; "', "shop.query", "expected a SELECT"),
        ('database = "oracle:x"\n' + ONE, "shop.database", "expected"),
        ("database = 5\n" + ONE, "shop.database", "expected"),
        (ONE, "shop.database", "is missing"),
        ('database = { env = "NOT_THERE" }\n' + ONE, "shop.database", "NOT_THERE is empty"),
        (HERE + ONE + 'key = "a"\ntable = true', "shop", "exclude each other"),
        (HERE + ONE + 'series = "a"\ntable = true', "shop", "exclude each other"),
        (HERE + ONE + "series = true", "shop.series", "expected"),
        (HERE + ONE + 'after = "id"', "shop", ":after"),
        (HERE + ONE + 'start = "now"', "shop", "with after"),
        (HERE + AFTER + BACKFILL, "shop", "backfill is for a query whose columns"),
        (
            HERE + ONE + "table = true\n" + BACKFILL,
            "shop",
            "without table, series, after and whole",
        ),
        (
            HERE + ONE + "whole = true\n" + BACKFILL,
            "shop",
            "without table, series, after and whole",
        ),
        (POSTGRES + 'listen = "alerts"\n' + BACKFILL, "shop", "backfill is for a query"),
        (HERE + ONE + BACKFILL.replace(":to", "5"), "shop.backfill.query", "needs its times"),
        (HERE + ONE + BACKFILL.replace(":from", "5"), "shop.backfill.query", "needs its times"),
        (HERE + ONE + BACKFILL + "tiem = 'at'", "shop.backfill.tiem", "did you mean time?"),
        (HERE + ONE + "[sources.shop.backfill]", "shop.backfill.query", "is missing"),
        (HERE + AFTER + "start = []", "shop", '"now" or a value'),
        (HERE + AFTER + "start = true", "shop", '"now" or a value'),
        (POSTGRES + 'listen = "alerts"\nkey = "id"', "shop", "are for a query"),
        (POSTGRES + 'listen = "alerts"\ntable = true', "shop", "are for a query"),
        (POSTGRES + 'listen = "alerts"\nseries = "id"', "shop", "are for a query"),
        (HERE + 'listen = "alerts"', "shop.database", "expected PostgreSQL"),
        (POSTGRES + 'listen = ""', "shop.listen", "expected a channel"),
        (POSTGRES + "listen = 'a\"b'", "shop.listen", "expected a channel"),
        ('database = "postgresql://h/x?pa55=1"\n' + ONE, "shop.database", "not a valid address"),
        ('database = "mysql://a:pa55@h:x/y"\n' + ONE, "shop.database", "expected"),
        ('database = "mysql://h/y?local=1"\n' + ONE, "shop.database", "unknown option local"),
    ],
)
def test_mistakes(lines: str, path: str, text: str) -> None:
    line = problem(lines)
    assert line.startswith(f"sources.{path}: ")
    assert text in line


@pytest.mark.parametrize(
    ("database", "driver", "name", "extra"),
    [
        ("postgresql", "psycopg", "PostgreSQL", "postgres"),
        ("mysql", "pymysql", "MySQL", "mysql"),
    ],
)
def test_a_missing_driver(
    database: str, driver: str, name: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, driver, None)
    lines = f'database = "{database}://localhost/shop"\n{ONE}'
    assert problem(lines) == f"sources.shop.database: {needs_extra(name, driver, extra)}"


def test_a_database_never_shows_its_password() -> None:
    assert "pa55" not in repr(parse(f"[sources.shop]\n{POSTGRES}{ONE}", find_kinds()))


def test_names_of_rows() -> None:
    rows: list[list[Any]] = [["north", 1], ["süd west", 2], [None, 3], [5, 4], ["", 5], ["a/b", 6]]
    assert by_key(Table(["region", "orders"], rows), "region", whole=False) == {
        "north.orders": 1,
        "s_d_west.orders": 2,
        "null.orders": 3,
        "5.orders": 4,
        "_.orders": 5,
        "a_b.orders": 6,
    }
    assert by_key(Table(["region", "orders"], rows[:1]), "region", True) == {"north": {"orders": 1}}


def test_names_that_collide_and_keys_that_are_not_there() -> None:
    rows: list[list[Any]] = [["a b", 1], ["a/b", 2]]
    with pytest.raises(SourceError, match="two rows are a_b: k is 'a b' and 'a/b'"):
        by_key(Table(["k", "v"], rows), "k", whole=False)
    with pytest.raises(SourceError, match="the query gives no column k"):
        by_key(Table(["v"], []), "k", whole=False)


def test_bytes_are_refused_by_column() -> None:
    for bad in (b"x", memoryview(b"x")):
        [[good, wrong]] = make_table([["a"], ["b"]], [[1, bad]]).rows
        assert good == 1
        assert wrong.reason == (
            "column b: bytes are no value; make them text, or a BIT a number: b + 0"
        )


NOON = 1767268800.0


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, None),
        (NOON, NOON),
        (int(NOON), NOON),
        (Decimal(NOON), NOON),
        ("2026-01-01T12:00:00Z", NOON),
        ("2026-01-01 13:00:00.5+01:00", NOON + 0.5),
        (datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2))), NOON),
        (datetime(2026, 1, 1, 12), datetime(2026, 1, 1, 12).timestamp()),
        (date(2026, 1, 1), datetime(2026, 1, 1).timestamp()),
    ],
)
def test_times(value: Any, wanted: float | None) -> None:
    assert seconds(value, "created") == wanted


@pytest.mark.parametrize("value", ["soon", "", b"x", [], "99999-01-01"])
def test_no_times(value: Any) -> None:
    with pytest.raises(SourceError, match="is no time"):
        seconds(value, "created")


def test_a_backfill_needs_a_stream_with_rollup() -> None:
    for stream in "", "[streams.shop.a]\n", '[streams.shops.a]\nrollup = "8d"\n':
        line = mistake(f"[sources.shop]\n{HERE}{ONE}{BACKFILL}{stream}")
        assert line.startswith("sources.shop.backfill: it fills streams with rollup, and no stream")
        assert '[streams.shop.NAME] rollup = "400d"' in line

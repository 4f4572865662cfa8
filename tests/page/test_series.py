"""Rows as series on a wall: a line of times, bars of names, and a sentence for what cannot be drawn."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.daemon import Daemon, StartDaemon
from tests.support.wall import post, tile

HOURS = [
    [(datetime(2026, 11, 30, 8, tzinfo=UTC) + timedelta(hours=hour)).isoformat(), number]
    for hour, number in enumerate([120, 250.5, None, 80])
]


@pytest.fixture
def daemon(start_daemon: StartDaemon, tmp_path: Path) -> Daemon:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE orders (amount REAL, region TEXT, created TEXT)")
        rows = [(120, "north", "08:10"), (200, "south", "09:00"), (50.5, "north", "09:59")]
        connection.executemany("INSERT INTO orders VALUES (?, ?, '2026-11-30 ' || ?)", rows)
    return start_daemon(
        config=f"""
        [access]
        publish = "loopback"
        [sources.hourly]
        database = "sqlite:///{tmp_path}/shop.db"
        query = '''SELECT strftime('%Y-%m-%d %H:00', created) AS hour, sum(amount) AS revenue
                   FROM orders GROUP BY hour'''
        series = "hour"
        every = "100ms"
        [sources.regions]
        database = "sqlite:///{tmp_path}/shop.db"
        query = "SELECT region, sum(amount) AS revenue FROM orders GROUP BY region ORDER BY region"
        series = "region"
        every = "100ms"
        [streams.regions.revenue]
        unit = "€"
        [[walls]]
        name = "one"
        tiles = [
          {{ stream = "hourly.revenue" }}, {{ stream = "regions.revenue", show = "chart" }},
          {{ stream = "hours" }}, {{ stream = "empty", show = "chart" }},
          {{ stream = "word", show = "chart" }}, {{ stream = "table", show = "chart" }},
          {{ stream = "object", show = "value" }}, {{ stream = "array", show = "status" }},
          {{ streams = ["number", "text"], title = "Both", show = "chart" }},
        ]
        """
    )


def test_series_are_drawn(daemon: Daemon, page: Page) -> None:
    post(daemon, "hours", HOURS)
    post(daemon, "empty", [])
    page.goto(daemon.url)
    for label in ("hourly.revenue", "regions.revenue", "hours", "empty"):
        expect(tile(page, label)).to_have_attribute("data-kind", "chart")
        expect(tile(page, label)).to_have_attribute("data-state", "current")
    expect(tile(page, "hourly.revenue").get_by_role("img", name="120 to 250.5")).to_be_visible()
    expect(tile(page, "hours").get_by_role("img", name="80 to 250.5")).to_be_visible()
    regions = tile(page, "regions.revenue").get_by_role("listitem")
    expect(regions).to_contain_text(["north", "south"])
    expect(tile(page, "empty")).to_contain_text("no rows")


def test_what_cannot_be_drawn_says_why(daemon: Daemon, page: Page) -> None:
    post(daemon, "word", "closed")
    post(daemon, "table", [{"who": "Ada", "sold": 3}])
    post(daemon, "object", {"up": 5, "down": 1})
    post(daemon, "array", [1, 2, 3])
    post(daemon, "number", 5)
    post(daemon, "text", "closed")
    page.goto(daemon.url)
    shows = "a chart shows numbers, or rows of a time or a name and a number"
    sentences = {
        "word": f"{shows}, not a text",
        "table": f"{shows}, not an array of 1 element",
        "object": "a value shows a number or a text, not an object of 2 members",
        "array": "a status shows a number or a text, not an array of 3 elements",
    }
    for label, sentence in sentences.items():
        expect(tile(page, label)).to_contain_text(sentence)
        expect(tile(page, label)).to_have_attribute("data-state", "failed")
    expect(tile(page, "Both")).to_contain_text("text: a text")  # the other line is drawn
    expect(tile(page, "Both")).to_have_attribute("data-state", "current")
    post(daemon, "word", 7)
    post(daemon, "object", 7)
    for label in ("word", "object"):
        expect(tile(page, label)).to_have_attribute("data-state", "current")
        expect(tile(page, label)).not_to_contain_text("shows")

"""The frame of the wall in a real browser: sizes, pages, groups, the header, and the look of states."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.daemon import Daemon, StartDaemon
from tests.support.wall import post, tile

SIZES = [(1920, 1080), (1080, 1920), (390, 844), (960, 540)]
# Two missed ticks of 5 s, and what a busy machine needs.
LOST_MS = 30_000

GEOMETRY = """() => [...document.querySelectorAll(".tile:not([hidden])")].map((tile) => {
  const box = (element) => {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    return { left, top, right, bottom };
  };
  const size = (what) => {
    const element = tile.querySelector(what);
    const shown = element && element.offsetHeight > 0;
    return shown ? parseFloat(getComputedStyle(element).fontSize) : 0;
  };
  return {
    label: tile.querySelector("h2").textContent,
    box: box(tile),
    top: box(tile.querySelector(".top")),
    figure: box(tile.querySelector(".figure")),
    value: box(tile.querySelector(".value")),
    foot: box(tile.querySelector(".foot")),
    sizes: [".value", ".unit:not(.before)", ".label"].map(size),
  };
})"""
"""The boxes of all visible tiles that show a value, in pixels, and the sizes of their type."""

WIDE = {
    "plain": 42,
    "wide": -888888.88,
    "large": 1e308,
    "whole": 9007199254740993,
    "small": 5e-324,
    "word": "scheduled",
}


def start(start_daemon: StartDaemon, config: str) -> Daemon:
    return start_daemon(config=f'[access]\npublish = "loopback"\n{config}')


def geometry(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(GEOMETRY)
    return found


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_numeral_is_never_smaller_than_its_unit(
    start_daemon: StartDaemon, page: Page, size: tuple[int, int]
) -> None:
    units = "\n".join(f'[streams.{name}]\nunit = "requests/s"' for name in WIDE)
    daemon = start(start_daemon, units)
    for name, value in WIDE.items():
        post(daemon, name, value)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(daemon.url)
    expect(page.locator(".tile[data-state=current]")).to_have_count(len(WIDE))
    page.evaluate("document.fonts.ready")
    for shown in geometry(page):
        value, unit, label = shown["sizes"]
        assert value >= unit, shown
        assert value >= label - 0.01, shown
        assert shown["value"]["right"] <= shown["box"]["right"] + 1, shown
        assert shown["top"]["bottom"] <= shown["figure"]["top"] + 1, shown
        assert shown["figure"]["bottom"] <= shown["foot"]["top"] + 1, shown


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920)], ids=str)
def test_what_does_not_fit_is_on_the_next_page(
    start_daemon: StartDaemon, page: Page, size: tuple[int, int]
) -> None:
    """Of 200 tiles none vanishes and none overlaps another; numbers stay larger than labels."""
    daemon = start(start_daemon, "")
    for i in range(200):
        post(daemon, f"n{i}", 1000 + i)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(daemon.url)
    expect(page.locator("#pages")).to_have_text(re.compile(r"^1 of \d+$"))
    pages = int(page.locator("#pages").inner_text().split()[-1])
    seen: list[str] = []
    for number in range(pages):
        expect(page.locator("#pages")).to_have_text(f"{number + 1} of {pages}")
        expect(page.locator(".tile:not([hidden])").first).to_be_visible()
        shown = geometry(page)
        seen += [each["label"] for each in shown]
        for i, one in enumerate(shown):
            value, _, label = one["sizes"]
            assert value > label, one
            assert one["box"]["bottom"] <= size[1], one
            assert not [other for other in shown[:i] if overlap(one["box"], other["box"])]
        page.keyboard.press("ArrowRight")
    assert sorted(seen) == sorted(f"n{i}" for i in range(200))


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    apart = (
        one["right"] <= other["left"] + 1
        or other["right"] <= one["left"] + 1
        or one["bottom"] <= other["top"] + 1
        or other["bottom"] <= one["top"] + 1
    )
    return not apart


def test_texts_that_do_not_fit_have_a_line_of_their_own(
    start_daemon: StartDaemon, page: Page
) -> None:
    title = ", ".join(["The temperature of the third cold store"] * 3)
    config = f"""[streams.leak]
title = {title!r}
unit = "{"mbar·l/s " * 12}"
[[walls]]
name = "cold"
streams = ["leak", "one", "two", "three"]
"""
    daemon = start(start_daemon, config)
    for name in ("leak", "one", "two", "three"):
        post(daemon, name, 0.000423)
    page.goto(daemon.url)
    leak = tile(page, title)
    expect(leak.locator(".value")).to_have_text("0.000423")
    expect(leak.locator(".unit").last).to_be_hidden()
    expect(leak.locator(".evidence").first).to_contain_text("mbar·l/s")
    expect(leak).to_have_attribute("data-label", "long")
    lines = "label => label.clientHeight / parseFloat(getComputedStyle(label).fontSize)"
    assert leak.locator(".label").evaluate(lines) > 2


def test_sizes_and_groups(start_daemon: StartDaemon, page: Page) -> None:
    daemon = start(
        start_daemon,
        """
        [[walls]]
        name = "one"
        [[walls.groups]]
        title = "Shop"
        [[walls.groups]]
        title = "House"
        [[walls.tiles]]
        stream = "orders"
        size = "hero"
        group = "Shop"
        [[walls.tiles]]
        stream = "queue"
        group = "Shop"
        [[walls.tiles]]
        stream = "room"
        group = "House"
        """,
    )
    for name in ("orders", "queue", "room"):
        post(daemon, name, 1)
    page.goto(daemon.url)
    expect(page.locator(".group h2")).to_have_text(["Shop", "House"])
    expect(tile(page, "room")).to_have_attribute("data-state", "current")
    areas = {
        name: box["width"] * box["height"]
        for name in ("orders", "queue", "room")
        if (box := tile(page, name).bounding_box())
    }
    assert areas["orders"] > 2 * areas["queue"]
    headings = [page.locator(".group").nth(i).bounding_box() for i in (0, 1)]
    for heading, name in zip(headings, ("orders", "room"), strict=True):
        box = tile(page, name).bounding_box()
        assert heading
        assert box
        assert heading["x"] == pytest.approx(box["x"], abs=1)
        assert heading["y"] + heading["height"] <= box["y"]


def test_header_names_needs(start_daemon: StartDaemon, page: Page) -> None:
    """The worst first; and the rest is counted where it has no room."""
    streams = "\n".join(f'[streams.s{i}]\ntitle = "Stream {i}"\nwarn = "> 1"' for i in range(9))
    daemon = start(start_daemon, f'{streams}\n[streams.queue]\ncritical = "> 40"')
    post(daemon, "queue", 1)
    page.goto(daemon.url)
    expect(page.locator("#summary")).to_contain_text("Stream 0 waiting")
    for i in range(9):
        post(daemon, f"s{i}", 1)
    expect(page.locator("#summary")).to_have_text(re.compile("^all is well · proved .* ago$"))
    for i in range(9):
        post(daemon, f"s{i}", 2)
    post(daemon, "queue", 48)
    first = page.locator(".need").first
    expect(first).to_have_text("■ queue above 40")  # names count more than since when
    expect(first.locator("b")).to_have_css("color", "rgb(255, 92, 73)")
    expect(page.locator(".need").nth(1)).to_contain_text("▲ Stream 0 above 1")
    more = page.locator(".need").last
    expect(more).to_have_text(re.compile(r"^\+\d more$"))
    named = page.locator(".need").count() - 1
    assert named + int(more.inner_text().split()[0]) == 10
    assert page.locator("#summary").evaluate("(line) => line.scrollWidth <= line.clientWidth")
    expect(tile(page, "queue")).to_have_css("background-color", "rgb(255, 92, 73)")
    for i in range(9):
        post(daemon, f"s{i}", 1)
    expect(first).to_have_text(re.compile(r"^■ queue above 40 since \d\d:\d\d$"))


def test_clock_never_yields(start_daemon: StartDaemon, page: Page) -> None:
    daemon = start(
        start_daemon,
        """
        [streams.queue]
        title = "A queue with a title that takes the room of the clocks of other places"
        warn = "> 1"
        [[walls]]
        name = "one"
        title = "A wall with a title of its own"
        date = true
        clocks = ["America/New_York", "Asia/Singapore"]
        accent = "#7cb0ff"
        """,
    )
    post(daemon, "queue", 1)
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto(daemon.url)
    visible = """() => {
      const row = document.getElementById("zones").getBoundingClientRect();
      const seen = (one) => one.getBoundingClientRect().bottom <= row.bottom + 1 && row.width > 0;
      return [...document.querySelectorAll(".zone")].filter(seen).map((one) => one.textContent);
    }"""
    expect(page.locator("#summary")).to_contain_text("all is well")
    date, singapore, new_york = page.evaluate(visible)
    assert re.match(r"Singapore\d\d:\d\d$", singapore)
    assert re.match(r"New York\d\d:\d\d$", new_york)
    accent = "getComputedStyle(document.documentElement).getPropertyValue('--data')"
    assert page.evaluate(accent) == "#7cb0ff"
    post(daemon, "queue", 2)
    expect(page.locator("#summary")).to_contain_text("above 1")
    page.set_viewport_size({"width": 1300, "height": 720})
    page.wait_for_function(f"({visible})().length < 3")
    assert page.evaluate(visible)[:1] in ([date], [])
    for width in (1300, 620):  # the second has no room for the title of the stream
        page.set_viewport_size({"width": width, "height": 720})
        clock = page.locator("#clock").bounding_box()
        assert clock
        assert clock["x"] + clock["width"] <= width


def test_lost_wall_keeps_its_places(start_daemon: StartDaemon, page: Page) -> None:
    daemon = start(start_daemon, "")
    for i in range(24):
        for value in (1, 2):
            post(daemon, f"n{i}", value)
    page.goto(daemon.url)
    expect(page.locator(".tile[data-state=current]")).to_have_count(24)
    shapes = "[...document.querySelectorAll('.body')].map(({ className }) => className)"
    before, former = geometry(page), page.evaluate(shapes)
    daemon.freeze()
    try:
        lost = page.locator("body[data-link=lost]")
        expect(lost).to_be_attached(timeout=LOST_MS)
        expect(page.locator(".tile[data-state=lost]")).to_have_count(24)
        after = geometry(page)
        assert page.evaluate(shapes) == former, "no picture vanishes"
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        expect(page.locator(".value").first).to_have_css("color", ground)
    finally:
        daemon.thaw()
    for one, other in zip(before, after, strict=True):
        assert (one["label"], one["box"]["left"]) == (other["label"], other["box"]["left"])
        assert other["box"]["bottom"] <= 720
    expect(page.locator(".tile[data-state=current]")).to_have_count(24)


def test_states_are_told_in_forced_colours(start_daemon: StartDaemon, page: Page) -> None:
    daemon = start(
        start_daemon,
        """
        [streams.late]
        expect = "1s"
        [streams.queue]
        critical = "> 40"
        [sources.failed]
        database = "sqlite:///nothing.db"
        query = "SELECT 1 AS n"
        every = "1s"
        """,
    )
    page.emulate_media(forced_colors="active")
    for name, value in (("late", 1), ("queue", 48), ("word", "ok")):
        post(daemon, name, value)
    page.goto(daemon.url)
    expect(tile(page, "late")).to_have_attribute("data-state", "late")
    expect(tile(page, "late").locator(".line")).to_have_css("border-top-style", "dashed")
    failed = page.locator(".tile[data-state=failed]").first
    expect(failed.locator(".value")).to_have_css("text-decoration-line", "line-through")
    expect(tile(page, "word").locator(".value")).to_have_css("text-decoration-line", "none")
    plain = tile(page, "word").evaluate("(tile) => getComputedStyle(tile).backgroundColor")
    filled = tile(page, "queue").evaluate("(tile) => getComputedStyle(tile).backgroundColor")
    assert plain != filled


def test_only_group_on_one_axis_needs_no_heading(start_daemon: StartDaemon, page: Page) -> None:
    group = '[[walls.groups]]\ntitle = "Shop"\nshare = "time"\n'
    other = '[[walls.groups]]\ntitle = "House"\n[[walls.tiles]]\nstream = "b"\ngroup = "House"\n'
    chart = '[[walls.tiles]]\nstream = "a"\nshow = "chart"\ngroup = "Shop"\n'
    walls = [f'[[walls]]\nname = "one"\n{group}', f'[[walls]]\nname = "two"\n{group}{other}']
    daemon = start(start_daemon, "\n".join(wall + chart for wall in walls))
    post(daemon, "a", 1)
    page.goto(f"{daemon.url}?wall=one")
    expect(tile(page, "a")).to_have_attribute("data-state", "current")
    expect(page.locator(".group")).to_have_count(0)
    page.goto(f"{daemon.url}?wall=two")
    expect(page.locator(".group h2")).to_have_text(["House", "Shop"])


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (1280, 500), (390, 844)], ids=str)
def test_reason_of_a_failure_does_not_cover_its_value(
    start_daemon: StartDaemon, page: Page, tmp_path: Path, size: tuple[int, int]
) -> None:
    file = tmp_path / "shop.db"
    daemon = start(
        start_daemon,
        f"""
        [sources.shop]
        database = "sqlite:///{file}"
        query = "SELECT count(*) AS orders FROM orders_of_all_customers_in_all_countries"
        every = "200ms"
        [[walls]]
        name = "one"
        streams = ["shop.*", "z*"]
        """,
    )
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE orders_of_all_customers_in_all_countries (id INTEGER)")
    for i in range(27):  # five rows: tiles with room for one line below the numeral
        post(daemon, f"z{i}", i)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(daemon.url)
    expect(tile(page, "shop.orders")).to_have_attribute("data-state", "current")
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("DROP TABLE orders_of_all_customers_in_all_countries")
    expect(tile(page, "shop.orders")).to_have_attribute("data-state", "failed")
    expect(tile(page, "shop.orders").locator(".evidence").first).to_contain_text("✕")
    [shown] = [each for each in geometry(page) if each["label"] == "shop.orders"]
    assert shown["figure"]["bottom"] <= shown["foot"]["top"] + 1, shown
    assert shown["foot"]["bottom"] <= shown["box"]["bottom"] + 1, shown


def test_a_comma_takes_no_line_from_the_evidence(start_daemon: StartDaemon, page: Page) -> None:
    config = """[streams]
sum = { format = "money", currency = "EUR", decimals = 0, rollup = "1d" }
[[walls]]
name = "full"
[[walls.groups]]
title = "Shop"
share = "time"
window = "1h"
"""
    for size in ("hero", "wide", "wide"):
        config += (
            f'[[walls.tiles]]\nstream = "n"\nshow = "chart"\ngroup = "Shop"\nsize = "{size}"\n'
        )
    for size in ("m", "s", "s", "s", "l", "l", "wide"):
        config += f'[[walls.tiles]]\nstream = "{"sum" if size == "m" else "n"}"\nsize = "{size}"\n'
    daemon = start(start_daemon, config)
    page.set_viewport_size({"width": 1920, "height": 1080})
    post(daemon, "n", 1)
    now = time.time()
    for ago in (1800, 900, 0):
        post(daemon, "sum", 393_924 - ago, now - ago)
    page.goto(daemon.url)
    revenue = tile(page, "sum")
    expect(revenue).to_have_attribute("data-shape", "sided")
    expect(revenue.locator(".evidence").first).to_contain_text("in 30 min")
    assert revenue.locator(".foot").first.evaluate("foot => foot.clientHeight") > 0

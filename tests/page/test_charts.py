"""Charts and scores on a wall: what a real browser draws of hours that a real daemon remembers."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.support.daemon import Daemon, StartDaemon
from tests.support.net import wait_until
from tests.support.wall import LOST_MS, post, posting, tile

HOUR = 3600
WEEK = 7 * 24 * HOUR
SHOP = """
[server]
timezone = "Europe/Berlin"
language = "en"
[access]
publish = "loopback"
[streams.orders]
rollup = "15d"
compare = "7d"
[streams.visitors]
rollup = "15d"
compare = "7d"
[streams.sold]
rollup = "2d"
[streams.p50]
rollup = "2d"
[streams.p99]
rollup = "2d"
warn = "> 400"
critical = "> 800"
[streams."load.web-1"]
keep = "8h"
warn = "> 90"
[streams."load.web-2"]
keep = "8h"
expect = "1s"
[[walls]]
name = "shop"
[[walls.tiles]]
stream = "orders"
show = "chart"
[[walls.tiles]]
streams = ["p50", "p99"]
title = "Latency"
show = "quantiles"
scale = "log"
[[walls.tiles]]
streams = ["load.*"]
title = "Load"
show = "chart"
[[walls.tiles]]
stream = "visitors"
show = "chart"
[[walls.tiles]]
stream = "sold"
show = "chart"
window = "8h"
[[walls]]
name = "score"
groups = [{ title = "Shop", share = "time", window = "8h", events = "deploys" }]
[[walls.tiles]]
stream = "orders"
show = "chart"
group = "Shop"
[[walls.tiles]]
streams = ["p50", "p99"]
title = "Latency"
show = "quantiles"
group = "Shop"
[streams."svc.shop"]
critical = "== down"
[[walls]]
name = "services"
groups = [{ title = "Shop", share = "time", window = "8h" }]
[[walls.tiles]]
stream = "orders"
show = "chart"
group = "Shop"
[[walls.tiles]]
streams = ["svc.*"]
title = "Services"
show = "band"
group = "Shop"
"""


@pytest.fixture
def shop(start_daemon: StartDaemon) -> Daemon:
    return start_daemon(config=SHOP)


def fill(daemon: Daemon, name: str, values: Sequence[float], end: float, step: float) -> None:
    """Publishes values at equal times, the last one at the end."""
    for i, value in enumerate(values):
        post(daemon, name, value, end - step * (len(values) - 1 - i))


def box(locator: Locator) -> Any:
    found = locator.bounding_box()
    assert found
    return found


def texts(locator: Locator) -> list[str]:
    return [text.strip() for text in locator.all_inner_texts()]


def test_a_chart_is_compared_with_the_week_before(shop: Daemon, page: Page) -> None:
    now = time.time()
    fill(shop, "orders", [10 + hour % 3 for hour in range(20)], now - WEEK + HOUR, HOUR)
    fill(shop, "orders", [20, 30, 40, 35, 52], now - 1, HOUR)
    page.goto(shop.url)
    orders = tile(page, "orders")
    expect(orders.locator("path.ghost")).to_have_count(1)
    expect(orders.locator(".ghostly")).to_have_text(re.compile("^last [A-Z][a-z][a-z]$"))
    expect(orders.locator(".evidence").first).to_have_text(
        re.compile(r"^\+4\d on last [A-Z][a-z][a-z]$")
    )
    expect(orders.locator(".value")).to_have_text("52")
    expect(orders.locator(".tick").first).to_have_text("0")
    expect(orders.locator(".edge")).to_have_text("now")
    plot = box(orders.locator("path.area"))
    for label in orders.locator(".plot bdi").all():
        place = box(label)
        inside = (
            plot["x"] < place["x"] + place["width"] / 2 < plot["x"] + plot["width"]
            and place["y"] + place["height"] < plot["y"] + plot["height"]
            and place["y"] > plot["y"]
        )
        assert not inside, label.inner_text()
    # Nothing is known of that time last week, so nothing is said of it.
    post(shop, "visitors", 5)
    expect(tile(page, "visitors").locator("circle")).to_have_count(1)
    expect(tile(page, "visitors").locator("path.ghost")).to_have_count(0)
    expect(tile(page, "visitors")).not_to_contain_text("last")


def test_a_count_of_today_begins_anew(shop: Daemon, page: Page) -> None:
    now = time.time()
    day = [60_000, 70_000, 80_000, 83_000, 12, 340]
    fill(shop, "sold", day, now - 1, 900)
    fill(shop, "visitors", [*day, 500, 600], now - WEEK + 1800, 900)
    post(shop, "visitors", 50)
    page.goto(shop.url)
    sold = tile(page, "sold")
    expect(sold.locator("path.stroke")).to_have_attribute("d", re.compile("^M.*M"))  # two parts
    expect(sold.locator(".evidence").first).to_have_text("+328 in 15 min")
    past = tile(page, "visitors").locator("path.ghost")
    expect(past).to_have_attribute("d", re.compile("^M.*M"))


def test_only_the_late_line_is_pale(shop: Daemon, page: Page) -> None:
    now = time.time()
    fill(shop, "load.web-1", [40, 50, 93], now - 1, HOUR)
    fill(shop, "load.web-2", [30, 35, 47], now - HOUR, HOUR)
    page.goto(shop.url)
    load = tile(page, "Load")
    names = load.locator(".name")
    expect(names).to_have_text(["▲ web-1 93", "web-2 47"])
    expect(names.nth(0)).to_have_class(re.compile(r"\bwarn\b"))
    expect(names.nth(1)).to_have_class(re.compile(r"\bquiet\b"))
    expect(load.locator("path.stroke.quiet")).to_have_count(1)
    expect(load.locator("path.unknown")).to_have_count(1)  # from its last proof to the edge
    expect(load.locator("circle")).to_have_count(1)
    expect(load.locator("path.over.warn:not(.ember)")).to_have_count(1)
    with posting(shop, "load.web-2", 48):
        expect(load.locator("circle")).to_have_count(2)
        expect(load.locator("path.unknown")).to_have_count(0)


def test_past_excess_is_faint_and_present_excess_is_filled(shop: Daemon, page: Page) -> None:
    now = time.time()
    fill(shop, "p50", [70, 80, 90, 75], now - 1, HOUR)
    fill(shop, "p99", [300, 900, 350, 320], now - 1, HOUR)
    page.set_viewport_size({"width": 1080, "height": 1080})
    page.goto(f"{shop.url}?wall=score")
    latency = tile(page, "Latency")
    expect(latency.locator(".value")).to_have_text("320")
    expect(latency.locator(".pairs")).to_have_text("p5075")
    expect(latency.locator(".tick.warn")).to_have_text("▲ 400")
    expect(latency.locator(".tick.critical")).to_have_text("■ 800")
    expect(latency.locator("path.over.ember")).to_have_count(2)
    expect(latency.locator("path.over:not(.ember)")).to_have_count(0)
    expect(latency.locator(".side").first).not_to_have_attribute("data-level", re.compile("."))
    post(shop, "p99", 1200)
    expect(latency.locator("path.over.critical:not(.ember)")).to_have_count(1)
    expect(latency.locator(".side").first).to_have_attribute("data-level", "critical")
    expect(latency.locator(".name").nth(1)).to_have_text("■ p99")


def test_a_late_quantile_is_pale_in_the_figure_too(shop: Daemon, page: Page) -> None:
    now = time.time()
    fill(shop, "p50", [70, 80, 90], now - 1, HOUR)
    page.set_viewport_size({"width": 1080, "height": 1080})
    page.goto(f"{shop.url}?wall=score")
    latency = tile(page, "Latency")
    expect(latency).to_have_attribute("data-state", "current")
    expect(latency.locator(".side").first).to_have_attribute("data-state", "waiting")
    expect(latency.locator(".value")).not_to_have_css("color", "rgb(244, 239, 230)")
    expect(latency.locator("dd")).to_have_attribute("data-state", "current")
    post(shop, "p99", 300)
    expect(latency.locator(".value")).to_have_css("color", "rgb(244, 239, 230)")


def test_a_score_has_one_axis_and_its_events(shop: Daemon, page: Page) -> None:
    now = time.time()
    fill(shop, "orders", [20, 30, 40], now - 1, HOUR)
    fill(shop, "p50", [70, 80, 90], now - 1, HOUR)
    fill(shop, "p99", [300, 310, 320], now - 1, HOUR)
    post(shop, "deploys", {"service": "Checkout", "version": "4.12", "by": "Ana"}, now - 3 * HOUR)
    post(shop, "deploys", "rolled back", now - HOUR)
    page.set_viewport_size({"width": 1080, "height": 1080})
    page.goto(f"{shop.url}?wall=score")
    score = page.locator(".score")
    expect(score.locator(".flagged")).to_have_text(["Checkout 4.12", "rolled back"])
    expect(tile(page, "orders").locator(".edge")).to_have_text("now")
    expect(tile(page, "Latency").locator(".edge")).to_have_count(0)
    edges = [
        circle["x"] + circle["width"] / 2
        for circle in (
            box(tile(page, "orders").locator("circle")),
            *map(box, tile(page, "Latency").locator("circle").all()),
        )
    ]
    through = box(score)
    for edge in edges:
        assert abs(edge - (through["x"] + through["width"])) < 1.5
    assert through["y"] < box(tile(page, "orders"))["y"] + 80
    latency = box(tile(page, "Latency"))
    assert abs(through["y"] + through["height"] - latency["y"] - latency["height"]) < 1.5
    shown = texts(tile(page, "orders").locator(".tick:not(.edge)"))
    assert [text for text in shown if ":00" in text], shown
    # Where they do not stand below each other, each has an axis of its own.
    page.set_viewport_size({"width": 300, "height": 844})
    expect(tile(page, "Latency").locator(".edge")).to_have_text("now")
    expect(score).to_have_count(0)


def test_a_lost_wall_has_no_now(start_daemon: StartDaemon, page: Page) -> None:
    shop = start_daemon(config=SHOP)
    fill(shop, "orders", [20, 30, 40], time.time() - 1, HOUR)
    page.goto(shop.url)
    orders = tile(page, "orders")
    expect(orders.locator(".edge")).to_have_text("now")
    expect(orders.locator("path.area")).to_have_count(1)
    shop.stop()
    expect(orders.locator(".edge")).to_have_text(re.compile(r"^\d\d:\d\d$"), timeout=LOST_MS)
    expect(orders.locator("circle")).to_have_count(0)
    expect(orders.locator("path.area")).to_have_count(0)
    expect(orders.locator("path.stroke.quiet")).to_have_count(1)


def test_a_lost_score_counts_nothing(start_daemon: StartDaemon, page: Page) -> None:
    shop = start_daemon(config=SHOP)
    post(shop, "orders", 5)
    post(shop, "svc.mail", "up")
    post(shop, "svc.shop", "down")
    page.set_viewport_size({"width": 1080, "height": 1080})
    page.goto(f"{shop.url}?wall=services")
    services = tile(page, "Services")
    expect(services.locator(".count")).to_have_text("1 of 2 up")
    shop.stop()
    expect(page.locator("body")).to_have_attribute("data-link", "lost", timeout=LOST_MS)
    expect(services.locator(".count")).to_be_hidden()


def test_a_window_is_read_once(shop: Daemon, page: Page) -> None:
    fill(shop, "orders", [20, 30, 40], time.time() - 1, HOUR)
    reads: list[str] = []

    def note(request: Request) -> None:
        if "from=" in request.url and "/orders" in request.url:
            reads.append(request.url)

    page.on("request", note)
    page.goto(shop.url)
    orders = tile(page, "orders")
    for value in range(30):
        post(shop, "orders", value)
    expect(orders.locator(".value")).to_have_text("29")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.set_viewport_size({"width": 800, "height": 600})
    expect(orders.locator(".value")).to_have_text("29")
    # The window, and last week. Playwright tells of requests while it is asked something.
    wait_until(lambda: page.evaluate("true") and len(reads) >= 2, what="two reads")
    page.wait_for_timeout(2500)  # two drawings
    assert len(reads) == 2, reads

"""Take the pictures of README.rst and the documentation: `make screenshot`.

Each picture shows a real daemon in a real browser: the company of ``examples/lobby``, every kind of
tile, every state of a tile.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, Request, ViewportSize

from tests.support.browser import chromium
from tests.support.daemon import CHECKOUT, Daemon, Server
from tests.support.net import free_port

PICTURES = Path(__file__).with_name("pictures")
SIZE = ViewportSize(width=1360, height=765)
LIVELY = 75.0
"""Seconds until the company's broken sensor is late, and its past is filled."""

QUIET = 4.0
"""Seconds in which a page reads nothing more: it shows everything."""

KINDS = {
    "lobby": {
        "chart": "Orders per minute",
        "quantiles": "Checkout latency, p99",
        "band": "Services",
        "value": "Revenue today",
        "progress": "Goal of today",
        "ranked": "Best sellers",
        "hours": "Orders by hour",
        "table": "Deployments",
    },
    "house": {
        "several": "Load",
        "timetable": "Departures",
        "switches": "Machines and doors",
        "diverging": "Budget left, by team",
        "notice": "Notice board",
        "until": "Warehouse closes",
        "log": "Just now",
    },
    "tiles": {
        "status": "Build",
        "list": "Last sales",
        "image": "Ground floor",
    },
}
"""The name of a picture, and the label of the tile that it shows, by wall."""

PLAN = """
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 540" width="960" height="540">
  <rect width="960" height="540" fill="#1d1a17"/>
  <g fill="none" stroke="#8b8377" stroke-width="6">
    <path d="M30 30H930V510H560M480 510H30V30"/>
    <path d="M360 30V170M360 250V510M360 330H620M700 330H930M640 30V240"/>
  </g>
  <g fill="#f4efe6" font-family="sans-serif" font-size="34">
    <text x="70" y="95">Warehouse</text>
    <text x="400" y="95">Attic</text>
    <text x="680" y="95">Cellar</text>
    <text x="400" y="400">Lobby</text>
    <text x="720" y="400">Dock</text>
  </g>
  <circle cx="820" cy="450" r="16" fill="#7cc7b2"/>
</svg>
"""
"""The floor plan that the wall of the kinds shows."""

TILES = """
[access]
publish = "loopback"

[[walls]]
name = "tiles"
title = "Kinds of tiles"
[[walls.tiles]]
stream = "orders"
[[walls.tiles]]
stream = "build"
[[walls.tiles]]
stream = "notice"
[[walls.tiles]]
stream = "latency"
show = "chart"
[[walls.tiles]]
streams = ["load.web", "load.database"]
title = "Load"
[[walls.tiles]]
stream = "sellers"
[[walls.tiles]]
stream = "sales"
show = "list"
[[walls.tiles]]
stream = "plan"
size = "l"

[sources.plan]
image = "plan.png"

[streams.plan]
title = "Ground floor"
[streams.orders]
title = "Orders"
unit = "/h"
[streams.build]
title = "Build"
[streams.notice]
title = "Notice board"
[streams.latency]
title = "Latency"
unit = "ms"
warn = "> 250"
[streams.load.web]
title = "web"
unit = "%"
[streams.load.database]
title = "database"
unit = "%"
[streams.sellers]
title = "Best sellers"
[streams.sales]
title = "Last sales"
"""

SILENCES = """
[access]
publish = "loopback"

[sources.shop]
database = "sqlite:///shop.db"
query = "SELECT 1284 AS orders"
every = "1s"

[streams.shop.orders]
title = "Orders (its source failed)"
[streams.lag]
title = "Replication (late)"
unit = "s"
expect = "3s"
[streams.door]
title = "Door (no value yet)"
[streams.room]
title = "Room (nothing new)"
unit = "°C"
[streams.disk]
title = "Disk (warning)"
unit = "%"
warn = "> 80"
[streams.cpu]
title = "Processor (critical)"
unit = "%"
critical = "> 95"
"""


@contextmanager
def page_of(browser: Browser, daemon: Server, query: str = "") -> Iterator[Page]:
    """Open the wall of a daemon, and wait until it shows everything.

    :param query: the query string of the page, such as ``?wall=tiles``.
    """
    page = browser.new_page(viewport=SIZE, timezone_id=afternoon(), locale="en-GB")
    reads: set[Request] = set()

    def begin(read: Request) -> None:
        reads.add(read)

    def end(read: Request) -> None:
        reads.discard(read)

    page.on("request", begin)
    page.on("requestfinished", end)
    page.on("requestfailed", end)
    page.goto(f"{daemon.url}/{query}")
    page.locator("body[data-link=live]").wait_for()
    # Each line of the past is read by itself, one after the other.
    quiet = 0.0
    while quiet < QUIET:
        page.wait_for_timeout(500)
        quiet = 0 if any("/streams/" in read.url for read in reads) else quiet + 0.5
    yield page
    page.close()


def afternoon() -> str:
    """Return a time zone in which it is between two and three in the afternoon."""
    west = (time.gmtime().tm_hour - 14 + 12) % 24 - 12
    return f"Etc/GMT{west:+d}"


def company(folder: Path, *words: str) -> Server:
    """Return a copy of ``examples/lobby``, where it is afternoon."""
    shutil.copytree(CHECKOUT / "examples" / "lobby", folder / "lobby")
    port = free_port()
    command = [sys.executable, str(folder / "lobby" / "run.py"), str(port), *words]
    return Server(command, port, folder, {"TZ": afternoon()})


def take_kinds(page: Page, wall: str) -> None:
    """Save a picture of single tiles as ``docs/pictures/kind-NAME.png``."""
    for name, label in KINDS[wall].items():
        found = page.locator(".tile", has=page.get_by_role("heading", name=label, exact=True))
        found.screenshot(path=PICTURES / f"kind-{name}.png")


def take(page: Page, name: str) -> None:
    """Save a picture of the page as ``docs/pictures/NAME.png``."""
    page.screenshot(path=PICTURES / f"{name}.png")
    print(f"docs/pictures/{name}.png")


def publish(daemon: Daemon, ago: float = 0, **values: object) -> None:
    """Publish values with the time of ``ago`` seconds ago.

    :param values: stream -> value; a double underscore in a name stands for a dot.
    """
    body = json.dumps({name.replace("__", "."): value for name, value in values.items()})
    answer = daemon.request("PATCH", "/state", body, {"Streamd-Time": f"{time.time() - ago:.3f}"})
    assert answer.status == 200, answer.text


def draw_plan(browser: Browser, path: Path) -> None:
    """Save :data:`PLAN` as a picture in a file."""
    page = browser.new_page()
    page.set_content(f"<style>body {{ margin: 0 }}</style>{PLAN}")
    page.locator("svg").screenshot(path=path)
    page.close()


def tiles(daemon: Daemon) -> None:
    """Publish an hour of history for every kind of tile."""
    chance = random.Random(7)
    for minute in range(60, -1, -1):
        wave = math.sin(minute / 9)
        publish(
            daemon,
            60 * minute,
            orders=round(118 + 14 * wave + chance.gauss(0, 2)),
            latency=round(190 + 60 * math.sin(minute / 5) + chance.gauss(0, 9)),
            load__web=round(55 + 12 * wave + chance.gauss(0, 2)),
            load__database=round(30 + 5 * math.cos(minute / 7) + chance.gauss(0, 1)),
        )
    for minute, sale in enumerate(
        ("Croissant", "Espresso", "Green tea", "Filter coffee", "Sandwich")
    ):
        publish(daemon, 60 * (5 - minute), sales={"product": sale, "amount": 2.5 + minute})
    sellers = [["Espresso", 214], ["Filter coffee", 160], ["Croissant", 97], ["Green tea", 41]]
    publish(daemon, build="ok", notice="Stock-taking on Friday at 17:00", sellers=sellers)


def main() -> None:
    """Take all pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folders = [Path(name) / each for each in ("good", "bad", "tiles", "silences")]
        for folder in folders:
            folder.mkdir()
        good = company(folders[0])
        bad = company(folders[1], "--bad")
        draw_plan(browser, folders[2] / "plan.png")
        kinds = Daemon(folders[2], config=TILES)
        silent = Daemon(folders[3], config=SILENCES)
        shop = folders[3] / "shop.db"
        shop.touch()  # an empty file is an empty database
        for daemon in (good, bad, kinds, silent):
            daemon.start()
        tiles(kinds)
        time.sleep(2)
        shop.unlink()
        publish(silent, room=21.5, lag=4, disk=84, cpu=98)
        time.sleep(LIVELY)
        with page_of(browser, good) as page:
            take(page, "lobby")
            take_kinds(page, "lobby")
        with page_of(browser, good, "?wall=house") as page:
            take(page, "house")
            take_kinds(page, "house")
        with page_of(browser, bad) as page:
            take(page, "bad")
            bad.stop()
            page.locator("body[data-link=lost]").wait_for()
            page.wait_for_timeout(1500)
            take(page, "lost")
        with page_of(browser, kinds) as page:
            take(page, "tiles")
            take_kinds(page, "tiles")
        with page_of(browser, silent) as page:
            take(page, "silences")
        for daemon in (good, kinds, silent):
            daemon.stop()


if __name__ == "__main__":
    main()

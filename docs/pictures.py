"""Take the pictures of README.rst and the documentation: `make screenshot`.

Each picture shows a real daemon in a real browser: the demo, every kind of tile, every state of a tile.
"""

from __future__ import annotations

import json
import math
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize

from tests.support.browser import chromium
from tests.support.daemon import Daemon

PICTURES = Path(__file__).with_name("pictures")
SIZE = ViewportSize(width=1280, height=720)
LIVELY = 100.0
"""Seconds until the demo has enough history for its charts."""

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
def page_of(browser: Browser, daemon: Daemon, query: str = "") -> Iterator[Page]:
    """Open the wall of a daemon, and wait until it shows everything.

    :param query: the query string of the page, such as ``?wall=tiles``.
    """
    page = browser.new_page(viewport=SIZE)
    page.goto(f"{daemon.url}/{query}")
    page.locator("body[data-link=live]").wait_for()
    page.wait_for_timeout(2500)
    yield page
    page.close()


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
        folders = [Path(name) / each for each in ("demo", "tiles", "silences")]
        for folder in folders:
            folder.mkdir()
        demo = Daemon(folders[0], "--demo")
        kinds = Daemon(folders[1], config=TILES)
        silent = Daemon(folders[2], config=SILENCES)
        shop = folders[2] / "shop.db"
        shop.touch()  # an empty file is an empty database
        for daemon in (demo, kinds, silent):
            daemon.start()
        tiles(kinds)
        time.sleep(2)
        shop.unlink()
        publish(silent, room=21.5, lag=4, disk=84, cpu=98)
        time.sleep(LIVELY)
        with page_of(browser, demo) as page:
            take(page, "demo")
        with page_of(browser, kinds) as page:
            take(page, "tiles")
        with page_of(browser, silent) as page:
            take(page, "silences")
            silent.stop()
            page.locator("body[data-link=lost]").wait_for()
            page.wait_for_timeout(1500)
            take(page, "lost")
        demo.stop()
        kinds.stop()


if __name__ == "__main__":
    main()

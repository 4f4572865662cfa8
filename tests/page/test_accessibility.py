"""What axe-core finds on walls with everything on them, in both themes."""

from __future__ import annotations

import time
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from tests.support.daemon import StartDaemon
from tests.support.wall import ADMIN_TOKEN, LOST_MS, command, post, shows, tile

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()

# All but the states of the link, which come by themselves.
EVERYTHING = """
[access]
publish = "loopback"
[sources.broken]
database = "sqlite:///nowhere/at.all"
query = "SELECT 1"
every = "1s"
[streams.due]
expect = "500ms"
[streams.silent]
title = "No value yet"
[streams.warm]
unit = "°C"
warn = "> 1"
critical = "> 100"
[streams.hot]
unit = "°C"
critical = "> 1"
[[walls]]
name = "one"
theme = "{theme}"
tiles = [
  {{ stream = "due" }}, {{ stream = "silent" }}, {{ stream = "warm" }}, {{ stream = "hot" }},
  {{ stream = "broken" }}, {{ stream = "text" }}, {{ stream = "word" }}, {{ stream = "table" }},
  {{ streams = ["warm", "hot"], title = "Both" }}, {{ stream = "hot", show = "chart", title = "Hot" }},
]
"""


def findings(page: Page) -> list[str]:
    """What is serious or critical, and where."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [
        f"{violation['id']}: {node['html']} {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_serious(start_daemon: StartDaemon, page: Page, theme: str) -> None:
    daemon = start_daemon(config=EVERYTHING.format(theme=theme))
    for i in range(3):
        for name in ("warm", "hot", "due"):
            post(daemon, name, 10 + i, time.time() - 30 + 10 * i)
    post(daemon, "text", "a text that is too long for a numeral")
    post(daemon, "word", "ready")
    post(daemon, "table", [{"who": "Ada", "sold": 3}, {"who": "Bob", "sold": 12}])
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto(daemon.url)
    shows(page, "broken", "—", "failed")
    expect(tile(page, "due")).to_have_attribute("data-state", "late")
    expect(tile(page, "hot")).to_have_attribute("data-level", "critical")
    assert findings(page) == []
    daemon.stop()
    expect(page.locator("#band")).to_be_visible(timeout=LOST_MS)
    assert findings(page) == []


def test_a_wall_without_streams(start_daemon: StartDaemon, page: Page) -> None:
    daemon = start_daemon(config=f'[access]\npublish = "loopback"\nadmin = ["{ADMIN_TOKEN}"]')
    page.goto(f"{daemon.url}/?screen=tv")
    expect(page.locator("#empty")).to_be_visible()
    assert findings(page) == []
    shown = page.locator("#overlay").is_visible
    command(daemon, shown, command="message", message="Fire drill at 3")
    assert findings(page) == []

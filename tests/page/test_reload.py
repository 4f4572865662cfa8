"""An open wall while the configuration of its daemon changes."""

from __future__ import annotations

import os
import signal

from playwright.sync_api import Page, expect

from tests.support.daemon import StartDaemon
from tests.support.wall import post, shows, tile

WALL = """
[access]
publish = "loopback"
[streams.orders]
unit = "kg"
[[walls]]
name = "hall"
title = "First"
language = "de"
streams = ["orders"]
"""


def test_an_open_wall_shows_what_has_changed_and_what_is_wrong(
    start_daemon: StartDaemon, page: Page
) -> None:
    daemon = start_daemon(config=WALL)
    file = daemon.folder / "streamd.toml"

    def save(text: str) -> None:
        file.write_text(text)
        os.kill(daemon.pid, signal.SIGHUP)

    post(daemon, "orders", 42)
    post(daemon, "stock", 7)
    page.goto(daemon.url)
    shows(page, "orders", "42")
    page.evaluate("document.body.dataset.former = 'yes'")
    save(WALL.replace("First", "Second").replace('["orders"]', '["orders", "stock"]'))
    expect(page.locator("#title")).to_have_text("Second")
    shows(page, "stock", "7")
    shows(page, "orders", "42")
    save(WALL.replace('unit = "kg"', "unit = 5"))
    told = "Die geänderte Konfiguration gilt nicht: streamd.toml, Zeile 5: streams.orders.unit: "
    expect(page.locator("#notice")).to_contain_text(told)
    shows(page, "stock", "7")
    save(WALL)
    expect(page.locator("#title")).to_have_text("First")
    expect(page.locator("#notice")).not_to_contain_text("Konfiguration")
    expect(tile(page, "stock")).to_have_count(0)
    expect(page.locator("body")).to_have_attribute("data-former", "yes")  # it was never loaded anew

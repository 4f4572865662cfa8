"""Who stands before the wall, who commands it from afar, and who hears it."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.daemon import Daemon, StartDaemon
from tests.support.net import wait_until
from tests.support.wall import ADMIN_TOKEN, command, post, shows, tile

WALLS = f"""
[access]
publish = "loopback"
admin = ["{ADMIN_TOKEN}"]
[streams.load]
critical = "> 9"
[streams.hebrew]
title = "\u05e9\u05dc\u05d5\u05dd!"
[[walls]]
name = "kitchen"
rotate = "1s"
[[walls]]
name = "hall"
title = "The hall"
theme = "auto"
streams = ["orders", "load", "hebrew"]
"""

RUNS_LEFT = """({ firstChild }) => {
  const left = (at) => {
    const range = document.createRange();
    range.setStart(firstChild, at);
    range.setEnd(firstChild, at + 1);
    return range.getBoundingClientRect().left;
  };
  return left(firstChild.length - 1) < left(0);
}"""

# How the line's light is displayed once it is on: it goes out soon.
RECORD = """(id) => {
  window.said = [];
  const element = document.getElementById(id);
  const watch = new MutationObserver(() => said.push(element.textContent));
  watch.observe(element, { childList: true, characterData: true, subtree: true });
}"""


@pytest.fixture
def walls(start_daemon: StartDaemon) -> Daemon:
    daemon = start_daemon(config=WALLS)
    post(daemon, "orders", 42)
    return daemon


def screens(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = daemon.request("GET", "/screens").json()["screens"]
    return found


def test_remote_hands(walls: Daemon, page: Page) -> None:
    page.goto(f"{walls.url}/?screen=tv&wall=kitchen")
    shows(page, "orders", "42")
    wait_until(lambda: "tv" in screens(walls), what="a report")
    said = screens(walls)["tv"]
    assert (said["wall"], said["connected"], 0 <= said["delay"] < 5) == ("kitchen", True, True)
    assert said["at"] == walls.request("GET", "/streams").json()["at"]

    overlay = page.locator("#overlay")
    command(walls, lambda: overlay.text_content() == "tv", command="identify")
    cake = {"command": "message", "message": "<b>Cake</b> at 3", "for": "1s"}
    command(walls, lambda: overlay.text_content() == "<b>Cake</b> at 3", **cake)
    expect(overlay).to_be_hidden(timeout=10_000)  # and not when the name's time is over

    page.evaluate("document.body.dataset.former = 'yes'")
    body, title = page.locator("body"), page.locator("#title")
    command(walls, lambda: body.get_attribute("data-former") is None, command="reload")
    shows(page, "orders", "42")
    command(walls, lambda: title.text_content() == "The hall", command="wall", wall="hall")
    wait_until(lambda: screens(walls)["tv"]["wall"] == "hall", what="a report")
    assert page.url.endswith("/?screen=tv&wall=hall")

    page.goto(walls.url)  # without a name it makes one, and keeps it
    shows(page, "orders", "42")
    wait_until(lambda: len(screens(walls)) == 2, what="a report")
    page.reload()
    shows(page, "orders", "42")
    wait_until(lambda: not screens(walls)["tv"]["connected"], what="the end of a screen")
    assert len(screens(walls)) == 2


def test_pages_turn_and_a_critical_one_stays(walls: Daemon, page: Page) -> None:
    names = [f"s{i:02}" for i in range(99)]
    assert walls.request("PATCH", "/state", json.dumps(dict.fromkeys(names, 1))).status == 200
    page.goto(f"{walls.url}/?wall=kitchen")
    pages = page.locator("#pages")
    seen: set[str] = set()

    def turned() -> bool:
        seen.add(pages.inner_text())
        return len(seen - {""}) >= 3

    wait_until(turned, 20, "three pages")
    post(walls, "load", 10)
    expect(tile(page, "load")).to_have_attribute("data-level", "critical")
    expect(tile(page, "load")).to_be_visible()
    expect(page).to_have_title(re.compile("^■ "))
    expect(tile(page, "load")).to_have_css("background-color", "rgb(255, 92, 73)")
    stays = pages.inner_text()
    # Longer than a page is shown, by the page's own clock: a summary is written once a second.
    page.evaluate("new Promise((done) => setTimeout(done, 2500))")
    assert pages.inner_text() == stays
    page.evaluate(f"({RECORD})('pages')")
    page.keyboard.press("ArrowLeft")
    wait_until(lambda: page.evaluate("said"), what="another page")
    expect(tile(page, "load")).to_be_visible()  # it comes back by itself
    post(walls, "load", 1)
    expect(pages).not_to_have_text(stays)


def test_keys_clicks_and_an_idle_mouse(walls: Daemon, page: Page) -> None:
    page.goto(f"{walls.url}/?wall=hall")
    shows(page, "orders", "42")
    full = "document.fullscreenElement !== null"
    for act in (lambda: page.keyboard.press("f"), lambda: page.mouse.click(50, 50)):
        act()
        wait_until(lambda: page.evaluate(full), what="a full screen")
        act()
        wait_until(lambda: not page.evaluate(full), what="no full screen")
    page.keyboard.press("Control+f")
    expect(page.locator("body")).to_have_css("cursor", "none")
    assert not page.evaluate(full)

    def is_back() -> bool:
        for x in (60, 70):
            page.mouse.move(x, 60)
        return bool(page.evaluate("getComputedStyle(document.body).cursor") != "none")

    wait_until(is_back, what="an arrow")


def test_themes_and_names_from_right_to_left(walls: Daemon, page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(f"{walls.url}/?wall=hall")
    shows(page, "orders", "42")
    expect(page.locator("body")).to_have_css("background-color", "rgb(246, 242, 234)")
    page.emulate_media(color_scheme="dark")
    expect(page.locator("body")).to_have_css("background-color", "rgb(20, 18, 16)")
    post(walls, "orders", "\u05e9\u05dc\u05d5\u05dd 42!")
    value = tile(page, "orders").locator(".value")
    expect(value).to_have_text("\u05e9\u05dc\u05d5\u05dd 42!")
    for text in (value, tile(page, "\u05e9\u05dc\u05d5\u05dd!").locator(".label")):
        assert text.evaluate(RUNS_LEFT), "what ends a text stands at its left"


def test_what_is_said_aloud(walls: Daemon, page: Page) -> None:
    """What needs somebody, politely, and not each time that a value flickers."""
    page.goto(f"{walls.url}/?wall=hall")
    shows(page, "orders", "42")
    aloud = page.locator("#aloud")
    expect(aloud).to_have_role("status")
    page.evaluate(f"({RECORD})('aloud')")
    began = time.monotonic()
    for i in range(30):
        post(walls, "load", 10 if i % 2 else 1)
        expect(tile(page, "load").locator(".value")).to_have_text("10" if i % 2 else "1")
    expect(aloud).to_have_text("load: ■ above 9")
    assert len(page.evaluate("said")) <= 2 + (time.monotonic() - began) / 10

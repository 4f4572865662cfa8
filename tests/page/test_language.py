"""Walls in other languages and time zones, with words and formats, in a real browser."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.daemon import Daemon, StartDaemon
from tests.support.wall import post, tile

CONFIG = """
[access]
publish = "loopback"
[server]
language = "de"
timezone = "Asia/Tokyo"
[streams.door]
words = { 0 = "zu", 1 = "offen" }
critical = "== 1"
[streams.revenue]
format = "money"
currency = "EUR"
warn = "< 5000"
[streams.release]
format = "until"
[streams.rows]
show = "list"
[[walls]]
name = "hall"
[[walls]]
name = "paris"
language = "fr"
timezone = "Europe/Paris"
"""
ROWS = [["Bestellung", 12345678], ["Kunde", 9007199254740993]]


@pytest.fixture
def walls(start_daemon: StartDaemon) -> Daemon:
    """A daemon with a German and a French wall, and values for both."""
    daemon = start_daemon(config=CONFIG)
    for name, value in (("door", 1), ("revenue", 1284.5), ("rows", ROWS)):
        post(daemon, name, value)
    post(daemon, "release", "2999-01-01T00:00:00Z")
    return daemon


def figure(page: Page, label: str) -> list[str]:
    texts = tile(page, label).locator(".figure > *").all_inner_texts()
    return [text.replace("\u202f", " ").replace("\xa0", " ") for text in texts if text]


def clock_in(timezone: str) -> re.Pattern[str]:
    """The time of day there, now or in a moment."""
    now = datetime.now(ZoneInfo(timezone))
    return re.compile(f"{now:%H}:{now:%M}|{now:%H}:{(now.minute + 1) % 60:02}|:00$")


def test_german_wall_has_german_words_numbers_and_the_time_of_the_server(
    walls: Daemon, page: Page
) -> None:
    page.goto(walls.url)
    expect(tile(page, "door")).to_have_attribute("data-kind", "status")
    expect(tile(page, "door")).to_have_attribute("data-level", "critical")
    expect(tile(page, "door").locator(".value")).to_have_text("offen")
    expect(tile(page, "door").locator(".foot").first).to_contain_text("■ offen")
    expect(tile(page, "revenue").locator(".foot").first).to_contain_text("▲ unter €\u202f5.000")
    assert figure(page, "revenue") == ["€", "1.285"]
    assert re.fullmatch(r"[\d.,]+ \S+( d)?.*", " ".join(figure(page, "release")))
    expect(tile(page, "release").locator(".foot").first).to_contain_text("1. Jan. 2999")
    expect(tile(page, "rows").locator("td[data-show=number]")).to_have_text(
        ["12345678", "9007199254740993"]
    )
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.locator("#clock")).to_have_text(clock_in("Asia/Tokyo"))


def test_each_wall_has_its_own_language_and_time(walls: Daemon, page: Page) -> None:
    page.goto(f"{walls.url}?wall=paris")
    expect(tile(page, "revenue").locator(".foot").first).to_contain_text("▲ sous €\u202f5\u202f000")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.locator("#clock")).to_have_text(clock_in("Europe/Paris"))
    post(walls, "silent", None)
    walls.stop()
    expect(page.locator("#lost")).to_have_text(re.compile(r"^Connexion perdue \d\d:\d\d$"))
    expect(page.locator("#lasting")).to_have_text(re.compile("nouvel essai en cours$"))


def test_page_whose_files_are_missing_says_so_in_the_language_of_the_server(
    walls: Daemon, browser: Browser
) -> None:
    context = browser.new_context(service_workers="block", locale="fr-FR")
    page = context.new_page()
    page.route("**/wall/start.js", lambda route: route.abort("connectionrefused"))
    page.goto(walls.url)
    expect(page.locator("#lost")).to_have_text("Diese Wand läuft nicht")
    context.close()


def test_without_a_configured_language_the_browser_decides(
    start_daemon: StartDaemon, browser: Browser
) -> None:
    daemon = start_daemon(config='[access]\npublish = "loopback"\n')
    post(daemon, "orders", 12345)
    context = browser.new_context(locale="fr-FR", timezone_id="Asia/Tokyo")
    page = context.new_page()
    page.goto(daemon.url)
    expect(tile(page, "orders").locator(".value")).to_have_text("12\u202f345")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.locator("#clock")).to_have_text(clock_in("Asia/Tokyo"))
    context.close()

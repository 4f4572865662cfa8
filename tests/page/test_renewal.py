"""A wall that nobody visits: new pages, proxies in the way, no server at all, and months."""

from __future__ import annotations

import json
import re
import time
from contextlib import closing
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.browser import WAIT_MS
from tests.support.daemon import Daemon, StartDaemon
from tests.support.net import wait_until
from tests.support.proxy import Proxy
from tests.support.wall import LOST_MS, Film, post, shows, tile

WALL = """
[access]
publish = "loopback"
[streams.orders]
keep = 10
[[walls]]
name = "one"
title = "{title}"
"""
# Brighter than hairlines and hatching; below the band.
BRIGHT, BAND = 100, 0.2
BERLIN = ZoneInfo("Europe/Berlin")
# What stands before a time of day when it is another day's: it was just before midnight.
DATED = r"(\w+ \w+ )?"

# How the page's own clock goes wrong, by this many milliseconds.
WRONG = """(() => {
  const Right = Date;
  globalThis.Date = class extends Right {
    constructor(...parts) {
      super(...(parts.length ? parts : [Right.now() + BY]));
    }
    static now() {
      return Right.now() + BY;
    }
  };
})()"""
FULL = """for (let size = 2 ** 22; size >= 1; size /= 2) {
  try {
    for (let n = 0; ; n++) localStorage.setItem(`${size}/${n}`, "x".repeat(size));
  } catch {}
}"""
# Takes as long as an attempt to get the whole page.
WHOLE = """Promise.all([...document.querySelectorAll("link[href]")].map(
  ({ href }) => fetch(href, { cache: "reload" }))).then(() => null)"""
# Counts what a page has left running.
COUNT = """(() => {
  const left = { timers: new Set(), observers: new Set() };
  window.left = () => Object.fromEntries(Object.entries(left).map(([key, { size }]) => [key, size]));
  for (const [begin, end] of [["setTimeout", "clearTimeout"], ["setInterval", "clearInterval"],
                              ["requestAnimationFrame", "cancelAnimationFrame"]]) {
    const [start, stop] = [window[begin].bind(window), window[end].bind(window)];
    window[begin] = (call, ...more) => {
      const id = start((...given) => {
        if (begin !== "setInterval") left.timers.delete(begin + id);
        call(...given);
      }, ...more);
      left.timers.add(begin + id);
      return id;
    };
    window[end] = (id) => {
      left.timers.delete(begin + id);
      stop(id);
    };
  }
  window.ResizeObserver = class extends ResizeObserver {
    observe(...what) {
      left.observers.add(this);
      super.observe(...what);
    }
    disconnect() {
      left.observers.delete(this);
      super.disconnect();
    }
  };
})()"""
OPEN_AND_CLOSE = """async (html) => {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  document.head.replaceChildren(parsed.querySelector("meta[name=build]"));
  document.body.replaceChildren(...parsed.body.children);
  const [{ connect }, { Tile }, { Wall }, { Screen }] = await Promise.all(
    ["streamd", "wall/tile", "wall/wall", "wall/screen"].map((name) => import(`/${name}.js`)));
  if (!customElements.get("wall-tile")) customElements.define("wall-tile", Tile);
  const link = connect();
  const wall = { name: "all", title: "all", theme: "auto", rotate: 1, tiles: [{ stream: "*" }] };
  const parts = [new Wall(link, wall), new Screen(link, "all"), link];
  window.closeAll = () => parts.forEach((part) => part.close());
}"""


@pytest.fixture
def first(start_daemon: StartDaemon) -> Daemon:
    """A daemon with one wall, called First, and one stream."""
    daemon = start_daemon(config=WALL.format(title="First"))
    post(daemon, "orders", 42)
    return daemon


def change(daemon: Daemon, title: str) -> None:
    """Puts another build in the daemon's place."""
    text = WALL.format(title=title) + '[server]\nlanguage = "en"\n'  # which is part of the page
    (daemon.folder / "streamd.toml").write_text(text)
    daemon.restart()
    post(daemon, "orders", 42)


def test_another_build_reaches_an_open_wall_without_a_flash(first: Daemon, page: Page) -> None:
    page.set_viewport_size({"width": 640, "height": 360})
    page.goto(first.url)
    shows(page, "orders", "42")
    page.evaluate("document.body.dataset.former = 'yes'")
    with closing(Film(page)) as film:
        change(first, "Second")
        expect(page.locator("#title")).to_have_text("Second")
        shows(page, "orders", "42")
        expect(page.locator("body")).not_to_have_attribute("data-former", "yes")
        frames = list(film.frames)
    assert len(frames) > 3
    assert all(film.bright(frame, BRIGHT, BAND) for frame in frames), "there was nothing to see"


def test_a_new_page_that_is_not_whole_is_not_taken(first: Daemon, browser: Browser) -> None:
    context = browser.new_context(service_workers="block")  # or no route is asked
    page = context.new_page()
    broken: list[str] = []

    def fail(route: Route) -> None:
        broken.append(route.request.url)
        route.fulfill(status=502)

    page.goto(first.url)
    shows(page, "orders", "42")
    page.evaluate("document.body.dataset.former = 'yes'")
    page.route("**/tile.js", fail)
    change(first, "Second")
    shows(page, "orders", "42")
    wait_until(lambda: page.evaluate("true") and broken, WAIT_MS / 1000, "an attempt")
    expect(page.locator("#title")).to_have_text("First")
    expect(page.locator("body")).to_have_attribute("data-former", "yes")
    post(first, "orders", 43)
    shows(page, "orders", "43")

    # Nor one that somebody on the way has kept: it would be reloaded for ever.
    old = page.evaluate("fetch('/').then((answer) => answer.text())")
    build = re.compile('(<meta name="build" content=")[^"]*')
    broken.clear()

    def keep(route: Route) -> None:
        broken.append(route.request.url)
        route.fulfill(body=build.sub(r"\1former", old), content_type="text/html")

    page.route(f"{first.url}/", keep)
    page.unroute("**/tile.js")  # it tries once a minute, too
    first.restart()
    wait_until(lambda: page.evaluate("true") and broken, WAIT_MS / 1000, "an attempt")
    page.evaluate(WHOLE)
    post(first, "orders", 44)
    shows(page, "orders", "44")
    expect(page.locator("body")).to_have_attribute("data-former", "yes")
    page.unroute(f"{first.url}/")
    first.restart()
    expect(page.locator("#title")).to_have_text("Second")
    context.close()


def test_a_wall_gets_round_a_proxy_that_lets_no_websocket_pass(first: Daemon, page: Page) -> None:
    proxy = Proxy(first.port, upgrades="refuse")
    page.goto(proxy.url)
    shows(page, "orders", "42")
    post(first, "orders", 43)
    shows(page, "orders", "43")
    proxy.freeze()  # or it is back before anybody has seen that it was lost
    proxy.sever()
    # A stream that was cut late looks like one that has ended, so only the silence after it tells.
    expect(page.locator("body")).to_have_attribute("data-link", "lost", timeout=2 * LOST_MS)
    proxy.thaw()
    shows(page, "orders", "43")
    assert proxy.websockets == 0
    proxy.close()


def test_a_start_without_a_server_shows_the_last_picture(first: Daemon, page: Page) -> None:
    page.goto(f"{first.url}/?wall=one")
    shows(page, "orders", "42")
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    page.goto("about:blank")
    first.stop()
    page.goto(f"{first.url}/?wall=one")
    expect(page.locator("#lost")).to_have_text(re.compile(rf"^Picture of {DATED}\d\d:\d\d$"))
    shows(page, "orders", "42", "lost")
    expect(page.locator("#title")).to_have_text("First")
    # And what would renew itself is not given the old page for a new one.
    asked = "(cache) => fetch('wall/tile.js', { cache }).then(({ ok }) => ok, () => false)"
    assert [page.evaluate(asked, cache) for cache in ("default", "reload")] == [True, False]
    first.start()
    post(first, "orders", 43)
    shows(page, "orders", "43")
    expect(page.locator("#band")).to_be_hidden()


def test_a_wall_that_does_not_exist_is_waited_for(first: Daemon, page: Page) -> None:
    page.goto(f"{first.url}/?wall=%3Cb%3Etwo")
    expect(page.locator("#lost")).to_contain_text("There is no wall")
    expect(page.locator(".tile")).to_have_count(0)
    page.goto(f"{first.url}/?wall=two")
    told = 'There is no wall "two"; the walls are one'
    expect(page.locator("#lost")).to_have_text(told)
    assert page.inner_text("#band").strip() == told  # the daemon answers: nothing is lost
    expect(page.locator("#notice")).to_have_text("")
    config = first.folder / "streamd.toml"
    config.write_text(config.read_text() + '[[walls]]\nname = "two"')
    first.restart()
    post(first, "orders", 44)
    shows(page, "orders", "44")


@pytest.mark.parametrize("days", [-1, 1])
def test_ages_are_true_whatever_the_screen_thinks(
    first: Daemon, browser: Browser, days: int
) -> None:
    """A clock that is wrong by a day, in a place where it was set back in between."""
    context = browser.new_context(timezone_id="Europe/Berlin", locale="en-GB")
    context.add_init_script(WRONG.replace("BY", str(days * 86_400_000)))
    page = context.new_page()
    published = time.time() - 605  # in its eleventh minute while this test runs
    post(first, "stock", 1, published)
    post(first, "autumn", [["a"]], published - 30 * 86_400)
    # A quarter of an hour before clocks were set back, and after.
    for moment in ("2026-10-25T00:45:00Z", "2026-10-25T01:15:00Z"):
        post(first, "log", moment, datetime.fromisoformat(moment).timestamp())
    page.goto(f"{first.url}")
    expect(tile(page, "stock")).to_contain_text("unchanged 10\u00a0min")
    expect(tile(page, "autumn")).to_contain_text("unchanged 30\u00a0d")
    minutes = [berlin(time.time() + wait) for wait in (0, 60)]  # if it is over meanwhile
    expect(page.locator("#clock")).to_have_text(re.compile("|".join(minutes)))
    expect(tile(page, "log").locator(".value")).to_contain_text("2026-10-25T01:15")
    first.stop()
    former = re.compile(rf"value of {DATED}{berlin(published)}")
    expect(tile(page, "stock").locator(".foot").first).to_contain_text(former)
    # Of another year's date no time of day is told.
    dated = "02:15" if datetime.now(BERLIN).year == 2026 else "2026"
    expect(tile(page, "log").locator(".foot").first).to_contain_text(f"25 Oct {dated}")
    expect(page.locator("#lasting")).to_have_text(re.compile(r"^\d+\xa0s, trying again$"))
    context.close()


def berlin(moment: float) -> str:
    """A time of day there."""
    return datetime.fromtimestamp(moment, BERLIN).strftime("%H:%M")


def test_once_a_night_it_renews_itself(first: Daemon, page: Page) -> None:
    page.clock.install(time=datetime(2026, 11, 24, 10))
    page.add_init_script("Math.random = () => 0")
    page.goto(first.url)
    shows(page, "orders", "42")
    page.evaluate("document.body.dataset.former = 'yes'")
    page.clock.set_system_time(datetime(2026, 11, 25, 3, 0, 20))
    page.clock.fast_forward(60_000)
    expect(page.locator("body")).not_to_have_attribute("data-former", "yes")
    shows(page, "orders", "42")


def test_three_hundred_streams_large_values_and_a_full_storage(
    first: Daemon, page: Page, console_errors: list[str]
) -> None:
    page.goto(first.url)
    page.evaluate(FULL)
    values: dict[str, Any] = {f"s{i:03}": i for i in range(297)}
    assert first.request("PATCH", "/state", json.dumps(values)).status == 200
    post(first, "text", "W" * 65_000)
    post(first, "table", [["row", i, "x" * 40] for i in range(1100)])
    page.goto(first.url)
    expect(page.locator(".tile")).to_have_count(300)
    shows(page, "orders", "42")
    expect(page.locator("#pages")).to_have_text(re.compile(r"^\d+ of \d+$"))
    assert page.locator("svg").count() < 600
    post(first, "orders", 43)
    shows(page, "orders", "43")
    page.reload()
    shows(page, "orders", "43")
    assert not console_errors


def test_what_is_closed_leaves_nothing(first: Daemon, page: Page) -> None:
    proxy = Proxy(first.port)
    page.add_init_script(COUNT)
    page.goto(f"{proxy.url}/healthz")
    html = first.request("GET", "/").text
    session = page.context.new_cdp_session(page)

    def opened_and_closed() -> None:
        page.evaluate(OPEN_AND_CLOSE, html)
        shows(page, "orders", "42")
        running = "[left().timers, document.getAnimations().length]"
        assert min(page.evaluate(running)) > 0
        page.evaluate("closeAll()")
        assert page.evaluate("document.getAnimations().length") == 0
        expect(page.locator(".tile")).to_have_count(0)
        page.evaluate("window.closeAll = null; document.body.replaceChildren()")
        nothing = {"timers": 0, "observers": 0}
        wait_until(lambda: page.evaluate("left()") == nothing, what="an end of all timers")
        wait_until(lambda: proxy.websockets == 0, what="the end of the link")

    def listeners() -> int:
        session.send("HeapProfiler.collectGarbage")
        counted: int = session.send("Memory.getDOMCounters")["jsEventListeners"]
        return counted

    opened_and_closed()
    at_first = listeners()
    for _ in range(3):
        opened_and_closed()
    wait_until(lambda: listeners() <= at_first, what="an end of all listeners")
    proxy.close()

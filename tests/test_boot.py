"""The first step of the page: what a wall does when a file of it did not arrive."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.daemon import Daemon, StartDaemon
from tests.support.net import wait_until
from tests.support.nginx import StartNginx
from tests.support.wall import post, shows

# The page is live so many milliseconds after the moment when it could be.
BACK_MS = 10_000
CONFIG = """
[access]
publish = "loopback"
[streams.orders]
keep = 10
"""
STYLED = """[...document.querySelectorAll("link[rel=stylesheet]")].every(
  ({ sheet }) => sheet?.cssRules.length)"""


@pytest.fixture
def wall(start_daemon: StartDaemon) -> Daemon:
    """A daemon with one stream."""
    daemon = start_daemon(config=CONFIG)
    post(daemon, "orders", 42)
    return daemon


@pytest.fixture
def bare_page(browser: Browser) -> Iterator[Page]:
    """A page whose requests can be made to fail: a service worker would hide them."""
    context = browser.new_context(service_workers="block")
    yield context.new_page()
    context.close()


def refuse(route: Route) -> None:
    route.abort("connectionrefused")


def fail(route: Route) -> None:
    route.fulfill(status=502, body="<h1>Bad Gateway</h1>", content_type="text/html")


def portal(route: Route) -> None:
    route.fulfill(status=200, body="<h1>Welcome to our Wi-Fi</h1>", content_type="text/html")


@pytest.mark.parametrize("answer", [refuse, fail, portal])
@pytest.mark.parametrize("file", ["wall/start.js", "client/clock.js", "wall/wall.css"])
def test_page_with_a_missing_file_says_so_and_comes_back(
    wall: Daemon, bare_page: Page, file: str, answer: object
) -> None:
    bare_page.route(f"**/{file}", answer)  # type: ignore[arg-type]
    bare_page.goto(wall.url)
    if file.endswith(".js"):
        expect(bare_page.locator("#lost")).to_have_text("This wall is not running")
        reason = re.compile("does not answer|502|not streamd's")
        expect(bare_page.locator("#lasting")).to_have_text(reason)
    else:
        shows(bare_page, "orders", "42")
    bare_page.evaluate("document.body.dataset.former = 'yes'")
    bare_page.unroute(f"**/{file}")
    expect(bare_page.locator("body")).not_to_have_attribute("data-former", "yes", timeout=BACK_MS)
    shows(bare_page, "orders", "42")
    assert bare_page.evaluate(STYLED), "a style sheet is missing"


def test_page_whose_file_hangs_comes_back(wall: Daemon, bare_page: Page) -> None:
    hung: list[Route] = []

    def hang_once(route: Route) -> None:
        if hung:
            route.continue_()
        else:
            hung.append(route)

    bare_page.clock.install()
    bare_page.route("**/client/clock.js", hang_once)
    bare_page.goto(wall.url, wait_until="commit")
    while not hung:
        bare_page.evaluate("true")
    bare_page.clock.fast_forward(35_000)
    bare_page.clock.fast_forward(35_000)
    bare_page.clock.resume()
    shows(bare_page, "orders", "42")


def test_daemon_that_goes_away_during_the_load(wall: Daemon, bare_page: Page) -> None:
    """The page came, and after that nothing more until the daemon is back."""

    def stop(route: Route) -> None:
        if wall.running:
            wall.stop()
        route.continue_()

    bare_page.route("**/*.js", stop)
    bare_page.goto(wall.url)
    expect(bare_page.locator("#lost")).to_have_text("This wall is not running")
    bare_page.unroute("**/*.js")
    time.sleep(1)
    wall.start()
    post(wall, "orders", 43)
    shows(bare_page, "orders", "43")


def test_page_waits_for_its_own_server(wall: Daemon, bare_page: Page) -> None:
    """Reloading is no cure while somebody else answers in the server's place."""
    bare_page.route("**/start.js", fail)
    bare_page.goto(wall.url)
    bare_page.route(f"{wall.url}/", portal)
    bare_page.unroute("**/start.js")
    expect(bare_page.locator("#lasting")).to_contain_text("not streamd's page")
    bare_page.unroute(f"{wall.url}/")
    shows(bare_page, "orders", "42")


def test_proxy_that_passes_another_host(
    wall: Daemon, start_nginx: StartNginx, bare_page: Page
) -> None:
    """The wall is live by event stream, and page and log say what the proxy lacks."""
    proxy = start_nginx(wall, bare=True)
    bare_page.goto(proxy.url)
    shows(bare_page, "orders", "42")
    cure = f'origins = ["{proxy.url}"]'
    expect(bare_page.locator("#notice")).to_contain_text(cure)
    wait_until(lambda: cure in wall.log(), what="a line in the log")
    bare_page.reload()
    shows(bare_page, "orders", "42")
    assert wall.log().count(cure) == 1, "once a minute"
    assert wall.request("GET", "/state", headers={"Origin": proxy.url}).status == 403

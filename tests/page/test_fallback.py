"""A wall without WebSockets: a proxy that holds answers back, and more tabs than connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.daemon import Daemon, StartDaemon
from tests.support.nginx import StartNginx
from tests.support.proxy import Proxy
from tests.support.wall import post, shows

# The page is live, and shows a value, this many milliseconds after the moment when it could.
LIVE_MS = 20_000
CONFIG = """
[access]
publish = "loopback"
[server]
language = "de"
[streams.orders]
keep = 10
"""


@pytest.fixture
def wall(start_daemon: StartDaemon) -> Daemon:
    daemon = start_daemon(config=CONFIG)
    post(daemon, "orders", 42)
    return daemon


@pytest.fixture
def tabs(browser: Browser) -> Iterator[list[Page]]:
    """Eight tabs of one browser."""
    context = browser.new_context(service_workers="block")
    yield [context.new_page() for _ in range(8)]
    context.close()


def is_live(page: Page, value: str) -> None:
    expect(page.locator("body")).to_have_attribute("data-link", "live", timeout=LIVE_MS)
    expect(page.locator(".value").first).to_have_text(value)


@pytest.mark.parametrize("streams", [1, 300])
def test_proxy_that_holds_answers_back(
    wall: Daemon, start_nginx: StartNginx, page: Page, streams: int
) -> None:
    """Of 300 streams the hello is longer than nginx's buffers: a part of it passes at once."""
    proxy = start_nginx(wall, holding=True)
    for number in range(1, streams):
        post(wall, f"t{number}", number)
    page.goto(proxy.url)
    is_live(page, "42")
    page.evaluate("""
      window.lost = 0;
      new MutationObserver(() => { lost += document.body.dataset.link !== "live"; })
        .observe(document.body, { attributeFilter: ["data-link"] });
    """)
    for value in range(43, 49):
        post(wall, "orders", value)
        shows(page, "orders", str(value))
        page.wait_for_timeout(2000)
    assert page.evaluate("lost") == 0, "the link was lost meanwhile"
    notice = page.locator("#notice")
    expect(notice).to_contain_text("Ein Proxy lässt keine WebSockets durch", timeout=40_000)
    expect(notice).to_contain_text(f"streamd doctor {proxy.url}")
    assert "a viewer was refused: a WebSocket came without Upgrade: websocket" in wall.log()
    assert "proxy_set_header Upgrade $http_upgrade;" in wall.log()


def test_eight_tabs(wall: Daemon, tabs: list[Page]) -> None:
    """A browser opens six connections to one host."""
    with closing(Proxy(wall.port, upgrades="refuse")) as proxy:
        for page in tabs:
            page.goto(proxy.url)
            is_live(page, "42")
        post(wall, "orders", 43)
        for page in tabs:
            is_live(page, "43")
            assert page.evaluate("fetch('healthz').then(({ ok }) => ok)")

"""web/streamd.js and <stream-value> in a real browser, with a real daemon behind a proxy.

What needs no browser is in tests/web/*.test.mjs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.daemon import CHECKOUT, Daemon, StartDaemon
from tests.support.net import wait_until
from tests.support.proxy import Proxy, other_origin
from tests.support.wall import LOST_MS

# Seconds: a WebSocket's head start before the detour, or the longest pause between two attempts and a
# handshake, and a little.
LATE = 40

# What the page does with the client; it notes everything.
CONNECT = """async (options) => {
  const { connect } = await import(`${options.from ?? ""}/streamd.js`);
  const link = connect({ random: () => 0, ...options });
  Object.assign(window, { link, seqs: [], statuses: [] });
  link.addEventListener("update", ({ detail }) => seqs.push(detail.seq));
  link.addEventListener("link", () => statuses.push(link.status));
}"""


@pytest.fixture
def quiet_daemon(start_daemon: StartDaemon) -> Daemon:
    """Nothing happens but what the test publishes; pages of any port may read."""
    return start_daemon(config='[access]\npublish = "loopback"\n[streams.orders]\nkeep = 1000')


@pytest.fixture
def proxy(quiet_daemon: Daemon) -> Iterator[Proxy]:
    proxy = Proxy(quiet_daemon.port)
    yield proxy
    proxy.close()


def open_link(page: Page, proxy: Proxy, **options: Any) -> None:
    page.goto(f"{proxy.url}/healthz")
    page.evaluate(CONNECT, options)


@pytest.fixture
def asked(page: Page) -> list[str]:
    """The URLs that `page` asked for, WebSockets' included."""
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.on("websocket", lambda socket: urls.append(socket.url))
    return urls


def until(page: Page, condition: str) -> None:
    # Not wait_for_function, which the daemon's Content-Security-Policy forbids.
    wait_until(lambda: page.evaluate(condition), LATE, condition)


def until_live(page: Page) -> None:
    until(page, "link.status === 'live'")


def until_open(proxy: Proxy, websockets: int) -> None:
    wait_until(lambda: proxy.websockets == websockets, LATE, f"{websockets} WebSockets")


def publish(daemon: Daemon, *values: object, name: str = "orders") -> None:
    for value in values:
        assert daemon.request("POST", f"/streams/{name}", str(value)).status == 201


def until_seen(page: Page, seq: int) -> None:
    until(page, f"seqs.at(-1) >= {seq}")


@pytest.mark.parametrize("way", ["refuse", "hang"])
def test_the_detour_and_the_way_back_without_a_hole(
    quiet_daemon: Daemon, proxy: Proxy, page: Page, way: Any
) -> None:
    proxy.upgrades = way
    publish(quiet_daemon, 1)
    open_link(page, proxy, history=1000)
    until_live(page)
    assert proxy.websockets == 0
    publish(quiet_daemon, 2, 3)
    until_seen(page, 3)

    proxy.sever()
    publish(quiet_daemon, 4, 5)
    until_seen(page, 5)
    until_live(page)
    page.evaluate("statuses.length = 0")

    proxy.upgrades = "pass"
    last = 5

    def is_back() -> bool:
        nonlocal last
        publish(quiet_daemon, last := last + 1)
        return proxy.websockets == 1

    wait_until(is_back, 60, "a WebSocket through the proxy")
    for _ in range(20):  # while it changes over, and after
        is_back()
    until_seen(page, last)
    assert page.evaluate("seqs") == list(range(1, last + 1))
    kept = page.evaluate("link.streams.get('orders').history.map(({ value }) => value)")
    assert kept == list(range(1, last + 1))
    assert page.evaluate("statuses") == [], "the picture was interrupted"
    proxy.upgrades = "refuse"  # what is open stays open: this is the WebSocket
    publish(quiet_daemon, last + 1)
    until_seen(page, last + 1)
    assert proxy.websockets == 1


def test_a_daemon_that_is_down_is_no_proxy_in_the_way(
    quiet_daemon: Daemon, proxy: Proxy, page: Page, asked: list[str]
) -> None:
    open_link(page, proxy)
    until_live(page)
    until_open(proxy, 1)
    quiet_daemon.kill()
    until(page, "link.status === 'lost'")
    asked.clear()

    def has_tried() -> bool:
        page.evaluate("0")  # Playwright tells what happened while it is asked something
        return all(sum(way in url for url in asked) >= 3 for way in ("/ws", "/events"))

    wait_until(has_tried, LATE, "attempts, both ways")
    quiet_daemon.start()
    until_live(page)
    # Were it up between two tries of one attempt, the event stream would be first; not for long.
    until_open(proxy, 1)


def test_a_token_works_both_ways_and_is_never_to_be_read(
    start_daemon: StartDaemon, page: Page, tmp_path: Path, asked: list[str]
) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    (tmp_path / "index.html").write_text("<!doctype html>")
    token = "very+secret/ü"
    with other_origin(tmp_path) as origin:
        daemon = start_daemon(config=f'[server]\norigins = ["{origin}"]')
        proxy = Proxy(daemon.port)
        for way, open_sockets in (("pass", 1), ("refuse", 0)):
            proxy.upgrades = way  # type: ignore[assignment]
            page.goto(origin)
            until_open(proxy, 0)
            page.evaluate(CONNECT, {"from": proxy.url, "token": token})
            until_live(page)
            until_open(proxy, open_sockets)  # if it is slow, an event stream serves meanwhile
        proxy.close()
    assert any("/events" in url for url in asked)
    for text in (*said, *asked, daemon.log()):
        assert "secret" not in text
        assert "streamd.token" not in text


def test_another_selection(quiet_daemon: Daemon, proxy: Proxy, page: Page) -> None:
    publish(quiet_daemon, 1, name="a")
    publish(quiet_daemon, 2, name="b")
    open_link(page, proxy, streams=["a"])
    until_live(page)
    page.evaluate("link.select(['b'])")
    until_live(page)
    shown = "Object.fromEntries([...link.streams].map(([name, { value }]) => [name, value]))"
    assert page.evaluate(shown) == {"b": 2}
    until_open(proxy, 1)
    page.evaluate("link.close()")
    until_open(proxy, 0)


def test_stream_value_in_a_page_of_another_origin(
    daemon: Daemon, page: Page, tmp_path: Path, console_errors: list[str], asked: list[str]
) -> None:
    """The example; any page may read the demo."""
    proxy = Proxy(daemon.port)
    text = (CHECKOUT / "examples" / "stream-value.html").read_text()
    assert text.count("http://localhost:5000") == 1
    here = text.replace("http://localhost:5000", proxy.url)
    (tmp_path / "index.html").write_text(f'<link rel="icon" href="data:,">{here}')
    with other_origin(tmp_path) as origin:
        page.goto(origin)
        orders = page.locator("stream-value[name=orders]").first
        variable = page.locator("stream-value[name=variable]")
        expect(variable).to_have_attribute("data-state", "current")
        expect(orders).to_have_text("—")
        expect(orders).to_have_attribute("data-state", "waiting")
        expect(orders).to_have_css("opacity", "0.4")
        publish(daemon, 1284350)
        expect(orders).to_have_text("1.284\u202fM")
        expect(orders).to_have_attribute("data-state", "current")
        expect(orders).to_have_attribute("data-level", "ok")
        expect(orders).to_have_attribute("data-link", "live")
        expect(orders).to_have_css("opacity", "1")
        assert not console_errors
        until_open(proxy, 1)  # one connection a page

        # Others come, change and go; a name that cannot be harms nobody.
        publish(daemon, '"<b>bold</b>"', name="text")
        page.evaluate(
            """for (const name of ["text", "no name", "orders"]) {
              const element = document.createElement("stream-value");
              element.setAttribute("name", name);
              element.id = name.slice(0, 2);
              document.body.append(element);
            }"""
        )
        expect(page.locator("#te")).to_have_text("<b>bold</b>")
        assert page.evaluate("document.getElementById('te').children.length") == 0
        expect(page.locator("#or")).to_have_text("1.284\u202fM")
        expect(page.locator("#no")).to_have_attribute("data-state", "waiting")
        expect(orders).to_have_attribute("data-state", "current")
        page.evaluate("document.getElementById('or').setAttribute('name', 'text')")
        expect(page.locator("#or")).to_have_text("<b>bold</b>")
        until_open(proxy, 1)

        # Moved is not gone; what is gone leaves nothing.
        asked.clear()
        page.evaluate("document.body.append(document.querySelector('stream-value'))")
        publish(daemon, 7)
        expect(orders).to_have_text("7")
        assert not asked
        page.evaluate("document.querySelectorAll('stream-value').forEach((one) => one.remove())")
        until_open(proxy, 0)
    proxy.close()


def test_the_page_of_the_documentation(daemon: Daemon, page: Page, tmp_path: Path) -> None:
    text = (CHECKOUT / "docs" / "client.rst").read_text()
    [block] = re.findall(r"\.\. code-block:: html\n\n((?:    .*\n|\n)+)", text)[:1]
    assert block.count("localhost:5000") == 1
    copy = tmp_path / "page.html"
    copy.write_text(dedent(block).replace("localhost:5000", f"localhost:{daemon.port}"))
    page.goto(copy.as_uri())
    expect(page.locator("#link")).to_have_text("live")
    expect(page.locator("#variable")).to_have_text(re.compile(r"\d+"))
    daemon.kill()
    expect(page.locator("#link")).to_have_text("lost", timeout=LOST_MS)


def test_stream_value_never_lies_about_its_link(daemon: Daemon, page: Page) -> None:
    page.goto(f"{daemon.url}/healthz")
    page.evaluate(
        """async () => {
          await import("/stream-value.js");
          document.body.innerHTML = '<stream-value name="orders">none yet</stream-value>';
        }"""
    )
    value = page.locator("stream-value")
    expect(value).to_have_text("—")
    publish(daemon, 42)
    expect(value).to_have_attribute("data-state", "current")
    daemon.kill()
    expect(value).to_have_attribute("data-state", "lost", timeout=LOST_MS)
    expect(value).to_have_attribute("data-link", "lost")
    expect(value).to_have_text("42")
    expect(value).to_have_css("opacity", "0.4")
    assert value.get_attribute("data-level") is None
    value.evaluate("(element) => element.setAttribute('name', 'other')")
    expect(value).to_have_text("—")  # not what the former stream had
    daemon.start()
    expect(value).to_have_text("—")
    expect(value).to_have_attribute("data-state", "waiting")

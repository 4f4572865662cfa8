"""web/: what a real browser shows of a real daemon, and what Node thinks of the modules alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.daemon import CHECKOUT, Daemon, StartDaemon

# From a cold start of a page to its first values, and for a change that is under way.
SOON_MS = 5_000
# Two missed ticks of 5 s, the fifth of a tick that a busy machine gets, and a little.
SILENT_MS = 14_000
# The longest wait between two attempts after so short an absence, and a little.
BACK_MS = 15_000

HOSTILE_VALUES = [
    "<img src=x onerror=\"document.title='owned'\">",
    "<script>document.title = 'owned'</script>",
    "</bdi></p><iframe src='javascript:alert(1)'></iframe>",
    "\u202eright to left\u2066 and never back",
    "javascript:alert(1)",
    "W" * 60_000,
    "🙂" * 10_000,
    "\x00\x07\x1b[31m and other control characters",
    "",
    " \n\n ",
    -0.0,
    1e308,
    5e-324,
    123456789012345678901234567890,
    None,
    False,
    {"<b>": "<i>", "__proto__": {"polluted": 1}, "constructor": []},
    [[["<svg onload=alert(1)>"]]],
    {},
    [],
]
HOSTILE_NAMES = ["constructor", "toString", "valueOf", "hasOwnProperty", "0", "a" * 128, "x.-_.x"]


@pytest.fixture(autouse=True)
def violations(page: Page) -> Iterator[list[str]]:
    """Fails the test if the page did anything that its Content-Security-Policy forbids."""
    reported: list[str] = []
    # A lambda: Playwright marks the function, and a builtin cannot be marked.
    page.expose_function("reportViolation", lambda words: reported.append(words))
    page.add_init_script(
        "addEventListener('securitypolicyviolation',"
        " (event) => reportViolation(`${event.violatedDirective} ${event.blockedURI}`))"
    )
    yield reported
    assert not reported


def tile(page: Page, label: str) -> Locator:
    return page.locator(".tile").filter(
        has=page.get_by_role("heading", name=label, exact=True, include_hidden=True)
    )


def shows(page: Page, label: str, value: str, state: str = "current", ms: int = SOON_MS) -> None:
    """Waits until the tile of this label shows the value, in this state."""
    expect(tile(page, label).locator(".value")).to_have_text(value, timeout=ms)
    expect(tile(page, label)).to_have_attribute("data-state", state, timeout=ms)


def post(daemon: Daemon, name: str, value: object) -> None:
    headers = {"Content-Type": "application/json"}
    body = json.dumps(value, ensure_ascii=False).encode()
    answer = daemon.request("POST", f"/streams/{name}", body, headers)
    assert answer.status == 201, answer.text


def test_a_posted_value_is_on_the_page_live(daemon: Daemon, page: Page) -> None:
    page.goto(daemon.url)
    expect(tile(page, "variable")).to_have_attribute("data-state", "current", timeout=SOON_MS)
    for value, shown in [(42, "42"), (1_284_350, "1.284\u202fM"), ("hello", "hello")]:
        post(daemon, "orders", value)
        shows(page, "orders", shown)
    post(daemon, "orders", {"a": [1, 2]})
    expect(tile(page, "orders")).to_have_attribute("data-kind", "list", timeout=SOON_MS)
    expect(tile(page, "orders").locator("td")).to_have_text(["a", "[1,2]"])
    expect(page.locator("body")).to_have_attribute("data-link", "live")
    expect(page.locator("#band")).to_be_hidden()


def test_the_demo_counts_on(daemon: Daemon, page: Page) -> None:
    page.goto(daemon.url)
    value = tile(page, "variable").locator(".value")
    first = value.inner_text(timeout=SOON_MS)
    expect(value).not_to_have_text(first, timeout=SOON_MS)


def test_a_stream_that_is_forgotten_leaves_the_page(daemon: Daemon, page: Page) -> None:
    post(daemon, "orders", 1)
    page.goto(daemon.url)
    shows(page, "orders", "1")
    assert daemon.request("DELETE", "/streams/orders").status == 204
    expect(tile(page, "orders")).to_have_count(0, timeout=SOON_MS)
    post(daemon, "orders", 2)
    shows(page, "orders", "2")


def test_hostile_names_and_values_are_text(
    daemon: Daemon, page: Page, console_errors: list[str]
) -> None:
    page.goto(daemon.url)
    expect(tile(page, "variable")).to_have_attribute("data-state", "current", timeout=SOON_MS)
    tags = "[...new Set([...document.querySelectorAll('*')].map((element) => element.localName))]"
    post(daemon, "list", [[1]])  # what a tile of each kind is made of
    expect(tile(page, "list").locator("td")).to_have_text(["1"], timeout=SOON_MS)
    own = set(page.evaluate(tags))
    for i, value in enumerate(HOSTILE_VALUES):
        post(daemon, f"value-{i}", value)
    for name in HOSTILE_NAMES:
        post(daemon, name, f"of {name[:4]}")
    deep = "[" * 90 + "]" * 90
    assert daemon.request("POST", "/streams/deep", deep).status == 201

    expect(tile(page, "deep").locator("td")).to_have_text([deep[2:-2]], timeout=SOON_MS)
    for i, value in enumerate(HOSTILE_VALUES):
        tile_of = tile(page, f"value-{i}")
        expect(tile_of).to_have_attribute("data-state", "current", timeout=SOON_MS)
        if isinstance(value, str) and 0 < len(value.strip()) < 600 and "\x00" not in value:
            assert tile_of.locator(".value").text_content() == value
    for name in HOSTILE_NAMES:
        shows(page, name, f"of {name[:4]}")
    assert set(page.evaluate(tags)) == own, "an element was made from data"
    assert page.title() == f"127.0.0.1:{daemon.port} · streamd"
    assert not console_errors


def test_a_lost_link_is_said_and_comes_back_by_itself(daemon: Daemon, page: Page) -> None:
    post(daemon, "orders", 42)
    page.goto(daemon.url)
    shows(page, "orders", "42")
    expect(tile(page, "variable")).to_have_attribute("data-state", "current")

    daemon.stop()
    expect(page.locator("#band")).to_be_visible(timeout=SOON_MS)
    expect(page.locator("#band")).to_contain_text("Connection lost")
    shows(page, "orders", "42", "lost")
    expect(page.locator(".tile:not([data-state=lost])")).to_have_count(0)
    expect(page.locator(".tile .value").first).to_have_css("color", "rgba(0, 0, 0, 0)")

    daemon.start()
    expect(page.locator("#band")).to_be_hidden(timeout=BACK_MS)
    expect(tile(page, "variable")).to_have_attribute("data-state", "current", timeout=SOON_MS)
    # It was in memory only, and nothing pretends otherwise.
    expect(tile(page, "orders")).to_have_count(0)


def test_a_killed_daemon_comes_back_by_itself(daemon: Daemon, page: Page) -> None:
    page.goto(daemon.url)
    expect(tile(page, "variable")).to_have_attribute("data-state", "current", timeout=SOON_MS)
    daemon.kill()
    expect(page.locator("body")).to_have_attribute("data-link", "lost", timeout=SOON_MS)
    daemon.start()
    post(daemon, "orders", 42)
    shows(page, "orders", "42", ms=BACK_MS)
    expect(tile(page, "variable")).to_have_attribute("data-state", "current", timeout=SOON_MS)


def test_a_silent_link_is_a_lost_one(daemon: Daemon, page: Page) -> None:
    page.goto(daemon.url)
    expect(tile(page, "variable")).to_have_attribute("data-state", "current", timeout=SOON_MS)
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        expect(tile(page, "variable")).to_have_attribute("data-state", "lost", timeout=SILENT_MS)
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    expect(tile(page, "variable")).to_have_attribute("data-state", "current", timeout=BACK_MS)


def test_a_failed_source_is_on_its_tile(
    start_daemon: StartDaemon, page: Page, tmp_path: Path
) -> None:
    file = tmp_path / "shop.db"
    daemon = start_daemon(
        config=f"""
        [sources.shop]
        database = "sqlite:///{file}"
        query = "SELECT count(*) AS orders FROM orders"
        every = "200ms"
        [streams.shop.orders]
        title = "<b>Orders</b>"
        warn = ">= 2"
        """
    )
    page.goto(daemon.url)
    failed = page.locator(".tile[data-state=failed]")
    expect(failed).not_to_have_count(0, timeout=SOON_MS)
    expect(failed.first.locator(".evidence").first).to_contain_text("✕")
    expect(failed.first.locator(".value")).to_have_text("—")

    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        database.execute("INSERT INTO orders DEFAULT VALUES")
    shows(page, "<b>Orders</b>", "1", ms=BACK_MS)
    orders = tile(page, "<b>Orders</b>")
    expect(orders).to_have_attribute("data-level", "ok")
    expect(failed).to_have_count(0, timeout=SOON_MS)

    with closing(sqlite3.connect(file)) as database, database:
        database.execute("INSERT INTO orders DEFAULT VALUES")
    shows(page, "<b>Orders</b>", "2")
    expect(orders).to_have_attribute("data-level", "warn", timeout=SOON_MS)
    expect(orders.locator(".evidence").first).to_have_text("▲ at least 2")

    with closing(sqlite3.connect(file)) as database, database:
        database.execute("DROP TABLE orders")
    shows(page, "<b>Orders</b>", "2", "failed")
    expect(orders).to_have_attribute("data-level", "ok")
    expect(orders.locator(".evidence").nth(1)).to_contain_text("value of")


def test_without_streams_it_says_how_to_make_one(start_daemon: StartDaemon, page: Page) -> None:
    daemon = start_daemon(config='[access]\npublish = "loopback"')
    page.goto(daemon.url)
    expect(page.locator("#curl")).to_have_text(f"curl -d 42 {daemon.url}/streams/orders")
    expect(page.locator("#empty")).to_be_visible(timeout=SOON_MS)
    assert daemon.request("POST", "/streams/orders", "42").status == 201
    shows(page, "orders", "42")
    expect(page.locator("#empty")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (390, 844)], ids=str)
def test_nothing_sticks_out(
    start_daemon: StartDaemon, page: Page, size: tuple[int, int], scheme: str
) -> None:
    """Also not beside numbers as wide as they come."""
    daemon = start_daemon(
        config=f"""
        [access]
        publish = "loopback"
        [[walls]]
        name = "one"
        theme = "{scheme}"
        [sources.variable]
        kind = "random_walk"
        """
    )
    for i in range(11):
        post(daemon, f"stream-{i}", -888.88 * 10**i)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme="dark" if scheme == "light" else "light")
    page.goto(daemon.url)
    expect(page.locator(".tile[data-state=current]")).to_have_count(12, timeout=SOON_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate(
        """[...document.querySelectorAll(".unit")].every((unit) => {
            const right = (element) => element.getBoundingClientRect().right;
            return right(unit) <= right(unit.closest(".tile"));
        })"""
    )
    columns = page.evaluate(
        """new Set([...document.querySelectorAll(".tile")].map((tile) => tile.offsetLeft)).size"""
    )
    assert columns == (1 if size[0] < 600 else 4)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 18, 16)" if scheme == "dark" else "rgb(246, 242, 234)")


def test_the_modules_pass_their_own_tests() -> None:
    node = shutil.which("node")
    assert node, "no node here: run tests/install-servers"
    files = sorted(map(str, (CHECKOUT / "tests" / "web").glob("*.test.mjs")))
    done = subprocess.run(
        [node, "--test", *files],
        env={**os.environ, "TZ": "UTC", "LANG": "en_US.UTF-8", "LC_ALL": "en_US.UTF-8"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr

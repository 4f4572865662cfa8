"""A screen that shows several walls in turn, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from tests.support.daemon import Daemon, StartDaemon
from tests.support.net import wait_until
from tests.support.wall import ADMIN_TOKEN, command, post, shows

ALL_DAY = "00:00-24:00"
CONFIG = f"""
[access]
publish = "loopback"
admin = ["{ADMIN_TOKEN}"]
[streams.orders]
title = "Orders"
[streams.load]
title = "Load"
critical = "> 90"
[[walls]]
name = "shop"
title = "The shop"
streams = ["orders"]
[[walls]]
name = "lab"
title = "The lab"
theme = "light"
streams = ["load"]
[[walls]]
name = "attic"
title = "The attic"
"""
IN_TURN = 'walls = [{ wall = "shop", for = "1s" }, { wall = "lab", for = "1s" }]'
SHOP = 'walls = [{ wall = "shop", for = "1h" }, { wall = "lab", for = "1h" }]'


StartScreen = Callable[..., Daemon]


@pytest.fixture
def start(start_daemon: StartDaemon, page: Page) -> StartScreen:
    """Starts a daemon with a table of the screen "tv", and the page of this screen."""

    def start(table: str, query: str = "?screen=tv") -> Daemon:
        daemon = start_daemon(config=f'{CONFIG}[[screens]]\nname = "tv"\n{table}\n')
        post(daemon, "orders", 42)
        post(daemon, "load", 7)
        page.goto(f"{daemon.url}{query}")
        return daemon

    return start


def reports(daemon: Daemon, wall: str) -> bool:
    screens = daemon.request("GET", "/screens").json()["screens"]
    return bool(screens.get("tv", {}).get("wall") == wall)


def shows_wall(page: Page, title: str) -> None:
    expect(page.locator("#title")).to_have_text(title)


def test_walls_take_turns_and_are_reported(start: StartScreen, page: Page) -> None:
    daemon = start(IN_TURN)
    for _ in range(2):
        shows_wall(page, "The shop")
        shows(page, "Orders", "42")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        assert page.locator(".tile").count() == 1
        shows_wall(page, "The lab")
        shows(page, "Load", "7")
        expect(page.locator("html")).to_have_attribute("data-theme", "light")
    for wall in ("shop", "lab", "shop"):
        wait_until(partial(reports, daemon, wall))
    # The link's fuse burns on: a page that hangs in the next second expires as always.
    assert page.evaluate("document.getElementById('expiry').getAnimations().length") == 1
    assert page.evaluate("document.body.dataset.link") == "live"


def test_critical_wall_breaks_in_and_stays(start: StartScreen, page: Page) -> None:
    daemon = start(SHOP)
    shows_wall(page, "The shop")
    post(daemon, "load", 95)
    shows_wall(page, "The lab")
    expect(page.locator(".tile")).to_have_attribute("data-level", "critical")
    post(daemon, "load", 8)
    shows(page, "Load", "8")
    page.wait_for_timeout(1500)
    shows_wall(page, "The lab")  # it has an hour, as the other one


def test_critical_wall_does_not_wait_for_its_hours(start: StartScreen, page: Page) -> None:
    table = 'walls = [{ wall = "shop", for = "1s" }, { wall = "lab", for = "1s", days = "DAY" }]'
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    today = page.evaluate("(new Date().getDay() + 6) % 7")
    daemon = start(table.replace("DAY", days[(today + 3) % 7]))
    shows_wall(page, "The shop")
    page.wait_for_timeout(2500)
    shows_wall(page, "The shop")
    post(daemon, "load", 95)
    shows_wall(page, "The lab")
    post(daemon, "load", 8)
    shows_wall(page, "The shop")


def test_screen_is_dimmed_in_its_hours(start: StartScreen, page: Page) -> None:
    start(f'dim = {{ hours = "{ALL_DAY}", to = 0.4 }}', "?screen=tv&wall=attic")
    shows_wall(page, "The attic")
    shade = page.locator("#shade")
    expect(shade).to_be_visible()
    expect(shade).to_have_css("opacity", "0.6")
    page.locator("body").click()  # the shade takes no clicks
    page.goto(page.url.replace("screen=tv", "screen=other"))
    shows_wall(page, "The attic")
    expect(shade).to_be_hidden()


def test_playlist_comes_before_the_address_but_not_before_a_command(
    start: StartScreen, page: Page
) -> None:
    daemon = start(SHOP, "?screen=tv&wall=attic")
    shows_wall(page, "The shop")
    title = page.locator("#title")
    command(daemon, lambda: title.text_content() == "The lab", command="wall", wall="lab")
    wait_until(partial(reports, daemon, "lab"))
    page.reload()
    shows_wall(page, "The lab")
    command(daemon, lambda: title.text_content() == "The shop", command="playlist")
    assert "screen=tv" in page.url


def test_message_as_a_line_takes_room_but_covers_nothing(start: StartScreen, page: Page) -> None:
    daemon = start(SHOP)
    shows(page, "Orders", "42")
    before = page.locator(".tile").bounding_box()
    line, overlay = page.locator("#line"), page.locator("#overlay")
    cake = {"command": "message", "message": "Cake at 4", "as": "line", "for": "1h"}
    command(daemon, lambda: line.text_content() == "Cake at 4", **cake)
    expect(overlay).to_be_hidden()
    shows(page, "Orders", "42")
    place = line.bounding_box()
    assert before is not None
    assert place is not None
    wait_until(lambda: _bottom(page) <= place["y"] + 0.5)
    assert page.viewport_size
    assert place["y"] + place["height"] == pytest.approx(page.viewport_size["height"], abs=1)
    page.reload()
    expect(line).to_have_text("Cake at 4")
    command(daemon, lambda: overlay.text_content() == "tv", command="identify")
    command(daemon, line.is_hidden, command="message", message=" ")
    wait_until(lambda: _bottom(page) == pytest.approx(before["y"] + before["height"], abs=0.5))


def _bottom(page: Page) -> float:
    box = page.locator(".tile").bounding_box()
    return box["y"] + box["height"] if box else 0.0


def test_wall_stays_until_each_of_its_pages_was_shown(start: StartScreen, page: Page) -> None:
    tiles = "".join(f'[[walls.tiles]]\nstream = "s{n}"\nsize = "l"\n' for n in range(30))
    many = f'[[walls]]\nname = "many"\nrotate = "2s"\n{tiles}'
    start(f'walls = [{{ wall = "many", for = "1s" }}, {{ wall = "lab", for = "1s" }}]\n{many}')
    expect(page.locator("#pages")).to_have_text(re.compile("^2 of"))
    shows_wall(page, "The lab")

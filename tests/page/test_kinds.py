"""web/kinds/: what the kinds of tiles show of a real daemon's streams, in a real browser."""

from __future__ import annotations

import base64
import time
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.support.daemon import Daemon, StartDaemon
from tests.support.net import wait_until
from tests.support.wall import post, posting, tile

# A picture of one pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

SERVICES = "".join(
    f"""
[streams."svc.{name}"]
title = "{name.capitalize()}"
rollup = "1d"
warn = '== "slow"'
critical = '== "down"'
"""
    for name in ("shop", "payments", "mail")
)

WALL = f"""[access]
publish = "loopback"
{SERVICES}
[streams.goal]
goal = 200
from = "2020-01-01"
by = "2020-12-31"
unit = "t"
[streams.door]
words = {{ true = "open", false = "closed" }}
[streams.press]
critical = '== "stopped"'
[sources.plan]
image = "plan.png"
every = "1s"
[[walls]]
name = "kinds"
language = "en"
[[walls.tiles]]
streams = ["svc.*"]
show = "band"
title = "Services"
window = "8h"
[[walls.tiles]]
streams = ["door", "press"]
show = "switches"
title = "Doors"
[[walls.tiles]]
stream = "lights"
show = "switches"
[[walls.tiles]]
stream = "goal"
show = "progress"
[[walls.tiles]]
stream = "note"
show = "notice"
[[walls.tiles]]
stream = "plan"
title = "Plan"
"""

INSIDE = """element => {
  const bottom = (one) => one.getBoundingClientRect().bottom;
  return bottom(element) <= bottom(element.closest(".tile"));
}"""


def _start(start_daemon: StartDaemon, page: Page, config: str = WALL) -> Daemon:
    daemon: Daemon = start_daemon(config=config)
    page.goto(daemon.url)
    expect(page.locator("body")).to_have_attribute("data-link", "live")
    return daemon


def _spell(daemon: Daemon, name: str, word: str, begin: float, end: float | None = None) -> None:
    """Publishes that a service was so for a time of the past, seconds ago; it was up before."""
    now = time.time()
    post(daemon, f"svc.{name}", "up", now - 7 * 3600)
    post(daemon, f"svc.{name}", word, now - begin)
    if end is not None:
        post(daemon, f"svc.{name}", "up", now - end)


def _row(band: Locator, name: str) -> Locator:
    return band.locator("bdi.name").filter(has_text=name)


def test_a_band_shows_what_is_over_as_an_ember(start_daemon: StartDaemon, page: Page) -> None:
    daemon = _start(start_daemon, page)
    _spell(daemon, "shop", "down", 3600, 1800)
    _spell(daemon, "payments", "slow", 7200, 5400)
    post(daemon, "svc.mail", "up")
    page.reload()
    band = tile(page, "Services")
    expect(band.locator(".block.critical.ember")).to_have_count(1)
    expect(band.locator(".block.warn.ember")).to_have_count(1)
    expect(band.locator(".filled")).to_have_count(0)
    expect(band).to_have_attribute("data-level", "ok")


def test_a_critical_row_is_filled_and_named_in_the_header(
    start_daemon: StartDaemon, page: Page
) -> None:
    daemon = _start(start_daemon, page)
    for name in ("shop", "mail"):
        post(daemon, f"svc.{name}", "up")
    _spell(daemon, "payments", "down", 1200)
    band = tile(page, "Services")
    expect(band.locator(".filled")).to_have_count(1)
    expect(_row(band, "Payments")).to_have_class("name critical on end")
    expect(band.get_by_text("■ 20 min")).to_be_visible()
    expect(page.locator("#summary")).to_contain_text("■ Payments")
    post(daemon, "svc.payments", "up")
    expect(band.locator(".filled")).to_have_count(0)
    expect(page.locator("#summary")).not_to_contain_text("Payments")


def test_one_late_row_does_not_make_the_others_late(start_daemon: StartDaemon, page: Page) -> None:
    late = WALL.replace('title = "Mail"', 'title = "Mail"\nexpect = "1s"')
    daemon = _start(start_daemon, page, late)
    for name in ("shop", "payments", "mail"):
        post(daemon, f"svc.{name}", "up")
    band = tile(page, "Services")
    expect(_row(band, "Mail")).to_have_class("name late end")
    expect(_row(band, "Shop")).to_have_class("name end")
    expect(band).to_have_attribute("data-state", "current")
    expect(band.locator("path.unknown")).to_have_count(1)
    expect(page.locator("#summary")).to_contain_text("Mail")


def test_switches(start_daemon: StartDaemon, page: Page) -> None:
    daemon = _start(start_daemon, page)
    post(daemon, "door", False)
    post(daemon, "press", "stopped", time.time() - 600)
    post(daemon, "lights", {"hall": True, "lab": False})
    cells = tile(page, "Doors").locator(".switch")
    expect(cells.nth(0)).to_have_attribute("data-rank", "off")
    expect(cells.nth(0).locator(".since")).to_have_text("closed")
    expect(cells.nth(1)).to_have_attribute("data-rank", "critical")
    expect(cells.nth(1).locator(".since")).to_have_text("10\u00a0min")
    expect(tile(page, "lights").locator(".name")).to_have_text(["hall", "lab"])
    post(daemon, "door", True)
    expect(cells.nth(0)).to_have_attribute("data-rank", "ok")
    post(daemon, "lights", {"hall": [1]})
    expect(tile(page, "lights")).to_have_attribute("data-state", "failed")
    expect(tile(page, "lights").locator(".foot").first).to_contain_text("not an array of 1 element")


RAMPS = """[access]
publish = "loopback"
[[walls]]
name = "ramps"
language = "en"
[[walls.tiles]]
stream = "ramps"
show = "switches"
size = "l"
[[walls.tiles]]
stream = "rest"
show = "list"
size = "hero"
"""


WORDS = """tile => [...tile.querySelectorAll(".switch")].map((cell) => {
  const [box, word] = [cell, cell.lastChild].map((each) => each.getBoundingClientRect());
  if (word.width <= 1 || word.top >= box.bottom - 1) return "away";
  return cell.lastChild.scrollWidth <= Math.ceil(word.width) ? "whole" : "cut";
})"""
"""Whether the words beside each name are seen."""


def test_names_of_switches_stay_whole(start_daemon: StartDaemon, page: Page) -> None:
    daemon = _start(start_daemon, page, RAMPS)
    names = [f"Loading ramp {i}" for i in range(1, 31)]
    post(daemon, "ramps", dict.fromkeys(names, "closed for today"))
    cells = tile(page, "ramps").locator(".name")
    expect(cells).to_have_text(names)
    cut = "cells => cells.filter((one) => one.scrollWidth > one.clientWidth).length"
    assert cells.evaluate_all(cut) == 0
    seen = set(tile(page, "ramps").evaluate(WORDS))
    words = ("frei", "belegt", "gesperrt")
    post(daemon, "ramps", {f"Rampe {i:02d}": words[i % 3] for i in range(16)})
    expect(cells).to_have_count(16)
    for width in (390, 480, 1920):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_timeout(100)
        seen |= set(tile(page, "ramps").evaluate(WORDS))
    assert seen == {"whole", "away"}


def test_progress_tells_how_far_it_should_be(start_daemon: StartDaemon, page: Page) -> None:
    daemon = _start(start_daemon, page)
    post(daemon, "goal", 124)
    goal = tile(page, "goal")
    expect(goal.locator(".value")).to_have_text("62.0")
    expect(goal.locator(".evidence").first).to_have_text("76 t behind")
    assert goal.locator(".meter").evaluate("meter => meter.style.getPropertyValue('--tick')") == "1"
    post(daemon, "goal", 250)
    expect(goal.locator(".value")).to_have_text("125.0")
    expect(goal.locator(".meter .goal")).to_be_visible()
    post(daemon, "goal", "much")
    expect(goal).to_have_attribute("data-state", "failed")


def test_a_notice_is_as_large_as_fits(start_daemon: StartDaemon, page: Page) -> None:
    daemon = _start(start_daemon, page)
    steps = []
    for text in ("Closed", "Stock-taking on Friday at 17:00. Bring your badge.", "W" * 5000):
        post(daemon, "note", text)
        notice = tile(page, "note").locator(".notice")
        expect(notice).to_contain_text(text[:500])
        steps.append(notice.evaluate("p => Number(p.style.getPropertyValue('--step'))"))
        assert notice.evaluate(INSIDE)
    assert steps == sorted(steps, reverse=True)
    assert steps[0] > steps[1] > steps[2] >= 2.2


def test_an_image_is_the_newest_of_its_file(
    start_daemon: StartDaemon, page: Page, tmp_path: Path
) -> None:
    daemon = _start(start_daemon, page)
    expect(tile(page, "Plan")).to_have_attribute("data-state", "failed")
    (daemon.folder / "plan.png").write_bytes(PIXEL)
    expect(tile(page, "Plan")).to_have_attribute("data-state", "current")
    width = "image => image.naturalWidth"
    photo = tile(page, "Plan").locator("img")
    expect(photo).to_have_attribute("alt", "plan")
    page.wait_for_function("() => document.querySelector('img.photo').naturalWidth === 1")
    assert photo.evaluate(width) == 1
    (daemon.folder / "plan.png").unlink()
    expect(tile(page, "Plan")).to_have_attribute("data-state", "failed")


def test_an_image_that_could_not_be_loaded_is_loaded_again(
    start_daemon: StartDaemon, page: Page
) -> None:
    page.route("**/pictures/**", lambda route: route.fulfill(status=503), times=1)
    daemon = _start(start_daemon, page)
    (daemon.folder / "plan.png").write_bytes(PIXEL)
    expect(tile(page, "Plan")).to_contain_text("the picture cannot be loaded", timeout=20_000)
    page.wait_for_function("() => document.querySelector('img.photo')?.naturalWidth === 1")
    expect(tile(page, "Plan")).to_have_attribute("data-state", "current")


ROWS = """[access]
publish = "loopback"
[streams.orders]
rollup = "8d"
[[walls]]
name = "rows"
language = "en"
timezone = "Europe/Berlin"
[[walls.tiles]]
stream = "deploys"
show = "table"
flag = { result = "rolled back" }
[[walls.tiles.columns]]
key = "service"
[[walls.tiles.columns]]
key = "loaded"
show = "bar"
of = 4
[[walls.tiles.columns]]
key = "took"
format = "duration"
title = "time"
[[walls.tiles.columns]]
key = "result"
show = "state"
[[walls.tiles]]
stream = "trains"
show = "table"
now = "at"
[[walls.tiles]]
stream = "sellers"
show = "ranked"
[[walls.tiles]]
stream = "sold"
show = "log"
text = "{product} to {city}, {amount} €"
[[walls.tiles]]
stream = "orders"
show = "hours"
[[walls.tiles]]
stream = "raw"
"""
ROWS_AND_MORE = r"""async (tile) => {
  for (let i = 0; i < 2; i++) await new Promise((done) => requestAnimationFrame(done));
  const texts = [...tile.querySelectorAll(".evidence:not([hidden])")].map((one) => one.textContent);
  const more = texts.map((text) => /^[+](\d+) more$/.exec(text)).find((match) => match);
  return more ? tile.querySelectorAll("tbody tr").length + Number(more[1]) : 0;
}"""
"""After the page has laid itself out: how many rows a table shows and counts, asked in one turn."""

CUT = """tile => [...tile.querySelectorAll("td, th")]
  .filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent)"""


def test_a_table_has_the_columns_of_its_configuration(
    start_daemon: StartDaemon, page: Page
) -> None:
    daemon = _start(start_daemon, page, ROWS)
    rows = [
        {"service": "Search", "took": 112, "result": "live", "loaded": 1, "other": 1},
        {"service": "Stock", "took": 200, "result": "rolled back", "loaded": 9},
        {"service": "Mail", "took": None, "result": "■ lost", "toString": 5},
    ]
    post(daemon, "deploys", rows)
    table = tile(page, "deploys")
    expect(table.locator("th")).to_have_text(["service", "loaded", "time", "result"])
    cells = table.locator("td:not([data-show=bar])")
    expect(cells).to_have_text(
        ["Search", "1:52", "live", "Stock", "3:20", "rolled back", "Mail", "—", "■ lost"]
    )
    looks = cells.evaluate_all("cells => cells.map(cell => cell.dataset.look ?? '')")
    assert looks == ["bold", "", "quiet", "bold", "", "flagged", "bold", "", "critical"]
    shares = "bars => bars.map(bar => [bar.dataset.known, bar.style.getPropertyValue('--share')])"
    # Tabular figures part a word at its hyphen.
    figures = "cells => cells.map(cell => getComputedStyle(cell).fontVariantNumeric)"
    words = [*("normal", "tabular-nums", "normal") * 2, "normal", "tabular-nums", "normal"]
    assert cells.evaluate_all(figures) == words
    assert table.locator(".part").evaluate_all(shares) == [
        ["yes", "0.25"],
        ["yes", "1"],
        ["no", "0"],
    ]
    post(daemon, "deploys", {"a": 1})
    expect(table).to_have_attribute("data-state", "failed")


ROOMS = """[access]
publish = "loopback"
[[walls]]
name = "rooms"
language = "en"
[[walls.tiles]]
stream = "rooms"
show = "table"
flag = { who = "free" }
columns = [{ key = "room", show = "state" }, { key = "who", show = "state" }, { key = "until" }]
"""


def test_the_whole_row_of_an_exception_is_in_full_ink(
    start_daemon: StartDaemon, page: Page
) -> None:
    daemon = _start(start_daemon, page, ROOMS)
    names = ("free", "Ana", "▲ Jonas")
    post(daemon, "rooms", [{"room": "Attic", "who": who, "until": "15:00"} for who in names])
    rooms = tile(page, "rooms").locator("tbody tr td:first-child")
    expect(rooms).to_have_count(3)
    colours = rooms.evaluate_all("cells => cells.map(cell => getComputedStyle(cell).color)")
    assert colours[0] == colours[2] != colours[1]


def test_the_header_names_the_rows_that_need_somebody(
    start_daemon: StartDaemon, page: Page
) -> None:
    daemon = _start(start_daemon, page, ROWS)
    rows = [
        {"service": "Search", "result": "▲ slow"},
        {"service": "Mail", "result": "live"},
        {"service": "Stock", "result": "■ lost"},
    ]
    post(daemon, "deploys", rows)
    needs = page.locator("#summary .need")
    expect(needs.nth(0)).to_have_text("■ Stock lost")
    expect(needs.nth(1)).to_have_text("▲ Search slow")
    post(daemon, "deploys", rows[1:2])
    expect(page.locator("#summary")).not_to_contain_text("Stock")


def test_a_timetable_says_what_is_over(start_daemon: StartDaemon, page: Page) -> None:
    daemon = _start(start_daemon, page, ROWS)
    times = [time.time() + 60 * minutes for minutes in (-90, -30, 30)]
    moments = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(each)) for each in times]
    post(daemon, "trains", [{"at": at, "to": "Wien"} for at in moments])
    rows = tile(page, "trains").locator("tbody tr")
    expect(rows).to_have_count(3)
    assert rows.evaluate_all("rows => rows.map(row => row.dataset.look ?? '')") == [
        "gone",
        "now",
        "",
    ]


def test_no_number_is_cut_or_abbreviated(start_daemon: StartDaemon, page: Page) -> None:
    # Alone on its wall: with others it would be on a page that is turned meanwhile.
    alone = '[[walls]]\nname = "raw"\nlanguage = "en"\nstreams = ["raw"]\n'
    daemon = _start(start_daemon, page, f'[access]\npublish = "loopback"\n{alone}')
    count = 70  # more than any tile has room for
    row = {"id": 123_456, "customer": "C" * 90, "amount": 9_007_199_254_740_993, "x": 1e300}
    post(daemon, "raw", [{**row, "id": 123_456 + i, "y": 7, "z": 123_456} for i in range(count)])
    raw = tile(page, "raw")
    expect(raw.locator("tbody tr").first).to_contain_text("123456")
    expect(raw.get_by_text("9007199254740993").first).to_be_attached()
    numbers = {"123456", "9007199254740993", "7"}
    for width, height in ((1920, 1080), (1080, 1920), (390, 844), (640, 360)):
        page.set_viewport_size({"width": width, "height": height})
        expect(raw).to_be_visible()
        wait_until(lambda: raw.evaluate(ROWS_AND_MORE) == count, 40, f"{count} rows")
        assert numbers.isdisjoint(raw.evaluate(CUT)), (width, height)
        bottom = "tile => tile.getBoundingClientRect().bottom"
        assert raw.locator("table").evaluate(bottom) <= raw.evaluate(bottom)


def test_a_ranking_and_a_log(start_daemon: StartDaemon, page: Page) -> None:
    daemon = _start(start_daemon, page, ROWS)
    post(daemon, "sellers", [["Grinder", 388], ["Espresso machine", -412], ["constructor", None]])
    ranked = tile(page, "sellers")
    expect(ranked.locator(".name")).to_have_text(["Grinder", "Espresso machine", "constructor"])
    expect(ranked.locator(".number")).to_have_text(["+388", "−412", "—"])
    expect(ranked.locator("ol")).to_have_attribute("data-diverging", "yes")
    post(daemon, "sellers", {f"n{i}": i for i in range(50)})
    expect(ranked.locator(".name").first).to_have_text("n0")
    more = 50 - ranked.locator("li").count()
    expect(ranked.locator(".evidence").first).to_have_text(f"+{more} more")
    for city in ("Graz", "Oslo"):
        post(daemon, "sold", {"product": "Grinder", "city": city, "amount": 214})
    log = tile(page, "sold").locator("td[data-show=text]")
    expect(log).to_have_text(["Grinder to Oslo, 214 €", "Grinder to Graz, 214 €"])


def test_hours_show_when_nothing_was_known(start_daemon: StartDaemon, page: Page) -> None:
    daemon = _start(start_daemon, page, ROWS)
    now = time.time()
    for hours in (50, 26, 2):
        post(daemon, "orders", hours, now - 3600 * hours)
    page.reload()
    grid = tile(page, "orders")
    expect(grid.locator("path.heat-5")).to_have_count(1)
    expect(grid.locator("path.unknown")).to_have_count(1)
    expect(grid.locator("path.heat-now")).to_have_count(1)
    expect(grid.locator(".aside")).to_contain_text("0 to 50")


def test_a_late_part_does_not_make_the_tile_late(start_daemon: StartDaemon, page: Page) -> None:
    config = """
    [access]
    publish = "loopback"
    [streams]
    door = { title = "Door", expect = "3s" }
    gate = { title = "Gate" }
    [[walls]]
    name = "doors"
    tiles = [{ streams = ["door", "gate"], title = "Doors", show = "switches" }]
    """
    daemon = _start(start_daemon, page, config)
    post(daemon, "gate", True)
    doors = tile(page, "Doors")
    with posting(daemon, "door", True):
        expect(doors.locator(".switch[data-rank=ok]")).to_have_count(2)
    expect(doors.locator(".switch[data-rank=late]")).to_have_count(1)
    over = "expiry => expiry.getAnimations().every(({ playState }) => playState !== 'running')"
    expiry = doors.locator(".expiry")
    page.wait_for_function(over, arg=expiry.element_handle(), timeout=40_000)
    expect(expiry).to_have_css("opacity", "0")


ONE_TABLE = """[access]
publish = "loopback"
[[walls]]
name = "rows"
language = "en"
[[walls.tiles]]
stream = "deployments"
show = "table"
columns = [{ key = "service" }, { key = "result" }]
"""


def test_a_table_with_room_for_all_rows_takes_the_line_below_them(
    start_daemon: StartDaemon, page: Page
) -> None:
    """On this screen 23 rows have room, or 22 and a line of evidence. The age stands above them."""
    page.set_viewport_size({"width": 1920, "height": 1080})
    daemon = _start(start_daemon, page, ONE_TABLE)
    shown = tile(page, "deployments")
    for count, rows, below, beside in (
        (24, 22, "+2 more", ""),
        (23, 23, "", "unchanged 15\u00a0min"),
    ):
        value = [{"service": f"service {n}", "result": "live"} for n in range(count)]
        post(daemon, "deployments", value, time.time() - 900)
        expect(shown.locator("tbody tr")).to_have_count(rows)
        expect(shown.locator("> .foot")).to_have_text(below)
        expect(shown.locator(".aside")).to_have_text(beside)
    daemon.stop()
    expect(shown).to_have_attribute("data-state", "lost", timeout=30_000)
    expect(shown.locator(".aside")).to_contain_text("value of")
    expect(shown.locator("tbody tr")).to_have_count(23)  # the band takes room, but no row


SCORE = """
[[walls.groups]]
title = "Shop"
share = "time"
[[walls.tiles]]
stream = "orders"
show = "chart"
group = "Shop"
[[walls.tiles]]
streams = ["svc.*"]
show = "band"
title = "Services"
group = "Shop"
"""


def test_a_band_of_a_score_keeps_its_axis_when_the_connection_is_lost(
    start_daemon: StartDaemon, page: Page
) -> None:
    begin, _, _ = WALL.partition("[[walls.tiles]]")
    daemon = _start(start_daemon, page, begin + SCORE)
    post(daemon, "orders", 5)
    post(daemon, "svc.shop", "up")
    band = tile(page, "Services")
    expect(band.locator(".works")).to_have_count(1)

    def left() -> float:
        found: float = band.locator(".plot").evaluate("each => each.getBoundingClientRect().left")
        return found

    live = left()
    daemon.stop()
    expect(band).to_have_attribute("data-state", "lost", timeout=30_000)
    assert left() == live

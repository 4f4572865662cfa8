"""web/: what a real browser shows of a real daemon, and what Node thinks of the modules alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, WebSocketRoute, expect

from tests.support.daemon import CHECKOUT, Daemon, StartDaemon
from tests.support.net import wait_until
from tests.support.wall import LOST_MS, Film, post, posting, shows, tile

# Two missed ticks of 5 s and the fifth of a tick that a busy machine gets; and less than twice that.
SILENT_MS = 20_000
# Seconds: more than the wall's fuse burns, and a busy machine's delay.
HANG = 22
# Brighter than hatching and hairlines, and than text under a veil.
BRIGHT = 150
# Of the height, what the band takes at most.
BAND = 0.2
# Colours of the dark theme.
GROUND, TEXT, MUTED, DATA = "20,18,16", "244,239,230", "176,167,153", "124,199,178"

# Appended to a module: the kind throws in one method, at each text that begins with "odd".
THROWS = """
window.odd = true;
const check = (method, value) => {
  const odd = window.odd && `${value}`.startsWith("odd");
  if (method === "%s" && odd) throw new TypeError(`in ${method}`);
};
status.Body = class extends status.Body {
  #value;
  update(streams) {
    super.update(streams);
    this.#value = streams[0].value;
    check("update", this.#value);
  }
  draw() { check("draw", this.#value); }
  evidence([{ value }]) { check("evidence", value); return []; }
};
"""
# Collects the states other than failed that a tile has at the end of any frame.
WATCH = """(tile) => {
  window.states ??= [];
  const look = () => {
    if (!window.odd) return;
    if (tile.dataset.state !== "failed") window.states.push(tile.dataset.state);
    requestAnimationFrame(look);
  };
  look();
}"""

HOSTILE_VALUES = [
    "<img src=x onerror=\"document.title='owned'\">",
    "<script>document.title = 'owned'</script>",
    "</bdi></p><iframe src='javascript:alert(1)'></iframe>",
    "\u202eright to left\u2066 and never back",
    "javascript:alert(1)",
    "W" * 60_000,
    "<style>* { display: none }</style>",
    "<wall-tile></wall-tile><stream-value name='orders'></stream-value>",
    "<template shadowrootmode=open><slot></slot></template>",
    "&lt;b&gt; &amp; &#x3c;i&#x3e;",
    "]]><!-- <math><mtext></mtext></math>",
    "url(javascript:alert(1)); } body { display: none",
    "${document.title = 'owned'} {{constructor.constructor('alert(1)')()}}",
    "\u2028\u2029\ufeff\u00ad\u200b",
    "Z\u0351\u036b\u0343" * 50,
    "\ufdfd" * 50,
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
    {"": "", "toString": None, "length": 1e9},
    [{"constructor": 1, "a": 2}, {"a": 3}],
    [{"toString": 1, "valueOf": 2}, {"a": 3}],
    [{"__proto__": 1, "hasOwnProperty": 2}, {"a": 3}],
    [{"a": {"b": "<u>c</u>"}}, {"a": None}, {"c": []}],
    [["<td>", "</tr>"], ["W" * 3000]],
    list(range(10_000)),
]
HOSTILE_NAMES = ["constructor", "toString", "valueOf", "hasOwnProperty", "0", "a" * 128, "x.-_.x"]


NOTE_WRITES = """(tile) => {
  globalThis.node = tile.querySelector(".value").firstChild;
  globalThis.writes = [];
  const attributes = { attributes: true, attributeOldValue: true, subtree: true };
  new MutationObserver((records) => writes.push(...records)).observe(tile, attributes);
}"""
IDLE_WRITES = """() => writes.filter(({ target, attributeName: name, oldValue }, i) => {
  const after = writes.slice(i + 1).find((one) => one.target === target && one.attributeName === name);
  return oldValue === (after ? after.oldValue : target.getAttribute(name));
}).map(({ target, attributeName }) => `${attributeName} of ${target.className}`)"""
"""The attributes to which their own values were written while a tile was watched."""


@pytest.mark.parametrize("show", ["value", "progress", "chart"])
def test_an_update_writes_only_what_changes(
    start_daemon: StartDaemon, page: Page, show: str
) -> None:
    """Each other write costs styles: 40 tiles with ten updates a second need a tenth more time."""
    config = f"""[access]
publish = "loopback"
[streams.orders]
show = "{show}"
goal = 100
"""
    daemon = start_daemon(config=config)
    post(daemon, "orders", 42)
    page.goto(daemon.url)
    value = tile(page, "orders").locator(".value")
    expect(value).to_have_text("42.0" if show == "progress" else "42")
    tile(page, "orders").evaluate(NOTE_WRITES)
    post(daemon, "orders", 43)
    expect(value).to_have_text("43.0" if show == "progress" else "43")
    assert page.evaluate(IDLE_WRITES) == []
    assert value.evaluate("(value) => value.firstChild === node")


def test_a_posted_value_is_on_the_page_live(daemon: Daemon, page: Page) -> None:
    page.goto(daemon.url)
    expect(tile(page, "variable")).to_have_attribute("data-state", "current")
    for value, shown, unit in [(42, "42", ""), (1_284_350, "1.284", "M"), ("hello", "hello", "")]:
        post(daemon, "orders", value)
        shows(page, "orders", shown)
        expect(tile(page, "orders").locator(".unit").last).to_have_text(unit)
    post(daemon, "orders", {"a": [1, 2]})
    expect(tile(page, "orders")).to_have_attribute("data-kind", "list")
    expect(tile(page, "orders").locator("td")).to_have_text(["a", "[1,2]"])
    expect(page.locator("body")).to_have_attribute("data-link", "live")
    expect(page.locator("#band")).to_be_hidden()


def test_a_wall_without_streams_says_how_to_make_one(start_daemon: StartDaemon, page: Page) -> None:
    daemon = start_daemon(config='[access]\npublish = "loopback"\n')
    page.goto(daemon.url)
    expect(page.get_by_text("There are no streams yet")).to_be_in_viewport()
    expect(page.locator("#curl")).to_be_in_viewport()


def test_the_demo_counts_on(daemon: Daemon, page: Page) -> None:
    page.goto(daemon.url)
    expect(tile(page, "variable")).to_have_attribute("data-state", "current")
    value = tile(page, "variable").locator(".value")
    first = value.inner_text()
    expect(value).not_to_have_text(first)


def test_a_stream_that_is_forgotten_leaves_the_page(daemon: Daemon, page: Page) -> None:
    post(daemon, "orders", 1)
    page.goto(daemon.url)
    shows(page, "orders", "1")
    assert daemon.request("DELETE", "/streams/orders").status == 204
    expect(tile(page, "orders")).to_have_count(0)
    post(daemon, "orders", 2)
    shows(page, "orders", "2")


def test_hostile_names_and_values_are_text(
    daemon: Daemon, page: Page, console_errors: list[str]
) -> None:
    page.goto(daemon.url)
    expect(tile(page, "variable")).to_have_attribute("data-state", "current")
    tags = "[...new Set([...document.querySelectorAll('*')].map((element) => element.localName))]"
    post(daemon, "list", [{"a": 1, "b": 2}])  # makes the elements of each kind of tile
    expect(tile(page, "list").locator("th, td")).to_have_text(["a", "b", "1", "2"])
    own = set(page.evaluate(tags))
    for i, value in enumerate(HOSTILE_VALUES):
        post(daemon, f"value-{i}", value)
    for name in HOSTILE_NAMES:
        post(daemon, name, f"of {name[:4]}")
    deep = "[" * 90 + "]" * 90
    assert daemon.request("POST", "/streams/deep", deep).status == 201

    expect(tile(page, "deep").locator("td")).to_have_text([deep[2:-2]])
    for i, value in enumerate(HOSTILE_VALUES):
        tile_of = tile(page, f"value-{i}")
        expect(tile_of).to_have_attribute("data-state", "current")
        if isinstance(value, str) and 0 < len(value.strip()) < 600 and "\x00" not in value:
            assert tile_of.locator(".value").text_content() == value
    for name in HOSTILE_NAMES:
        shows(page, name, f"of {name[:4]}")
    assert set(page.evaluate(tags)) == own, "an element was made from data"
    assert page.title() == f"127.0.0.1:{daemon.port} · streamd"
    assert not console_errors


def test_a_lost_link_is_shown_and_comes_back(daemon: Daemon, page: Page) -> None:
    post(daemon, "orders", 42)
    page.goto(daemon.url)
    shows(page, "orders", "42")
    expect(tile(page, "variable")).to_have_attribute("data-state", "current")

    daemon.stop()
    expect(page.locator("#band")).to_be_visible(timeout=LOST_MS)
    expect(page.locator("#band")).to_contain_text("Connection lost")
    shows(page, "orders", "42", "lost")
    expect(page.locator(".tile:not([data-state=lost])")).to_have_count(0)
    expect(page.locator(".tile .value").first).to_have_css("color", rgb(GROUND))

    daemon.start()
    expect(page.locator("#band")).to_be_hidden()
    expect(tile(page, "variable")).to_have_attribute("data-state", "current")
    # It was in memory only, and nothing pretends otherwise.
    expect(tile(page, "orders")).to_have_count(0)


def test_a_killed_daemon_comes_back_by_itself(daemon: Daemon, page: Page) -> None:
    page.goto(daemon.url)
    expect(tile(page, "variable")).to_have_attribute("data-state", "current")
    daemon.kill()
    expect(page.locator("body")).to_have_attribute("data-link", "lost", timeout=LOST_MS)
    daemon.start()
    post(daemon, "orders", 42)
    shows(page, "orders", "42")
    expect(tile(page, "variable")).to_have_attribute("data-state", "current")


def test_a_silent_link_is_a_lost_one(daemon: Daemon, page: Page) -> None:
    page.goto(daemon.url)
    expect(tile(page, "variable")).to_have_attribute("data-state", "current")
    daemon.freeze()
    try:
        expect(tile(page, "variable")).to_have_attribute("data-state", "lost", timeout=SILENT_MS)
    finally:
        daemon.thaw()
    expect(tile(page, "variable")).to_have_attribute("data-state", "current")


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
    expect(failed).not_to_have_count(0)
    expect(failed.first.locator(".evidence").first).to_contain_text("✕")
    expect(failed.first.locator(".value")).to_have_text("—")

    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        database.execute("INSERT INTO orders DEFAULT VALUES")
    shows(page, "<b>Orders</b>", "1")
    orders = tile(page, "<b>Orders</b>")
    expect(orders).to_have_attribute("data-level", "ok")
    expect(failed).to_have_count(0)

    with closing(sqlite3.connect(file)) as database, database:
        database.execute("INSERT INTO orders DEFAULT VALUES")
    shows(page, "<b>Orders</b>", "2")
    expect(orders).to_have_attribute("data-level", "warn")
    expect(orders.locator(".evidence").first).to_have_text("▲ at least 2")

    with closing(sqlite3.connect(file)) as database, database:
        database.execute("DROP TABLE orders")
    shows(page, "<b>Orders</b>", "2", "failed")
    expect(orders).to_have_attribute("data-level", "ok")
    expect(orders.locator(".evidence").nth(1)).to_contain_text("value of")


def test_each_kind_of_tile(start_daemon: StartDaemon, page: Page) -> None:
    """By its value, by what its stream says, by what the wall says; and its lines are drawn."""
    daemon = start_daemon(
        config="""
        [access]
        publish = "loopback"
        [streams.said]
        show = "status"
        [[walls]]
        name = "one"
        tiles = [
          { stream = "number" }, { stream = "long" }, { stream = "word" }, { stream = "truth" },
          { stream = "table" }, { stream = "members" }, { stream = "said" },
          { stream = "line", show = "chart" }, { stream = "log", show = "list" },
          { streams = ["a", "b"], title = "Both" },
        ]
        """
    )
    begin = time.time() - 100
    for name in ("number", "line", "a", "b", "log"):
        for i in range(4):
            post(daemon, name, 10 * i if name == "a" else 30 - 5 * i, begin + 20 * i)
    post(daemon, "long", "a text that is too long for a numeral")
    post(daemon, "word", "ready")
    post(daemon, "truth", False)
    post(daemon, "table", [{"who": "Ada", "sold": 3}, {"who": "Bob", "sold": 12}])
    post(daemon, "members", {"up": 5, "down": 1})
    post(daemon, "said", 7)
    page.goto(daemon.url)
    kinds = {
        "number": "value", "long": "value", "word": "status", "truth": "status", "table": "list",
        "members": "list", "said": "status", "line": "chart", "log": "list", "Both": "chart",
    }  # fmt: skip
    for label, kind in kinds.items():
        expect(tile(page, label)).to_have_attribute("data-kind", kind)
        expect(tile(page, label)).to_have_attribute("data-state", "current")
    shows(page, "number", "15")
    shows(page, "truth", "no")
    expect(tile(page, "long").locator(".body")).to_have_attribute("data-size", "text")
    table = tile(page, "table").locator("th, td")
    expect(table).to_have_text(["who", "sold", "Ada", "3", "Bob", "12"])
    expect(tile(page, "members").locator("td")).to_have_text(["up", "5", "down", "1"])
    expect(tile(page, "log").locator("td:last-child")).to_have_text(["15", "20", "25", "30"])
    expect(tile(page, "said").locator("svg")).to_have_count(0)
    for label, lines in {"number": 1, "line": 1, "Both": 2}.items():
        drawn = tile(page, label).locator("path.stroke")
        expect(drawn).to_have_count(lines)
        for line in drawn.all():
            assert line.evaluate("(line) => line.getTotalLength()") > 100
            assert re.findall(r"\d+", stroke_of(line)) == DATA.split(",")
    expect(tile(page, "Both").locator(".name")).to_have_text(["a 30", "b 15"])
    expect(tile(page, "Both").locator(".tick")).to_contain_text(["0", "15", "30", "now"])


def stroke_of(line: Locator) -> str:
    """The colour in which a path is drawn."""
    return str(line.evaluate("(line) => getComputedStyle(line).stroke"))


@pytest.mark.parametrize("method", ["update", "draw", "evidence"])
def test_a_tile_that_throws_fails_alone(daemon: Daemon, browser: Browser, method: str) -> None:
    """One kind throws at one value. Its tile has failed and says why, and the others go on."""
    context = browser.new_context(
        service_workers="block"
    )  # they would hide requests from the route
    page = context.new_page()

    def sabotage(route: Route) -> None:
        route.fulfill(response=route.fetch(), body=route.fetch().text() + THROWS % method)

    page.route("**/kinds/status.js", sabotage)
    for name in ("first", "second", "third"):
        post(daemon, name, "ok")
    page.goto(daemon.url)
    shows(page, "third", "ok")
    for value in ("odd 1", "odd 2"):  # the second makes a new body, which throws again
        post(daemon, "second", value)
        second = tile(page, "second")
        expect(second.locator(".evidence").first).to_have_text(f"✕ cannot be shown: in {method}")
        expect(second).to_have_attribute("data-state", "failed")
        expect(second.locator(".body")).to_have_count(0)
        second.evaluate(WATCH)
    for value in ("fine", "well"):
        for name in ("first", "third"):
            post(daemon, name, value)
            shows(page, name, value)
    page.wait_for_timeout(2200)  # two draws
    assert page.evaluate("window.states") == []
    expect(page.locator("#summary")).to_contain_text("✕ second failed")
    page.evaluate("window.odd = false")
    post(daemon, "second", "ok")
    shows(page, "second", "ok")
    context.close()


def test_the_kind_of_tile_in_the_manual_works(daemon: Daemon, browser: Browser) -> None:
    """A page with the module, the style sheet and the registry line of docs/extending.rst."""
    manual = (CHECKOUT / "docs" / "extending.rst").read_text()
    blocks = re.findall(r"\.\. code-block:: (?:javascript|css)\n\n((?:    .*\n|\n)+)", manual)
    module, sheet, line = (textwrap.dedent(block) for block in blocks if "bar" in block)
    context = browser.new_context(
        service_workers="block"
    )  # they would hide requests from the routes
    page = context.new_page()

    page.route(
        "**/kinds/bar.js", lambda route: route.fulfill(body=module, content_type="text/javascript")
    )
    page.route(
        "**/kinds/registry.js",
        lambda route: route.fulfill(
            body=route.fetch().text() + line, content_type="text/javascript"
        ),
    )
    page.route(
        "**/kinds/band.css",
        lambda route: route.fulfill(body=route.fetch().text() + sheet, content_type="text/css"),
    )
    shown = '"stream":"*","show":"bar"'
    page.route(
        "**/walls/all",
        lambda route: route.fulfill(body=route.fetch().text().replace('"stream":"*"', shown)),
    )
    for name, value in (("disk", 72), ("odd", "no number")):
        post(daemon, name, value)
    page.goto(daemon.url)
    expect(tile(page, "disk")).to_have_attribute("data-kind", "bar")
    expect(tile(page, "disk")).to_have_attribute("data-state", "current")
    widths = (
        """(bar) => [bar.getBoundingClientRect().width / bar.offsetWidth, bar.offsetHeight > 10]"""
    )
    share, high = tile(page, "disk").locator(".bar").evaluate(widths)
    assert (round(share, 2), high) == (0.72, True)
    reason = tile(page, "odd").locator(".evidence").first
    expect(reason).to_have_text("✕ cannot be shown: a bar needs a number")
    context.close()


def test_the_page_links_the_files_that_it_loads(daemon: Daemon, browser: Browser) -> None:
    context = browser.new_context(service_workers="block")
    page = context.new_page()
    loaded: set[str] = set()
    page.on("request", lambda request: loaded.add(request.url))
    page.goto(daemon.url)
    expect(page.locator("body")).to_have_attribute("data-link", "live")
    linked = page.evaluate("""[...document.querySelectorAll("link[href], script[src]")].map(
        (each) => each.href ?? each.src)""")
    files = {url for url in loaded if re.search(r"\.(js|css|ttf)$", url)}
    assert files == {url for url in linked if not url.endswith(".svg")}
    context.close()


def rgb(colour: str) -> str:
    return f"rgb({colour.replace(',', ', ')})"


def test_late_is_not_unchanged(start_daemon: StartDaemon, page: Page) -> None:
    daemon = start_daemon(
        config="""
        [access]
        publish = "loopback"
        [streams.due]
        expect = "1s"
        warn = "> 1"
        """
    )
    post(daemon, "quiet", 3, time.time() - 3 * 3600 - 60)
    page.goto(daemon.url)
    shows(page, "quiet", "3")
    with posting(daemon, "due", 2):
        shows(page, "due", "2")
        expect(tile(page, "due")).to_have_attribute("data-level", "warn")
    # Late by the server's judgement; and what is not known has no level.
    expect(tile(page, "due")).to_have_attribute("data-state", "late")
    expect(tile(page, "due")).to_have_attribute("data-level", "ok")
    expect(tile(page, "due").locator(".evidence").first).to_have_text(
        re.compile(r"^late by \d+\xa0s$")
    )
    expect(tile(page, "due").locator(".value")).to_have_css("color", rgb(MUTED))
    dashes = re.compile("^repeating-linear-gradient")
    expect(tile(page, "due").locator(".line")).to_have_css("background-image", dashes)
    expect(tile(page, "quiet")).to_have_attribute("data-state", "current")
    expect(tile(page, "quiet").locator(".foot").first).to_contain_text("unchanged 3")
    expect(tile(page, "quiet").locator(".value")).to_have_css("color", rgb(TEXT))
    with posting(daemon, "due", 3):
        shows(page, "due", "3")


def test_a_value_is_not_current_before_the_browser_has_drawn_it(
    start_daemon: StartDaemon, page: Page
) -> None:
    """A busy browser gives no frame for a while, and the wall judges its tiles once a second."""
    config = '[access]\npublish = "loopback"\n[streams.due]\nexpect = "1s"\n'
    daemon = start_daemon(config=config)
    post(daemon, "due", 2)
    page.goto(daemon.url)
    shows(page, "due", "2", "late")
    tile(page, "due").evaluate(
        """(tile) => {
          window.requestAnimationFrame = () => 1;
          window.seen = [];
          const look = () => {
            const { textContent } = tile.querySelector(".value");
            if (tile.dataset.state === "current") window.seen.push(textContent);
          };
          new MutationObserver(look).observe(tile, { attributes: true });
        }"""
    )
    with posting(daemon, "due", 3):
        wait_until(lambda: page.evaluate("window.seen.length"))
    assert set(page.evaluate("window.seen")) == {"3"}


def test_old_values_are_not_current_on_the_way(daemon: Daemon, page: Page) -> None:
    """Catching up, and a server that cannot receive new values itself: the server's words, held back.

    All but its hello, and not the updates alone: after a tick there is nothing to catch up with.
    """
    held: list[str | bytes] = []
    sockets: list[WebSocketRoute] = []
    catching_up = False

    def pass_on(message: str | bytes) -> None:
        if catching_up and '"type":"hello"' not in str(message):
            held.append(message)
        else:
            sockets[-1].send(message)

    def connected(socket: WebSocketRoute) -> None:
        held.clear()
        sockets.append(socket)
        socket.connect_to_server().on_message(pass_on)

    page.route_web_socket("**/ws*", connected)
    post(daemon, "orders", 1)
    page.goto(daemon.url)
    shows(page, "orders", "1")

    sockets[-1].send(
        json.dumps({"type": "journal", "state": "away", "since": 0, "error": "no disk"})
    )
    shows(page, "orders", "1", "unconfirmed")
    expect(page.locator("#notice")).to_have_text("The server cannot receive new values: no disk")
    expect(tile(page, "orders").locator(".value")).to_have_css("color", rgb(MUTED))
    sockets[-1].send(json.dumps({"type": "journal", "state": "ok", "error": "another log"}))
    shows(page, "orders", "1")
    expect(page.locator("#notice")).to_have_text("another log")

    catching_up = True
    post(daemon, "orders", 2)  # so that there is something to catch up with
    sockets[-1].close(code=1012)
    expect(page.locator("body")).to_have_attribute("data-link", "catching-up")
    expect(tile(page, "orders")).to_have_attribute("data-state", "catching-up")
    expect(tile(page, "orders").locator(".evidence").first).to_have_text("catching up")
    expect(page.locator("#band")).to_be_hidden()
    catching_up = False
    for message in held:
        sockets[-1].send(message)
    expect(page.locator("body")).to_have_attribute("data-link", "live")
    shows(page, "orders", "2")


def test_a_page_that_hangs_expires_by_itself(start_daemon: StartDaemon, page: Page) -> None:
    """First a tile, then the wall: by its compositor alone, while a loop blocks its scripts."""
    daemon = start_daemon(config='[access]\npublish = "loopback"\n[streams.due]\nexpect = "1s"')
    page.set_viewport_size({"width": 640, "height": 360})
    with page.expect_websocket() as opened:
        page.goto(daemon.url)
    with posting(daemon, "due", 888):
        shows(page, "due", "888")
        # Both fuses are lit by a tick: seconds lie between their ends when it was just before.
        opened.value.wait_for_event("framereceived", lambda text: '"type":"tick"' in str(text))
        film = Film(page)
        film.evaluate(f"const end = performance.now() + {HANG}e3; while (performance.now() < end);")
    with closing(film):
        deadline = time.monotonic() + HANG
        while time.monotonic() < deadline:
            film.roll()
            time.sleep(0.2)
        frames = list(film.frames)
    bright = [(film.bright(f, BRIGHT), film.bright(f, BRIGHT, BAND)) for f in frames]
    veiled = [top for top, numeral in bright if numeral < bright[0][1] / 4]
    assert veiled, "a veil lies on the tile"
    assert veiled[-1] > 2 * veiled[0], "and then a band on the wall"


def test_without_streams_it_says_how_to_make_one(start_daemon: StartDaemon, page: Page) -> None:
    daemon = start_daemon(config='[access]\npublish = "loopback"')
    page.goto(daemon.url)
    expect(page.locator("#curl")).to_have_text(f"curl -d 42 {daemon.url}/streams/orders")
    expect(page.locator("#empty")).to_be_visible()
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
    expect(page.locator(".tile[data-state=current]")).to_have_count(12)
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
    assert columns == 1 if size[0] < 600 else 3 <= columns <= 6
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 18, 16)" if scheme == "dark" else "rgb(246, 242, 234)")


def test_the_modules_pass_their_own_tests() -> None:
    node = shutil.which("node")
    assert node, "no node here: run tests/install-servers"
    files = sorted(map(str, (CHECKOUT / "tests" / "web").rglob("*.test.mjs")))
    done = subprocess.run(
        [node, "--test", *files],
        env={**os.environ, "TZ": "UTC", "LANG": "en_US.UTF-8", "LC_ALL": "en_US.UTF-8"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr

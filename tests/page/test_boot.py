"""The first step of the page: what a wall does when a file of it did not arrive."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.daemon import Daemon, StartDaemon
from tests.support.net import free_port, wait_until
from tests.support.nginx import StartNginx
from tests.support.proxy import Proxy
from tests.support.wall import ADMIN_TOKEN, command, post, shows, tile

# The page is live this many milliseconds after the moment when it could be.
BACK_MS = 20_000
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


@pytest.mark.parametrize(
    ("file", "answer"),
    [
        ("wall/start.js", refuse),
        ("wall/start.js", fail),
        ("wall/start.js", portal),
        ("client/clock.js", fail),
        ("wall/wall.css", portal),
    ],
)
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
    expect(bare_page.locator("#lasting")).to_contain_text("not streamd's page")
    bare_page.unroute("**/start.js")
    bare_page.unroute(f"{wall.url}/")
    shows(bare_page, "orders", "42")


def installed(page: Page) -> None:
    """Waits until the service worker has stored the page, and answers for it."""
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    page.reload()
    assert page.evaluate("navigator.serviceWorker.controller !== null")


def test_maintenance_page_does_not_replace_the_stored_wall(wall: Daemon, page: Page) -> None:
    page.goto(wall.url)
    shows(page, "orders", "42")
    installed(page)
    shows(page, "orders", "42")
    wall.stop()
    with maintenance(wall.port):
        for _ in range(2):
            page.goto(wall.url)
            shows(page, "orders", "42", "lost")
    page.goto(wall.url)
    shows(page, "orders", "42", "lost")
    wall.start()
    post(wall, "orders", 43)
    shows(page, "orders", "43")


@contextmanager
def maintenance(port: int) -> Iterator[None]:
    """Answers every request with 200 and a page, in the place of a server."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<!doctype html><h1>Back soon</h1>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def test_slow_line_is_not_a_server_that_is_down(wall: Daemon, page: Page) -> None:
    """A line of 100 kbit/s: with the worker in between the wall comes as it does without."""
    proxy = Proxy(wall.port)
    page.goto(proxy.url)
    installed(page)
    page.context.new_cdp_session(page).send("Network.clearBrowserCache")
    page.goto("about:blank")
    post(wall, "orders", 43)
    proxy.rate = 100_000 / 8
    page.goto(proxy.url, wait_until="commit")
    shows(page, "orders", "43")
    proxy.close()


def test_wall_in_a_folder_of_a_host(wall: Daemon, start_nginx: StartNginx, page: Page) -> None:
    proxy = start_nginx(wall, folder="/board/")
    page.goto(f"{proxy.url}/board/")
    shows(page, "orders", "42")
    installed(page)
    shows(page, "orders", "42")
    stored = (
        "caches.open('streamd /board/').then((cache) => cache.keys()).then((all) => all.length)"
    )
    assert page.evaluate(stored) > 30
    page.goto("about:blank")
    proxy.stop()
    page.goto(f"{proxy.url}/board/")
    shows(page, "orders", "42", "lost")
    proxy.start()
    shows(page, "orders", "42")


def test_user_and_password_in_the_address(wall: Daemon, page: Page) -> None:
    page.goto(wall.url.replace("//", "//ann:secret@") + "/?screen=tv")
    shows(page, "orders", "42")
    post(wall, "orders", 43)
    shows(page, "orders", "43")
    wait_until(lambda: "tv" in wall.request("GET", "/screens").text, what="a report")
    page.evaluate("fetchPage()")  # as a renewal does


def test_delay_of_a_screen_counts_the_way_from_the_server(wall: Daemon, page: Page) -> None:
    proxy = Proxy(wall.port)
    proxy.lag = 0.25  # for each file, too
    page.goto(f"{proxy.url}/?screen=tv")
    shows(page, "orders", "42")

    def delay() -> float:
        seconds: float = wall.request("GET", "/screens").json()["screens"]["tv"]["delay"]
        return seconds

    wait_until(lambda: "tv" in wall.request("GET", "/screens").text, 20, "a report")
    wait_until(lambda: 0.2 < delay() < 1.2, 20, "the delay")
    proxy.close()


def test_screen_whose_network_is_back_does_not_wait(wall: Daemon, page: Page) -> None:
    proxy = Proxy(wall.port)
    page.add_init_script("Math.random = () => globalThis.drawn ?? 0")
    page.goto(proxy.url)
    shows(page, "orders", "42")
    page.evaluate("drawn = 1000")  # the next attempt would come after more than eight minutes
    page.context.set_offline(True)
    proxy.sever()
    expect(page.locator("body")).to_have_attribute("data-link", "lost")
    page.evaluate("drawn = 0")
    post(wall, "orders", 43)
    page.context.set_offline(False)
    shows(page, "orders", "43")
    proxy.close()


def test_empty_lists_say_so(wall: Daemon, bare_page: Page) -> None:
    bare_page.goto(wall.url)
    values: list[object] = [[], {}]
    for value in values:
        post(wall, "orders", value)
        expect(tile(bare_page, "orders").locator("td")).to_have_text(["empty"])
        post(wall, "orders", ["full"])
        expect(tile(bare_page, "orders").locator("td")).to_have_text(["full"])


def test_screen_without_storage_keeps_its_name(wall: Daemon, bare_page: Page) -> None:
    bare_page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no'); } })"
    )
    names = set()
    for _ in range(3):
        bare_page.goto(wall.url)
        shows(bare_page, "orders", "42")
        names.add(bare_page.evaluate("window.name"))
    assert len(names) == 1
    assert names.pop().startswith("screen-")


@pytest.mark.parametrize("title", ["Outstanding " * 8, "W" * 60, "a-very_long.name" * 4])
def test_long_title_of_a_critical_tile_fits_a_phone(
    start_daemon: StartDaemon, bare_page: Page, title: str
) -> None:
    config = CONFIG.replace("keep = 10", f'keep = 10\ntitle = "{title.strip()}"\ncritical = "> 1"')
    daemon = start_daemon(config=config)
    post(daemon, "orders", 42)
    bare_page.set_viewport_size({"width": 390, "height": 844})
    bare_page.goto(daemon.url)
    shows(bare_page, title.strip(), "42")
    assert bare_page.evaluate("document.documentElement.scrollWidth") == 390


def show_message(daemon: Daemon, page: Page, text: str, seconds: int = 30) -> None:
    """Has the screen show a message. One of spaces withdraws the message before it."""
    overlay = page.locator("#overlay")

    def is_shown() -> bool:
        return overlay.is_visible() and overlay.text_content() == text

    words = {"command": "message", "message": text, "for": f"{seconds}s"}
    command(daemon, is_shown if text.strip() else overlay.is_hidden, **words)


def test_message_is_shown_until_it_is_over_or_withdrawn(
    start_daemon: StartDaemon, bare_page: Page
) -> None:
    """Whatever happens to the page meanwhile."""
    walls = '[[walls]]\nname = "one"\n[[walls]]\nname = "two"'
    config = CONFIG.replace("[access]", f'[access]\nadmin = ["{ADMIN_TOKEN}"]') + walls
    daemon = start_daemon(config=config)
    overlay = bare_page.locator("#overlay")
    bare_page.goto(f"{daemon.url}/?screen=tv")
    expect(bare_page.locator("#title")).to_have_text("one")

    def reloaded() -> None:
        bare_page.reload()
        expect(bare_page.locator("body")).to_have_attribute("data-link", "live")
        expect(bare_page.locator("#summary")).not_to_have_text("")

    show_message(daemon, bare_page, "Fire drill", 3600)
    reloaded()
    expect(overlay).to_have_text("Fire drill")
    title = bare_page.locator("#title")
    command(daemon, lambda: title.text_content() == "two", command="wall", wall="two")
    expect(overlay).to_have_text("Fire drill")
    command(daemon, lambda: overlay.text_content() == "tv", command="identify")
    bare_page.route("**/start.js", refuse)
    bare_page.reload()
    expect(bare_page.locator("#lost")).to_have_text("This wall is not running")
    bare_page.unroute("**/start.js")
    expect(overlay).to_have_text("Fire drill")
    show_message(daemon, bare_page, " ")
    reloaded()
    expect(overlay).to_be_hidden()
    show_message(daemon, bare_page, "Lunch", 2)
    reloaded()
    expect(overlay).to_be_hidden()
    reloaded()
    expect(overlay).to_be_hidden()


def test_messages_fit_and_are_withdrawn(start_daemon: StartDaemon, bare_page: Page) -> None:
    daemon = start_daemon(config=CONFIG.replace("[access]", f'[access]\nadmin = ["{ADMIN_TOKEN}"]'))
    post(daemon, "orders", 42)
    overlay = bare_page.locator("#overlay")
    for width, height in [(1920, 1080), (640, 360), (400, 800)]:
        bare_page.set_viewport_size({"width": width, "height": height})
        bare_page.goto(f"{daemon.url}/?screen=tv")
        shows(bare_page, "orders", "42")
        for message in ("word " * 100, "W" * 500, "Fire drill"):
            show_message(daemon, bare_page, message)
            fits = "(e) => e.scrollHeight <= e.clientHeight && e.scrollWidth <= e.clientWidth"
            assert overlay.evaluate(fits), (width, message)
        show_message(daemon, bare_page, "  ")


def test_proxy_that_passes_another_host(
    wall: Daemon, start_nginx: StartNginx, bare_page: Page
) -> None:
    """The wall is live by event stream, and page and log say what the proxy lacks."""
    proxy = start_nginx(wall, bare=True)
    bare_page.goto(proxy.url)
    shows(bare_page, "orders", "42")
    cure = f'origins = ["{proxy.url}"]'
    expect(bare_page.locator("#notice")).to_contain_text(f'url = "{proxy.url}/"')
    wait_until(lambda: cure in wall.log(), what="a line in the log")
    bare_page.reload()
    shows(bare_page, "orders", "42")
    assert wall.log().count(cure) == 1, "once a minute"
    assert wall.request("GET", "/state", headers={"Origin": proxy.url}).status == 403


def test_wall_of_a_daemon_without_its_log_says_why(
    start_daemon: StartDaemon, bare_page: Page
) -> None:
    daemon = start_daemon(config=f'[journal]\nurl = "redis://127.0.0.1:{free_port()}"')
    bare_page.goto(daemon.url)
    why = "Redis does not accept connections"
    expect(bare_page.locator("#notice")).to_have_text(why)
    expect(bare_page.locator("#lasting")).to_have_text(re.compile(r"^([5-9]|\d\d)\xa0s"))
    expect(bare_page.locator("#notice")).to_have_text(why)


def test_wall_behind_a_proxy_without_its_daemon_says_so(
    wall: Daemon, start_nginx: StartNginx, bare_page: Page
) -> None:
    proxy = start_nginx(wall)
    bare_page.goto(proxy.url)
    shows(bare_page, "orders", "42")
    expect(bare_page.locator("#notice")).to_have_text("")
    wall.stop()
    expect(bare_page.locator("#notice")).to_contain_text("with status 502")
    wall.start()
    post(wall, "orders", 43)
    shows(bare_page, "orders", "43")
    expect(bare_page.locator("#notice")).to_have_text("")

"""The page for administrators in a real browser: each thing that it does, by mouse and by keyboard."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect
from websockets.sync.client import connect

from tests.support.daemon import Daemon, StartDaemon

TOKEN = "administrator-all-ünïcode"
ADMIN = {"Authorization": b"Bearer " + TOKEN.encode()}
LONG = "a-name-" + "x" * 121
CONFIG = f"""
[access]
view = ["view-every-stream"]
admin = [{{ token = "{TOKEN}", name = "<b>ann</b>" }}]
[server]
url = "https://wall.example"
hosts = ["127.0.0.1"]
[[walls]]
name = "lobby"
streams = ["secret.*"]
[[walls]]
name = "kitchen"
streams = ["orders"]
[[screens]]
name = "hall-tv"
walls = [{{ wall = "lobby" }}, {{ wall = "kitchen" }}]
"""


def ask(daemon: Daemon, method: str, path: str, said: object = None) -> dict[str, object]:
    body = None if said is None else json.dumps(said)
    answer = daemon.request(method, path, body, ADMIN)  # type: ignore[arg-type]
    assert answer.status in (200, 201), answer.text
    told: dict[str, object] = answer.json()
    return told


class Screen:
    """A screen that waits, or was let in."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.device = secrets.token_urlsafe(32)
        self.cookie = ""

    def told(self) -> dict[str, str]:
        answer = self.daemon.request("POST", "/pairing", json.dumps({"device": self.device}))
        self.cookie = answer.headers.get("Set-Cookie", "").partition(";")[0]
        told: dict[str, str] = answer.json()
        return told

    def let_in(self, name: str, wall: str) -> None:
        ask(self.daemon, "POST", f"/pairing/{self.told()['code']}", {"name": name, "wall": wall})
        self.told()


def sign_in(page: Page, daemon: Daemon) -> None:
    page.goto(f"{daemon.url}/admin")
    expect(page.locator("#token")).to_be_focused()
    page.keyboard.type(TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator("#desk")).to_be_visible()


def row(page: Page, name: str, list: str = "#screens") -> Locator:
    return page.locator(f"{list} > li").filter(has=page.get_by_text(name, exact=True))


def said(page: Page, text: str) -> None:
    expect(page.locator("#said")).to_have_text(text)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path_factory.mktemp("daemon"), config=CONFIG)
    daemon.start()
    yield daemon
    daemon.finish()


@pytest.fixture
def daemon(shared: Daemon) -> Daemon:
    """One for all tests, without a grant."""
    if not shared.running:
        shared.start()
    grants = ask(shared, "GET", "/grants")["grants"]
    for grant in grants if isinstance(grants, list) else ():
        shared.request("DELETE", f"/grants/{grant['id']}", None, ADMIN)  # type: ignore[arg-type]
    return shared


def test_signs_in_and_out(daemon: Daemon, page: Page) -> None:
    page.goto(f"{daemon.url}/admin/")
    assert page.url == f"{daemon.url}/admin"
    expect(page.locator("#token")).to_be_focused()
    expect(page.locator("#desk")).to_be_hidden()
    page.keyboard.type("a-wrong-token-here")
    page.keyboard.press("Enter")
    expect(page.locator("#signing .failed")).to_have_text("This token is not known.")
    page.fill("#token", TOKEN)
    page.get_by_role("button", name="Sign in").click()
    said(page, "Signed in as <b>ann</b>")
    expect(page.locator("#who")).to_have_text(re.compile("^<b>ann</b>, until "))
    expect(page.locator("#none")).to_be_visible()
    expect(page.locator("#nobody")).to_be_visible()
    expect(row(page, "<b>ann</b>", "#sessions")).to_contain_text("this browser")
    [cookie] = page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert page.evaluate("Object.keys(localStorage).length + document.cookie.length") == 0
    page.reload()
    expect(page.locator("#desk")).to_be_visible()
    page.locator("#leave").click()
    expect(page.locator("#login")).to_be_visible()
    assert page.context.cookies() == []


def test_lets_a_screen_in_and_does_everything_with_it(daemon: Daemon, page: Page) -> None:
    screen = Screen(daemon)
    code = screen.told()["code"]
    sign_in(page, daemon)
    expect(row(page, code, "#waiting")).to_contain_text("at 127.0.0.1, has waited for")
    page.get_by_role("button", name=f"Use the code {code}").click()
    expect(page.locator("#called")).to_be_focused()
    page.keyboard.type("kitchen-tv")
    page.select_option("#reads", "kitchen")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Let it in").click()
    said(page, "kitchen-tv at 127.0.0.1 may read the wall kitchen")
    expect(page.locator("#nobody")).to_be_visible()
    expect(row(page, "kitchen-tv")).to_contain_text("not seen yet")
    assert screen.told()["state"] == "paired"

    lines = {"Cookie": screen.cookie, "Origin": daemon.url}
    address = f"{daemon.ws_url}/ws?streams=orders"
    with connect(address, additional_headers=lines, subprotocols=["streamd.v1"]) as viewer:  # type: ignore[list-item]
        report = {"type": "screen", "name": "kitchen-tv", "wall": "kitchen", "at": "0-0"}
        viewer.send(json.dumps({**report, "delay": None}))
        expect(row(page, "kitchen-tv")).to_contain_text("connected for")
        expect(page.locator("#connected")).to_have_text("1 of 1 connected")
        row(page, "kitchen-tv").locator("summary").click()
        open = page.locator("details[open]")
        open.get_by_label("Message").fill("<i>Fire drill</i> at 10")
        open.get_by_role("button", name="Show", exact=True).click()
        said(page, "kitchen-tv shows the message")
        assert heard(viewer)["message"] == "<i>Fire drill</i> at 10"
        open.get_by_role("button", name="Show its name").click()
        assert heard(viewer)["command"] == "identify"
        open.get_by_role("button", name="Reload").click()
        assert heard(viewer)["command"] == "reload"
    open.get_by_label("Name", exact=True).fill("a b")
    open.get_by_role("button", name="Rename").click()
    expect(open.locator(".failed").first).to_contain_text('"a b" is not a name')
    open.get_by_label("Name", exact=True).fill("tv2")
    open.get_by_role("button", name="Rename").click()
    said(page, "kitchen-tv is called tv2")
    expect(row(page, "tv2")).to_have_count(1)  # the list is read again, and its choices with it
    open.get_by_label("Wall").select_option("lobby")
    open.get_by_role("button", name="Move").click()
    said(page, "tv2 may read the wall lobby")
    expect(open.locator(".about")).to_contain_text("It may read the wall lobby")
    open.get_by_role("button", name="Revoke …").click()
    expect(page.locator("#question")).to_have_text("Sign out the screen tv2?")
    page.keyboard.press("Escape")
    expect(row(page, "tv2")).to_be_visible()
    open.get_by_role("button", name="Revoke …").click()
    page.get_by_role("button", name="Sign it out").click()
    said(page, "tv2 was signed out")
    expect(row(page, "tv2")).to_have_count(0)
    assert screen.told()["state"] == "waiting"


def heard(viewer: object) -> dict[str, str]:
    """The next command that a screen gets."""
    while True:
        told: dict[str, str] = json.loads(viewer.recv(timeout=40))  # type: ignore[attr-defined]
        if told["type"] == "command":
            return told


def test_screen_with_a_table_shows_its_walls(daemon: Daemon, page: Page) -> None:
    Screen(daemon).let_in("hall-tv", "")
    sign_in(page, daemon)
    row(page, "hall-tv").locator("summary").click()
    open = page.locator("details[open]")
    expect(open).to_contain_text("Its table in [[screens]] has the walls kitchen, lobby")
    expect(open.locator(".about")).to_contain_text("It is not connected, and gets no command")
    expect(open.get_by_role("button", name="Its own walls")).to_be_disabled()
    expect(open.get_by_role("button", name="Revoke …")).to_be_enabled()


def test_makes_and_revokes_links(daemon: Daemon, page: Page) -> None:
    sign_in(page, daemon)
    page.get_by_role("button", name="Make a link").click()  # a wall has to be chosen
    expect(page.locator("#links > li")).to_have_count(0)
    page.select_option("#opens", "lobby")
    page.fill("#guest", "visitors")
    page.get_by_role("button", name="Make a link").click()
    made = page.locator("#address")
    expect(made).to_have_text(re.compile(r"^https://wall\.example/link\?key="))
    address = made.inner_text()
    expect(row(page, "visitors", "#links")).to_contain_text("until ")
    page.locator("#copy").click()
    expect(page.locator("#said")).to_have_text(re.compile("^The address (was copied|is marked)"))
    path = address.removeprefix("https://wall.example")
    assert daemon.request("GET", path).status == 303
    page.get_by_role("button", name="Revoke visitors").click()
    page.get_by_role("button", name="Revoke it").click()
    said(page, "The link visitors was revoked")
    expect(page.locator("#links > li")).to_have_count(0)
    expect(page.locator("#address")).to_have_text("")
    assert daemon.request("GET", path).status == 410


def test_shows_refused_attempts_as_text(daemon: Daemon, page: Page) -> None:
    wrong = {"Authorization": "Bearer a-wrong-token-here"}
    for _ in range(3):
        daemon.request("GET", "/streams/%3Cimg%20src=x%20onerror=alert(1)%3E", None, wrong)
    sign_in(page, daemon)
    attempt = page.locator("#refused > li").filter(has_text="not known")
    expect(attempt).to_contain_text("GET /streams/<img src=x onerror=alert(1)>")
    expect(attempt).to_contain_text(" times")
    expect(page.locator("main img")).to_have_count(0)


def test_by_keyboard_alone(daemon: Daemon, page: Page) -> None:
    Screen(daemon).let_in("kitchen-tv", "kitchen")
    sign_in(page, daemon)
    expect(row(page, "kitchen-tv")).to_be_visible()

    def press_tab_until(what: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement?.innerText ?? ''").startswith(what):
                assert (
                    page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
                )
                return
        raise AssertionError(f"no way to {what}")

    press_tab_until("kitchen-tv")
    page.keyboard.press("Enter")
    press_tab_until("Revoke …")
    page.keyboard.press("Enter")
    press_tab_until("Sign it out")
    page.keyboard.press("Enter")
    said(page, "kitchen-tv was signed out")


def test_fits_a_phone(daemon: Daemon, page: Page) -> None:
    Screen(daemon).let_in(LONG, "kitchen")
    ask(daemon, "POST", "/links", {"wall": "lobby", "for": "7d", "name": LONG})
    Screen(daemon).told()
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, daemon)
    row(page, LONG).locator("summary").click()
    expect(page.locator("details[open]")).to_be_visible()
    page.select_option("#opens", "lobby")
    page.get_by_role("button", name="Make a link").click()
    expect(page.locator("#made")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    small = page.evaluate(
        """[...document.querySelectorAll("button, input, select, summary")]
           .filter((each) => each.checkVisibility() && each.getBoundingClientRect().height < 40)
           .map((each) => each.outerHTML)"""
    )
    assert small == []


def test_typed_text_stays(daemon: Daemon, page: Page) -> None:
    """The page looks every two seconds, and rows come and go."""
    Screen(daemon).let_in("kitchen-tv", "kitchen")
    sign_in(page, daemon)
    row(page, "kitchen-tv").locator("summary").click()
    name = page.locator("details[open]").get_by_label("Name")
    name.fill("kitchen")
    Screen(daemon).let_in("a-tv", "lobby")
    expect(row(page, "a-tv")).to_be_visible()
    name.press("End")
    page.keyboard.type("-left")
    expect(name).to_be_focused()
    expect(name).to_have_value("kitchen-left")


def test_says_when_the_session_has_ended_and_when_no_server_answers(
    daemon: Daemon, page: Page
) -> None:
    sign_in(page, daemon)
    grants = ask(daemon, "GET", "/grants")["grants"]
    assert isinstance(grants, list)
    path = f"/grants/{grants[0]['id']}"
    daemon.request("DELETE", path, None, ADMIN)  # type: ignore[arg-type]
    expect(page.locator("#why")).to_have_text("This browser was signed out.")
    expect(page.locator("#desk")).to_be_hidden()
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator("#desk")).to_be_visible()
    daemon.stop()
    expect(page.locator("#band")).to_contain_text("The server does not answer. All below is of")
    daemon.start()  # with its journal in memory
    expect(page.locator("#login")).to_be_visible()
    expect(page.locator("#band")).to_be_hidden()


def test_without_a_token_for_it_nobody_can_sign_in(start_daemon: StartDaemon, page: Page) -> None:
    daemon = start_daemon(config='[access]\nview = ["view-every-stream"]\n')
    page.goto(f"{daemon.url}/admin")
    expect(page.locator("#why")).to_contain_text("[access] admin in streamd.toml lists no token")
    expect(page.locator("#token")).to_be_disabled()

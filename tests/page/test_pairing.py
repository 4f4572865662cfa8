"""A screen without rights in a real browser: it shows a code, is let in, and is signed out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import CHROMIUM_ARGUMENTS, found_chromium
from tests.support.daemon import Daemon, StartDaemon
from tests.support.shell import run

TOKEN = "administrator-all"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
CONFIG = f"""
[access]
view = ["view-every-stream"]
admin = ["{TOKEN}"]
[[walls]]
name = "lobby"
streams = ["secret.*"]
[[walls]]
name = "kitchen"
streams = ["orders"]
"""
SOON = 40_000.0


def publish(daemon: Daemon, name: str, value: object) -> None:
    assert daemon.request("POST", f"/streams/{name}", json.dumps(value), ADMIN).status == 201


def let_in(daemon: Daemon, page: Page, folder: Path, name: str = "kitchen-tv") -> None:
    """Type in what the screen shows."""
    expect(page.locator("#code")).to_have_text(re.compile("^[B-Z]{6}$"), timeout=SOON)
    shown = page.locator("#command").inner_text()
    words = shown.replace("NAME", name).replace("WALL", "kitchen").split()
    done = run(*words[1:], folder=folder, STREAMD_URL=daemon.url, STREAMD_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr


def test_screen_is_let_in_and_signed_out(
    start_daemon: StartDaemon, page: Page, tmp_path: Path
) -> None:
    daemon = start_daemon(config=f'[journal]\npath = "streamd.db"\n{CONFIG}')
    publish(daemon, "orders", 4711)
    publish(daemon, "secret.plan", 815)
    page.goto(f"{daemon.url}/?wall=lobby")
    expect(page.locator("#asking")).to_have_text("This wall asks for access", timeout=SOON)
    code = page.locator("#code").inner_text()
    page.reload()
    expect(page.locator("#code")).to_have_text(code, timeout=SOON)
    expect(page.locator("#brief")).to_have_text("")
    let_in(daemon, page, tmp_path)
    expect(page.locator("#tiles")).to_contain_text("4,711", timeout=SOON)
    expect(page.locator("#pairing")).to_be_hidden()
    assert page.evaluate("history.state?.device ?? null") is None
    assert page.evaluate("document.cookie") == ""

    daemon.restart()
    page.reload()
    expect(page.locator("#tiles")).to_contain_text("4,711", timeout=SOON)
    [cookie] = page.context.cookies()
    assert cookie["httpOnly"]

    [grant] = daemon.request("GET", "/grants", None, ADMIN).json()["grants"]
    assert daemon.request("DELETE", f"/grants/{grant['id']}", None, ADMIN).status == 204
    expect(page.locator("#asking")).to_have_text("This screen was signed out", timeout=SOON)
    expect(page.locator("body")).not_to_contain_text("4,711")
    let_in(daemon, page, tmp_path)
    expect(page.locator("#tiles")).to_contain_text("4,711", timeout=SOON)


def test_journal_in_memory_says_that_grants_end(start_daemon: StartDaemon, page: Page) -> None:
    daemon = start_daemon(config=f'[server]\nlanguage = "de"\n{CONFIG}')
    page.goto(daemon.url)
    expect(page.locator("#brief")).to_contain_text("Das Journal liegt im Speicher", timeout=SOON)
    expect(page.locator("#asking")).to_have_text("Diese Anzeige verlangt eine Freigabe")
    assert page.locator("#pairing").get_attribute("lang") == "de"


def test_link_opens_the_wall(start_daemon: StartDaemon, page: Page, tmp_path: Path) -> None:
    daemon = start_daemon(config=CONFIG)
    publish(daemon, "orders", 4711)
    at = {"STREAMD_URL": daemon.url, "STREAMD_TOKEN": TOKEN}
    done = run("link", "--wall", "kitchen", "--for", "7d", folder=tmp_path, **at)
    page.goto(done.stdout.strip())
    expect(page.locator("#tiles")).to_contain_text("4,711", timeout=SOON)
    assert page.url == f"{daemon.url}/?wall=kitchen"
    assert page.evaluate("performance.getEntriesByType('navigation')[0].name") == page.url


def test_last_picture_of_a_wall_that_may_not_be_read_any_more(
    start_daemon: StartDaemon, page: Page, tmp_path: Path
) -> None:
    """The browser was away when its link was revoked, and has got one to another wall since."""
    daemon = start_daemon(config=CONFIG)
    publish(daemon, "orders", 4711)
    publish(daemon, "secret.plan", 815)
    at = {"STREAMD_URL": daemon.url, "STREAMD_TOKEN": TOKEN}
    lobby, kitchen = (
        run("link", "--wall", wall, "--for", "7d", folder=tmp_path, **at).stdout.strip()
        for wall in ("lobby", "kitchen")
    )
    page.goto(lobby)
    expect(page.locator("#tiles")).to_contain_text("815", timeout=SOON)
    page.goto("about:blank")
    [grant] = [
        grant
        for grant in daemon.request("GET", "/grants", None, ADMIN).json()["grants"]
        if grant["wall"] == "lobby"
    ]
    assert daemon.request("DELETE", f"/grants/{grant['id']}", None, ADMIN).status == 204
    page.goto(kitchen)
    expect(page.locator("#tiles")).to_contain_text("4,711", timeout=SOON)
    page.goto(f"{daemon.url}/?wall=lobby")
    expect(page.locator("#lost")).to_contain_text("is not allowed", timeout=SOON)
    expect(page.locator("body")).not_to_contain_text("815")
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.includes('lobby'))") == []


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_screen_survives_a_restart_of_browser_and_daemon(
    start_daemon: StartDaemon,
    browser: Browser,
    kind: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    place = 'path = "streamd.db"'
    if kind == "redis":
        place = f'url = "redis://127.0.0.1:{request.getfixturevalue("redis").port}"'
    daemon = start_daemon(config=f"[journal]\n{place}\n{CONFIG}")
    publish(daemon, "orders", 4711)
    profile = tmp_path / "profile"

    @contextmanager
    def screen() -> Iterator[Page]:
        """The browser of the screen, started with the profile that it had before."""
        with closing(
            browser.browser_type.launch_persistent_context(
                profile, executable_path=found_chromium(), args=CHROMIUM_ARGUMENTS
            )
        ) as context:
            page = context.new_page()
            page.goto(daemon.url)
            yield page

    with screen() as page:
        let_in(daemon, page, tmp_path)
        expect(page.locator("#tiles")).to_contain_text("4,711", timeout=SOON)
    daemon.restart()
    with screen() as page:
        expect(page.locator("#tiles")).to_contain_text("4,711", timeout=SOON)
        [grant] = daemon.request("GET", "/grants", None, ADMIN).json()["grants"]
        daemon.request("DELETE", f"/grants/{grant['id']}", None, ADMIN)
        expect(page.locator("#asking")).to_have_text("This screen was signed out", timeout=SOON)
        expect(page.locator("body")).not_to_contain_text("4,711")

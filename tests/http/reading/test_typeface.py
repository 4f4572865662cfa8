"""The typeface of the page: where it comes from, how it is served, and a page without it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from streamd.http.reading import typeface as module
from streamd.http.reading.page import Page, web_folder
from streamd.http.reading.typeface import typeface
from tests.support.daemon import Daemon, StartDaemon
from tests.support.wall import post, shows

TRUE_TYPE = b"\x00\x01\x00\x00"
"""The first bytes of a TrueType font (OpenType 1.9, Table Directory)."""

LOADED = """() => new FontFace("Test", "url(inter.ttf)").load().then(
  ({ status }) => status, ({ name }) => name)"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a font like that of Inter."""
    monkeypatch.syspath_prepend(tmp_path)
    font = tmp_path / "some_font" / module.FILE
    font.parent.mkdir(parents=True)
    (tmp_path / "some_font" / "__init__.py").write_text("raise SystemExit('nobody imports this')")
    font.write_bytes(TRUE_TYPE)
    return font


def test_font_of_the_installed_package() -> None:
    font = typeface()
    assert font is not None
    assert font.startswith(TRUE_TYPE)


def test_package_is_read_but_not_run(package: Path) -> None:
    assert typeface("some_font") == TRUE_TYPE


def test_package_that_is_missing_or_different(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert typeface("no_such_font") is None
    monkeypatch.setattr(module, "MAX_SIZE", 3)
    assert typeface("some_font") is None
    package.unlink()
    assert typeface("some_font") is None


def test_daemon_serves_it_for_ever_and_compressed(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    answer = daemon.request("GET", "/inter.ttf")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "font/ttf")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.body == typeface()
    packed = daemon.request("GET", "/inter.ttf", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.body) < 0.6 * len(answer.body)


def test_page_links_to_it_only_if_it_is_there() -> None:
    kind = 'as="font" type="font/ttf" fetchpriority="low" crossorigin'
    link = f'<link rel="preload" href="inter.ttf" {kind}>'
    with_font, without = Page(web_folder(), typeface=TRUE_TYPE), Page(web_folder())
    assert link in with_font.index
    assert "inter.ttf" not in without.index
    assert "/inter.ttf" not in without.routes
    assert with_font.build != without.build


def test_browser_loads_it(start_daemon: StartDaemon, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(start_daemon().url)
    assert page.evaluate(LOADED) == "loaded"
    page.close()


@pytest.mark.parametrize("status", [404, 502])
def test_wall_works_without_it(start_daemon: StartDaemon, browser: Browser, status: int) -> None:
    daemon: Daemon = start_daemon(config="[access]\npublish = 'loopback'")
    post(daemon, "orders", 42)
    context = browser.new_context(service_workers="block")
    page = context.new_page()
    page.route("**/inter.ttf", lambda route: route.fulfill(status=status, body="no"))
    page.goto(daemon.url)
    page.evaluate("document.body.dataset.former = 'yes'")
    shows(page, "orders", "42")
    page.wait_for_timeout(1500)  # a page that misses a file reloads within this time
    assert page.evaluate("document.body.dataset.former") == "yes"
    context.close()

"""The wall in a browser that may not read, or may not read any more."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.support.daemon import StartDaemon

CONFIG = """
[access]
view = ["view-every-stream"]
publish = ["publish-every-one"]
identity = { header = "X-Forwarded-User" }
[server]
language = "de"
trusted_proxies = ["127.0.0.1"]
"""
POST = {"Authorization": "Bearer publish-every-one"}
TEXT = "Diese Anzeige verlangt eine Freigabe"


def test_wall_asks_for_access_in_its_language(start_daemon: StartDaemon, page: Page) -> None:
    daemon = start_daemon(config=CONFIG)
    assert daemon.request("POST", "/streams/orders", "4711", POST).status == 201
    page.goto(daemon.url)
    expect(page.locator("#notice")).to_have_text(TEXT)
    expect(page.locator("body")).not_to_contain_text("4.711")


def test_wall_is_blank_when_the_right_is_taken_away(start_daemon: StartDaemon, page: Page) -> None:
    """The header stands for a proxy that asks who somebody is, and does not know him any more."""
    daemon = start_daemon(config=CONFIG)
    assert daemon.request("POST", "/streams/orders", "4711", POST).status == 201
    page.set_extra_http_headers({"X-Forwarded-User": "ann"})
    page.goto(daemon.url)
    expect(page.locator("#tiles")).to_contain_text("4.711")
    page.set_extra_http_headers({})
    page.reload()
    expect(page.locator("#notice")).to_have_text(TEXT)
    expect(page.locator("body")).not_to_contain_text("4.711")
    assert page.evaluate("Object.keys(localStorage).filter(key => key.includes('picture'))") == []

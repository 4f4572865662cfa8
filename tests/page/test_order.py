"""The order of tiles: that of the configuration, then of names, whatever happens meanwhile."""

from __future__ import annotations

import sqlite3

from playwright.sync_api import Page, expect

from tests.support.daemon import Daemon, StartDaemon
from tests.support.wall import post, tile

CONFIG = """
[access]
publish = "loopback"
[streams.zulu]
keep = 10
[sources.shop]
database = "sqlite:///shop.db"
query = "SELECT 7 AS orders, 8 AS items FROM there"
every = "200ms"
[sources.web]
database = "sqlite:///shop.db"
query = "SELECT 9 AS visits"
every = "200ms"
[streams.alpha]
keep = 10
"""
# The file begins with streams; so they are first.
PUBLISHED = ["b-10", "b-2", "alpha", "a"]
ORDER = ["zulu", "alpha", "shop.items", "shop.orders", "web.visits", "a", "b-2", "b-10"]
FAILED = ["zulu", "alpha", "shop", "web.visits", "a", "b-2", "b-10"]


def has_order(page: Page, names: list[str]) -> None:
    expect(page.locator(".tile .label")).to_have_text(names)


def make_table(daemon: Daemon, statement: str) -> None:
    with sqlite3.connect(daemon.folder / "shop.db") as database:
        database.execute(statement)
    database.close()


def test_order_outlives_failures_and_restarts(start_daemon: StartDaemon, page: Page) -> None:
    daemon = start_daemon(config=CONFIG)
    for name in PUBLISHED:
        post(daemon, name, 1)
    page.goto(daemon.url)
    has_order(page, [name.replace("web.visits", "web") for name in FAILED])  # no file yet
    expect(tile(page, "shop")).to_have_attribute("data-state", "failed")
    make_table(daemon, "CREATE TABLE there AS SELECT 1")
    has_order(page, ORDER)
    new = page.context.new_page()
    new.goto(daemon.url)
    has_order(new, ORDER)

    make_table(daemon, "DROP TABLE there")
    daemon.restart()
    for name in reversed(PUBLISHED):
        post(daemon, name, 2)
    has_order(page, FAILED)
    new.reload()
    has_order(new, FAILED)
    make_table(daemon, "CREATE TABLE there AS SELECT 1")
    has_order(page, ORDER)
    has_order(new, ORDER)

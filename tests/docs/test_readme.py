"""What README.rst says to do works, on another port than 5000."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from textwrap import dedent

import pytest
from playwright.sync_api import Page

from tests.support.daemon import CHECKOUT, TWISTD, Daemon, Server
from tests.support.net import free_port, wait_until

STREAMD = TWISTD.with_name("streamd")

README = (CHECKOUT / "README.rst").read_text()


def blocks(language: str) -> list[str]:
    """The code blocks of README.rst in this language."""
    form = rf"^\.\. code-block:: {language}\n\n((?:(?:    .*)?\n)+)"
    return [dedent(block).strip() for block in re.findall(form, README, re.MULTILINE)]


def shell(block: str, port: int) -> str:
    command = block.replace("localhost:5000", f"localhost:{port}")
    done = subprocess.run(
        ["sh", "-ec", command], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_shell_commands(daemon: Daemon) -> None:
    publish, state, _ = blocks("sh")
    answer = json.loads(shell(publish, daemon.port))
    assert (answer["stream"], answer["seq"]) == ("orders", 1)
    assert json.loads(shell(state, daemon.port))["orders"] == 42


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with the table that README speaks of: twelve orders of 100 in shop.db."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as file, file:
        file.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, amount REAL, created TEXT)")
        file.executemany(
            "INSERT INTO orders (amount, created) VALUES (100, ?)",
            [(f"2026-01-{day:02}T12:00:00Z",) for day in range(1, 13)],
        )
    return tmp_path


def is_shown(server: Server, *wanted: str) -> bool:
    state = server.request("GET", "/state").json()
    return all(name in state for name in wanted)


def test_table_on_the_wall(shop: Path, page: Page) -> None:
    [config] = blocks("toml")
    assert len(config.splitlines()) < 15
    (shop / "streamd.toml").write_text(config)
    checked = subprocess.run([STREAMD, "check", "streamd.toml"], cwd=shop, timeout=30, check=False)
    assert checked.returncode == 0
    daemon = Daemon(shop, config=config)
    daemon.start()
    try:
        wait_until(lambda: is_shown(daemon, "shop.orders", "shop.revenue", "last"))
        state = daemon.request("GET", "/state").json()
        assert (state["shop.orders"], state["shop.revenue"]) == (12, 1200.0)
        assert [row["id"] for row in state["last"]] == list(range(12, 2, -1))
        assert state["last"][0]["created"] == "2026-01-12T12:00:00Z"
        page.goto(daemon.url)
        wait_until(lambda: page.locator(".tile").count() == 3)
        with closing(sqlite3.connect(shop / "shop.db")) as file, file:
            file.execute("INSERT INTO orders (amount) VALUES (34)")
        wait_until(lambda: "1,234" in page.locator("main").inner_text())
        health = daemon.request("GET", "/streams/shop.revenue").json()["health"]
        assert health["level"] == "warn"
    finally:
        daemon.finish()


def test_table_on_the_wall_in_one_command(shop: Path) -> None:
    *_, command = blocks("sh")
    words = shlex.split(command)
    assert words[0] == "streamd"
    port = free_port()
    server = Server([STREAMD, *words[1:], "--port", str(port)], port, shop)
    server.start()
    try:
        wait_until(lambda: is_shown(server, "shop.orders", "shop.revenue"))
        assert f"http://localhost:{port}/" in server.log()
    finally:
        server.finish()


def test_page_is_the_example() -> None:
    [page] = blocks("html")
    example = (CHECKOUT / "examples" / "bare.html").read_text()
    assert page in example


def test_daemon_by_hand(tmp_path: Path) -> None:
    [line] = re.findall(r"\.venv/bin/twistd (.* --port) 5000$", README, re.MULTILINE)
    port = free_port()
    server = Server([TWISTD, *line.split(), str(port)], port, tmp_path)
    server.start()
    try:
        assert server.request("GET", "/state").status == 200
    finally:
        server.finish()


def test_every_command_of_make_test_is_there() -> None:
    """README's plain commands are those behind `make test`."""
    for command in (
        "pip install -e .[test]",
        "ruff check",
        "ruff format --check",
        "mypy",
        "sphinx-build",
        "pytest",
    ):
        assert f".venv/bin/{command}" in README
    assert "tests/install-servers" in README

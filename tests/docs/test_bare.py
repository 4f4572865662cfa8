"""examples/bare.py and bare.html run, and the same page and clients work with streamd."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page
from websockets.sync.client import connect

from tests.support.daemon import CHECKOUT, Daemon, Server
from tests.support.net import free_port, wait_until
from tests.support.node import RunNode

EXAMPLES = CHECKOUT / "examples"

NODE_CLIENT = """
const WebSocket = require("ws");
const socket = new WebSocket(process.argv[2]);
const numbers = [];
socket.on("message", (data) => {
  numbers.push(JSON.parse(data).variable);
  if (numbers.length === 4) {
    console.log(JSON.stringify(numbers));
    socket.close();
  }
});
"""


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Server]:
    port = free_port()
    server = Server([sys.executable, EXAMPLES / "bare.py", str(port)], port, tmp_path)
    server.start()
    yield server
    server.finish()


@pytest.fixture(params=["bare", "daemon"])
def server(request: pytest.FixtureRequest) -> Server:
    """The example and the real daemon, one after the other: all tests here are about both."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def page_on_disk(server: Server, tmp_path: Path) -> Path:
    """bare.html, looking for `server` where it would look for port 5000."""
    text = (EXAMPLES / "bare.html").read_text()
    assert text.count("localhost:5000") == 1
    copy = tmp_path / "copy.html"
    copy.write_text(text.replace("localhost:5000", f"localhost:{server.port}"))
    return copy


def grows(numbers: list[int]) -> bool:
    """By 10 at the most; but two changes that follow one another at once come as one."""
    return all(0 < after - before <= 20 for before, after in pairwise(numbers))


def assert_shows_growing_number(page: Page) -> None:
    def shown() -> str:
        return page.locator("#variable").inner_text()

    wait_until(lambda: shown().isdigit(), what="a number on the page")
    first = int(shown())
    wait_until(lambda: int(shown()) > first, what=f"a number above {first}")


def test_python_client_reads_growing_numbers(server: Server) -> None:
    with connect(server.ws_url + "/") as socket:
        numbers = [json.loads(socket.recv(timeout=20))["variable"] for _ in range(4)]
    assert grows(numbers), numbers


def test_node_client_reads_growing_numbers(server: Server, node: RunNode) -> None:
    numbers = json.loads(node(NODE_CLIENT, server.ws_url + "/"))
    assert len(numbers) == 4
    assert grows(numbers), numbers


def test_all_clients_read_the_same(server: Server) -> None:
    with connect(server.ws_url + "/") as one, connect(server.ws_url + "/") as other:
        others = [json.loads(other.recv(timeout=20))["variable"] for _ in range(3)]
        ones = [-1]
        while ones[-1] < others[-1]:
            ones.append(json.loads(one.recv(timeout=20))["variable"])
    # The other one connected a moment later, so it began with a later number.
    assert others == ones[-3:], (ones, others)


def test_page_from_disk(server: Server, page_on_disk: Path, page: Page) -> None:
    page.goto(page_on_disk.as_uri())
    assert_shows_growing_number(page)


def test_page_from_bare(bare: Server, page: Page) -> None:
    page.goto(f"http://localhost:{bare.port}/")
    assert_shows_growing_number(page)


def test_page_from_daemon_is_html(daemon: Daemon) -> None:
    """streamd serves a page of its own; here it is enough that there is one."""
    answer = daemon.request("GET", "/")
    assert answer.status == 200
    assert "<!doctype html>" in answer.text.lower()


def test_script_has_six_lines() -> None:
    """The promise of README and tour: six lines of script are a screen."""
    text = (EXAMPLES / "bare.html").read_text()
    script = text.split("<script>")[1].split("</script>")[0]
    assert len(script.strip().splitlines()) == 6

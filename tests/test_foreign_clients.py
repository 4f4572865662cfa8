"""Clients of other makers: each reads every message of a published sequence, deflated.

And through a real nginx with its default buffering and time-outs (docs/proxies/nginx.conf): a stock
EventSource, ``curl -N``, a shell loop over long polls, and WebSockets.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.support.daemon import Daemon, Server, StartDaemon
from tests.support.net import wait_until
from tests.support.nginx import StartNginx
from tests.support.node import RunNode

CONFIG = '[access]\npublish = "loopback"\n[streams.n]\nkeep = 1000\n'
COUNT = 120
WORDS = "a text that is longer when it is not compressed, and says the same again and again; " * 5

COLLECT = """(query) => new Promise((resolve, reject) => {
  const seqs = [];
  let extensions = null;
  const socket = new WebSocket(`ws://${location.host}/ws${query}`, "streamd.v1");
  socket.onopen = () => { extensions = socket.extensions; };
  socket.onclose = (event) => reject(new Error(`closed ${event.code}`));
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.type !== "updates") return;
    for (const update of message.updates) seqs.push(update.seq);
    if (seqs.at(-1) >= COUNT) { socket.onclose = null; socket.close(); resolve({seqs, extensions}); }
  };
})""".replace("COUNT", str(COUNT))

NODE = """
const WebSocket = require("ws");
const socket = new WebSocket(process.argv[2], "streamd.v1", {perMessageDeflate: true});
const seqs = [];
socket.on("error", (error) => { throw error; });
socket.on("message", (data) => {
  const message = JSON.parse(data);
  if (message.type !== "updates") return;
  for (const update of message.updates) seqs.push(update.seq);
  if (seqs.at(-1) >= COUNT) {
    console.log(JSON.stringify({seqs, extensions: socket.extensions}));
    socket.close();
  }
});
""".replace("COUNT", str(COUNT))

ALL = list(range(1, COUNT + 1))


@pytest.fixture
def behind(start_daemon: StartDaemon) -> Daemon:
    return start_daemon(config=CONFIG)


def publish(daemon: Daemon, pause: float = 0.002) -> None:
    """The sequence: single values, and bursts."""
    for number in range(1, COUNT + 1):
        daemon.request("POST", "/streams/n", json.dumps([number, WORDS]))
        if number % 10 == 0:
            time.sleep(pause * 20)


@contextmanager
def publishing(daemon: Daemon, pause: float = 0.002) -> Iterator[None]:
    """Publishes meanwhile."""
    thread = threading.Thread(target=publish, args=(daemon, pause))
    thread.start()
    try:
        yield
    finally:
        thread.join()


def through(daemon: Daemon, start_nginx: StartNginx, nginx: bool) -> Server:
    return start_nginx(daemon) if nginx else daemon


# -- WebSockets, deflated --------------------------------------------------------------------------


@pytest.mark.parametrize("nginx", [False, True], ids=["direct", "nginx"])
def test_node(behind: Daemon, start_nginx: StartNginx, node: RunNode, nginx: bool) -> None:
    server = through(behind, start_nginx, nginx)
    with publishing(behind):
        found = json.loads(node(NODE, f"{server.ws_url}/ws?after=0-0"))
    assert found["seqs"] == ALL
    assert "permessage-deflate" in found["extensions"]


@pytest.mark.parametrize("nginx", [False, True], ids=["direct", "nginx"])
def test_websockets(behind: Daemon, start_nginx: StartNginx, nginx: bool) -> None:
    server = through(behind, start_nginx, nginx)
    seqs: list[int] = []
    with (
        publishing(behind),
        connect(
            f"{server.ws_url}/?after=0-0",
            subprotocols=[Subprotocol("streamd.v1")],
            compression="deflate",
        ) as viewer,
    ):
        [extension] = viewer.protocol.extensions
        assert isinstance(extension, PerMessageDeflate)
        while len(seqs) < COUNT:
            message = json.loads(viewer.recv(timeout=20))
            seqs += [update["seq"] for update in message.get("updates", ())]
    assert seqs == ALL


@pytest.mark.parametrize("nginx", [False, True], ids=["direct", "nginx"])
def test_chromium(behind: Daemon, start_nginx: StartNginx, page: Page, nginx: bool) -> None:
    server = through(behind, start_nginx, nginx)
    page.goto(f"{server.url}/healthz")
    with publishing(behind):
        found = page.evaluate(COLLECT, "?after=0-0")
    assert found["seqs"] == ALL
    assert "permessage-deflate" in found["extensions"]


# -- through nginx ---------------------------------------------------------------------------------


def test_page_through_nginx(behind: Daemon, start_nginx: StartNginx, page: Page) -> None:
    nginx = start_nginx(behind)
    page.goto(f"{nginx.url}/")
    behind.request("POST", "/streams/n", "41")
    page.get_by_text("41", exact=True).first.wait_for()


def test_publishing_through_nginx_needs_a_token(behind: Daemon, start_nginx: StartNginx) -> None:
    nginx = start_nginx(behind)
    assert nginx.request("POST", "/streams/n", "1").status == 401


EVENTS = """(query) => {
  window.heard = [];
  window.gaps = window.opened = 0;
  window.source = new EventSource(`/events${query}`);
  source.onopen = () => { opened += 1; };
  source.onmessage = (event) => heard.push([event.lastEventId, JSON.parse(event.data)]);
  source.addEventListener("resumed", () => { gaps += 1; });
}"""


def test_stock_event_source_through_nginx(
    behind: Daemon, start_nginx: StartNginx, page: Page
) -> None:
    """It shows each change at once, and comes back by itself, with its Last-Event-ID."""
    nginx = start_nginx(behind)
    behind.request("POST", "/streams/n", "1")
    page.goto(f"{nginx.url}/healthz")
    page.evaluate(EVENTS, "?streams=n")
    wait_until(lambda: page.evaluate("heard.length == 1 && heard[0][1].n == 1"))
    behind.request("POST", "/streams/n", "2")
    wait_until(lambda: page.evaluate("heard.at(-1)?.[1].n == 2"), what="what no buffer holds back")
    # nginx ends, and the browser's link with it; the daemon's log goes on.
    nginx.stop()
    behind.request("POST", "/streams/n", "3")
    behind.request("POST", "/streams/n", "4")
    nginx.start()
    wait_until(lambda: page.evaluate("heard.at(-1)?.[1].n == 4"), 40)
    assert page.evaluate("gaps") == 0
    # The daemon is another one, with another log: the gap is told by name. It is away until the
    # browser has asked for it, and was not told so.
    opened = page.evaluate("opened")
    behind.stop()
    wait_until(lambda: page.evaluate("opened") > opened, 40, "an answer without a daemon")
    behind.start()
    behind.request("POST", "/streams/n", "5")
    wait_until(lambda: page.evaluate("gaps == 1 && heard.at(-1)?.[1].n == 5"), 40)


def test_curl_through_nginx(behind: Daemon, start_nginx: StartNginx) -> None:
    nginx = start_nginx(behind)
    command = ["curl", "-sN", "--max-time", "60", f"{nginx.url}/events?format=v1&after=0-0"]
    seqs: list[int] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl, publishing(behind):
        assert curl.stdout is not None
        for line in curl.stdout:
            if line.startswith("data: "):
                seqs += [update["seq"] for update in json.loads(line[6:]).get("updates", ())]
            if len(seqs) >= COUNT:
                break
        curl.kill()
    assert seqs == ALL


SHELL = """
at=0-0
while [ "$at" ]; do
  answer=$(curl -s --max-time 30 -D head.txt "$1/updates?streams=n&wait=5&after=$at") || exit 1
  at=$(printf %s "$answer" | sed -n 's/^{"type":"updates","at":"\\([0-9-]*\\)".*/\\1/p')
  [ "$at" ] || at=$(tr -d '\\r' <head.txt | sed -n 's/^[Ss]treamd-[Pp]osition: //p')
  printf '%s\\n' "$answer" | grep -o '"seq":[0-9]*' | cut -d: -f2
done
"""


def test_shell_loop_through_nginx(behind: Daemon, start_nginx: StartNginx, tmp_path: Path) -> None:
    nginx = start_nginx(behind)
    command = ["sh", "-c", SHELL, "sh", nginx.url]
    seqs: list[int] = []
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as shell,
        publishing(behind, 0.01),
    ):
        assert shell.stdout is not None
        for line in shell.stdout:
            seqs.append(int(line))
            if len(seqs) >= COUNT:
                break
        shell.kill()
    assert seqs == ALL


def test_long_poll_through_nginx_ends_before_its_time_out(
    behind: Daemon, start_nginx: StartNginx
) -> None:
    nginx = start_nginx(behind)
    answer = nginx.request("GET", "/updates?streams=none&after=0-0&wait=1")
    assert answer.status == 204


def test_ticks_come_through_nginx(behind: Daemon, start_nginx: StartNginx) -> None:
    """nginx drops what is silent for 60 s; something is said long before."""
    nginx = start_nginx(behind)
    command = ["curl", "-sN", "--max-time", "60", f"{nginx.url}/events"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
        assert curl.stdout is not None
        assert ": tick\n" in iter(curl.stdout.readline, "")
        curl.kill()

"""Stock clients of Socket.IO show the demo's variable: in Node, in Python and in a browser."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Page

from tests.support.daemon import Daemon, StartDaemon
from tests.support.net import wait_until
from tests.support.nginx import StartNginx
from tests.support.node import socketio_client

NODE = """
const { io } = require("socket.io-client");
const sockets = JSON.parse(process.argv[1]).map(([url, way, path, auth], index) => {
  const say = (about) => console.log(JSON.stringify([index, about]));
  const socket = io(url, {
    path, auth, transports: way.split(","), tryAllTransports: true, forceNew: true,
    reconnectionDelay: 100, reconnectionDelayMax: 500,
  });
  const name = () => socket.io.engine.transport.name;
  socket.on("connect", () => say({ connect: name() }));
  socket.on("connect_error", ({ message, data }) => say({ error: data?.code ?? message }));
  socket.on("disconnect", (reason) => say({ disconnect: reason }));
  socket.on("state", (changes) => say({ state: changes, transport: name() }));
  return { socket, say };
});
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const [index, wish] = JSON.parse(line);
  const { socket, say } = sockets[index];
  socket.emit("subscribe", wish, (answer) => say({ subscribed: answer.error }));
});
"""

PYTHON = """
import json, sys, threading
import socketio

def connected(index, url, way, path, auth):
    say = lambda **about: print(json.dumps([index, about]) + "\\n", end="", flush=True)
    client = socketio.Client(reconnection_delay=0.1, reconnection_delay_max=0.5)
    code = lambda about: about["data"]["code"] if "data" in about else str(about)
    client.on("connect", lambda: say(connect=client.transport()))
    client.on("connect_error", lambda about: say(error=code(about)))
    client.on("disconnect", lambda reason: say(disconnect=reason))
    client.on("state", lambda changes: say(state=changes, transport=client.transport()))

    def run():
        try:
            client.connect(url, auth=auth, transports=way.split(","), socketio_path=path)
        except socketio.exceptions.ConnectionError:
            pass  # connect_error has said why
        client.wait()

    threading.Thread(target=run, daemon=True).start()
    return client, say

clients = [connected(index, *wish) for index, wish in enumerate(json.loads(sys.argv[1]))]
for line in sys.stdin:
    index, wish = json.loads(line)
    client, say = clients[index]
    say(subscribed=client.call("subscribe", wish)["error"])
"""

COMMANDS = {"node": ["node", "-e", NODE], "python": [sys.executable, "-c", PYTHON]}
WAYS = ["polling", "websocket", "polling,websocket"]

PATIENCE = 60.0
"""Seconds until a client has to say something."""


class Wish(NamedTuple):
    """What a client connects to, and how."""

    url: str
    way: str
    path: str = "/socket.io"
    auth: Mapping[str, Any] = {}


class Client:
    """One client of a program, which says what happens to it."""

    def __init__(self, ask: Callable[[Any], None]) -> None:
        self.lines: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.said: list[Any] = []
        self._ask = ask

    def hear(self, fits: Callable[[Any], Any]) -> Any:
        """The next that fits."""
        while True:
            try:
                self.said.append(self.lines.get(timeout=PATIENCE))
            except queue.Empty:
                raise AssertionError(f"it said no more after {self.said}") from None
            if fits(self.said[-1]):
                return self.said[-1]

    def hear_of(self, member: str) -> Any:
        """The next that has this member; returns its value."""
        return self.hear(lambda said: member in said)[member]

    def shows(self, transport: str | None = None, stream: str = "variable") -> None:
        """It hears of the stream, by this transport."""
        self.hear(
            lambda said: stream in said.get("state", ()) and transport in (None, said["transport"])
        )

    def subscribe(self, **wish: Any) -> Any:
        """The error of a subscription."""
        self._ask(wish)
        return self.hear_of("subscribed")

    def values(self) -> list[int]:
        return [said["state"]["variable"] for said in self.said if "state" in said]


Connect = Callable[..., list[Client]]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """`connect(kind, *wishes)` starts a program with clients; all are ended."""
    programs: list[subprocess.Popen[str]] = []

    def start(kind: str, *wishes: Wish) -> list[Client]:
        command = COMMANDS[kind]
        assert shutil.which(command[0]), f"no {command[0]} here: run tests/install-servers"
        program = subprocess.Popen(
            [*command, json.dumps(wishes)],
            env={**os.environ, "NODE_PATH": str(socketio_client())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries log there
            text=True,
        )
        programs.append(program)

        def ask_of(index: int) -> Callable[[Any], None]:
            return lambda wish: print(json.dumps([index, wish]), file=program.stdin, flush=True)

        clients = [Client(ask_of(index)) for index in range(len(wishes))]

        def read() -> None:
            assert program.stdout is not None
            for line in program.stdout:
                index, said = json.loads(line)
                clients[index].lines.put(said)

        threading.Thread(target=read, daemon=True).start()
        return clients

    yield start
    for program in programs:
        program.kill()
        program.communicate()


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_way(daemon: Daemon, start_nginx: StartNginx, connect: Connect, kind: str) -> None:
    """Directly, behind nginx, below a sub-path, and where no WebSocket passes."""
    nginx = start_nginx(daemon)
    below = start_nginx(daemon, folder="/wall/")
    holding = start_nginx(daemon, holding=True)
    wishes = [Wish(server.url, way) for server in (daemon, nginx) for way in WAYS]
    wishes += [Wish(below.url, way, "/wall/socket.io") for way in WAYS]
    last = [wish.way.split(",")[-1] for wish in wishes]
    wishes.append(Wish(holding.url, "polling,websocket"))
    last.append("polling")
    if kind == "node":  # only this client falls back
        wishes.append(Wish(holding.url, "websocket,polling"))
        last.append("polling")
    for client, transport in zip(connect(kind, *wishes), last, strict=True):
        client.shows(transport)
        client.shows(transport)
        assert all(one < next for one, next in pairwise(client.values())), "each new value once"


def test_after_a_restart(start_daemon: StartDaemon, connect: Connect) -> None:
    daemon = start_daemon()
    wishes = [Wish(daemon.url, way) for way in WAYS]
    clients = [client for kind in COMMANDS for client in connect(kind, *wishes)]
    for client in clients:
        client.shows()
    daemon.restart()
    for client in clients:
        assert client.hear_of("disconnect") in ("transport close", "transport error")
        client.hear_of("connect")
        client.shows()


PRIVATE = """
[access]
view = ["view-every-stream", { token = "view-open-streams", streams = ["open.*"] }]
publish = ["publish-every-one"]
"""


def test_tokens_and_subscriptions(start_daemon: StartDaemon, connect: Connect) -> None:
    daemon = start_daemon(config=PRIVATE)
    publisher = {"Authorization": "Bearer publish-every-one"}
    for name in ("open.a", "open.b", "secret"):
        daemon.request("POST", f"/streams/{name}", "1", publisher)
    auth = {"token": "view-open-streams", "streams": ["*.a"]}
    wishes = [Wish(daemon.url, way, auth=auth) for way in WAYS]
    strangers = [Wish(daemon.url, way) for way in WAYS[:2]]
    for kind in COMMANDS:
        clients = connect(kind, *wishes, *strangers)
        for client in clients[:3]:
            assert client.hear_of("state") == {"open.a": 1}
            assert client.subscribe(streams=["secret"])["code"] == "no-right"
            assert client.subscribe(streams=["open.b"]) is None
            if not any("open.b" in said.get("state", ()) for said in client.said):
                client.shows(stream="open.b")  # it may come before the acknowledgement
        for stranger in clients[3:]:
            assert stranger.hear_of("error") == "no-token"


IN_PAGE = """([url, ways]) => {
  window.heard = [];
  for (const way of ways) {
    const socket = io(url, { transports: way.split(","), forceNew: true });
    socket.on("state", ({ variable }) => heard.push([way, socket.io.engine.transport.name, variable]));
  }
}"""


def test_browser(start_daemon: StartDaemon, browser: Browser) -> None:
    """On a page of its own, and on one of another origin."""
    # streamd's pages may reach streamd alone
    with closing(browser.new_context(bypass_csp=True)) as context:
        shows_in(context.new_page(), start_daemon)


def shows_in(page: Page, start_daemon: StartDaemon) -> None:
    bundle = (socketio_client() / "socket.io-client/dist/socket.io.min.js").read_text()
    other = start_daemon()
    config = f'[server]\norigins = ["{other.url}"]\n[sources.variable]\nkind = "random_walk"'
    daemon = start_daemon(config=config)
    wanted = {(way, way.split(",")[-1]) for way in WAYS}

    def shown() -> bool:
        return wanted <= {(way, by) for way, by, value in page.evaluate("heard") if value}

    for server in (daemon, other):
        page.goto(f"{server.url}/healthz")
        page.evaluate(bundle)
        page.evaluate(IN_PAGE, [daemon.url, WAYS])
        wait_until(shown, PATIENCE, f"the value on {server.url}")

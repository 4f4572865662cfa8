"""Each example starts by its one command, and shows what it says it shows."""

from __future__ import annotations

import re
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.daemon import CHECKOUT, TWISTD, Server, finish_all
from tests.support.databases import PostgresServer
from tests.support.net import free_port, wait_until
from tests.support.nginx import StartNginx
from tests.support.redis import Redis

EXAMPLES = CHECKOUT / "examples"

Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a copy of the example `name`, with some words of its streamd.toml replaced."""
    servers: list[Server] = []

    def started(
        name: str,
        replaced: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        **env: str,
    ) -> Server:
        shutil.copytree(EXAMPLES / name, tmp_path / "examples" / name)
        file = tmp_path / "examples" / name / "streamd.toml"
        text = file.read_text()
        for old, new in (replaced or {}).items():
            assert old in text
            text = text.replace(old, new)
        file.write_text(text)
        port = free_port()
        words = text.splitlines()[0]
        command = words.split(": ", 1)[-1].partition(", then")[0].split()
        if command[0] == "python":
            command = [sys.executable, *command[1:], str(port), *options]
        else:
            assert command[:3] == ["twistd", "-n", "streamd"]
            command = [str(TWISTD), "-n", "--pidfile=", *command[2:], "--port", str(port)]
        servers.append(Server(command, port, tmp_path, env))
        servers[-1].start()
        return servers[-1]

    try:
        yield started
    finally:
        finish_all(servers)


def state(server: Server) -> Any:
    return server.request("GET", "/state").json()


def until_shown(server: Server, *names: str) -> Any:
    """The state, when all these streams are in it and nothing is failed or late."""
    wait_until(lambda: set(names) <= set(state(server)), what=f"{names} {state(server)}")
    wait_until(lambda: server.request("GET", "/healthz?strict").status == 200, what="health")
    return state(server)


def test_office(start: Start, tmp_path: Path) -> None:
    office = start("office")
    names = ("today.orders", "today.revenue", "today.largest", "last", "sales")
    before = until_shown(office, *names)
    assert {"id", "product", "amount", "created"} == set(before["last"][0])
    after = wait_until(
        lambda: (now := state(office))["today.orders"] > before["today.orders"] and now
    )
    assert after["today.revenue"] > before["today.revenue"]
    wait_until(lambda: any(name.endswith(".sold") for name in state(office)))
    history = office.request("GET", "/streams/sales?history=100").json()["history"]
    ids = [update["value"]["id"] for update in history]
    assert ids == list(range(1, len(ids) + 1))
    assert office.stop() == 0

    def orders() -> int:
        with closing(sqlite3.connect(tmp_path / "examples/office/shop.db")) as shop:
            count: int = shop.execute("SELECT count(*) FROM orders").fetchone()[0]
            return count

    # The seller ends with the daemon: within one of its pauses.
    wait_until(lambda: not sellers(tmp_path), what="the seller's end")
    assert orders() >= after["today.orders"]


def test_own_page(start: Start, page: Page, tmp_path: Path) -> None:
    """It shows the value, also beside the service worker of the wall, and says what is not current."""
    server = start("own-page")
    page.goto(server.url)
    page.evaluate("navigator.serviceWorker.ready.then(() => 0)")
    page.goto(f"{server.url}/pages")
    expect(page).to_have_url(f"{server.url}/pages/")
    expect(page.locator("#value")).to_have_text(re.compile(r"\d"))
    expect(page.locator("#value")).to_have_attribute("data-current", "true")
    assert page.evaluate("navigator.serviceWorker.controller !== null")
    file = tmp_path / "examples/own-page/pages/index.html"
    file.write_text(file.read_text().replace("The variable is", "It is now"))
    wait_until(lambda: page.reload() and page.locator("main p").first.text_content() == "It is now")
    kept = page.evaluate(
        "caches.keys().then(async (all) => (await Promise.all(all.map(async (name) => "
        "(await (await caches.open(name)).keys()).map(({ url }) => url)))).flat())"
    )
    assert kept
    assert not [url for url in kept if "/pages/" in url]
    assert server.stop() == 0
    expect(page.locator("#value")).to_have_attribute("data-current", "false")


def test_own_page_behind_a_proxy_with_a_path(
    start: Start, start_nginx: StartNginx, page: Page
) -> None:
    proxy = start_nginx(start("own-page"), folder="/wall/")
    page.goto(f"{proxy.url}/wall/pages")
    expect(page).to_have_url(f"{proxy.url}/wall/pages/")
    expect(page.locator("#value")).to_have_attribute("data-current", "true")


def test_lobby(start: Start, page: Page) -> None:
    """No tile has failed, and the shop sells."""
    lobby = start("lobby")
    until = (
        "sales",
        "today.revenue",
        "machine.roof_hatch",
        "server.room",
        "goal.amount",
        "checkouts",
    )
    wait_until(lambda: set(until) <= set(state(lobby)), what="the company")
    before = state(lobby)["sales"]["id"]
    for wall, tiles in (("lobby", 10), ("house", 9)):
        page.goto(f"{lobby.url}?wall={wall}")
        expect(page.locator(".tile")).to_have_count(tiles)
        expect(page.locator(".tile[data-state=failed], .tile[data-state=waiting]")).to_have_count(0)
        expect(page.locator(".tile[data-state=current]:not([hidden])").first).to_be_visible()
    wait_until(lambda: state(lobby)["sales"]["id"] > before, what="another order")
    past = "/streams/shop.orders?from=-8d"
    wait_until(lambda: len(lobby.request("GET", past).json()["points"]) > 100, what="a week")
    assert lobby.stop() == 0


def test_lobby_on_a_bad_day(start: Start) -> None:
    lobby = start("lobby", options=("--bad",))

    def levels() -> dict[str, str]:
        streams = lobby.request("GET", "/streams").json()["streams"]
        return {name: stream["health"]["level"] for name, stream in streams.items()}

    wait_until(lambda: levels().get("machine.press") == "critical", what="the press")
    wait_until(lambda: levels().get("house.queue") == "critical", what="the support queue")
    assert levels()["services.Payments.state"] == "critical"


def sellers(folder: Path) -> list[str]:
    """The processes that sell there."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(process.read_bytes().decode())
        except OSError:
            continue
    return [line for line in lines if str(folder) in line and "sell.py" in line]


def test_process(start: Start) -> None:
    shown = until_shown(start("process"), "load", "memory.available", "memory.cached")
    assert all(isinstance(value, int | float) for value in shown.values())


def test_python(start: Start) -> None:
    server = start("python")
    shown = until_shown(server, "queue", "room.temperature", "room.free", "visitors")
    assert isinstance(shown["room.free"], bool)
    wait_until(lambda: state(server)["visitors"] > shown["visitors"])


def test_a_kind_of_its_own(start: Start, tmp_path: Path) -> None:
    """What pip would install of the package: the module, and its entry point."""
    info = tmp_path / "site" / "streamd_die-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: streamd-die\nVersion: 1.0\n")
    entry = '[project.entry-points."streamd.sources"]\ndie = "streamd_die:KIND"\n'
    assert entry in (EXAMPLES / "die" / "pyproject.toml").read_text()
    (info / "entry_points.txt").write_text("[streamd.sources]\ndie = streamd_die:KIND\n")
    shutil.copy(EXAMPLES / "die" / "streamd_die.py", info.parent)
    server = start("die", PYTHONPATH=str(info.parent))
    assert until_shown(server, "luck.eyes")["luck.eyes"] in range(1, 7)


def test_postgres(start: Start, postgres: PostgresServer) -> None:
    postgres.sql((EXAMPLES / "postgres" / "shop.sql").read_text())
    server = start("postgres", {"postgresql://localhost/shop": postgres.url})
    shown = until_shown(server, "shop.orders", "shop.revenue", "last")
    assert (shown["shop.orders"], shown["shop.revenue"], len(shown["last"])) == (3, 22.75, 3)

    def is_heard() -> bool:
        postgres.sql("NOTIFY alerts, 'The printer is on fire'")
        return "alerts" in state(server)

    wait_until(is_heard)
    postgres.sql("INSERT INTO orders (amount) VALUES (1)")
    wait_until(lambda: len(state(server)["last"]) == 4)  # untold, it looks once a minute
    assert until_shown(server, "alerts")["alerts"] == "The printer is on fire"
    past = "/streams/hour.orders?from=-2d"
    wait_until(lambda: len(server.request("GET", past).json()["points"]) > 24)


def test_redis(start: Start, redis: Redis) -> None:
    redis.say("LPUSH", "waiting", "one", "two", "three")
    server = start("redis", {"redis://localhost": f"redis://127.0.0.1:{redis.port}"})
    until_shown(server, "waiting")
    wait_until(lambda: redis.say("PUBSUB", "NUMSUB", "jobs")[1], what="somebody who hears jobs")
    redis.say("PUBLISH", "jobs", '{"name": "backup", "state": "done"}')
    redis.say("XADD", "sales", "*", "product", "Tea", "amount", "2.80")
    shown = until_shown(server, "waiting", "jobs", "sales")
    assert (shown["waiting"], shown["jobs"]["state"], shown["sales"]["amount"]) == (3, "done", 2.8)

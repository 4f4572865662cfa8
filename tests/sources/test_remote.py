"""A streamd that reads another one: each update once, with its health, and never its own."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.support.daemon import Daemon, StartDaemon
from tests.support.event_server import event_server
from tests.support.net import free_port, wait_until
from tests.support.served import QUIET, Serve, Served, in_thread
from tests.support.sources_page import pasted
from tests.support.streams import Streams, mistake


def table(port: int, more: str = "") -> str:
    return f'[sources.other]\nstreamd = "http://127.0.0.1:{port}"\n{more}\n'


@in_thread
def test_updates_and_what_is_forgotten(serve: Serve) -> None:
    there = serve()
    there.post("shop.orders", 7)
    there.post("object", {"a": 1})
    here = serve(table(there.port))
    streams = Streams(here)
    streams.expect("other.shop.orders", 7)
    streams.expect("other.object", {"a": 1})
    for value in (8, 8, 9):
        there.post("shop.orders", value)
    streams.expect("other.shop.orders", 9)
    assert streams.history("other.shop.orders") == [7, 8, 8, 9]
    times = [
        Streams(each).all()[name]["time"]
        for each, name in ((there, "shop.orders"), (here, "other.shop.orders"))
    ]
    assert times[0] == times[1]
    there.post_at_once(("object", ...))
    wait_until(lambda: "other.object" not in streams.all(), what="it to be forgotten")


@in_thread
def test_a_selection_and_a_token(serve: Serve) -> None:
    text = '[access]\nview = ["a-token-of-sixteen"]\npublish = ["another-of-sixteen"]'
    there = serve(text)
    publish = {"Authorization": "Bearer another-of-sixteen"}
    for name in ("shop.orders", "secret"):
        assert there.request("POST", f"/streams/{name}", "7", publish).status == 201
    lines = 'streams = ["shop.*"]\n'
    streams = Streams(serve(table(there.port, lines)))
    assert streams.expect_health("other", "failed") == "the answer was 401 Unauthorized"
    streams = Streams(serve(table(there.port, f'{lines}token = "a-token-of-sixteen"')))
    streams.expect("other.shop.orders", 7)
    assert list(streams.all()) == ["other.shop.orders"]


@in_thread
def test_health_is_passed_on(serve: Serve, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text('{"n": 1}\n')
    late = "[streams.late]\nexpect = '1s'\n"
    source = f"[sources.app]\nfile = {json.dumps(str(log))}\nevery = '50ms'\n"
    never = "[sources.never]\nfile = '/nowhere/at.all'\n"
    there = serve(f"{QUIET}\n{late}{source}{never}")
    there.post("late", 1)
    there.post("fine", 1)
    streams = Streams(serve(table(there.port)))
    streams.expect("other.app.n", 1)
    assert (streams.expect_health("other.late", "late") or "").startswith("not confirmed since ")
    assert streams.expect_health("other", "failed") == "never: there is no folder nowhere"
    assert streams.health("other.fine") == ("fresh", None)
    log.unlink()
    assert streams.expect_health("other.app.n", "failed") == "no file is called app.log"
    log.write_text('{"n": 2}\n')
    streams.expect("other.app.n", 2)
    streams.expect_health("other.app.n", "fresh")
    there.post("late", 1)
    streams.expect_health("other.late", "fresh")
    assert streams.health("other.fine") == ("fresh", None)


@in_thread
def test_two_that_read_each_other(serve: Serve) -> None:
    ports = [free_port(), free_port()]
    daemons: list[Served] = []
    for own, other in (ports, ports[::-1]):
        text = f"{QUIET}\n{table(other)}"
        daemons.append(serve(text, (), (), [f"tcp:{own}:interface=127.0.0.1"]))
    a, b = daemons
    a.post("a", 1)
    b.post("b", 2)
    Streams(a).expect("other.b", 2)
    Streams(b).expect("other.a", 1)
    a.post("a", 3)
    Streams(b).expect("other.a", 3)
    b.post("b", 4)
    Streams(a).expect("other.b", 4)
    assert set(Streams(a).all()) == {"a", "other.b"}
    assert set(Streams(b).all()) == {"b", "other.a"}


@in_thread
def test_it_does_not_read_itself(serve: Serve) -> None:
    port = free_port()
    here = serve(table(port), (), (), [f"tcp:{port}:interface=127.0.0.1"])
    error = Streams(here).expect_health("other", "failed")
    assert error == "the URL leads to streamd itself"


@in_thread
def test_what_is_no_streamd(serve: Serve) -> None:
    with event_server() as server:
        streams = Streams(serve(table(server.server_port)))
        wait_until(lambda: server.connections, what="a connection")
        server.say(b'data: {"type": "updates"}\n\n')
        assert streams.expect_health("other", "failed") == "the answer is not one of streamd"
        server.head = 200, {"Content-Type": "text/html"}
        server.drop()
        assert streams.expect_health("other", "failed") == "the answer is not one of streamd"


def posted(daemon: Daemon, *values: int) -> None:
    for value in values:
        assert daemon.request("POST", "/streams/n", str(value)).status == 201


def test_each_update_once_over_restarts(start_daemon: StartDaemon, tmp_path: Path) -> None:
    def config(name: str) -> str:
        return f'[journal]\npath = "{tmp_path}/{name}.db"\n{QUIET}\n'

    there = start_daemon(config=config("there"))
    posted(there, *range(5))
    here = start_daemon(config=config("here") + table(there.port))
    streams = Streams(here)
    streams.expect("other.n", 4)
    here.kill()
    posted(there, 5, 6)
    here.start()
    streams.expect("other.n", 6)
    there.kill()
    streams.expect_health("other.n", "failed")
    there.start()
    posted(there, 7)
    streams.expect("other.n", 7)
    streams.expect_health("other.n", "fresh")
    assert streams.history("other.n") == [4, 5, 6, 7]
    there.kill()
    (tmp_path / "there.db").unlink()
    there.start()  # with a new log
    wait_until(lambda: "other.n" not in streams.all(), what="it to be forgotten")
    posted(there, 8)
    streams.expect("other.n", 8)


def test_streams_that_are_missing_here_come_although_they_do_not_change(
    start_daemon: StartDaemon,
) -> None:
    there = start_daemon(config=QUIET)
    for name in ("b.x", "a.y", "a.x"):
        assert there.request("POST", f"/streams/{name}", "1").status == 201
    here = start_daemon(config=QUIET + "\n" + table(there.port, 'streams = ["a.*"]'))
    streams = Streams(here)
    streams.expect("other.a.x", 1)
    assert "other.b.x" not in streams.all()
    for selection in ('["a.*", "b.*"]', '["*"]'):
        assert here.request("DELETE", "/streams/other.a.y").status == 204
        [file] = here.folder.glob("*.toml")
        start, _, _ = file.read_text().rpartition("streams = ")
        file.write_text(f"{start}streams = {selection}\n")
        os.kill(here.pid, signal.SIGHUP)
        streams.expect("other.b.x", 1)
        streams.expect("other.a.y", 1)
    assert streams.history("other.a.x") == [1]


def test_one_that_is_frozen(start_daemon: StartDaemon) -> None:
    there = start_daemon(config=QUIET)
    posted(there, 1)
    here = start_daemon(config=table(there.port))
    streams = Streams(here)
    streams.expect("other.n", 1)
    there.freeze()
    try:
        assert streams.expect_health("other.n", "failed", 60) == "nothing came for 12 s"
    finally:
        there.thaw()
    streams.expect_health("other.n", "fresh")


@in_thread
def test_the_page_of_sources(serve: Serve, monkeypatch: object) -> None:
    there = serve()
    there.post("shop.orders", 7)
    text = pasted("streamd").replace(
        "https://wall.berlin.example.org", f"http://127.0.0.1:{there.port}"
    )
    streams = Streams(serve(text.replace('{ env = "BERLIN_TOKEN" }', '"a-token-of-sixteen"')))
    streams.expect("berlin.shop.orders", 7)


def test_mistakes() -> None:
    line = mistake('[sources.a]\nstreamd = "http://a"\nwhole = true')
    assert line == "sources.a.whole: the streams of another streamd stay as they are"

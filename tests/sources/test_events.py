"""Event streams on every viewer: ids, redirects, silence, and the bad days of their servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import StartDaemon
from tests.support.event_server import EventServer, event_server
from tests.support.net import free_port, wait_until
from tests.support.served import Serve, in_thread
from tests.support.sources_page import pasted
from tests.support.streams import Streams, mistake


@pytest.fixture
def server() -> Iterator[EventServer]:
    with event_server() as server:
        yield server


def table(name: str, server: EventServer, more: str = "") -> str:
    return f'[sources.{name}]\nurl = "{server.url}"\nevents = true\n{more}\n'


def connected(server: EventServer, count: int = 1) -> None:
    wait_until(lambda: server.connections >= count, what="a connection")


@in_thread
def test_events(serve: Serve, server: EventServer) -> None:
    served = serve(
        table("all", server)
        + table("by", server, 'key = "shop"\npick = "/row"')
        + table("some", server).replace("true", '["price"]')
    )
    streams = Streams(served)
    connected(server, 3)
    server.say(b': life\n\ndata: {"row": {"shop": "north", "orders": 7}}\n\n')
    streams.expect("by.north.orders", 7)
    streams.expect("all.row", {"shop": "north", "orders": 7})
    server.say(b"event: price\r\ndata: 12\r\n\r\nevent: price\r\ndata: 12\r\n\r\n")
    streams.expect("all", 12)
    assert streams.history("some") == [12, 12]


@in_thread
def test_rubbish_fails_its_stream_alone(serve: Serve, server: EventServer) -> None:
    streams = Streams(serve(table("feed", server)))
    connected(server)
    server.say(b'data: {"a": 1, "b": 2}\n\n')
    streams.expect("feed.b", 2)
    server.say(b"data: " + json.dumps({"a": 3, "b": "x" * 70_000}).encode() + b"\n\n")
    streams.expect("feed.a", 3)
    assert streams.expect_health("feed.b", "failed") == "a value may have 64 KiB of JSON text"
    assert streams.health("feed.a") == ("fresh", None)
    server.say(b": life\n\n\xff\xfe\n\n")
    server.say(b'data: {"b": 4}\n\n')
    streams.expect("feed.b", 4)
    streams.expect_health("feed.b", "fresh")
    server.say(b"x" * 2**21)
    assert streams.expect_health("feed.a", "failed") == "an event is longer than 1 MiB"
    connected(server, 2)
    server.say(b'data: {"a": 5}\n\n')
    streams.expect("feed.a", 5)


@in_thread
def test_without_ids_events_may_be_missing(serve: Serve, server: EventServer) -> None:
    streams = Streams(serve(table("feed", server)))
    connected(server)
    server.say(b"retry: 10\ndata: 1\n\n")
    streams.expect("feed", 1)
    server.drop()
    streams.expect_gap("feed")
    server.say(b"data: 2\n\n")
    streams.expect("feed", 2)
    assert streams.health("feed") == ("fresh", None)


@in_thread
def test_a_silent_line_is_a_dead_line(serve: Serve, server: EventServer) -> None:
    streams = Streams(serve(table("feed", server, 'silence = "1s"')))
    connected(server)
    server.emit("1")
    streams.expect("feed", 1)
    assert streams.expect_health("feed", "failed") == "nothing came for 1 s"
    streams.expect_health("feed", "fresh")  # it reads on after the id


@in_thread
def test_signs_of_life_are_proofs(serve: Serve, server: EventServer) -> None:
    streams = Streams(serve(table("feed", server, 'expect = "2s"')))
    connected(server)
    server.emit("1")
    streams.expect("feed", 1)
    streams.expect_health("feed", "late")
    server.say(b": life\n\n")
    streams.expect_health("feed", "fresh")


@in_thread
def test_a_flood(serve: Serve, server: EventServer) -> None:
    streams = Streams(serve(table("feed", server)))
    connected(server)
    server.say(b'id: 1\ndata: {"rare": 1}\n\n')
    server.say(b"".join(b'data: {"n": %d}\n\n' % number for number in range(50_000)))
    streams.expect("feed.n", 49_999)
    assert streams.value("feed.rare") == 1


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (204, {}, "the server has no more events (204)"),
        (401, {}, "the answer was 401 Unauthorized"),
        (
            503,
            {"Retry-After": "90"},
            "the answer was 503 Service Unavailable; the next attempt is in 90 s",
        ),
        (200, {"Content-Type": "text/html"}, 'the answer is "text/html", no event stream'),
        (
            302,
            {"Location": "http://localhost:1/"},
            "redirected to another origin; redirects = true follows",
        ),
    ],
)
@in_thread
def test_other_answers(
    serve: Serve, server: EventServer, status: int, headers: dict[str, str], error: str
) -> None:
    server.head = (status, headers)
    streams = Streams(serve(table("feed", server)))
    assert streams.expect_health("feed", "failed") == error


@in_thread
def test_redirects_and_headers(serve: Serve, server: EventServer) -> None:
    with event_server() as other:
        server.head = (307, {"Location": other.url})
        more = 'redirects = true\nheaders = { Authorization = "Bearer secret" }'
        streams = Streams(serve(table("feed", server, more)))
        connected(other)
        other.say(b"data: 1\n\n")
        streams.expect("feed", 1)
        assert server.asked[0]["Authorization"] == "Bearer secret"
        assert other.asked[0]["Authorization"] is None
        assert other.asked[0]["Accept"] == "text/event-stream"


@in_thread
def test_no_server_answers(serve: Serve, server: EventServer) -> None:
    port = free_port()
    text = table("feed", server).replace(server.url, f"http://127.0.0.1:{port}/")
    streams = Streams(serve(text))
    error = streams.expect_health("feed", "failed")
    assert error == "the host does not accept connections"


def test_each_event_once_over_restarts(
    start_daemon: StartDaemon, server: EventServer, tmp_path: Path
) -> None:
    journal = f'[journal]\npath = "{tmp_path}/log.db"\n[streams.feed]\nkeep = 100\n'
    daemon = start_daemon(config=journal + table("feed", server))
    streams = Streams(daemon)
    for number in range(5):
        server.emit(f"{number}")
    streams.expect("feed", 4)
    server.drop()
    server.emit("5")
    streams.expect("feed", 5)
    streams.expect_health("feed", "fresh")
    daemon.kill()
    server.emit("6")
    server.emit("7")
    daemon.start()
    streams.expect("feed", 7)
    assert streams.history("feed") == list(range(8))
    assert server.asked[-1]["Last-Event-ID"] == "6"
    daemon.kill()
    daemon.start()
    streams.expect_health("feed", "fresh")
    assert streams.history("feed") == list(range(8))


@in_thread
def test_the_page_of_sources(serve: Serve, server: EventServer) -> None:
    text = pasted("events").replace("https://shop.example.org/events", server.url)
    streams = Streams(serve(text))
    connected(server)
    server.say(b'event: order\ndata: {"totals": {"shop": "north", "orders": 7}}\n\n')
    streams.expect("orders.north.orders", 7)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("events = false", 'events: expected true, or names such as ["price"]'),
        ("events = []", 'events: expected true, or names such as ["price"]'),
        ('events = [""]', 'events: expected true, or names such as ["price"]'),
        ('events = true\nheaders = { "a b" = "c" }', "headers.a b: expected a header's name"),
    ],
)
def test_mistakes(lines: str, expected: str) -> None:
    line = mistake(f'[sources.feed]\nurl = "http://localhost/"\n{lines}')
    assert line == f"sources.feed.{expected}"

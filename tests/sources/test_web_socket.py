"""WebSockets on every viewer: messages, pings, gaps, and the bad days of their servers."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from websockets.sync.server import Server as WebSocketServer
from websockets.sync.server import ServerConnection
from websockets.sync.server import serve as serve_web_socket

from tests.support.certificate import make_certificate
from tests.support.net import free_port, wait_until
from tests.support.served import Serve, in_thread
from tests.support.sources_page import pasted
from tests.support.streams import Streams, mistake


class Prices:
    """A WebSocket server that says what a test wants to everyone, and keeps what it hears."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.heard: list[Any] = []
        self.paths: list[str] = []
        self.headers: list[Any] = []
        self.open: list[ServerConnection] = []
        self.refuses: Any = None
        self._server: WebSocketServer = serve_web_socket(
            self._hold,
            "127.0.0.1",
            0,
            process_request=self._judge,
            select_subprotocol=lambda connection, offered: next(iter(offered), None),
            ssl=tls,
            ping_interval=None,
            close_timeout=0.1,  # when a test is over, the reactor answers nothing
        )
        self.port: int = self._server.socket.getsockname()[1]
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"

    def say(self, *messages: str | bytes) -> None:
        for connection in self.open:
            for message in messages:
                connection.send(message)

    def connected(self, count: int = 1) -> None:
        wait_until(lambda: len(self.open) >= count, what="a connection")

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()

    def _judge(self, connection: ServerConnection, request: Any) -> Any:
        self.paths.append(request.path)
        self.headers.append(request.headers)
        return None if self.refuses is None else self.refuses(connection, request)

    def _hold(self, connection: ServerConnection) -> None:
        self.open.append(connection)
        try:
            self.heard += connection
        finally:
            self.open.remove(connection)


@pytest.fixture
def server() -> Iterator[Prices]:
    server = Prices()
    yield server
    server.stop()


def table(name: str, server: Prices, more: str = "") -> str:
    return f'[sources.{name}]\nurl = "{server.url}"\n{more}\n'


@in_thread
def test_messages(serve: Serve, server: Prices) -> None:
    served = serve(
        table("all", server, 'say = \'{"op": "subscribe"}\'\nprotocol = "prices"')
        + table("by", server, 'pick = "/data"\nkey = "symbol"\nheaders = { X-Key = "secret" }')
    )
    streams = Streams(served)
    server.connected(2)
    wait_until(lambda: server.heard == ['{"op": "subscribe"}'], what="the first message")
    assert {each.get("X-Key") for each in server.headers} == {None, "secret"}
    assert {each.get("Sec-WebSocket-Protocol") for each in server.headers} == {None, "prices"}
    server.say('{"data": [{"symbol": "A/B", "price": 7}, {"symbol": "C", "price": 8}]}')
    streams.expect("by.A_B.price", 7)
    streams.expect("by.C.price", 8)
    server.say('{"type": "beat"}', b"12.5")
    streams.expect("all", 12.5)
    assert streams.health("by.C.price") == ("fresh", None)
    assert "by.type" not in streams.all()


@in_thread
def test_rubbish_is_a_failure_until_the_next_message(serve: Serve, server: Prices) -> None:
    streams = Streams(serve(table("one", server) + table("two", server)))
    server.connected(2)
    server.say('{"a": 1}')
    streams.expect("one.a", 1)
    server.say(b"\xff\xfe")
    error = streams.expect_health("one.a", "failed")
    assert error == "the text is neither JSON nor UTF-8"
    server.say('{"a": 2}')
    streams.expect("one.a", 2)
    streams.expect_health("one.a", "fresh")
    server.say("x" * (2**20 + 1))
    streams.expect_health("one.a", "failed")


@in_thread
def test_after_a_gap_messages_may_be_missing(serve: Serve, server: Prices) -> None:
    streams = Streams(serve(table("feed", server)))
    server.connected()
    server.say("1")
    streams.expect("feed", 1)
    [connection] = server.open
    connection.close(1001, "we restart")
    streams.expect_gap("feed")
    server.connected()
    server.say("2")
    streams.expect("feed", 2)
    assert streams.health("feed") == ("fresh", None)


@in_thread
def test_a_flood_keeps_the_newest_of_each_stream(serve: Serve, server: Prices) -> None:
    streams = Streams(serve(table("feed", server)))
    server.connected()
    server.say('{"rare": 1}', *(json.dumps({"n": number}) for number in range(20_000)))
    streams.expect("feed.n", 19_999)
    assert streams.value("feed.rare") == 1


@in_thread
def test_a_server_that_answers_no_ping_is_dead(serve: Serve, server: Prices) -> None:
    streams = Streams(serve(table("feed", server)))
    server.connected()
    server.say("1")
    streams.expect("feed", 1)
    [connection] = server.open
    with connection.protocol_mutex:  # it answers nothing, as if it was stopped
        error = streams.expect_health("feed", "failed")
    assert error == "nothing came for 5 s"
    streams.expect_gap("feed")


def answer(status: int, **headers: str) -> Any:
    def refuse(connection: ServerConnection, request: Any) -> Any:
        response = connection.respond(status, "")
        for name, value in headers.items():
            response.headers[name.replace("_", "-")] = value
        return response

    return refuse


@pytest.mark.parametrize(
    ("refuses", "error"),
    [
        (answer(401), "the answer was 401 Unauthorized"),
        (
            answer(429, Retry_After="9"),
            "the answer was 429 Too Many Requests; the next attempt is in 9 s",
        ),
        (
            answer(302, Location="http://a/"),
            "redirected to another origin; redirects = true follows",
        ),
        (answer(200), "the answer was 200 OK"),
    ],
)
@in_thread
def test_other_answers(serve: Serve, server: Prices, refuses: Any, error: str) -> None:
    server.refuses = refuses
    streams = Streams(serve(table("feed", server)))
    assert streams.expect_health("feed", "failed") == error


@in_thread
def test_redirects(serve: Serve, server: Prices) -> None:
    other = Prices()
    try:
        server.refuses = answer(307, Location=f"http://127.0.0.1:{other.port}/there")
        more = (
            'redirects = true\nheaders = { Authorization = "Bearer secret", user-agent = "wall/1" }'
        )
        streams = Streams(serve(table("feed", server, more)))
        other.connected()
        other.say("1")
        streams.expect("feed", 1)
        assert server.headers[0]["Authorization"] == "Bearer secret"
        assert server.headers[0]["User-Agent"] == "wall/1"
        assert "Authorization" not in other.headers[0]
        assert other.headers[0]["User-Agent"] == "streamd"
        assert set(other.paths) == {"/there"}
    finally:
        other.stop()


@in_thread
def test_certificates(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = Prices(tls)
    text = f'[sources.feed]\nurl = "wss://localhost:{server.port}/"\n'
    try:
        streams = Streams(serve(text))
        assert streams.expect_health("feed", "failed") == "the certificate is not trusted"
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        streams = Streams(serve(text))
        server.connected()
        server.say("1")
        streams.expect("feed", 1)
    finally:
        server.stop()


@in_thread
def test_it_does_not_read_itself(serve: Serve) -> None:
    port = free_port()
    text = f'[sources.feed]\nurl = "ws://127.0.0.1:{port}/"\n'
    streams = Streams(serve(text, (), (), [f"tcp:{port}:interface=127.0.0.1"]))
    assert streams.expect_health("feed", "failed") == "the URL leads to streamd itself"


@in_thread
def test_no_web_socket_there(serve: Serve) -> None:
    port = free_port()
    streams = Streams(serve(f'[sources.feed]\nurl = "ws://127.0.0.1:{port}/"\n'))
    error = streams.expect_health("feed", "failed")
    assert error == "the host does not accept connections"


@in_thread
def test_the_page_of_sources(serve: Serve, server: Prices) -> None:
    text = pasted("websocket").replace("wss://stock.example.org/live", server.url)
    streams = Streams(serve(text))
    server.connected()
    server.say('{"rows": [{"article": "Tea", "left": 12}]}')
    streams.expect("stock.Tea.left", 12)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ws://", 'expected a URL such as "wss://example.org/prices"'),
        ("ws://a/#b", 'expected a URL such as "wss://example.org/prices"'),
        ("ws://a:b@c/", "expected a host, and no user or password: those belong into headers"),
        ("ws://a:0/", "expected a port from 1 to 65535"),
    ],
)
def test_mistakes(url: str, expected: str) -> None:
    assert mistake(f'[sources.feed]\nurl = "{url}"') == f"sources.feed.url: {expected}"

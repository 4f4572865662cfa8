"""Servers that speak HTTP badly, or without an end: each has its own reason, and costs little."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from email.utils import formatdate
from itertools import repeat
from threading import Thread

import pytest

from streamd.sources.web import http_client
from tests.support.served import Serve, in_thread
from tests.support.streams import Streams

HEAD = b"HTTP/1.1 200 OK\r\n"

LATER = "the answer was 429 Too Many Requests; the next attempt is in 3600 s"


def later(when: str) -> list[bytes]:
    return [f"HTTP/1.1 429 Slow\r\nRetry-After: {when}\r\nContent-Length: 0\r\n\r\n".encode()]


def moved(where: bytes) -> list[bytes]:
    return [b"HTTP/1.1 302 Found\r\nLocation: " + where + b"\r\nContent-Length: 0\r\n\r\n"]


ANSWERS = {
    "nothing": ([], "the connection was lost"),
    "other": ([b"SSH-2.0-OpenSSH_9.2\r\n\r\n"], http_client.MALFORMED),
    "http2": ([b"HTTP/2 200\r\n\r\n"], http_client.MALFORMED),
    "status": ([b"HTTP/1.1 abc\r\n\r\n"], http_client.MALFORMED),
    "word": ([HEAD, b"Content-Length: seven\r\n\r\n{}"], http_client.MALFORMED),
    "minus": ([HEAD, b"Content-Length: -2\r\n\r\n{}"], http_client.MALFORMED),
    "two": ([HEAD, b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}}"], http_client.MALFORMED),
    "coding": ([HEAD, b"Transfer-Encoding: fancy\r\n\r\n{}"], http_client.MALFORMED),
    "chunk": ([HEAD, b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"], http_client.MALFORMED),
    "more": ([HEAD, b"Content-Length: 9\r\n\r\n{}"], "the answer ended too early"),
    "cut": ([HEAD, b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}"], "the answer ended too early"),
    "headers": ([HEAD, *repeat(b"X: " + b"x" * 1000 + b"\r\n", 10**6)], "the connection was lost"),
    "date": (later(formatdate(10**11, usegmt=True)), LATER),
    "seconds": (later("9" * 20), LATER),
    "minus-seconds": (later("-5"), "the answer was 429 Too Many Requests"),
    "soon": (later("soon"), "the answer was 429 Too Many Requests"),
    "space": (moved(b"/a b"), 'redirected to "/a b", which is no URL'),
    "bytes": (moved(b"\xff"), 'redirected to "\\u00ff", which is no URL'),
    "script": (moved(b"javascript:1"), "redirected to a URL that is not HTTP"),
}
"""Path -> what the server sends, and the reason on the wall."""


class RawServer:
    """Sends bytes, and counts them."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.sent: dict[str, int] = {}
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                Thread(target=self._answer, args=self._socket.accept()[:1], daemon=True).start()

    def _answer(self, end: socket.socket) -> None:
        with closing(end), suppress(OSError):
            name = end.recv(65536).split()[1].decode().strip("/")
            self.sent[name] = 0
            for data in ANSWERS[name][0]:
                end.sendall(data)
                self.sent[name] += len(data)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def server() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()


@in_thread
def test_each_has_its_own_reason(serve: Serve, server: RawServer) -> None:
    url = f"http://127.0.0.1:{server.port}"
    tables = (f'[sources.{n}]\nurl = "{url}/{n}"\ntimeout = "20s"' for n in ANSWERS)
    streams = Streams(serve("\n".join(tables)))
    found = {name: streams.expect_health(name, "failed") for name in ANSWERS}
    assert found == {name: reason for name, (_, reason) in ANSWERS.items()}
    # What lies in the sockets' buffers was sent too: some megabytes, not the gigabyte there is.
    assert server.sent["headers"] < 100 * 10**6


@in_thread
def test_a_long_head_and_a_body_in_one_segment(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, server: RawServer
) -> None:
    """The bound is that of the head: what comes with its end does not count."""
    monkeypatch.setattr(http_client._Bounded, "_room", 2000)
    answer = HEAD + b"X: " + b"x" * 900 + b"\r\nContent-Length: 5002\r\n\r\n"
    monkeypatch.setitem(ANSWERS, "fits", ([answer + b'"' + b"y" * 5000 + b'"'], ""))
    Streams(serve(f'[sources.fits]\nurl = "http://127.0.0.1:{server.port}/fits"')).expect(
        "fits", "y" * 5000
    )

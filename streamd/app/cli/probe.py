"""Sends requests to a daemon, through any proxies, over blocking sockets.

A proxy may send any answer, or none.  So each answer has a deadline, and its body has a bound.
"""

from __future__ import annotations

import json
import math
import os
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, parse_headers
from typing import Any, BinaryIO, NamedTuple

from streamd.app.cli.daemon_url import DaemonUrl
from streamd.http.handshake import V1, accept_key

ANSWER_WITHIN = 10.0
"""Seconds for an answer: the daemon gives the same to a request."""

MAX_BODY = 64 * 1024
"""Bytes that are read of a body; the answers that are needed are shorter."""

FAILURES = (OSError, HTTPException, ValueError)
"""The errors of a connection and of a nonsensical answer; ssl's errors are OSErrors."""


class Reply(NamedTuple):
    """An answer.

    :ivar headers: with names in lower case.
    :ivar body: at most :data:`MAX_BODY` bytes.
    :ivar first: seconds from the request to the first byte of the body; 0 if it has none.
    :ivar last: seconds from the request to the end of the body.
    :ivar local: the address of this end of the connection.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    first: float = 0.0
    last: float = 0.0
    local: str = ""

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object; empty if it is not a JSON object."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def code(self) -> str:
        """The code of an error of streamd; empty if another server answers."""
        error = self.json().get("error")
        return str(error.get("code", "")) if isinstance(error, dict) else ""

    @property
    def message(self) -> str:
        """The message of an error of streamd; empty if another server answers."""
        error = self.json().get("error")
        return str(error.get("message", "")) if isinstance(error, dict) else ""


class Probe:
    """Makes connections to one address, each for one request."""

    def __init__(
        self,
        url: DaemonUrl,
        token: str = "",
        source: str | None = None,
        verified: bool = True,
    ) -> None:
        """:param token: a token that each request carries; empty for no token.

        :param source: the address of this end; None: the system chooses it.
        :param verified: whether certificates have to be valid.  Otherwise no request has a secret.
        """
        self.url = url
        self._usual = url.headers(token) if verified else {}
        self._source = None if source is None else (source, 0)
        self._tls = ssl.create_default_context()
        if not verified:
            self._tls.check_hostname = False
            self._tls.verify_mode = ssl.CERT_NONE

    def certificate(self) -> Mapping[str, Any]:
        """Return the certificate of the server, as ``ssl.SSLSocket.getpeercert`` does.

        :raises ssl.SSLCertVerificationError: it is not valid.
        """
        connection = self._connect()
        try:
            sock: Any = connection.sock
            found: Mapping[str, Any] = sock.getpeercert() or {}
        finally:
            connection.close()
        return found

    def ask(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> Reply:
        """Send a request, and read its answer to the end.

        :param path: relative to the wall, without a slash at its beginning.
        """
        connection = self._connect()
        began = time.monotonic()
        try:
            local = connection.sock.getsockname()[0]
            length = {"Content-Length": "0"} if method == "POST" else {}
            sent = {**self._usual, **length, **(headers or {})}
            connection.request(method, self.url.path + path, headers=sent)
            return _read(connection.getresponse(), began, local)
        finally:
            connection.close()

    def open_socket(self, query: str, protocol: str | None = V1) -> ProbedWebSocket | Reply:
        """Open a WebSocket; return the answer of a server that refuses it.

        :param protocol: the subprotocol; None for a plain viewer.
        """
        key = b64encode(os.urandom(16)).decode()
        headers = {
            "Host": self.url.authority,
            "Origin": self.url.origin,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
            **({"Sec-WebSocket-Protocol": protocol} if protocol else {}),
            **self._usual,
        }
        lines = [f"GET {self.url.path}ws{query} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        connection = self._connect()
        connection.sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        # http.client reads ahead, and an upgraded connection is not its business any more.
        file = connection.sock.makefile("rb")
        reply = _read_head(file)
        if reply.status == 101 and reply.headers.get("sec-websocket-accept") == accept_key(key):
            return ProbedWebSocket(connection.sock, file)
        length = reply.headers.get("content-length", "")
        body = file.read(min(int(length), MAX_BODY)) if length.isdecimal() else b""
        connection.close()
        return reply._replace(body=body)

    def hold_events(self, query: str, seconds: float) -> float | None:
        """Read an event stream that should end after ``seconds``; return the seconds until it was cut.

        :returns: infinity if the stream came to its own end; None if the daemon refused it.
        """
        connection = self._connect(seconds + ANSWER_WITHIN)
        path = f"{self.url.path}events?for={seconds:g}s&{query}"
        began = time.monotonic()
        whole = False
        try:
            connection.request("GET", path, headers=self._usual)
            with suppress(*FAILURES):
                answer = connection.getresponse()
                if answer.status in (401, 403):
                    return None
                while answer.read1(MAX_BODY):
                    pass
                # Without chunks, only the time tells an end from a cut.
                whole = answer.chunked or time.monotonic() - began > seconds - 0.5
        finally:
            connection.close()
        return math.inf if whole else time.monotonic() - began

    def _connect(self, timeout: float = ANSWER_WITHIN) -> HTTPConnection:
        host, port = self.url.host, self.url.port
        connection = HTTPConnection(host, port, timeout, self._source)
        if self.url.scheme == "https":
            connection = HTTPSConnection(
                host, port, timeout=timeout, source_address=self._source, context=self._tls
            )
        connection.connect()
        return connection


class ProbedWebSocket:
    """An open WebSocket; only text frames and pings are read (RFC 6455, section 5)."""

    def __init__(self, sock: socket.socket, file: BinaryIO) -> None:
        self._socket, self._file = sock, file

    def message(self) -> dict[str, Any]:
        """Return the next message.

        :raises OSError: no message comes in time, or the connection is closed.
        """
        while True:
            opcode, payload = self._frame()
            if opcode == 1:
                value: dict[str, Any] = json.loads(payload)
                return value
            if opcode == 8:
                raise ConnectionError("the WebSocket was closed")
            if opcode == 9:
                self._pong(payload)

    def hold(self, seconds: float) -> float:
        """Answer pings for some seconds; return when the peer closed, infinity if it did not."""
        began = time.monotonic()
        while (left := began + seconds - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                opcode, payload = self._frame()
                if opcode == 9:
                    self._pong(payload)
            except TimeoutError:
                break
            except FAILURES:
                return time.monotonic() - began
        return math.inf

    def close(self) -> None:
        self._socket.close()

    def _pong(self, payload: bytes) -> None:
        # A mask of zeros changes nothing. A ping has at most 125 bytes.
        self._socket.sendall(bytes((0x8A, 0x80 | len(payload))) + bytes(4) + payload)

    def _frame(self) -> tuple[int, bytes]:
        first, length = self._exactly(2)
        if length > 125:
            length = int.from_bytes(self._exactly({126: 2, 127: 8}.get(length, 2)), "big")
        return first & 0x0F, self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) < length:
            raise ConnectionError("the connection was closed")
        return data


def _read_head(file: BinaryIO) -> Reply:
    status = file.readline(MAX_BODY).decode("latin-1").split(" ", 2)
    if len(status) < 2 or not status[0].startswith("HTTP/") or not status[1].isdecimal():
        raise ConnectionError("the answer is not HTTP")
    headers = {name.lower(): value for name, value in parse_headers(file).items()}
    return Reply(int(status[1]), headers, b"")


def _read(answer: HTTPResponse, began: float, local: str) -> Reply:
    """Read an answer, and note when its body began and ended."""
    parts, size, first = [], 0, 0.0
    while size < MAX_BODY and (part := answer.read1(MAX_BODY - size)):
        first = first or time.monotonic() - began
        parts.append(part)
        size += len(part)
    headers = {name.lower(): value for name, value in answer.getheaders()}
    last = time.monotonic() - began
    return Reply(answer.status, headers, b"".join(parts), first, last, local)

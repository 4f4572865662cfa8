"""The whole service on a real port, inside the test's own process: `served` and `serve(...)`.

The reactor runs it while the test, in a thread, is an ordinary client that blocks::

    @in_thread
    def test_x(served):
        assert served.request("GET", "/state").json() == {}
        with served.connect() as viewer:
            served.post("orders", 7)
            ...
        served.run(served.service.viewers.sweep)
"""

from __future__ import annotations

import functools
import io
import json
import socket
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPResponse
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any, TypeVar

import pytest
import pytest_twisted
from twisted.internet.threads import blockingCallFromThread, deferToThread
from websockets.sync.client import ClientConnection, connect

from streamd.app.load import reveal_tokens
from streamd.app.service import Streamd
from streamd.config.fields import Problems
from streamd.config.kind import Surroundings
from streamd.config.parse import parse
from streamd.config.tables import Config
from streamd.core.update import Draft
from streamd.core.values import from_python
from streamd.http.access.tokens import Token, Tokens
from streamd.hub.hub import Hub
from streamd.journals.registry import JOURNAL_KINDS
from streamd.reactor.private_twisted import log_observers
from streamd.sources.registry import find_kinds
from tests.support.frames import frame as frame
from tests.support.frames import handshake as handshake
from tests.support.frames import head as head
from tests.support.net import Answer, request

T = TypeVar("T")

QUIET = '[access]\npublish = "loopback"'
"""A configuration without sources: nothing happens but what the test does."""

WAIT = 60.0
"""Seconds that a client waits for an answer before the test fails."""


def in_thread(test: Callable[..., None]) -> Callable[..., Any]:
    """Runs a test that blocks in a thread, and the reactor meanwhile."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> Any:
        return deferToThread(test, *args, **kwargs)

    return run


class Served:
    """A service that listens on `port` of 127.0.0.1."""

    def __init__(self, service: Streamd) -> None:
        self.service = service
        self._wires: list[Wire] = []

    @property
    def port(self) -> int:
        port: int = self.service.listening[0].getHost().port  # type: ignore[attr-defined]
        return port

    def run(self, call: Callable[..., T], *args: Any) -> T:
        """What `call` gives on the reactor, where alone the service may be touched."""
        result: T = blockingCallFromThread(_reactor(), call, *args)
        return result

    def request(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One HTTP request on a connection of its own."""
        return request(self.port, method, path, body, headers)

    def post(self, name: str, value: object) -> None:
        """Publishes a value."""
        headers = {"Content-Type": "application/json"}
        answer = self.request("POST", f"/streams/{name}", json.dumps(value), headers)
        assert answer.status == 201, answer.text

    def post_at_once(self, *updates: tuple[str, object]) -> None:
        """Publishes (stream, value) after (stream, value), and no flush comes between two of them.

        :data:`...` for a value forgets the stream.
        """
        drafts = [Draft(name, None if v is ... else from_python(v)) for name, v in updates]
        self.run(lambda: [self.service.journal.append([draft]) for draft in drafts])

    def state(self) -> Any:
        return self.request("GET", "/state").json()

    def cursor(self) -> str:
        """Where the log is now."""
        at: str = self.request("GET", "/state").headers["Streamd-Position"]
        return at

    def wire(
        self,
        data: bytes = b"",
        receive_buffer: int | None = None,
        source: str = "127.0.0.1",
    ) -> Wire:
        """A bare connection, on which `data` was sent; `source` is its address on loopback."""
        end = socket.socket()
        end.bind((source, 0))
        if receive_buffer is not None:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        end.connect(("127.0.0.1", self.port))
        wire = Wire(end)
        self._wires.append(wire)
        wire.send(data)
        return wire

    def connect(self, path: str = "/ws", **options: Any) -> ClientConnection:
        """A viewer."""
        url = f"ws://127.0.0.1:{self.port}{path}"
        viewer: ClientConnection = connect(url, **{"compression": None, **options})
        return viewer

    def close(self) -> None:
        for wire in self._wires:
            wire.close()


class Wire:
    """A bare connection: any bytes can be said on it."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._socket.settimeout(WAIT)
        self._file = _StaysOpen(socket.SocketIO(self._socket, "r"))

    def makefile(self, mode: str) -> _StaysOpen:
        """What HTTPResponse asks a socket for."""
        return self._file

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def finish_sending(self) -> None:
        """Half-close: the other end reads an end, and may still answer."""
        self._socket.shutdown(socket.SHUT_WR)

    def answer(self, method: str = "GET") -> Answer:
        """The next HTTP answer, to a request of this method."""
        response = HTTPResponse(self, method=method)  # type: ignore[arg-type]
        response.begin()
        return Answer(response.status, response.headers, response.read())

    def head(self) -> str:
        """The head of the next HTTP answer alone: what follows is no HTTP."""
        lines = list(iter(self._file.readline, b"\r\n"))
        return b"".join(lines).decode()

    def line(self) -> str:
        """The next line, its end included."""
        return self._file.readline().decode()

    def rest(self) -> bytes:
        """All up to the end of the connection, which has to come in time."""
        found = b""
        try:
            while data := self._file.read1(65536):
                found += data
        except ConnectionResetError:
            pass
        return found

    def frame(self) -> tuple[int, bytes]:
        """The next WebSocket frame: its opcode and payload."""
        first, payload = self.raw_frame()
        return first & 0x0F, payload

    def raw_frame(self) -> tuple[int, bytes]:
        """The next WebSocket frame: its first byte and payload."""
        first, length = self._file.read(2)
        if length == 126:
            [length] = struct.unpack("!H", self._file.read(2))
        elif length == 127:
            [length] = struct.unpack("!Q", self._file.read(8))
        return first, self._file.read(length)

    def message(self) -> Any:
        """The next WebSocket message, which has to be JSON text; those of the greeting go by."""
        message = self.any_message()
        while message.get("type") in ("build", "configuration"):
            message = self.any_message()
        return message

    def any_message(self) -> Any:
        """The next WebSocket message, whatever its type."""
        first, payload = self.raw_frame()
        assert first & 0x0F == 1, (first, payload)
        while first < 0x80:  # it comes in fragments
            first, more = self.raw_frame()
            assert first & 0x0F == 0, (first, more)
            payload += more
        return json.loads(payload)

    def close_code(self) -> int:
        """The code of the close frame that comes, whatever comes before it."""
        opcode, payload = self.frame()
        while opcode != 8:
            opcode, payload = self.frame()
        return int.from_bytes(payload[:2], "big")

    def close(self) -> None:
        self._socket.close()


class _StaysOpen(io.BufferedReader):
    """HTTPResponse closes its file after each answer; more may follow."""

    def close(self) -> None:
        pass


def flush_all(hub: Hub) -> None:
    """Flush whatever its pace lets, news or not: the next flush is a pace away."""
    hub.audiences.wake()


Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a service: `serve(configuration, tokens, admins, more_ports)`; None: as the demo."""
    started: list[Served] = []

    def start(
        text: str | None = QUIET,
        tokens: Sequence[str] = (),
        admins: Sequence[str] = (),
        more_ports: Sequence[str] = (),
    ) -> Served:
        if current_thread() is not main_thread():
            again: Served = blockingCallFromThread(
                _reactor(), start, text, tokens, admins, more_ports
            )
            return again
        config = Config() if text is None else parse(text, find_kinds(), JOURNAL_KINDS)
        known = reveal_tokens(config, Surroundings(_reactor(), Path()), Problems())
        if tokens or admins:
            made = list(map(Token, tokens)), list(map(Token, admins))
            known = Tokens(*made, hooks=known.hooks)
        ports = ["tcp:0:interface=127.0.0.1:backlog=512", *more_ports]
        service = Streamd(_reactor(), config, known, ports)
        service.privilegedStartService()
        # A started service quietens the log, and the tests want to hear all of it.
        observers = log_observers()
        heard = list(observers)
        service.startService()
        observers[:] = heard
        started.append(Served(service))
        return started[-1]

    yield start
    for served in started:
        served.close()
        pytest_twisted.blockon(served.service.stopService())


@pytest.fixture
def served(serve: Serve) -> Served:
    """A service without sources, where this machine may publish."""
    return serve()


def _reactor() -> Any:
    # Imported here: pytest-twisted installs the reactor when pytest configures itself.
    from twisted.internet import reactor

    return reactor

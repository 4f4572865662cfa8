"""Autobahn's connection, made small: docs/performance.rst says what that gains.

Autobahn copies its options into every connection, pretty-prints them for a log that nobody reads,
parses the head of the handshake that HTTP has parsed, and keeps all that it learnt in it.  Here, what
is the same for all is the class's, the usual handshake begins with what HTTP knows, and what only the
handshake needed goes when that is done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from autobahn.twisted.util import peer2str
from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.wamp.types import TransportDetails
from autobahn.websocket.protocol import TrafficStats
from autobahn.websocket.types import ConnectionRequest
from autobahn.websocket.utf8validator import Utf8Validator
from twisted.internet.defer import Deferred

_HANDSHAKE = frozenset(
    (
        "_asked",
        "_wskey",
        "http_headers",
        "http_request_data",
        "http_request_host",
        "http_request_params",
        "http_request_path",
        "http_request_uri",
        "http_response_data",
        "http_status_line",
        "websocket_extensions",
        "websocket_extensions_in_use",
        "websocket_origin",
        "websocket_protocols",
    )
)
"""What only the handshake needs."""

_SHARED = {
    "_transport_details": TransportDetails(),
    "peer": "",
    "send_queue": (),  # for writes in pieces, which nobody asks for
    "trafficStats": TrafficStats(),  # of all together; nobody reads it
}
"""What Autobahn gives every connection, and none needs for itself."""

_LAZY = frozenset(("is_closed", "is_open", "utf8validator"))

_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")


class LeanProtocol(WebSocketServerProtocol):
    """A server's side of a WebSocket, of whose handshake HTTP has the head."""

    # Made when they are needed, which is for most viewers never.
    is_closed = cached_property(lambda self: Deferred())
    is_open = cached_property(lambda self: Deferred())
    utf8validator = cached_property(lambda self: Utf8Validator())

    transport: Any
    _usual: Mapping[str, Any]
    """What is as it is in every connection that nothing has happened to."""

    def __init__(self, asked: Mapping[str, str]) -> None:
        """:param asked: the headers that matter to a WebSocket, names in lower case."""
        # Not Autobahn's: all that it sets is the class's.
        self._asked = asked

    @classmethod
    def take_options(cls, factory: Any) -> None:
        """Let all connections of this class have the options of a factory, and what is usual."""
        new = WebSocketServerProtocol()
        new.factory, new.peer = factory, ""
        new._connectionMade()
        factory.countConnections -= 1
        usual = {name: value for name, value in vars(new).items() if name not in _LAZY}
        usual |= {"current_frame": None, "inside_message": False, "websocket_version": 13}
        del usual["factory"]
        for name, value in {**usual, **_SHARED}.items():
            setattr(cls, name, staticmethod(value) if callable(value) else value)
        cls._usual = usual

    def connectionMade(self) -> None:
        self.factory.countConnections += 1
        with suppress(AttributeError, OSError):  # no TCP
            self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        self._dataReceived(data)  # Autobahn's makes a line for the log first

    def processHandshake(self) -> None:
        asked = self._asked
        protocols = _listed(asked.get("sec-websocket-protocol", ""))
        key = asked.get("sec-websocket-key", "")
        if (
            "websocket" not in _listed(asked.get("upgrade", "").lower())
            or "upgrade" not in _listed(asked.get("connection", "").lower())
            or asked.get("sec-websocket-version") != "13"
            or not _KEY.fullmatch(key)
            or len(set(protocols)) < len(protocols)
        ):
            self.data = _head(asked) + self.data  # Autobahn says what is wrong
            super().processHandshake()
            return
        extensions = self._parseExtensionsHeader(asked.get("sec-websocket-extensions", ""))
        self._wskey = key
        self.websocket_protocols = protocols
        self.websocket_extensions = extensions
        request = ConnectionRequest("", asked, "", "", {}, 13, "", protocols, extensions)
        self.succeedHandshake(self.onConnect(request))

    def dropConnection(self, abort: bool = False) -> None:
        if self.transport is not None:
            self.peer = peer2str(self.transport)  # for Autobahn's line in the log
        super().dropConnection(abort)

    def succeedHandshake(self, answer: Any) -> None:
        super().succeedHandshake(answer)
        goes = _HANDSHAKE | _SHARED.keys()
        if not self.inside_message:  # it may have come with the handshake
            goes |= _LAZY
        usual = self._usual
        self.__dict__ = {
            name: value
            for name, value in vars(self).items()
            if name not in goes and usual.get(name, usual) is not value
        }


def _listed(value: str) -> list[str]:
    """The items of a header that is a list."""
    return [item.strip() for item in value.split(",")] if value else []


def _head(asked: Mapping[str, str]) -> bytes:
    """The head that Autobahn needs to see, and no byte more: it splits heads where HTTP does not."""
    lines = [f"{name}: {value}" for name, value in asked.items()]
    return "\r\n".join(["GET / HTTP/1.1", "Host: streamd", *lines, "", ""]).encode("ascii")

"""Autobahn's connection, made small: docs/performance.rst says what that gains.

Autobahn copies its options into every connection, pretty-prints them for a log that nobody reads, and
keeps all that it learnt in the handshake.  Here, what is the same for all is the class's, and what
only the handshake needed goes when that is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from autobahn.twisted.util import peer2str
from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.protocol import TrafficStats
from autobahn.websocket.utf8validator import Utf8Validator
from twisted.internet.defer import Deferred

_HANDSHAKE = frozenset(
    (
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
    "_transport_details": None,
    "_valid_events": None,
    "_results": None,
    "peer": "",
    "send_queue": (),  # for writes in pieces, which nobody asks for
    "trafficStats": TrafficStats(),  # of all together; nobody reads it
}
"""What Autobahn gives every connection, and none needs for itself."""

_LAZY = frozenset(("is_closed", "is_open", "utf8validator"))


class LeanProtocol(WebSocketServerProtocol):
    """A server's side of a WebSocket."""

    CONFIG_ATTRS: Any = ()  # what Autobahn copies: see take_options

    # Made when they are needed, which is for most viewers never.
    is_closed = cached_property(lambda self: Deferred())
    utf8validator = cached_property(lambda self: Utf8Validator())

    _usual: Mapping[str, Any]
    """What is as it is in every connection that nothing has happened to."""

    @classmethod
    def take_options(cls, factory: Any) -> None:
        """Let all connections of this class have the options of a factory, and what is usual."""
        new = WebSocketServerProtocol()
        new.factory, new.peer = factory, ""
        new._connectionMade()
        factory.countConnections -= 1
        options = {name: getattr(factory, name) for name in WebSocketServerProtocol.CONFIG_ATTRS}
        usual = {name: value for name, value in vars(new).items() if value in (None, False, 0, b"")}
        usual |= {"current_frame": None, "inside_message": False, "websocket_version": 13}
        for name, value in {**usual, **_SHARED, **options}.items():
            setattr(cls, name, staticmethod(value) if callable(value) else value)
        cls._usual = usual

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

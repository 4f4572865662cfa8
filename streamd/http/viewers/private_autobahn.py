"""All private parts of Autobahn that streamd uses, each with the reason.

No other module may use one.  If a new version of Autobahn lacks a part,
``tests/http/viewers/test_private_autobahn.py`` fails and names it.  ``docs/performance.rst`` says how
much memory the smaller connection saves.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import Any

from autobahn.twisted.util import peer2str
from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.wamp.types import TransportDetails
from autobahn.websocket.compress import (
    PerMessageDeflate,
    PerMessageDeflateOffer,
    PerMessageDeflateOfferAccept,
)
from autobahn.websocket.protocol import TrafficStats
from autobahn.websocket.utf8validator import Utf8Validator
from twisted.internet.defer import Deferred

from streamd.http.handshake import Handshake, accept_key
from streamd.reactor.connections import CLOSE_GRACE
from streamd.wire.frames import DEFLATE_WINDOW, MAX_INBOUND

_SHARED = {
    "_transport_details": TransportDetails(),
    "peer": "",
    "send_queue": (),  # for writes in pieces, which streamd does not use
    "trafficStats": TrafficStats(),  # of all connections together; nothing reads it
}
"""Attributes that Autobahn sets on every connection, and that all connections can share."""

_LAZY = frozenset(("is_closed", "utf8validator"))
"""Attributes that are made at their first use; most viewers never use them."""


class LeanProtocol(WebSocketServerProtocol):
    """The server's side of a WebSocket whose handshake was accepted, with little memory.

    Autobahn copies its options into every connection, formats them for a debug log, and parses and
    keeps the head that HTTP has parsed already.  Here attributes that are equal for all connections
    belong to the class.
    """

    is_closed = cached_property(lambda self: Deferred())
    utf8validator = cached_property(lambda self: Utf8Validator())

    transport: Any

    def __init__(self, handshake: Handshake) -> None:
        # Autobahn's __init__ is not called: the class has its attributes.
        self._handshake = handshake

    @classmethod
    def take_options(cls, factory: Any) -> None:
        """Set the options of a factory, and make them attributes of this class for all connections.

        Autobahn copies the options in ``_connectionMade``.  One connection is made here to get the
        copies; afterwards it is taken out of Autobahn's count again.
        """
        # All options in one call: each call resets the options that it does not name.
        factory.setProtocolOptions(
            webStatus=False,  # it would redirect to any address that a query names
            allowedOrigins=["*"],  # access has judged the origin before
            allowNullOrigin=True,
            maxFramePayloadSize=MAX_INBOUND,
            maxMessagePayloadSize=MAX_INBOUND,
            failByDrop=False,  # tell the viewer why, with a close frame
            echoCloseCodeReason=False,
            openHandshakeTimeout=0,  # the HTTP side has waited for the whole head
            closeHandshakeTimeout=CLOSE_GRACE,
            autoPingInterval=0,  # the sweep pings
        )
        new = WebSocketServerProtocol()
        new.factory, new.peer = factory, ""
        new._connectionMade()
        factory.countConnections -= 1
        usual = {name: value for name, value in vars(new).items() if name not in _LAZY}
        usual |= {"current_frame": None, "inside_message": False, "websocket_version": 13}
        usual["websocket_protocol_in_use"] = None
        del usual["factory"]
        for name, value in {**usual, **_SHARED}.items():
            setattr(cls, name, staticmethod(value) if callable(value) else value)

    @property
    def is_writable(self) -> bool:
        """Return whether frames may be sent: after the handshake, and not after a close frame.

        ``state`` and ``STATE_OPEN`` are Autobahn's, and not documented.
        """
        return bool(self.state == self.STATE_OPEN)

    @property
    def inflates(self) -> bool:
        """Return whether the viewer accepts compressed messages; see ``_perMessageCompress``."""
        return self._perMessageCompress is not None

    def connectionMade(self) -> None:
        # Autobahn's copies the options, formats the peer's address and starts timers.
        self.factory.countConnections += 1

    def dataReceived(self, data: bytes) -> None:
        # Autobahn keeps what comes after the end: over TLS that is all that a peer sends until the rest
        # of ours has left.  (Autobahn's own dataReceived formats a line for its debug log first.)
        if self.state != self.STATE_CLOSED:
            self._dataReceived(data)

    def processHandshake(self) -> None:
        # Autobahn's parses the head, which HTTP has parsed and judged (see handshake.py), and keeps
        # what it found in each connection.
        key, protocol, extensions = self._handshake
        del self._handshake
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: WebSocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept_key(key)}",
        ]
        if protocol is not None:
            self.websocket_protocol_in_use = protocol
            lines.append(f"Sec-WebSocket-Protocol: {protocol}")
        if extensions and (accept := _accept_deflate(self._parseExtensionsHeader(extensions))):
            self._perMessageCompress = PerMessageDeflate.create_from_offer_accept(True, accept)
            lines.append(f"Sec-WebSocket-Extensions: {accept.get_extension_string()}")
        self.state = self.STATE_OPEN
        self.open("\r\n".join([*lines, "", ""]).encode("ascii"))
        if self.data:  # frames in the handshake's segment
            self.consumeData()

    def dropConnection(self, abort: bool = False) -> None:
        if self.transport is not None:
            self.peer = peer2str(self.transport)  # for Autobahn's line in the log
        super().dropConnection(abort)

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        # Autobahn would write to the transport.  All writes must go through write(), or their order is
        # lost.
        self.write(data)

    def open(self, answer: bytes) -> None:
        """Send the answer to the handshake, and begin."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Send these bytes; see :class:`streamd.hub.link.Link`."""
        raise NotImplementedError

    def close_gently(self) -> None:
        """Close the connection when everything written was sent."""
        raise NotImplementedError

    def fail(self, call: Any) -> None:
        """Close the connection after the peer broke the protocol.

        :param call: makes Autobahn send its close frame.
        """
        raise NotImplementedError

    def _closeConnection(self, abort: bool = False) -> None:
        # Autobahn aborts as soon as its part of the closing handshake is done, and the close frame that
        # it has just written would be lost.
        self.close_gently()

    def _fail_connection(self, *args: Any, **kwargs: Any) -> None:
        # Autobahn sends a close frame and goes on to read; a second violation drops the connection over
        # unread input, and the close frame with it.
        self.fail(lambda: super(LeanProtocol, self)._fail_connection(*args, **kwargs))


def _accept_deflate(offered: list[tuple[str, Any]]) -> PerMessageDeflateOfferAccept | None:
    """Accept the first offer of permessage-deflate that streamd supports, or return None.

    An offer with an unknown, invalid or unsupported parameter is declined, and the next one is examined
    (RFC 7692, section 7.1).  Context takeover is declined in both directions, so that one compressed
    frame serves all viewers, and no viewer needs memory for a context.
    """
    for name, parameters in offered:
        if name == PerMessageDeflateOffer.EXTENSION_NAME:
            with suppress(Exception):  # Autobahn raises no narrower class
                offer = PerMessageDeflateOffer.parse(parameters)
                if not 0 < offer.request_max_window_bits < DEFLATE_WINDOW:
                    # Autobahn answers server_no_context_takeover only to a client that asked for it; a
                    # server may always (RFC 7692, section 7.1.1.1).
                    offer.request_no_context_takeover = True
                    takeover = bool(offer.accept_no_context_takeover)
                    return PerMessageDeflateOfferAccept(offer, request_no_context_takeover=takeover)
    return None

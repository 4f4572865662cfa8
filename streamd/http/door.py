"""The door: what the first bytes of a connection say decides who gets it.

A WebSocket handshake goes straight to its viewer.  Everything else is HTTP's, which comes to the same
end more slowly: a head in pieces, a handshake after another request, and all that is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from streamd.core.errors import Refused
from streamd.http.channel import REQUEST_WITHIN, Answers, Channel, hand_over, make_request
from streamd.http.request import Handover

_HEAD = re.compile(rb"GET ([!-~]+) HTTP/1\.1\r\n((?:[!#-'*+.0-9A-Z^-z|~-]+:[\t -~]*\r\n)+)\r\n")
"""A head that every reader of HTTP reads alike: printable ASCII, no folded lines."""

_MORE = frozenset(("content-length", "expect", "transfer-encoding"))
"""Headers of requests that are more than their head."""


class Door(Protocol):
    """A connection that is nobody's yet."""

    transport: Any
    _deadline: IDelayedCall | None = None
    _closing = False

    def __init__(self, site: Answers, speak_http: Callable[[], Channel]) -> None:
        """:param speak_http: makes what gets the connection if it is HTTP's."""
        self._site = site
        self._speak_http = speak_http

    def connectionMade(self) -> None:
        self._site.connected(self)
        self._deadline = self._site.clock.callLater(REQUEST_WITHIN, self.abort)

    def dataReceived(self, data: bytes) -> None:
        if self._closing:
            return
        self._leave()
        head = _HEAD.match(data, 0, Channel.totalHeadersSize)
        viewer = self._viewer(head) if head else None
        if head and viewer:
            protocol, data = viewer.protocol, data[head.end() :]
        else:
            protocol = self._speak_http()
        hand_over(self._site, self.transport, protocol, data)

    def _viewer(self, head: re.Match[bytes]) -> Handover | None:
        """Whom the connection is handed to if this is the head of a handshake that may be."""
        headers = headers_of(head)
        if headers is None:
            return None
        try:
            request = make_request(b"GET", head[1], b"HTTP/1.1", headers, self.transport)
            self._site.access.check_head(request)
            return self._site.viewer(request)
        except Refused:  # HTTP finds the same, and says it
            return None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._leave()

    def loseConnection(self) -> None:
        """Close: nothing was asked."""
        self._closing = True
        self.transport.loseConnection()

    def abort(self) -> None:
        """Close without waiting for anything."""
        self.transport.abortConnection()

    def _leave(self) -> None:
        if self._deadline is None:
            return
        if self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
        self._site.disconnected(self)


def headers_of(head: re.Match[bytes]) -> dict[str, str] | None:
    """The headers of a head; None if it has one twice, or one that makes it more than a head."""
    lines = [line.split(":", 1) for line in head[2].decode("ascii").splitlines()]
    headers = {name.lower(): value.strip() for name, value in lines}
    simple = len(headers) == len(lines) <= Channel.maxHeaders and _MORE.isdisjoint(headers)
    return headers if simple else None

"""The door: the first bytes of a connection decide which protocol gets it.

A WebSocket handshake goes straight to its viewer.  Everything else goes to HTTP, which comes to the
same end more slowly: a head in pieces, a handshake after another request, requests that are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from streamd.core.errors import Refused
from streamd.http.channel import REQUEST_WITHIN, Channel, hand_over
from streamd.http.exchange import Answers, make_request
from streamd.http.request import Handover
from streamd.reactor.deadline import Deadline

_HEAD = re.compile(rb"GET ([!-~]+) HTTP/1\.1\r\n((?:[!#-'*+.0-9A-Z^-z|~-]+:[\t -~]*\r\n)+)\r\n")
"""A head that every reader of HTTP reads alike: printable ASCII, no folded lines."""

_MORE = frozenset(("content-length", "expect", "transfer-encoding"))
"""Headers of requests that are more than their head."""


class Door(Protocol):
    """A connection that has said nothing yet."""

    transport: Any

    def __init__(self, site: Answers, speak_http: Callable[[], Channel]) -> None:
        """:param speak_http: makes the protocol for a connection that is not a viewer's."""
        self._site = site
        self._speak_http = speak_http
        self._deadline = Deadline(site.clock)
        self._closing = False

    def connectionMade(self) -> None:
        self._site.connected(self)
        self._deadline.set(REQUEST_WITHIN, self.abort)

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
        """Make a viewer if this is the head of a handshake that is not refused."""
        headers = headers_of(head)
        if headers is None:
            return None
        try:
            request = make_request(b"GET", head[1], b"HTTP/1.1", headers, self.transport)
            self._site.access.check_head(request)
            return self._site.viewer(request)
        except Refused:  # HTTP finds the same, and tells the client
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
        self._deadline.cancel()
        self._site.disconnected(self)


def headers_of(head: re.Match[bytes]) -> dict[str, str] | None:
    """Return the headers of a head; None if one comes twice, or announces a body."""
    lines = [line.split(":", 1) for line in head[2].decode("ascii").splitlines()]
    headers = {name.lower(): value.strip() for name, value in lines}
    simple = len(headers) == len(lines) <= Channel.maxHeaders and _MORE.isdisjoint(headers)
    return headers if simple else None

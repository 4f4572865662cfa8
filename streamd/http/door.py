"""The door: the first bytes of a connection decide which protocol gets it.

A WebSocket handshake that arrives in one piece gets its viewer at once.  All other connections go to
the HTTP channel.  It also accepts a head in pieces and a handshake after another request, more slowly,
and answers requests that are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from streamd.core.errors import Refused
from streamd.http.channel import REQUEST_WITHIN, Channel, hand_over
from streamd.http.exchange import Answers
from streamd.http.failures import refusal
from streamd.http.head import FIELDS, headers_in
from streamd.http.peer import Peer
from streamd.http.request import Request
from streamd.reactor.deadline import Deadline

_HEAD = re.compile(rb"GET ([!-~]+) HTTP/1\.1\r\n" + FIELDS)

_MORE = frozenset(("content-length", "expect", "transfer-encoding"))
"""The headers of requests that have a body."""


class Door(Protocol):
    """A connection on which nothing has arrived yet."""

    transport: Any
    peer: Peer

    def __init__(self, site: Answers, speak_http: Callable[[Peer], Channel]) -> None:
        """:param speak_http: makes the protocol for connections that begin without a handshake."""
        self._site = site
        self._speak_http = speak_http
        self._deadline = Deadline(site.clock)
        self._closing = False

    def connectionMade(self) -> None:
        self.peer = Peer(self.transport, self._site)
        self._site.connected(self)
        self._deadline.set(REQUEST_WITHIN, self.abort)

    def dataReceived(self, data: bytes) -> None:
        if self._closing:
            return
        self._leave()
        if self.peer.is_relayed:
            self.peer = Peer(self.transport, self._site)  # the first bytes had the addresses
        head = _HEAD.match(data, 0, Channel.totalHeadersSize)
        request = self._request(head) if head else None
        try:
            viewer = self._site.viewer(request) if request else None
        except Refused as refused:
            if head and request:
                self._refuse(refused, request, data[head.end() :])
            return
        if head and viewer:
            protocol, data = viewer.protocol, data[head.end() :]
        else:
            protocol = self._speak_http(self.peer)
        hand_over(self._site, self.transport, protocol, data)

    def _request(self, head: re.Match[bytes]) -> Request | None:
        """Return the request of a head; None if only the HTTP channel can judge it."""
        headers = headers_of(head)
        if headers is None:
            return None
        try:
            request = self.peer.request(b"GET", head[1], b"HTTP/1.1", headers)
            # _HEAD matches no control bytes, and the path of a WebSocket has none.
            self._site.access.rules.origins.check_host(request.authority)
            return request
        except Refused:  # the HTTP channel refuses it again, and tells the client why
            return None

    def _refuse(self, refused: Refused, request: Request, rest: bytes) -> None:
        """Answer a handshake that is refused, without parsing it again: a crowd may be refused.

        The connection stays open.  The websockets library before 15 tells no reason when it is closed.
        """
        self._site.note_refused(refused, request)
        channel = self._speak_http(self.peer)
        hand_over(self._site, self.transport, channel, b"")
        if self._site.is_surplus(channel, request):
            channel.refuse(refusal(refused))
        else:
            channel.tell_refusal(refusal(refused), persistent=True)
            channel.dataReceived(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._leave()

    def loseConnection(self) -> None:
        """Close the connection: no request waits for an answer."""
        self._closing = True
        self.transport.loseConnection()

    def abort(self) -> None:
        """Close without waiting for anything."""
        self.transport.abortConnection()

    def _leave(self) -> None:
        self._deadline.cancel()
        self._site.disconnected(self)


def headers_of(head: re.Match[bytes]) -> dict[str, str] | None:
    """Return the headers of a head; None if one occurs twice or announces a body."""
    headers = headers_in(head[2])
    return headers if headers is not None and _MORE.isdisjoint(headers) else None

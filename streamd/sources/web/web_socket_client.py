"""Opens WebSockets within bounds: limits heads, messages and rates, and notices a dead connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from streamd.core.errors import shorten
from streamd.reactor.deadline import Deadline
from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.incoming_texts import MAX_TEXT
from streamd.sources.web.http_client import MALFORMED, MAX_HEAD, USER_AGENT, origin_of
from streamd.wire.requests import PACE

PING_EVERY = 2.0
"""Seconds between two pings."""

DEAD = 5.0
"""Seconds without a byte, after which nobody is at the other end."""

ROOM = 65536
"""Bytes that are read in each :data:`PACE`, 2 MB a second; a faster server has to wait."""

SWITCHED = 101


class WebSocket(WebSocketClientProtocol):
    """One connection, and the answer to its handshake.

    :ivar code: the status of the answer.
    :ivar headers: the headers of the answer.
    :ivar on_message: called with each message.
    :ivar on_life: called when any bytes came.
    :ivar ended: fires when the connection has ended.
    :ivar why: the reason why it has ended; None before.
    """

    transport: Any

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self.code = 0
        self.headers = Headers()
        self.on_message: Callable[[bytes], object] = lambda text: None
        self.on_life: Callable[[], object] = lambda: None
        self.answered: Deferred[WebSocket] = Deferred(lambda _: self.abort())
        self.ended: Deferred[None] = Deferred(lambda _: self.abort())
        self._reactor = reactor
        self._head = MAX_HEAD
        self._room = ROOM
        self._resuming = Deadline(reactor)
        self._pinging = Deadline(reactor)
        self._heard = 0.0
        self.why: Exception | None = None

    def abort(self, why: Exception | None = None) -> None:
        """End the connection at once.

        :param why: the reason, unless an earlier call gave one.
        """
        self.why = self.why or why
        if self.transport is not None:
            self.transport.abortConnection()

    def deliverBody(self, body: Any) -> None:
        """End the connection of a refused handshake, as ``UnreadBody`` does for HTTP."""
        self.abort()

    def dataReceived(self, data: bytes) -> None:
        self._heard = self._reactor.seconds()
        if self.code != SWITCHED:
            self._head -= len(data)
            if self._head < 0:
                self.abort(SourceError(MALFORMED))
                return
        try:
            super().dataReceived(data)
        except Exception as error:  # Autobahn expects ASCII in the head
            self.abort(SourceError(MALFORMED, f"({error})"))
            return
        if self.code == SWITCHED:
            self.on_life()
            self._take_room(len(data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if type(reason.value).__module__.startswith(("OpenSSL", "service_identity")):
            # Autobahn would log it at each attempt.
            self.why = Unreachable("the certificate is not trusted", f"({reason.value})")
            reason = Failure(ConnectionLost())
        super().connectionLost(reason)

    def _take_room(self, size: int) -> None:
        self._room -= size
        if self._room <= 0 and not self._resuming:
            self.transport.pauseProducing()
            self._resuming.set(PACE, self._resume)

    def _resume(self) -> None:
        self._room = ROOM
        self._heard = self._reactor.seconds()
        self.transport.resumeProducing()

    # -- what Autobahn calls -----------------------------------------------------------------------

    def onOpen(self) -> None:
        self.code = SWITCHED
        self._beat()
        self._answer()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.on_message(payload)

    def failHandshake(self, reason: str) -> None:
        """Note the answer to a refused handshake.

        Autobahn's method would log it at each attempt.
        """
        words = (getattr(self, "http_status_line", "") or "").split()
        status = words[1] if len(words) > 1 else ""
        if status.isdigit() and status != str(SWITCHED):
            self.code = int(status)
            for name, value in self.http_headers.items():
                self.headers.addRawHeader(name, value)
            self._answer()
        else:
            self.abort(SourceError("the answer is no WebSocket handshake", f"({reason})"))

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self._pinging.cancel()
        self._resuming.cancel()
        self.why = self.why or _closed(wasClean, code, reason)
        if not self.answered.called:
            self.answered.errback(self.why)
        if not self.ended.called:
            self.ended.callback(None)

    # -- internals ---------------------------------------------------------------------------------

    def _answer(self) -> None:
        if not self.answered.called:
            self.answered.callback(self)

    def _beat(self) -> None:
        """Ping, and end the connection if nobody has answered for long."""
        if self._reactor.seconds() - self._heard > DEAD:
            self.abort(Unreachable(f"nothing came for {DEAD:g} s"))
            return
        self.sendPing()
        self._pinging.set(PING_EVERY, self._beat)


def _closed(clean: bool, code: int | None, reason: str | None) -> Exception:
    if not clean or code is None:
        return Unreachable("the connection was lost", f"({reason})")
    text = f": {shorten(reason)}" if reason else ""
    return Unreachable(f"the server closed the connection ({code}{text})")


async def open_web_socket(
    reactor: Any, url: str, headers: Mapping[str, str], protocols: Sequence[str]
) -> WebSocket:
    """Return a connection whose handshake was answered, whether or not it was accepted.

    :param url: its address, with the scheme ``http`` or ``https``.
    """
    scheme, host, port = origin_of(url)
    endpoint: Any = HostnameEndpoint(reactor, host, port)
    if scheme == "https":
        from twisted.internet.ssl import optionsForClientTLS

        endpoint = wrapClientTLS(optionsForClientTLS(host), endpoint)
    # Autobahn has an argument for this header, and sends it even if it is among the others.
    agents = {name: text for name, text in headers.items() if name.lower() == "user-agent"}
    others = {name: text for name, text in headers.items() if name not in agents}
    factory: Any = WebSocketClientFactory(
        "ws" + url.removeprefix("http"),
        protocols=[*protocols],
        headers=others,
        useragent=next(iter(agents.values()), USER_AGENT),
        reactor=reactor,
    )
    factory.noisy = False
    # All options in one call: each call resets the options that it does not name.
    factory.setProtocolOptions(
        maxFramePayloadSize=MAX_TEXT,
        maxMessagePayloadSize=MAX_TEXT,
        openHandshakeTimeout=0,  # the caller waits no longer than it wants to
        autoPingInterval=0,
        tcpNoDelay=True,
    )
    factory.buildProtocol = lambda address: _made(factory, reactor)
    socket: WebSocket = await endpoint.connect(factory)
    return await socket.answered


def _made(factory: Any, reactor: Any) -> WebSocket:
    socket = WebSocket(reactor)
    socket.factory = factory
    return socket

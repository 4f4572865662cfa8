"""Viewers on WebSockets: Autobahn does the handshake, inbound frames, ping and close.

What the hub broadcasts arrives here as ready frames and goes straight to the transport: a message is
framed once for all who get it, not once for each.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from zope.interface import implementer

from streamd.hub import Hub
from streamd.state import Mark, State
from streamd.update import ORIGIN, Refused
from streamd.wire import MAX_INBOUND, PING, PLAIN_WEBSOCKET, Wish

PING_EVERY = 25
"""Seconds between pings of one viewer: below the 30 to 60 s after which proxies drop idle links."""

PONG_WITHIN = 8
"""Seconds; two round trips over the worst link that still shows a live picture."""

STALLED = 600.0
"""Seconds without a byte accepted after which a viewer that lags is given up."""

FRAMES_PER_SECOND = 50
BURST = 200
"""What a viewer may send: a person clicking needs two frames a second, a reload storm ten."""

UNSENT = 64 * 1024
"""Bytes that the kernel may hold unsent for one viewer: one message.  More would be stale state."""

CLOSE_GRACE = 2
"""Seconds for the other side to answer a close frame."""

RESTART = 1012
"""Close code: service restart (RFC 6455, IANA registry)."""

ABUSE = 4400
"""Close code of our own: what you sent was too much."""


@implementer(IPushProducer)
class StreamProtocol(WebSocketServerProtocol):
    """One viewer."""

    factory: StreamFactory
    transport: Any
    ready = True
    mark = Mark(ORIGIN, 0)
    pinged: float | None = None  # when the last ping went out that is not answered
    accepted = -1  # bytes that the peer had acknowledged at the last look
    progress = 0.0  # when that number last grew
    slot: set[StreamProtocol] | None = None
    _deaf = False
    _allowance = float(BURST)
    _counted = 0.0

    def __init__(self, wish: Wish) -> None:
        super().__init__()
        self._wish = wish

    def onOpen(self) -> None:
        self._prepare_transport()
        self.factory.opened(self)
        self.factory.hub.join(
            self,
            self._wish.selection,
            PLAIN_WEBSOCKET,
            self._wish.pace,
            self.factory.state.start(),
        )

    def _prepare_transport(self) -> None:
        transport = self.transport
        # After an upgrade the HTTP channel is still what the transport tells about its buffer.
        transport.unregisterProducer()
        # Told of every rest that stays behind, not only of more than 64 KiB.
        transport.bufferSize = 0
        transport.registerProducer(self, True)
        transport.setTcpKeepAlive(True)
        connection = getattr(transport, "socket", None)
        if connection is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)

    # -- what the hub asks for ---------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send ready frames."""
        self.transport.write(data)

    def lose(self) -> None:
        """Drop the connection, now."""
        self.transport.abortConnection()

    # -- what the transport tells ------------------------------------------------------------------

    def pauseProducing(self) -> None:
        self.ready = False

    def resumeProducing(self) -> None:
        self.ready = True
        self.accepted = -1
        self.factory.hub.drained(self)

    def stopProducing(self) -> None:
        self.ready = False

    # -- what the viewer says ----------------------------------------------------------------------

    def onFrameBegin(self) -> None:
        now = self.factory.clock.seconds()
        self.pinged = None
        self._allowance = min(BURST, self._allowance + (now - self._counted) * FRAMES_PER_SECOND)
        self._counted = now
        self._allowance -= 1
        if self._allowance < 0:
            self.refuse(ABUSE, "too many frames")
        else:
            super().onFrameBegin()

    def onPing(self, payload: bytes) -> None:
        # Somebody who pings and does not read would have us keep the answers.
        if self.ready:
            self.sendPong(payload)

    def refuse(self, code: int, reason: str) -> None:
        """Close with this code, and hear nothing more."""
        self.factory.refused += 1
        self.bye(code, reason)
        self._deaf = True

    def dataReceived(self, data: bytes) -> None:
        # Reading on and throwing away lets the close frame arrive: closing over unread data resets.
        if not self._deaf:
            super().dataReceived(data)

    def processData(self) -> bool:
        return not self._deaf and super().processData()

    def bye(self, code: int, reason: str) -> None:
        """Begin to close."""
        if self.state == self.STATE_OPEN:
            self.factory.hub.leave(self)
            self.sendCloseFrame(code=code, reasonUtf8=reason.encode(), isReply=False)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        # Also called for a handshake that was refused, without onOpen before it.
        self.factory.closed(self)

    # -- what the sweep does -----------------------------------------------------------------------

    def ping(self, now: float) -> None:
        """Ask whether somebody is there; one that lags could not answer and is watched instead."""
        if self.ready:
            self.pinged = now
            self.transport.write(PING)
            return
        accepted = _bytes_acknowledged(self.transport)
        if accepted != self.accepted:
            self.accepted, self.progress = accepted, now
        elif now - self.progress > STALLED:
            self.factory.lost_viewers += 1
            self.transport.abortConnection()

    def check_pong(self, now: float) -> None:
        """Drop it if the last ping was not answered in time."""
        if self.ready and self.pinged is not None and now - self.pinged >= PONG_WITHIN:
            self.factory.lost_viewers += 1
            self.transport.abortConnection()


class StreamFactory(WebSocketServerFactory):
    """Tracks the connected viewers: counts them, pings them, closes them.

    :ivar protocols: the viewers whose handshake is done.
    :ivar refused: viewers closed because of what they sent.
    :ivar lost_viewers: viewers given up because nothing came back.
    """

    def __init__(self, hub: Hub, state: State, clock: IReactorTime, max_viewers: int) -> None:
        super().__init__(server="")
        self.hub = hub
        self.state = state
        self.clock = clock
        self.max_viewers = max_viewers
        self.protocols: set[StreamProtocol] = set()
        self.refused = 0
        self.lost_viewers = 0
        # A wheel: one slot a second, so that pings are spread and one sweep serves all viewers.
        self._wheel: list[set[StreamProtocol]] = [set() for _ in range(PING_EVERY)]
        self._hand = 0
        self._emptied: Deferred[None] | None = None
        # In one call: each resets what it does not name.
        self.setProtocolOptions(
            webStatus=False,
            allowedOrigins=["*"],  # access has judged it before
            allowNullOrigin=True,
            maxFramePayloadSize=MAX_INBOUND,
            maxMessagePayloadSize=MAX_INBOUND,
            failByDrop=False,
            echoCloseCodeReason=False,
            openHandshakeTimeout=0,  # the HTTP side has waited for the whole head
            closeHandshakeTimeout=CLOSE_GRACE,
            tcpNoDelay=True,
            autoPingInterval=0,
            perMessageCompressionAccept=lambda offers: None,
        )

    def build(self, wish: Wish) -> StreamProtocol:
        """A protocol for a handshake that is about to come.

        :raises Refused: 503 when there are too many viewers.
        """
        if len(self.hub) >= self.max_viewers:
            raise Refused(
                503,
                "too-many-viewers",
                f"there are {self.max_viewers} viewers, as many as [server] max_viewers allows",
            )
        protocol = StreamProtocol(wish)
        protocol.factory = self
        return protocol

    def opened(self, protocol: StreamProtocol) -> None:
        """A handshake is done."""
        self.protocols.add(protocol)
        protocol.slot = self._wheel[self._hand - 1]
        protocol.slot.add(protocol)

    def closed(self, protocol: StreamProtocol) -> None:
        """A connection is gone."""
        self.hub.leave(protocol)
        self.protocols.discard(protocol)
        if protocol.slot is not None:
            protocol.slot.discard(protocol)
        if self._emptied is not None and not self.protocols:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def sweep(self) -> None:
        """Once a second: ping the viewers of one slot, and check those pinged before."""
        now = self.clock.seconds()
        for protocol in list(self._wheel[self._hand - PONG_WITHIN]):
            protocol.check_pong(now)
        for protocol in list(self._wheel[self._hand]):
            protocol.ping(now)
        self._hand = (self._hand + 1) % PING_EVERY

    def close_all(self) -> Deferred[None]:
        """Tell every viewer to come back; fires when all are gone, mute ones a moment later."""
        self._emptied = Deferred()
        emptied = self._emptied
        for protocol in list(self.protocols):
            protocol.bye(RESTART, "restart")
        giving_up = self.clock.callLater(CLOSE_GRACE, self._abort_all)
        if not self.protocols:
            self._emptied = None
            emptied.callback(None)

        def done(result: None) -> None:
            if giving_up.active():
                giving_up.cancel()

        return emptied.addCallback(done)

    def _abort_all(self) -> None:
        for protocol in list(self.protocols):
            protocol.lose()


def _bytes_acknowledged(transport: Any) -> int:
    """How much the peer has taken so far: ``tcpi_bytes_acked`` of Linux, at byte 120 of tcp_info."""
    try:
        info = transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
        return int(struct.unpack_from("=Q", info, 120)[0])
    except (OSError, AttributeError, struct.error):
        return 0

"""Viewers on WebSockets: Autobahn does the handshake, inbound frames, ping and close.

What the hub broadcasts arrives here as ready frames and goes straight to the transport: a message is
framed once for all who get it, not once for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from autobahn.websocket.types import ConnectionRequest
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from streamd.core.errors import Refused
from streamd.core.selection import ALL_STREAMS, Selection
from streamd.http.autobahn_private import LeanProtocol
from streamd.http.request import Handover, Request, Response, Routes, error_response, last_head
from streamd.hub.fast_write import FastLink
from streamd.hub.hub import Hub
from streamd.hub.link import SLOWEST, bytes_acknowledged
from streamd.hub.screens import Screens
from streamd.hub.sweep import PONG_WITHIN, Sweep
from streamd.wire.encoding import COME_BACK
from streamd.wire.frames import (
    DEFLATE_WINDOW,
    MAX_INBOUND,
    PING,
    PLAIN_DEFLATED,
    PLAIN_WEBSOCKET,
    V1_DEFLATED,
    V1_WEBSOCKET,
    frame,
)
from streamd.wire.requests import ScreenReport, Subscription, parse_message, parse_query
from streamd.wire.v1 import v1_message

FRAMES_PER_SECOND = 50
BURST = 200
"""What a viewer may send: a person clicking needs two frames a second, a reload storm ten."""

CLOSE_GRACE = 2
"""Seconds for the other side to answer a close frame."""

QUIET = 0.1
"""Seconds without input after which a connection that was failed is closed."""

RESTART = 1012
"""Close code: service restart (RFC 6455, IANA registry)."""

ABUSE = 4400
"""Close code of our own: what you sent was too much."""

MAX_DUE = 16
"""Answers to one viewer, and commands, that may wait until what was said before has left."""

TOKEN = "streamd.token."
"""What a browser offers beside :data:`V1` to say who it is: nobody else is to see it."""

V1 = "streamd.v1"

_ENCODINGS = {
    (False, False): PLAIN_WEBSOCKET,
    (False, True): PLAIN_DEFLATED,
    (True, False): V1_WEBSOCKET,
    (True, True): V1_DEFLATED,
}
"""By whether v1 is spoken and whether the viewer inflates."""


class StreamProtocol(FastLink, LeanProtocol):  # type: ignore[misc]  # Autobahn's own bases
    """One viewer."""

    factory: StreamFactory
    _log = Logger()
    pinged: float | None = None  # when the last ping went out that is not answered
    _heard_at = 0  # bytes that it had taken when it last said something
    _pinged_at = 0  # and when the last ping went out
    _pong_due: bytes | None = None
    _aborting: IDelayedCall | None = None
    _quiet: IDelayedCall | None = None
    _deaf = False
    _allowance = float(BURST)
    _counted = 0.0

    def __init__(self, subscription: Subscription, asked: Mapping[str, str]) -> None:
        super().__init__(asked)
        self._subscription = subscription
        self._due: list[Subscription | bytes] = []  # to be answered, or said, in its turn

    @property
    def hub(self) -> Hub:
        return self.factory.hub

    @property
    def is_v1(self) -> bool:
        """Whether it speaks ``streamd.v1``."""
        return self.websocket_protocol_in_use == V1

    def onConnect(self, request: ConnectionRequest) -> str | None:
        return V1 if V1 in request.protocols else None

    def onOpen(self) -> None:
        try:
            self.take_transport()
            self.factory.opened(self)
            self._join(self._subscription, also=self.factory.greeting if self.is_v1 else b"")
        except Exception:  # Autobahn would keep it to itself, and the connection open
            self._log.failure("a viewer could not begin")
            self._deaf = True
            self.lose()

    def _join(
        self, subscription: Subscription, known: Selection = ALL_STREAMS, also: bytes = b""
    ) -> None:
        encoding = _ENCODINGS[self.is_v1, self._perMessageCompress is not None]
        self._subscription = subscription
        self.hub.join(self, subscription, encoding, self.factory.now(), known, also)

    def resumeProducing(self) -> None:
        self.ready = True
        self._pong()  # first: to one that lags the hub has always more to write
        self._answer()
        if self.ready:
            super().resumeProducing()
            self._answer()

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        # What Autobahn writes goes the way of all that is written.
        self.write(data)

    # -- what the viewer says ----------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        if not self._deaf:
            super().dataReceived(data)
        elif self._quiet is not None and self._quiet.active():
            self._quiet.reset(QUIET)

    def processData(self) -> bool:
        return not self._deaf and super().processData()

    def onFrameBegin(self) -> None:
        now = self.factory.clock.seconds()
        self.pinged = None
        self._heard_at = bytes_acknowledged(self.transport)
        gained = (now - self._counted) * FRAMES_PER_SECOND
        self._allowance = min(BURST, self._allowance + gained) - 1
        self._counted = now
        if self._allowance < 0:
            self.refuse("too many frames")
        else:
            super().onFrameBegin()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if not self.is_v1:
            return  # a plain viewer has nothing to say
        said: Subscription | ScreenReport | bytes
        try:
            said = parse_message(b"" if isBinary else payload)
        except Refused as refused:
            fields = {"code": refused.code, "message": refused.message}
            said = frame(v1_message("error", fields).text)
        if isinstance(said, ScreenReport):  # it needs no answer, so it does not wait
            self.factory.screens.report(self, said, self.factory.now())
        elif len(self._due) >= MAX_DUE:
            self.refuse("too many messages wait for their answers")
        else:
            self._due.append(said)
            self._answer()

    def command(self, text: bytes) -> None:
        """Say this to the screen that reports here; while it lags this waits.

        :raises Refused: 503 if too much waits already.
        """
        if len(self._due) >= MAX_DUE:
            raise Refused(
                503, "screen-lags", "the screen has not yet taken what it was told before"
            )
        self._due.append(frame(text))
        self._answer()

    def _answer(self) -> None:
        """Say what is due, when what was said before has left.

        Not in the middle of a first answer: what it selects is not yet what it knows.
        """
        while (
            self._due
            and self.ready
            and not self.unsent
            and self.cursor.backlog is None
            and self.state == self.STATE_OPEN
        ):
            due = self._due.pop(0)
            if isinstance(due, Subscription):
                self._join(due, known=self._subscription.selection)
            else:
                self.write(due)

    def onPing(self, payload: bytes) -> None:
        # Somebody who pings and does not read would have us keep the answers; only the most recent
        # ping has to be answered (RFC 6455, section 5.5.3).
        self._pong_due = payload
        self._pong()

    def _pong(self) -> None:
        if self._pong_due is not None and self.ready and not self.unsent:
            self.sendPong(self._pong_due)
            self._pong_due = None

    # -- the end -----------------------------------------------------------------------------------

    def refuse(self, reason: str) -> None:
        """Close because of what was sent, and hear nothing more."""
        self.factory.refused += 1
        self.bye(ABUSE, reason)
        self._stop_listening()

    def _stop_listening(self) -> None:
        """Throw away what still comes, and close when nothing does: unread input resets."""
        self._deaf = True
        if self._aborting is None:
            self._aborting = self.factory.clock.callLater(CLOSE_GRACE / 2, self.lose)
        self._quiet = self.factory.clock.callLater(QUIET, self.dropConnection)

    def bye(self, code: int, reason: str) -> None:
        """Begin to close."""
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=code, reasonUtf8=reason.encode(), isReply=False)

    def sendCloseFrame(self, *args: Any, **kwargs: Any) -> None:
        # Ours, or Autobahn's answer: it is the last, and must not stand in the middle of another.
        self.hub.leave(self)
        self.flush_unsent()
        super().sendCloseFrame(*args, **kwargs)

    def restart(self) -> None:
        """Ask it to come back to the daemon that comes after this one."""
        if self.state == self.STATE_OPEN and self.is_v1:
            self.flush_unsent()
            self.write(frame(v1_message("bye", {"reason": "restart", "after": COME_BACK}).text))
        self.bye(RESTART, "restart")

    def _closeConnection(self, abort: bool = False) -> None:
        # Autobahn aborts as soon as its part of the closing handshake is done; the close frame that
        # it has just written would be lost.  So let it leave first, and abort if it does not:
        # whoever does not read could keep us from closing.
        self.transport.loseConnection()
        if self._aborting is None:
            self._aborting = self.factory.clock.callLater(CLOSE_GRACE, self.lose)

    def _fail_connection(self, *args: Any, **kwargs: Any) -> None:
        # Of several violations the first is told; the second would drop the connection over unread
        # input, and what was told with it.
        if not self._deaf:
            super()._fail_connection(*args, **kwargs)
            self._stop_listening()

    def sendHttpErrorResponse(self, code: int, reason: str, headers: Any = None) -> None:
        # What Autobahn says of a handshake that it refuses, in the form of all our errors.
        response = error_response(code, "bad-handshake", reason, dict(headers or ()))
        body = response.body if isinstance(response.body, bytes) else b""
        length = {"Content-Length": str(len(body))}
        self.sendData(last_head(code, {**response.headers, **length}) + body)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        # Also called for a handshake that was refused, without onOpen before it.
        for call in (self._aborting, self._quiet):
            if call is not None and call.active():
                call.cancel()
        self.factory.closed(self)

    # -- what the sweep does -----------------------------------------------------------------------

    def ping(self, now: float) -> None:
        """Ask whether somebody is there; one that lags could not answer and is watched instead."""
        if self.ready:
            self.pinged = now
            self._pinged_at = bytes_acknowledged(self.transport)
            self.write(PING)
        elif self.is_stalled(now):
            self.factory.give_up(self)

    def check_pong(self, now: float) -> None:
        """Drop it if the last ping was not answered in time.

        A slow reader may have much to read before the ping, in its own system's buffer; it is waited
        for as long as that system takes anything.
        """
        if not self.ready or self.pinged is None or now - self.pinged < PONG_WITHIN:
            return
        taken = bytes_acknowledged(self.transport)
        may_be_slow = taken - self._heard_at > PONG_WITHIN * SLOWEST
        if not may_be_slow or taken == self._pinged_at:
            self.factory.give_up(self)


class StreamFactory(WebSocketServerFactory):
    """Tracks the connected viewers: counts them, has them pinged, closes them.

    :ivar protocols: the viewers whose handshake is done.
    :ivar greeting: what whoever speaks v1 is told after the welcome: the build of the page.
    :ivar refused: viewers closed because of what they sent.
    :ivar lost: viewers given up because nothing came back.
    """

    def __init__(
        self,
        hub: Hub,
        sweep: Sweep,
        now: Callable[[], float],
        clock: IReactorTime,
        screens: Screens,
        build: str,
    ) -> None:
        """:param now: seconds since the epoch, for what viewers are told.

        :param build: of the page and the walls.
        """
        super().__init__(server="")
        self.hub = hub
        self.screens = screens
        self.greeting = frame(v1_message("build", {"build": build}).text)
        self.now = now
        self.clock = clock
        self.protocols: set[StreamProtocol] = set()
        self.refused = 0
        self.lost = 0
        self._sweep = sweep
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
            autoPingInterval=0,
            perMessageCompressionAccept=_accept_deflate,
        )
        StreamProtocol.take_options(self)

    @property
    def routes(self) -> Routes:
        """What it answers to those who ask for no WebSocket where there is nothing else."""
        return {"/ws": {"GET": _want_upgrade}}

    def upgrade(self, request: Request) -> Handover:
        """``GET /`` or ``/ws`` with ``Upgrade: websocket``: the connection becomes a viewer's.

        :raises Refused: 400 for a subscription that cannot be, 503 when there are too many viewers.
        """
        subscription = parse_query(request.query)
        self.hub.check_room()
        protocol = StreamProtocol(subscription, _asked(request))
        protocol.factory = self
        return Handover(protocol)

    def opened(self, protocol: StreamProtocol) -> None:
        """A handshake is done."""
        self.protocols.add(protocol)
        self._sweep.add(protocol)

    def closed(self, protocol: StreamProtocol) -> None:
        """A connection is gone."""
        self.hub.leave(protocol)
        self.screens.lost(protocol, self.now())
        self.protocols.discard(protocol)
        self._sweep.discard(protocol)
        if self._emptied is not None and not self.protocols:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def give_up(self, protocol: StreamProtocol) -> None:
        """Nothing comes back from this one."""
        self.lost += 1
        protocol.lose()

    def close_all(self) -> Deferred[None]:
        """Tell every viewer to come back; fires when all are gone, mute ones a moment later."""
        self._emptied = emptied = Deferred[None]()
        giving_up = self.clock.callLater(CLOSE_GRACE, self._abort_all)
        for protocol in list(self.protocols):
            protocol.restart()
        if not self.protocols:
            self._emptied = None
            emptied.callback(None)

        def gone(result: None) -> None:
            if giving_up.active():
                giving_up.cancel()

        return emptied.addCallback(gone)

    def _abort_all(self) -> None:
        for protocol in list(self.protocols):
            protocol.lose()


def _want_upgrade(request: Request) -> Response:
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    return error_response(426, "upgrade-required", "this path is a WebSocket", headers)


def _asked(request: Request) -> dict[str, str]:
    """The headers that a WebSocket needs to see, and none more.

    :raises Refused: 400 if one of them has a character that no handshake has.
    """
    asked = {}
    for name, value in request.headers.items():
        if name in ("upgrade", "connection") or name.startswith("sec-websocket-"):
            if not value.isascii():
                raise Refused(400, "bad-request", f"the header {name} is not ASCII")
            if name == "sec-websocket-protocol":
                offered = map(str.strip, value.split(","))
                value = ", ".join(p for p in offered if not p.startswith(TOKEN))
            if value:
                asked[name] = value
    return asked


def _accept_deflate(offers: Iterable[Any]) -> PerMessageDeflateOfferAccept | None:
    """Without context takeover, so that one compressed frame serves all and nobody costs memory."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer) and (
            offer.request_max_window_bits == 0 or offer.request_max_window_bits >= DEFLATE_WINDOW
        ):
            # As if it had asked: only then does Autobahn say so in its answer.
            offer.request_no_context_takeover = True
            return PerMessageDeflateOfferAccept(
                offer, request_no_context_takeover=bool(offer.accept_no_context_takeover)
            )
    return None

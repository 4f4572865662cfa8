"""Viewers on WebSockets: Autobahn reads frames and performs the closing handshake.

The hub passes finished frames, which go straight to the transport.  A message is framed once for all
viewers that get it, not once for each.

The module is long because one connection opens, listens, lags and closes; each depends on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from streamd.core.errors import Refused
from streamd.core.selection import ALL_STREAMS, Selection
from streamd.http.access.client_address import ClientAddress
from streamd.http.access.principal import SIGNED_OUT, Principal
from streamd.http.handshake import V1, Handshake, parse_handshake, refuse_plain_request
from streamd.http.publishing.live_publish import (
    MAX_PUBLISHES,
    NO_ADMISSION,
    LivePublisher,
    PendingReceipt,
)
from streamd.http.request import Handover, Request, Routes, allowed
from streamd.http.viewers.private_autobahn import LeanProtocol
from streamd.hub.fast_write import FastLink
from streamd.hub.hub import Hub
from streamd.hub.link import SLOWEST, bytes_acknowledged
from streamd.hub.open_viewers import OpenViewers
from streamd.hub.screens import Screens
from streamd.hub.seats import Seat
from streamd.hub.sweep import PONG_WITHIN, Sweep
from streamd.reactor.connections import CLOSE_GRACE
from streamd.wire.encoding import COME_BACK, Encoding, Payload
from streamd.wire.frames import (
    PING,
    PLAIN_DEFLATED,
    PLAIN_WEBSOCKET,
    V1_DEFLATED,
    V1_WEBSOCKET,
    frame,
)
from streamd.wire.requests import Publish, ScreenReport, Subscription, parse_message
from streamd.wire.v1 import v1_message

FRAMES_PER_SECOND, BURST = 50, 200
"""The most frames of a viewer: a person who clicks sends two a second, a reload storm ten."""

PUBLISHER = 20
"""How many publish messages count as one frame: a client may send a thousand a second."""

QUIET = 0.1
"""Seconds without input after which a connection is closed that broke a rule."""

RESTART = 1012
"""Close code: service restart (RFC 6455, IANA registry)."""

SIGNED_OUT_CODE = 4401
"""streamd's own close code: the viewer may not read any more what it reads; as the status 401."""

ABUSE = 4400
"""streamd's own close code: a client of Socket.IO broke its protocol."""

TOO_FAST = 4429
"""streamd's own close code: the viewer sends faster than it may.  The last digits are those of the
HTTP status for the same."""

MAX_DUE = 16
"""The most answers and commands for one viewer that wait until earlier messages were sent.  Receipts
have their own bound."""

_ENCODINGS = (PLAIN_WEBSOCKET, PLAIN_DEFLATED), (V1_WEBSOCKET, V1_DEFLATED)
"""The encodings: the first index is whether the viewer speaks v1, the second whether it inflates."""


class StreamProtocol(FastLink, LeanProtocol):  # type: ignore[misc]  # Autobahn's own bases
    """The WebSocket of one viewer.

    The class is long because a connection opens, listens, lags and closes; each depends on the others.
    """

    # Initial values are attributes of the class, to save memory: there may be 10,000 viewers.
    factory: StreamFactory
    client: ClientAddress
    _log = Logger()
    _pinged: float | None = None  # when the last ping went out that is not answered
    _heard_at = _pinged_at = 0  # bytes acknowledged when it last said something; at the last ping
    _pong_due: bytes | None = None
    _aborting: IDelayedCall | None = None
    _quiet: IDelayedCall | None = None
    _deaf = False
    _held = False  # its input waits until earlier messages were answered
    _allowance = float(BURST)
    _counted = 0.0
    ping_frame = PING
    no_report: Refused | None = None  # why this page may not report as a screen
    principal: Principal
    admission = NO_ADMISSION  # who publishes on it

    def __init__(self, subscription: Subscription, handshake: Handshake, seat: Seat) -> None:
        super().__init__(handshake)
        self.seat = seat
        self._subscription = subscription
        # Subscriptions to answer, receipts to wait for, and frames to send.
        self._due: list[Subscription | PendingReceipt | bytes] = []

    @property
    def hub(self) -> Hub:
        return self.factory.hub

    @property
    def is_v1(self) -> bool:
        """Return whether the viewer speaks ``streamd.v1``."""
        return bool(self.websocket_protocol_in_use == V1)

    @property
    def encoding(self) -> Encoding:
        """The encoding of the viewer's messages."""
        return _ENCODINGS[self.is_v1][self.inflates]

    def open(self, answer: bytes) -> None:
        try:
            self.take_transport()
            self.begin_together(answer, self.begin)
        except Exception:  # Autobahn would keep the error to itself, and the connection open
            self._log.failure("a viewer could not begin")
            self.lose()

    def begin(self) -> None:
        """Begin to send the viewer the state: its handshake is done."""
        self.factory.protocols.opened(self)
        self._join(self._subscription, also=self.factory.greeting if self.is_v1 else b"")

    def _join(
        self, subscription: Subscription, known: Selection = ALL_STREAMS, also: bytes = b""
    ) -> None:
        encoding = self.encoding
        self._subscription = subscription
        now, client = self.factory.now(), self.seat.client
        self.hub.join(self, subscription, encoding, now, known, also, client)

    def resumeProducing(self) -> None:
        self.ready = True
        self._pong()  # first, because the hub always has more to write to a viewer that lags
        self._answer()
        if self.ready:
            super().resumeProducing()
            self._answer()

    def proceed(self) -> None:
        self._answer()

    # -- messages from the viewer ------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        if not self._deaf:
            super().dataReceived(data)
            self._hold_input()
        elif self._quiet is not None and self._quiet.active():
            self._quiet.reset(QUIET)

    def processData(self) -> bool:
        return not (self._deaf or self._is_full()) and bool(super().processData())

    def _is_full(self) -> bool:
        """Return whether the next message has to wait, because too many wait for their answers."""
        if len(self._due) < MAX_DUE or not self.is_writable:
            return False
        receipts = self._receipts
        return receipts >= MAX_PUBLISHES or len(self._due) - receipts >= MAX_DUE

    @property
    def _receipts(self) -> int:
        return sum(isinstance(due, PendingReceipt) for due in self._due)

    def _hold_input(self) -> None:
        """Read no further while too many messages wait for their answers (back-pressure)."""
        if not self._held and not self._deaf and self._is_full():
            self._held = True
            self.transport.pauseProducing()

    def _take_input(self) -> None:
        """Read on in the next turn of the reactor: this may be called while a message is handled."""
        if self._held:
            self._held = False
            self.transport.resumeProducing()
            self.factory.clock.callLater(0, self.dataReceived, b"")

    def onFrameBegin(self) -> None:
        now = self.factory.clock.seconds()
        self._pinged = None
        self._heard_at = bytes_acknowledged(self.transport)
        gained = (now - self._counted) * FRAMES_PER_SECOND
        self._allowance = min(BURST, self._allowance + gained) - 1
        self._counted = now
        if self._allowance < 0:
            self.refuse("too many frames", TOO_FAST)
        else:
            super().onFrameBegin()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if not (self.is_v1 and self.is_writable):
            return  # a plain viewer says nothing, and no answer may follow a close frame
        said: Subscription | ScreenReport | Publish | bytes
        try:
            said = parse_message(b"" if isBinary else payload)
            if isinstance(said, Subscription):
                said = allowed(said, self.principal)
            elif isinstance(said, ScreenReport):
                self._check_report(said)
        except Refused as refused:
            fields = {"code": refused.code, "message": refused.message}
            said = frame(v1_message("error", fields).text)
        if isinstance(said, ScreenReport):  # needs no answer, so it does not wait
            self.factory.screens.report(self, said, self.factory.now())
        elif isinstance(said, Publish):
            self._publish(said, payload)
        else:
            self.answer_later(said)

    def answer_later(self, due: Subscription | bytes) -> None:
        """Answer with the state of a subscription, or with a frame, once earlier messages were sent."""
        if not self._deaf:
            self._due.append(due)
            self._answer()

    def _publish(self, said: Publish, text: bytes) -> None:
        publisher = self.factory.publisher
        assert publisher is not None  # only v1 has such messages
        if self.admission.principal is not None:
            self._allowance += 1 - 1 / PUBLISHER
        receipt = PendingReceipt()
        self._due.append(receipt)  # the answers are in the order of the messages

        def answer(told: bytes) -> None:
            receipt.text = frame(told)
            self._answer()

        publisher.publish(self.admission, said, text).addCallback(answer)

    def _check_report(self, report: ScreenReport) -> None:
        if self.no_report:
            raise self.no_report
        self.factory.check_report(self.principal, report.name)

    def command(self, text: bytes) -> None:
        """Send a command to the screen on this connection; it waits while the screen lags.

        :raises Refused: 503 if too many messages wait already.
        """
        if len(self._due) - self._receipts >= MAX_DUE:
            raise Refused(503, "screen-lags", "the screen has not yet taken earlier messages")
        self._due.append(frame(text))
        self._answer()

    def _answer(self) -> None:
        """Send waiting answers and commands, once earlier messages and the first answer were sent."""
        while self._due and self._is_free() and self.is_settled:
            due = self._due[0]
            if isinstance(due, PendingReceipt) and not due.text:
                break  # it calls this again
            del self._due[0]
            if isinstance(due, Subscription):
                self._join(due, known=self._subscription.selection)
            elif isinstance(due, PendingReceipt):
                self.write(due.text)
            else:
                self.write(due)
        if not self._is_full():
            self._take_input()

    @property
    def is_settled(self) -> bool:
        """Return whether the viewer has all of its first answer; until then it lacks some streams."""
        return self.audience is not None and not self.cursor.backlog

    def onPing(self, payload: bytes) -> None:
        # A viewer that pings and does not read would have us keep the answers; only the most recent
        # ping has to be answered (RFC 6455, section 5.5.3).
        self._pong_due = payload
        self._pong()

    def _pong(self) -> None:
        if self._pong_due is not None and self._is_free():
            self.sendPong(self._pong_due)
            self._pong_due = None

    def _is_free(self) -> bool:
        """Return True if a frame may be sent now: no message is half sent, and the link is open."""
        return self.ready and not self.unsent and self.is_writable

    # -- the end -----------------------------------------------------------------------------------

    def refuse(self, reason: str, code: int = ABUSE) -> None:
        """Close the connection because the viewer sent too much, and ignore further input."""
        self.factory.refused += 1
        self.why = reason
        self._bye(code, reason)
        self._stop_listening()

    def _stop_listening(self) -> None:
        """Discard further input, and close when it pauses: unread input would reset the connection."""
        self._deaf = True
        self._take_input()
        self._abort_in(CLOSE_GRACE / 2)
        self._quiet = self.factory.clock.callLater(QUIET, self.dropConnection)

    def _abort_in(self, seconds: float) -> None:
        if self._aborting is None:
            self._aborting = self.factory.clock.callLater(seconds, self.lose)

    def _keep_open(self) -> None:
        aborting, self._aborting = self._aborting, None
        if aborting is not None and aborting.active():
            aborting.cancel()

    def _bye(self, code: int, reason: str) -> None:
        if self.is_writable:
            self.sendCloseFrame(code=code, reasonUtf8=reason.encode(), isReply=False)

    def sendCloseFrame(self, *args: Any, **kwargs: Any) -> None:
        # Also Autobahn's answer to a close frame.  It must not stand in the middle of a message.  The
        # rest of an unfinished one is not made: that is megabytes for a viewer that does not read.
        self.hub.leave(self)
        if self.unsent:
            self.lose()
        else:
            super().sendCloseFrame(*args, **kwargs)
            self._take_input()  # the viewer's close frame may wait

    def lose(self) -> None:
        self._deaf = True  # what was received with the reason to close is not handled any more
        super().lose()

    def restart(self) -> None:
        """Ask the viewer to reconnect to the next daemon, and close."""
        if self.is_v1 and self.is_writable and not self.unsent:
            self.write(frame(v1_message("bye", {"reason": "restart", "after": COME_BACK}).text))
        self._bye(RESTART, "restart")

    def sign_out(self) -> None:
        """Close the connection: the client may no longer read its streams."""
        if self.is_v1 and self.is_writable and not self.unsent:
            self.write(frame(v1_message("error", SIGNED_OUT).text))
        self._bye(SIGNED_OUT_CODE, SIGNED_OUT["code"])
        self._stop_listening()

    def close_gently(self) -> None:
        self.send_first()
        # A viewer that does not read could keep us from closing.
        self.transport.loseConnection()
        self._abort_in(CLOSE_GRACE)

    def fail(self, call: Callable[[], None]) -> None:
        if not self._deaf:  # of several violations the first is told
            self.why = "it broke the protocol"
            call()
            self._stop_listening()

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self._keep_open()
        if self._quiet is not None and self._quiet.active():
            self._quiet.cancel()
        name = self.factory.screens.name_of(self)
        self.factory.screens.lost(self, self.factory.now())
        self.factory.protocols.closed(self, name)

    # -- called by the sweep -----------------------------------------------------------------------

    def ping(self, now: float) -> None:
        """Ping the viewer, unless it lags: a viewer that lags is dropped once it has stalled."""
        if not self.ready:
            if self.is_stalled(now):
                self.factory.protocols.give_up(self)
        elif self.is_writable:  # no ping may follow a close frame (RFC 6455, section 5.5.1)
            self._pinged = now
            self._pinged_at = bytes_acknowledged(self.transport)
            self.write(self.ping_frame)

    def check_pong(self, now: float) -> None:
        """Drop the viewer if the last ping was not answered in time.

        A slow reader stays while its system acknowledges bytes: it has to read much before it sees
        the ping.
        """
        if not self.ready or self._pinged is None or now - self._pinged < PONG_WITHIN:
            return
        if self._held:
            return  # the pong may wait with its other input
        taken = bytes_acknowledged(self.transport)
        may_be_slow = taken - self._heard_at > PONG_WITHIN * SLOWEST
        if not may_be_slow or taken == self._pinged_at:
            self.factory.protocols.give_up(self)


class StreamFactory(WebSocketServerFactory):
    """Makes the viewers of WebSockets, with the same options for all.

    :ivar protocols: the viewers whose handshake is done.
    :ivar greeting: the messages that v1 viewers get after the welcome; see :meth:`greet`.
    :ivar refused: how many viewers were closed because they sent too much.
    """

    def __init__(
        self,
        hub: Hub,
        sweep: Sweep,
        now: Callable[[], float],
        screens: Screens,
        check_report: Callable[[Principal, str], None] = lambda principal, name: None,
        report_refusal: Callable[[Request], Refused | None] = lambda request: None,
        publisher: LivePublisher | None = None,
    ) -> None:
        """:param now: returns the time in seconds since the epoch, for messages to viewers.

        :param check_report: refuses the report of a screen under a name that is another one's.
        :param report_refusal: returns why the page of a handshake may not report as a screen, or None.
        :param publisher: publishes the updates of ``publish`` messages; None if publishing is not
            possible.
        """
        super().__init__(server="")
        self.hub = hub
        self.screens = screens
        self.publisher = publisher
        self.greeting = b""
        self.now = now
        self.clock = hub.clock
        self.protocols: OpenViewers[StreamProtocol] = OpenViewers(hub, sweep)
        self.refused = 0
        self.check_report = check_report
        self._report_refusal = report_refusal
        StreamProtocol.take_options(self)

    def greet(self, messages: Iterable[Payload]) -> None:
        """Greet viewers with these messages of v1 from now on."""
        self.greeting = b"".join(frame(message.text) for message in messages)

    @property
    def routes(self) -> Routes:
        return {"/ws": {"GET": refuse_plain_request}}

    def upgrade(self, request: Request) -> Handover:
        """Make a viewer from a handshake: ``GET /`` or ``/ws`` with ``Upgrade: websocket``.

        :raises Refused: 400 or 426 for a bad request, 503 when there are too many viewers.
        """
        subscription = request.subscription()
        handshake = parse_handshake(request.headers)
        seat = self.hub.seats.offer(request.client.group)
        protocol = StreamProtocol(subscription, handshake, seat)
        protocol.factory, protocol.client = self, request.client
        protocol.principal = request.principal
        if handshake.protocol == V1:  # others report and publish nothing
            protocol.no_report = self._report_refusal(request)
            if self.publisher is not None:
                protocol.admission = self.publisher.admit(request)
        return Handover(protocol)

    def judge_reports(self) -> None:
        """Forget the reports under names that now belong to the grants of other clients."""
        for viewer in list(self.protocols):
            name = self.screens.name_of(viewer)
            try:
                if name:
                    self.check_report(viewer.principal, name)
            except Refused:
                self.screens.lost(viewer, self.now())

    def close_all(self) -> Deferred[None]:
        """Ask every viewer to reconnect later, and close; fires when all connections are closed.

        Connections of viewers that do not answer are aborted after a short time.
        """
        return self.protocols.close_all(StreamProtocol.restart, StreamProtocol.lose)

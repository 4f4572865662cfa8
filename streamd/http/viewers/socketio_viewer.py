"""Socket.IO clients on WebSockets: a viewer whose messages are packets."""

from __future__ import annotations

from streamd.core.errors import Refused
from streamd.core.selection import ALL_STREAMS, NO_STREAMS, Selection
from streamd.http.access.principal import NOBODY
from streamd.http.handshake import Handshake
from streamd.http.viewers.conversation import Conversation
from streamd.http.viewers.socketio_poll import PollSession
from streamd.http.viewers.websocket import StreamProtocol
from streamd.hub.seats import Seat
from streamd.reactor.connections import CLOSE_GRACE
from streamd.wire.encoding import Encoding
from streamd.wire.frames import frame
from streamd.wire.requests import Subscription
from streamd.wire.socketio import (
    PROBE,
    SOCKET_IO_DEFLATED,
    SOCKET_IO_WEBSOCKET,
    Packet,
    PacketType,
    bad_packet,
    packet,
    parse_packet,
)

UPGRADE_WITHIN = 10.0
"""Seconds in which a client has to change to the WebSocket that it has opened."""

_NORMAL = 1000
"""Close code: the purpose of the connection is fulfilled (RFC 6455, section 7.4.1)."""

_MAX_REASON = 100
"""Characters of a reason in a close frame, which has at most 125 bytes (RFC 6455, section 5.5)."""


class SocketIoProtocol(StreamProtocol):
    """The WebSocket of one client.

    A client that has polled before probes the WebSocket first, and polls until it changes to the
    WebSocket.
    """

    ping_frame = frame(packet(PacketType.PING))
    _ping_due = False  # it lagged when a ping was due
    _has_joined = False
    conversation: Conversation | None = None
    """Set by the maker of the connection, unless the client has a session."""

    def __init__(
        self, handshake: Handshake, seat: Seat, opening: bytes, session: PollSession | None = None
    ) -> None:
        """:param opening: the first packet; a client that has a session gets none.

        :param session: the session of a client that has polled before.
        """
        super().__init__(Subscription(NO_STREAMS), handshake, seat)
        self.principal = NOBODY
        self._opening = opening
        self._session = session

    @property
    def encoding(self) -> Encoding:
        return SOCKET_IO_DEFLATED if self.inflates else SOCKET_IO_WEBSOCKET

    def begin(self) -> None:
        session = self._session
        if session is None:
            self.factory.protocols.opened(self)
            self.say(self._opening)
            self._opening = b""
            if self.conversation is not None:
                self.conversation.start()
        elif session.has_ended or session.probe is not None:
            self.lose()
        else:
            session.probe = self
            self._abort_in(UPGRADE_WITHIN)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        try:
            heard = Packet(PacketType.BINARY, payload) if isBinary else parse_packet(payload)
            if self._session is not None:
                self._hear_probe(self._session, heard)
            elif self.conversation is not None:
                self.conversation.hear(heard)
        except Refused as refused:
            self.refuse(refused.message[:_MAX_REASON])

    # -- the change from polls ---------------------------------------------------------------------

    def _hear_probe(self, session: PollSession, heard: Packet) -> None:
        if heard == Packet(PacketType.PING, PROBE):
            self.say(packet(PacketType.PONG, PROBE))
            session.begin_upgrade()
        elif heard.type is PacketType.UPGRADE:
            self._take_over(session)
        else:
            raise bad_packet("a client probes a WebSocket before it uses it")

    def _take_over(self, session: PollSession) -> None:
        """Go on where the polls of a session have ended."""
        self._session = None
        self._keep_open()
        said, at = session.hand_over()
        self.factory.protocols.opened(self)
        self.slot = session.slot  # or the next ping would come later than the client waits for it
        self.principal = session.principal
        self.conversation, session.conversation = session.conversation, None
        assert self.conversation is not None, "a session without one has ended, and its probe, too"
        self.conversation.transport = self
        for each in said:
            self.say(each)
        subscription = self.conversation.subscription
        if subscription is not None:
            self._subscription = subscription  # it knows these streams up to there
            self.tell(subscription._replace(after=at, asked=at is not None))

    # -- the transport of the conversation ---------------------------------------------------------

    def say(self, packet: bytes) -> None:
        """Send a packet after all earlier ones."""
        self.answer_later(frame(packet))

    def tell(self, subscription: Subscription) -> None:
        """Send the client the state of a subscription from now on."""
        self.answer_later(subscription)

    def finish(self, why: str) -> None:
        """Close the connection, and ignore later packets of the client."""
        self.why = why
        self._end_conversation()
        self._bye(_NORMAL, "")
        self._abort_in(CLOSE_GRACE)

    def _join(
        self, subscription: Subscription, known: Selection = ALL_STREAMS, also: bytes = b""
    ) -> None:
        self._has_joined = True
        super()._join(subscription, known, also)

    @property
    def is_settled(self) -> bool:
        return not self._has_joined or super().is_settled

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        super().onClose(wasClean, code, reason)
        self._end_conversation()
        if self._session is not None and self._session.probe is self:
            self._session.stay()

    def _end_conversation(self) -> None:
        conversation, self.conversation = self.conversation, None
        if conversation is not None:
            conversation.stop()

    # -- pings, which the client waits for ---------------------------------------------------------

    def ping(self, now: float) -> None:
        self._ping_due = not self.ready
        super().ping(now)

    def _pong(self) -> None:
        super()._pong()
        if self._ping_due and self._is_free():
            self.ping(self.factory.clock.seconds())

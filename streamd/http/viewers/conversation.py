"""The packets between one Socket.IO client and the daemon, on either transport."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime

from streamd.core.errors import Refused, shorten
from streamd.http.access.access import Access
from streamd.http.access.principal import Principal
from streamd.http.request import Request, allowed
from streamd.reactor.deadline import Deadline
from streamd.wire.requests import Subscription
from streamd.wire.socketio import (
    Packet,
    PacketType,
    Said,
    SaidType,
    Wish,
    acknowledgement,
    bad_packet,
    connect_error,
    connected,
    event_of,
    parse_said,
    parse_wish,
)

CONNECT_WITHIN = 10.0
"""Seconds in which a client has to connect: until then its seat is taken without any credentials."""

_EVENTS = (SaidType.EVENT, SaidType.BINARY_EVENT)
_BINARY = (SaidType.BINARY_EVENT, SaidType.BINARY_ACK)


def new_identity() -> str:
    """Return a random identity of a session: with it anybody can read the session's packets."""
    return secrets.token_urlsafe(18)


class Transport(Protocol):
    """The transport of a conversation.

    :ivar principal: the client that the credentials name, once it has connected.
    """

    principal: Principal

    def say(self, packet: bytes) -> None:
        """Send a packet after all earlier ones."""

    def tell(self, subscription: Subscription) -> None:
        """Send the client the state of a subscription from now on, after all earlier packets."""

    def finish(self, why: str) -> None:
        """Close the session.

        :param why: the reason, for the log.
        """


class Conversation:
    """The conversation with one client.

    :ivar transport: carries the packets; an upgrade replaces it.
    :ivar subscription: the subscription of the client; None before it has connected.
    """

    # A conversation lasts as long as its client stays: without slots it takes three times the memory.
    __slots__ = (
        "_access",
        "_clock",
        "_event",
        "_late",
        "_missing",
        "_note_refused",
        "_pause",
        "_request",
        "subscription",
        "transport",
    )

    def __init__(
        self,
        request: Request,
        transport: Transport,
        access: Access,
        clock: IReactorTime,
        note_refused: Callable[[Refused, Request], None],
    ) -> None:
        """:param request: the first request of the client, whose credentials count.

        :param note_refused: counts and logs that the client may not connect.
        """
        self.transport = transport
        self.subscription: Subscription | None = None
        self._request: Request | None = request  # None once it has been judged
        self._access = access
        self._note_refused = note_refused
        self._clock = clock
        self._late: Deadline | None = None
        self._pause: Deadline | None = None  # before a token is judged
        self._event: Said | None = None  # an event whose attachments are still to come
        self._missing = 0  # the attachments that are still to come

    def start(self) -> None:
        """Begin to wait for the client to connect."""
        self._late = Deadline(self._clock)
        self._late.set(CONNECT_WITHIN, lambda: self.transport.finish("it did not connect"))

    def stop(self) -> None:
        """Stop waiting: the session has ended."""
        for deadline in self._late, self._pause:
            if deadline is not None:
                deadline.cancel()
        self._late = self._pause = None

    def hear(self, packet: Packet) -> None:
        """Take a packet from the client.

        :raises Refused: 400 if it breaks the protocol; the session has to be closed then.
        """
        if packet.type is PacketType.MESSAGE:
            self._hear_said(packet.data)
        elif packet.type is PacketType.BINARY:
            self._hear_attachment()
        elif packet.type is PacketType.CLOSE:
            self.transport.finish("it closed the session")
        elif packet.type not in (PacketType.PONG, PacketType.NOOP):
            raise bad_packet("a client sends this packet only while it changes its transport")

    def _hear_said(self, data: bytes) -> None:
        if self._missing:
            raise bad_packet("a binary packet was expected")
        said = parse_said(data)
        if said.namespace != "/":
            if said.type is not SaidType.CONNECT:
                raise bad_packet("the client is not connected to this namespace")
            self.transport.say(connect_error(said.namespace, "Invalid namespace"))
        elif said.type is SaidType.CONNECT:
            self._connect(said)
        elif self.subscription is None:
            raise bad_packet("the client has to connect first")
        elif said.type is SaidType.DISCONNECT:
            self.transport.finish("it disconnected")
        elif said.type in _BINARY and said.attachments:
            self._missing = said.attachments
            self._event = said
        else:
            self._hear_event(said)

    def _hear_attachment(self) -> None:
        """Count an attachment.  No event needs one, so none is kept."""
        if not self._missing:
            raise bad_packet("no binary packet was expected")
        self._missing -= 1
        if not self._missing and self._event is not None:
            said, self._event = self._event, None
            self._hear_event(said)

    # -- connecting --------------------------------------------------------------------------------

    def _connect(self, said: Said) -> None:
        if self.subscription is not None or self._pause:
            raise bad_packet("the client has connected already")
        try:
            wish = parse_wish(said.payload)
        except Refused as refused:
            self._refuse(refused)
            return
        pause = 0.0
        if wish.token is not None:
            assert self._request is not None, "a client connects once"
            pause = self._access.guesses.pause(self._request.client.group, wish.token)
        if pause:
            self._pause = Deadline(self._clock)
            self._pause.set(pause, lambda: self._judge(wish))
        else:
            self._judge(wish)

    def _judge(self, wish: Wish) -> None:
        assert self._request is not None, "a client connects once"
        try:
            principal = self._access.admit(self._request, wish.token).principal
            subscription = allowed(wish.subscription(), principal)
        except Refused as refused:
            self._refuse(refused)
            return
        self.stop()
        self._request = None
        self.transport.principal = principal
        self.subscription = subscription
        self.transport.say(connected(new_identity()))
        self.transport.tell(subscription)

    def _refuse(self, refused: Refused) -> None:
        if self._request is not None:
            self._note_refused(refused, self._request)
        if refused.status == 503:  # clients try again after a lost session, not after an error
            self.transport.finish(refused.message)
        else:
            self.transport.say(connect_error("/", refused.message, refused.code))

    # -- events ------------------------------------------------------------------------------------

    def _hear_event(self, said: Said) -> None:
        if said.type not in _EVENTS:
            return  # an acknowledgement: the daemon asks for none
        name, *values = said.payload
        try:
            then = self._act(name, *values)
        except Refused as refused:
            self._answer(said, refused)
        else:
            self._answer(said, None)
            then()

    def _act(self, name: Any, *values: Any) -> Callable[[], None]:
        """Return the subscription in an event.

        :raises Refused: if nothing can be done about it.
        """
        if name != "subscribe":
            text = f"there is no event {shorten(str(name))}; a client sends subscribe"
            raise Refused(404, "unknown-event", text)
        wish = parse_wish(values[0] if values else None)
        subscription = allowed(wish.subscription(), self.transport.principal)

        def subscribe() -> None:
            self.subscription = subscription
            self.transport.tell(subscription)

        return subscribe

    def _answer(self, said: Said, refused: Refused | None) -> None:
        """Acknowledge an event; tell an error by an event of its own if no acknowledgement is asked."""
        error = refused and {"code": refused.code, "message": refused.message}
        if said.id is not None:
            self.transport.say(acknowledgement(said.id, {"error": error}))
        elif error:
            self.transport.say(event_of("error", error))

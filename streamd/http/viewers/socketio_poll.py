"""Socket.IO clients that poll: a viewer of the hub that is ready while one of its requests waits.

Between two requests the viewer keeps its cursor, and no messages are made for it.  So a client that
does not come back costs only its session, which ends when a ping is not answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from streamd.core.cursor import Cursor
from streamd.core.errors import Refused
from streamd.core.update import ORIGIN, Position
from streamd.http.access.principal import NOBODY, Principal
from streamd.http.access.private_answers import private
from streamd.http.request import Response
from streamd.http.viewers.conversation import Conversation
from streamd.hub.audience import Audience, Pieces
from streamd.hub.hub import Hub
from streamd.hub.open_viewers import OpenViewers
from streamd.hub.seats import Seat
from streamd.hub.sweep import PONG_WITHIN
from streamd.wire.frames import MAX_INBOUND
from streamd.wire.requests import Subscription
from streamd.wire.socketio import (
    SEPARATOR,
    SOCKET_IO_POLL,
    PacketType,
    bad_packet,
    packet,
    parse_payload,
)

POLL_PACE = 0.264
"""Seconds between two flushes to a client that polls, 33 ms times eight: each costs it a request."""

MAX_SAID = 16
"""The most packets, besides the state, that wait for the next poll of a client."""

CLOSE, NOOP, PING = map(packet, (PacketType.CLOSE, PacketType.NOOP, PacketType.PING))


class PollSession:
    """The session of one client that polls.

    :ivar sid: its identity, which is in the query of each of its requests.
    :ivar conversation: set by the maker of the session; None once it has ended.
    :ivar has_ended: whether the session has ended.
    :ivar probe: the connection by which it may change to a WebSocket, or None.
    """

    conversation: Conversation | None = None

    def __init__(
        self,
        sid: str,
        hub: Hub,
        seat: Seat,
        sessions: OpenViewers[PollSession],
        now: Callable[[], float],
        forget: Callable[[str], None],
    ) -> None:
        """:param now: returns seconds since the epoch.

        :param forget: called with the identity when the session has ended.
        """
        self.sid = sid
        self.seat = seat
        self.principal: Principal = NOBODY
        self.why = ""
        self.ready = False
        self.audience: Audience | None = None
        self.cursor = Cursor(ORIGIN, 0)
        self.unsent: Pieces | None = None
        self.ticked = True
        self.slot = 0
        self.probe: Any = None
        self._hub = hub
        self._sessions = sessions
        self._now = now
        self._forget = forget
        self._poll: Deferred[Response] | None = None
        self._posting = False
        self._pieces: list[bytes] = []
        self._said: list[bytes] = []
        self._pinged: float | None = None  # when the last ping was said that is not answered
        self.has_ended = False
        self._upgrading = False

    # -- requests ----------------------------------------------------------------------------------

    def poll(self) -> Deferred[Response]:
        """Answer with the waiting packets, or with the next one.

        :raises Refused: 400 if another poll waits; the session is closed then.
        """
        if self._poll is not None:
            self.end("it polled twice at a time", CLOSE)
            raise bad_packet("one poll at a time: the session is closed")
        self._poll = poll = Deferred[Response](lambda _: self._broke_off())
        self.ready = True
        self._hub.drained(self)
        if self._upgrading:
            self._answer(NOOP)
        elif self._said:
            self._answer()
        return poll

    def begin_post(self) -> None:
        """Note that a body is being received.

        :raises Refused: 400 if another body is being received; the session is closed then.
        """
        if self._posting:
            self.end("it posted twice at a time")
            raise bad_packet("one POST at a time: the session is closed")
        self._posting = True

    def post(self, body: bytes) -> Response:
        """Take the packets of a body.

        :raises Refused: 400 if they break the protocol, 413 if they are too many bytes; the session is
            closed then.
        """
        self._posting = False
        try:
            if len(body) > MAX_INBOUND:
                raise Refused(413, "too-large", f"a body may have {MAX_INBOUND // 1024} KiB here")
            for heard in parse_payload(body):
                if self.conversation is not None:
                    self._pinged = None
                    self.conversation.hear(heard)
        except Refused as refused:
            self.end(refused.message)
            raise
        return answer_of(b"ok")

    def _broke_off(self) -> None:
        """End the session, because the request that waited was cut off: its client is gone."""
        self._poll = None
        self.ready = False
        self.end("")

    def _answer(self, *more: bytes) -> None:
        """Answer the request that waits, if one does."""
        poll, self._poll = self._poll, None
        if poll is None:
            return
        self.ready = False
        state, self._pieces = b"".join(self._pieces), []
        said, self._said = self._said, []
        packets = [each for each in (*said, state) if each] or more
        poll.callback(answer_of(SEPARATOR.join(packets), self.principal))

    # -- the transport of the conversation ---------------------------------------------------------

    def say(self, packet: bytes) -> None:
        """Send a packet as the answer to the request that waits, or to the next one."""
        if len(self._said) >= MAX_SAID:
            self.end("too many packets wait for its next poll")
            return
        self._said.append(packet)
        self._answer()

    def tell(self, subscription: Subscription) -> None:
        """Send the client the state of a subscription from now on."""
        if self.has_ended:
            return
        paced = subscription._replace(pace=max(subscription.pace, POLL_PACE))
        self._hub.join(self, paced, SOCKET_IO_POLL, self._now(), client=self.seat.client)

    def finish(self, why: str) -> None:
        """Close the session, because the client has asked for it or did not connect."""
        self.end(why)

    # -- the viewer of the hub ---------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Take a message or a piece of it, and answer after the last piece."""
        self._pieces.append(data)
        if not self.unsent:
            self._answer()

    def proceed(self) -> None:
        """Do nothing: packets do not wait for the end of the first answer."""

    def lose(self) -> None:
        """Close the session."""
        self.end(self.why)

    def release(self) -> None:
        """Do nothing: a session keeps no bytes that the client has not read."""

    def sign_out(self) -> None:
        """Close the session: the client may no longer read its streams."""
        self.end("signed-out")

    def ping(self, now: float) -> None:
        """Ping the client, unless it has not answered the last ping."""
        if self._pinged is not None:
            self._sessions.give_up(self)
            return
        self._pinged = now
        self.say(PING)

    def check_pong(self, now: float) -> None:
        """Close the session if the client did not answer the last ping in time."""
        if self._pinged is not None and now - self._pinged >= PONG_WITHIN:
            self._sessions.give_up(self)

    # -- the end -----------------------------------------------------------------------------------

    def end(self, why: str, last: bytes = NOOP) -> None:
        """End the session; its next request gets the error for an unknown one.

        :param why: the reason, for the log.
        :param last: the packet for the request that waits.  After a close packet, python-socketio never
            reconnects; after the error it does.
        """
        if self.has_ended:
            return
        self.why = why
        self._said.append(last)
        self._close(tell=True)
        if self.conversation is not None:
            self.conversation.stop()
            self.conversation = None
        probe, self.probe = self.probe, None
        if probe is not None:
            probe.lose()

    def _close(self, tell: bool) -> None:
        self.has_ended = True
        self._forget(self.sid)
        self._answer(NOOP)
        self._sessions.closed(self, tell=tell)

    # -- the change to a WebSocket -----------------------------------------------------------------

    def begin_upgrade(self) -> None:
        """Answer polls at once from now on: the client waits for the end of its last one."""
        self._upgrading = True
        self._answer(NOOP)

    def stay(self) -> None:
        """Let polls wait again: the WebSocket was closed before the client changed to it."""
        self.probe = None
        self._upgrading = False

    def hand_over(self) -> tuple[list[bytes], Position | None]:
        """End the session; its conversation continues on a WebSocket.

        :returns: the packets that were not sent yet, and the position up to which the client has the
            state; None if it has none, or not all of it.
        """
        self.probe = None
        self._answer(NOOP)
        said, self._said = self._said, []
        has_all = self.audience is not None and self.cursor.backlog is None
        self._close(tell=False)
        return said, self.cursor.at if has_all else None


def answer_of(body: bytes, reader: Principal | None = None) -> Response:
    """Return the answer to a poll or a POST.

    :param reader: the client that must keep its rights until the answer ends; None if no rights are
        needed.
    """
    headers = {"Content-Type": "text/plain; charset=UTF-8", "Cache-Control": "no-store"}
    answer: Response = private(Response(200, body, headers, reader=reader))
    return answer

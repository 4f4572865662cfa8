"""Socket.IO: ``/socket.io/``, for clients with a library of Socket.IO 4.

Such a client opens a session by a poll or by a WebSocket, and may change from polls to a WebSocket.
A session is a viewer of the hub like others; its encoding makes packets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from streamd.core.errors import Refused
from streamd.http.access.access import Access
from streamd.http.handshake import SOCKET_IO, parse_handshake
from streamd.http.rates import Rates
from streamd.http.request import Handover, NeedsBody, Request, Response, Routes
from streamd.http.viewers.conversation import Conversation, new_identity
from streamd.http.viewers.socketio_poll import PollSession, answer_of
from streamd.http.viewers.socketio_viewer import SocketIoProtocol
from streamd.http.viewers.websocket import StreamFactory
from streamd.hub.hub import Hub
from streamd.hub.open_viewers import OpenViewers
from streamd.hub.screens import Screens
from streamd.hub.sweep import PING_EVERY, PONG_WITHIN, Sweep
from streamd.wire.socketio import open_packet

_ALLOWED = {
    "Allow": "GET, POST, OPTIONS",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "authorization, content-type, streamd-token",
}


def _refused(code: int, message: str, why: str, status: int = 400) -> Refused:
    """Return an error with the number and the text that clients of Engine.IO expect."""
    word = message.lower().replace(" ", "-")
    return Refused(status, word, why, members={"code": code, "message": message})


_BAD = partial(_refused, 3, "Bad request")


class SocketIo:
    """Answers the requests of Socket.IO.

    :ivar sockets: makes the WebSockets, and counts their viewers.
    :ivar sessions: the viewers that poll.
    :ivar note_refused: counts and logs refused clients, as the site does for requests.
    """

    def __init__(
        self, hub: Hub, sweep: Sweep, now: Callable[[], float], access: Access, rates: Rates
    ) -> None:
        """:param now: returns the time in seconds since the epoch."""
        self.sockets = StreamFactory(hub, sweep, now, Screens())
        self.sessions: OpenViewers[PollSession] = OpenViewers(hub, sweep)
        self._hub = hub
        self._now = now
        self._access = access
        self._rates = rates
        self.note_refused: Callable[[Refused, Request], None] = lambda refused, request: None
        self._by_sid: dict[str, PollSession] = {}

    @property
    def routes(self) -> Routes:
        # Clients expect 400 for a wrong method.
        methods = {"GET": self.get, "POST": self.post, "PUT": self.get, "OPTIONS": self.options}
        return {SOCKET_IO: methods}

    def options(self, request: Request) -> Response:
        """``OPTIONS /socket.io/``: a page of another origin asks before it polls."""
        self._check_origin(request)
        return Response(204, b"", _ALLOWED)

    def get(self, request: Request) -> Response | Deferred[Response]:
        """``GET /socket.io/?EIO=4&transport=polling``: open a session, or poll the session ``sid``.

        :raises Refused: 400 with a code of Engine.IO, 403 for a foreign origin, 429 or 503.
        """
        session = self._session(request)
        if session is not None:
            return session.poll()
        self._check_opening(request)
        seat = self._hub.seats.offer(request.client.group, linked=False)
        session = PollSession(
            new_identity(), self._hub, seat, self.sessions, self._now, self._forget
        )
        self._by_sid[session.sid] = session
        self.sessions.opened(session)
        session.conversation = self._conversation(request, session)
        session.conversation.start()
        return answer_of(_opening(session.sid, "websocket"))

    def post(self, request: Request) -> NeedsBody:
        """``POST /socket.io/?EIO=4&transport=polling&sid=…``: packets from the client.

        :raises Refused: as :meth:`get`.
        """
        session = self._session(request)
        assert session is not None, "only GET opens one"
        session.begin_post()
        return NeedsBody(session.post, from_anyone=True)

    def upgrade(self, request: Request) -> Handover:
        """Make a viewer from a handshake, or the probe of a session that polls.

        :raises Refused: as :meth:`get`.
        """
        self._rates.check_handshake(request)
        session = self._session(request, "websocket")
        if session is not None and session.probe is not None:
            raise _BAD("another WebSocket of this session is open")
        handshake = parse_handshake(request.headers)._replace(protocol=None)
        if session is not None:
            seat = session.seat._replace(linked=True)
            return self._handover(SocketIoProtocol(handshake, seat, b"", session), request)
        self._check_version(request)
        seat = self._hub.seats.offer(request.client.group)
        protocol = SocketIoProtocol(handshake, seat, _opening(new_identity()))
        protocol.conversation = self._conversation(request, protocol)
        return self._handover(protocol, request)

    def _handover(self, protocol: SocketIoProtocol, request: Request) -> Handover:
        protocol.factory, protocol.client = self.sockets, request.client
        return Handover(protocol)

    def _conversation(self, request: Request, transport: Any) -> Conversation:
        clock = self._hub.clock
        return Conversation(request, transport, self._access, clock, self.note_refused)

    # -- what a request asks for, in the order in which servers of Engine.IO check it ---------------

    def _session(self, request: Request, transport: str = "polling") -> PollSession | None:
        """Return the session of a request, or None if it asks for a new one.

        :param transport: the transport that carries the request.
        """
        self._check_origin(request)
        sid = request.query.get("sid")
        session = None if sid is None else self._by_sid.get(sid)
        if session is None or request.method != "GET":  # the pace of a session bounds its polls
            self._rates.check_request(request)
        asked = request.query.get("transport")
        if asked not in ("polling", "websocket"):
            raise _refused(0, "Transport unknown", "transport: expected polling or websocket")
        if sid is not None and session is None:
            why = "this node has no such session; behind a balancer, a client needs the same node"
            raise _refused(1, "Session ID unknown", why)
        if request.method not in ("GET", "POST") or (session is None and request.method != "GET"):
            raise _refused(2, "Bad handshake method", "a session is opened with GET")
        if asked != transport:
            raise _BAD(f"transport: this request came by {transport}")
        if "j" in request.query:
            raise _BAD("JSONP is not offered")
        return session

    def _check_opening(self, request: Request) -> None:
        self._check_version(request)
        self._rates.check_handshake(request)

    def _check_version(self, request: Request) -> None:
        if request.query.get("EIO") != "4":
            why = "EIO: expected 4, which clients of Socket.IO 3 and 4 send"
            raise _refused(5, "Unsupported protocol version", why)

    def _check_origin(self, request: Request) -> None:
        try:
            self._access.rules.origins.check_reader(request)
        except Refused as refused:
            members: Mapping[str, Any] = {"code": 4, "message": "Forbidden"}
            raise Refused(
                refused.status, refused.code, refused.message, members=members
            ) from refused

    # -- the end -----------------------------------------------------------------------------------

    @property
    def left(self) -> int:
        """How many viewers have ended or changed their transport since the daemon started."""
        return self.sockets.protocols.left + self.sessions.left

    def _forget(self, sid: str) -> None:
        del self._by_sid[sid]

    def judge(self, is_current: Callable[[Any], bool]) -> None:
        """Close the viewers of clients whose rights have changed."""
        self.sockets.protocols.judge(is_current)
        self.sessions.judge(is_current)

    def close_all(self) -> Deferred[None]:
        """Close every session; fires when all connections are closed.

        Clients come back by themselves.
        """
        for session in list(self.sessions):
            session.end("restart")
        return self.sockets.close_all()


def _opening(sid: str, *upgrades: str) -> bytes:
    return open_packet(sid, upgrades, PING_EVERY, PONG_WITHIN)

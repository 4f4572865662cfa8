"""Viewers on event streams: ``GET /events``, for ``curl -N``, EventSource and behind any proxy.

After the head of the answer, the connection is used like a WebSocket: the hub writes straight to the
transport.  The answer ends with the connection.

With ``for`` the stream ends after that time.  A viewer then asks again.  Some proxies hold an
answer back until it ends.  A browser opens only a few connections to one host, and an ended stream
frees one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from streamd.core.duration import parse_duration
from streamd.core.errors import Refused
from streamd.core.update import parse_position
from streamd.http.access.principal import SIGNED_OUT, Principal
from streamd.http.request import Handover, Request, Response, Routes, allowed
from streamd.hub.fast_write import FastLink
from streamd.hub.hub import Hub
from streamd.hub.open_viewers import OpenViewers
from streamd.hub.seats import Seat
from streamd.hub.sweep import Sweep
from streamd.wire.encoding import COME_BACK, Encoding, Payload
from streamd.wire.events import PLAIN_EVENTS, V1_EVENTS, event, retry
from streamd.wire.requests import LOG_HEADER, Subscription, parse_query
from streamd.wire.v1 import v1_message

MAX_SAID = 64 * 1024
"""Bytes that a viewer may send after its request; they are ignored."""

_ENCODINGS = {"": PLAIN_EVENTS, "plain": PLAIN_EVENTS, "v1": V1_EVENTS}

_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


class EventProtocol(FastLink, Protocol):
    """The event stream of one viewer."""

    def __init__(
        self,
        streams: EventStreams,
        subscription: Subscription,
        encoding: Encoding,
        seat: Seat,
        lasting: float | None,
        principal: Principal,
    ) -> None:
        """:param lasting: seconds after which the stream ends; None: it does not end by itself."""
        super().__init__()
        self.seat = seat
        self.principal = principal
        self._streams = streams
        self._subscription = subscription
        self._encoding = encoding
        self._said = 0
        self._lasting = lasting
        self._end: IDelayedCall | None = None
        self._over = False  # the time that the viewer asked for has passed
        self._finished = False  # it has got everything up to then, and comes back at once

    @property
    def hub(self) -> Hub:
        return self._streams.hub

    def connectionMade(self) -> None:
        self.take_transport()
        self._streams.protocols.opened(self)
        now, client = self._streams.now(), self.seat.client
        also = self._streams.greeting if self._encoding is V1_EVENTS else b""
        self.hub.join(self, self._subscription, self._encoding, now, also=also, client=client)
        if self._lasting is not None:
            self._end = self.hub.clock.callLater(self._lasting, self.finish)

    def dataReceived(self, data: bytes) -> None:
        self._said += len(data)
        if self._said > MAX_SAID:
            self.lose()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._end is not None and self._end.active():
            self._end.cancel()
        self._streams.protocols.closed(self, tell=not self._finished)

    def finish(self) -> None:
        """End the stream with a tick, once the viewer has all earlier messages."""
        self._over = True
        self.proceed()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self.proceed()

    def proceed(self) -> None:
        # No timer looks again: thousands of viewers that never read would keep the reactor busy.
        audience, tick = self.audience, self._encoding.tick
        has_all = (
            self.ready and not self.unsent and audience and not audience.is_behind(self.cursor)
        )
        if self._over and has_all and self not in self.hub.fills:
            self._streams.finished += 1
            self._finished = True
            self._close(tick(self._streams.now(), {}) if tick else b"")

    def restart(self) -> None:
        """Ask the viewer to reconnect to the next daemon, and close."""
        bye = v1_message("bye", {"reason": "restart", "after": COME_BACK})
        self._close(event(*bye) if self._encoding is V1_EVENTS else b"")

    def sign_out(self) -> None:
        """Close the connection: the client may no longer read its streams."""
        gone = v1_message("error", SIGNED_OUT)
        self._close(event(*gone) if self._encoding is V1_EVENTS else b"")

    def _close(self, last: bytes) -> None:
        self.hub.leave(self)
        if self.unsent:  # the rest is not made for a viewer that may not read it
            self.lose()
            return
        self.write(last)
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def ping(self, now: float) -> None:
        """Drop the viewer if it has stalled.  An event stream has no pings; the ticks replace them."""
        if self.is_stalled(now):
            self._streams.protocols.give_up(self)
        else:
            self.proceed()

    def check_pong(self, now: float) -> None:
        """Do nothing: an event stream has no pongs."""


class EventStreams:
    """Answers the requests for event streams.

    :ivar protocols: the viewers.
    :ivar greeting: the messages that v1 viewers get after the welcome; see :meth:`greet`.
    :ivar finished: how many streams have ended after the time that their viewers asked for.
    """

    def __init__(self, hub: Hub, sweep: Sweep, now: Callable[[], float]) -> None:
        """:param now: returns the time in seconds since the epoch, for messages to viewers."""
        self.hub = hub
        self.greeting = b""
        self.now = now
        self.protocols: OpenViewers[EventProtocol] = OpenViewers(hub, sweep)
        self.finished = 0

    def greet(self, messages: Iterable[Payload]) -> None:
        """Greet viewers with these messages of v1 from now on."""
        self.greeting = b"".join(event(*message) for message in messages)

    @property
    def routes(self) -> Routes:
        return {"/events": {"GET": self.get_events}}

    def get_events(self, request: Request) -> Handover:
        """``GET /events?streams=&after=&history=&pace=&for=4s&format=v1``.

        :raises Refused: 400 for an invalid subscription, 503 if there are too many viewers.
        """
        subscription = parse_query(request.query)
        last = request.headers.get("last-event-id")
        if last is not None:
            subscription = subscription._replace(after=parse_position(last), asked=True)
        subscription = allowed(subscription, request.principal)
        encoding = _ENCODINGS.get(request.query.get("format", ""))
        if encoding is None:
            raise Refused(400, "bad-format", "format: expected plain or v1")
        lasting = _lasting(request.query.get("for"))
        seat = self.hub.seats.offer(request.client.group)
        # A random wait for each viewer: after a restart they must not come back all at once.
        start = retry(random.uniform(*COME_BACK))
        protocol = EventProtocol(self, subscription, encoding, seat, lasting, request.principal)
        headers = {**_HEADERS, LOG_HEADER: str(self.hub.state.life)}
        return Handover(protocol, Response(200, b"", headers), start)

    def close_all(self) -> Deferred[None]:
        """Ask every viewer to reconnect later, and close; fires when all are closed."""
        return self.protocols.close_all(EventProtocol.restart, EventProtocol.lose)


def _lasting(text: str | None) -> float | None:
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise Refused(400, "bad-for", f"for: {error}") from None

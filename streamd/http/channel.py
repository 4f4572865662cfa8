"""One HTTP connection: the bounds that ``twisted.web.http`` leaves open.

These are an absolute deadline for each request, answers no faster than the client reads them, and one
request in each turn of the reactor.  A channel also hands its connection over to a viewer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure

from streamd.http.bodies import READ_WITHIN, SMALL
from streamd.http.exchange import Answers, Exchange
from streamd.http.head import is_ambiguous
from streamd.http.peer import Peer
from streamd.http.request import Handover, Response, error_response, head_of
from streamd.http.short_posts import ShortPosts
from streamd.hub.fast_write import write_now
from streamd.reactor.deadline import Deadline
from streamd.reactor.private_twisted import OpenChannel, give_transport

REQUEST_WITHIN = 10.0
"""Seconds from the first byte of a request to its last, even if bytes arrive all the time."""

IDLE = 60
"""Seconds for which a connection is kept between two requests."""

REFUSED_WITHIN = 2.0
"""Seconds for which the body of a refused request is still read.  Closing a connection with unread
input resets it, and the client could not read the reason."""


class Channel(OpenChannel):
    """One HTTP connection; a handshake turns it into a viewer's."""

    requestFactory = Exchange

    def __init__(self, site: Answers, peer: Peer) -> None:
        super().__init__()
        self.site = site
        self.peer = peer
        self.callLater = site.clock.callLater
        self._deadline = Deadline(site.clock)
        self._hold = Deadline(site.clock)
        self._held: list[Callable[[], None]] = []  # called when the hold ends
        self._deaf = False  # input is ignored: a request was refused
        self._blocked = False  # the peer has not yet read what was written
        self._short = ShortPosts(self)

    def connectionMade(self) -> None:
        self.site.connected(self)
        self.timeOut = IDLE
        # An answer is counted until this many bytes of it are left.  TLS keeps Twisted's 64 KiB.
        self.transport.bufferSize = SMALL
        super().connectionMade()
        self._expect_request()

    def getPeer(self) -> Any:
        return self.peer.address

    def getHost(self) -> Any:
        return self.peer.port

    def dataReceived(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._short.waiting is not None:  # the next request waits in the buffer
            self.transport.pauseProducing()
            super().dataReceived(data)
            return
        if not (self.requests or self.paused or self.has_more()) and self._short.take(data):
            return
        if not self.requests:
            self._expect_request()
        super().dataReceived(data)

    def wait_for_answer(self, rest: bytes) -> None:
        """Take no other request until :meth:`send_answer`.

        :param rest: the bytes that came after the request; later bytes are kept behind them.
        """
        self.paused = True
        self.setTimeout(None)
        if rest:
            self.transport.pauseProducing()
            super().dataReceived(rest)  # only kept

    def send_answer(self, answer: bytes, rest: bytes) -> None:
        """Send the answer to a short post.

        :param rest: the bytes that came after the request.
        """
        self._deadline.cancel()
        self.setTimeout(IDLE)
        write_now(self.transport, answer)
        if rest:
            self.paused = True
            super().dataReceived(rest)  # only kept
        if self.has_more():
            self._take_turns()
        else:
            self.paused = self._blocked

    def headerReceived(self, line: bytes) -> bool:
        if is_ambiguous(line):
            self.refuse_malformed()
            return False
        # Python converts no more than 4300 digits, and raises ValueError for the length of a body that
        # has more.
        try:
            return bool(super().headerReceived(line))
        except ValueError:
            self.refuse_malformed()
            return False

    def hold(self, seconds: float, client: str, then: Callable[[], None]) -> None:
        """Pause this connection for some seconds; then call ``then``, and resume it.

        After the pause it waits for its client's turn, because many pauses may end at the same time.

        :param client: the address under which the client is counted.
        """
        self._wait(then)
        self._hold.set(seconds, partial(self.site.turns.call, self._release, client))

    def _wait(self, then: Callable[[], None]) -> None:
        self._held = [then]
        self.paused = True
        self.transport.pauseProducing()

    def _release(self) -> None:
        held, self._held = self._held, []
        for call in held:
            call()
        self._go_on()

    def allContentReceived(self) -> None:
        if self._held:  # the request has no body
            self._held.append(self.allContentReceived)
        elif not self._deaf:
            self._deadline.cancel()
            if self.requests[-1].has_drafts:
                super().allContentReceived()
            else:
                self._wait(super().allContentReceived)
                client = self.peer.client(self.requests[-1].forwarded_for)
                self.site.turns.call(self._release, client.group)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._deadline.cancel()
        self._hold.cancel()
        self._held = []
        self._short.leave()
        self.site.disconnected(self)
        for request in self.requests:
            request.forget_body()
        super().connectionLost(reason)

    def timeoutConnection(self) -> None:
        """Drop an idle connection; Twisted would log it."""
        self.abort()

    def pauseProducing(self) -> None:
        """Answer no further request, even one that has arrived, until the last answer was sent.

        Twisted stops reading but answers all that it has read: 64 KiB of requests can ask for 80 MB.
        """
        super().pauseProducing()
        self.transport.pauseProducing()
        self._blocked = self.paused = True

    def resumeProducing(self) -> None:
        """Answer requests again: the last answer was sent."""
        super().resumeProducing()
        self._blocked = self.paused = False
        self._parse_more()

    def loseConnection(self) -> None:
        """Close once the answer is sent, or at a deadline if the peer does not read it."""
        self._deadline.set(READ_WITHIN, self.abort)
        super().loseConnection()  # the connection may end in this call

    def abort(self) -> None:
        """Close without waiting for the peer to read."""
        if self.transport is not None:
            self.transport.abortConnection()

    def requestDone(self, request: Any) -> None:
        """Answer one request in each turn of the reactor: a flood must not delay other connections."""
        self.paused = True
        super().requestDone(request)
        if self.has_more() and self.persistent:
            self._take_turns()
        else:
            self.paused = self._blocked

    def _take_turns(self) -> None:
        """Go on in the next turn of the reactor."""
        self.transport.pauseProducing()
        self.callLater(0, self._go_on)

    def _go_on(self) -> None:
        is_open = self.transport is not None and self.transport.connected
        if not is_open or self._blocked or self._held:
            return
        self.paused = False
        self.transport.resumeProducing()
        self._parse_more()

    def _parse_more(self) -> None:
        if self.has_more() and not self.requests:
            self._expect_request()
        super().dataReceived(b"")

    def refuse(self, response: Response) -> None:
        """Answer a request before all of it has arrived, ignore the rest of the input, and close."""
        if self._deaf:
            return
        self._deaf = True
        self.clearLineBuffer()
        self.tell_refusal(response, persistent=False)
        if isinstance(self.transport, ProtocolWrapper):
            # TLS sends its closing alert, and reads until the peer sends one as well.
            super().loseConnection()
        else:
            self.transport.loseWriteConnection()
        self._deadline.set(REFUSED_WITHIN, self.abort)

    def tell_refusal(self, response: Response, persistent: bool) -> None:
        """Answer a request that did not come through this channel.

        :param persistent: whether another request may follow on the connection.
        """
        body = response.body if isinstance(response.body, bytes) else b""
        headers = {**self.site.security, **response.headers, "Content-Length": str(len(body))}
        self.write(head_of(response.status, headers, persistent) + body)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.refuse_malformed()

    def refuse_malformed(self) -> None:
        message = "this is not HTTP, or its head is larger than 16 KiB"
        self.refuse(error_response(400, "bad-request", message))

    def hand_over(self, handover: Handover) -> None:
        """Give the connection to a viewer, with the bytes that arrived after the request."""
        self.setTimeout(None)
        self.site.disconnected(self)
        transport, self.transport = self.transport, None
        hand_over(self.site, transport, handover.protocol, self.clearLineBuffer())

    def _expect_request(self) -> None:
        if not self._deadline:
            self._deadline.set(REQUEST_WITHIN, self.abort)


def hand_over(site: Answers, transport: Any, protocol: Any, received: bytes) -> None:
    """Give a connection to another protocol, with the bytes that have arrived on it."""
    try:
        give_transport(transport, protocol)
        transport.resumeProducing()
        protocol.dataReceived(received)
    except Exception:  # no other protocol has the connection any more
        site.note_failure("a connection could not be handed over", Failure())
        transport.abortConnection()

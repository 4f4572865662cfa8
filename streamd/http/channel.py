"""One HTTP connection: what ``twisted.web.http`` leaves open is closed here.

An absolute deadline for a request, bounds for bodies, a producer for large answers, compression,
and the hand-over of a connection to somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote_to_bytes

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from twisted.web import http

from streamd.core.errors import Refused
from streamd.http.access import Access
from streamd.http.bodies import (
    _GZIP,
    READ_WITHIN,
    _is_worth_packing,
    _packed,
    _Parts,
    _whole,
)
from streamd.http.request import (
    SECURITY,
    Handover,
    Request,
    Response,
    error_response,
    last_head,
    phrase,
)

REQUEST_WITHIN = 10.0
"""Seconds from the first byte of a request to its last, however busily it drips."""

IDLE = 60
"""Seconds for which a connection is kept between two requests."""

REFUSED_WITHIN = 2.0
"""Seconds for which we go on reading from somebody whose body was refused, so that he can read why:
closing over what was not read would reset the connection."""

MAX_BODY = 1024 * 1024
"""Bytes: some ten thousand numbers in one PATCH."""

MAX_BODIES = 8 * MAX_BODY
"""Bytes of all bodies that are under way, as far as they are longer than :data:`SMALL_BODY`."""

SMALL_BODY = 16 * 1024
"""Bytes that everybody may send, however much others do: those who fill up :data:`MAX_BODIES` and
stop cannot keep a shell from publishing a number."""

CHUNK = 64
"""Bytes that a piece of a body counts at least: a megabyte in chunks of one byte takes a second."""

_ABSOLUTE = re.compile(rb"^https?://[^/?]*", re.IGNORECASE)
"""What a proxy may put before the path of a request's target (RFC 9112, section 3.2.2)."""

Answer = Response | Handover | Deferred[Response]


class Answers(Protocol):
    """What a channel asks of its site.

    :ivar bodies: bytes of all bodies that are under way.
    """

    access: Access
    clock: IReactorTime
    bodies: int

    def answer(self, request: Request) -> Answer:
        """What ``request`` gets.

        :raises Refused: what the asker may read.
        """

    def viewer(self, request: Request) -> Handover | None:
        """Who gets the connection if ``request`` is a WebSocket handshake; None if it is not.

        :raises Refused: what the asker may read.
        """

    def connected(self, channel: Any) -> None:
        """A connection speaks HTTP, or says nothing yet."""

    def disconnected(self, channel: Any) -> None:
        """It does no more."""

    def note_failure(self, what: str, failure: Failure) -> None:
        """What no client may read."""


class Exchange(http.Request):
    """One request as it arrives, and its answer as it leaves."""

    channel: Channel
    content: BytesIO
    _size = 0  # of the body so far, as it counts

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()  # never a temporary file

    def parseCookies(self) -> None:
        """There are none."""

    def handleContentChunk(self, data: bytes) -> None:
        before = self._size
        self._size += max(len(data), CHUNK)
        self.channel.site.bodies += _large(self._size) - _large(before)
        if self.content.tell() + len(data) > MAX_BODY or self._size > MAX_BODY + CHUNK:
            message = f"a body may have {MAX_BODY // 1024} KiB"
            self.channel.refuse(error_response(413, "too-large", message))
        elif self._size > SMALL_BODY and self.channel.site.bodies > MAX_BODIES:
            message = "too much is being published at once"
            self.channel.refuse(error_response(503, "busy", message, {"Retry-After": "1"}))
        else:
            self.content.write(data)

    def forget_body(self) -> None:
        """It is no longer under way."""
        self.channel.site.bodies -= _large(self._size)
        self._size = 0

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        self.method, self.uri, self.clientproto = command, path, version
        self.forget_body()
        self.process()

    def process(self) -> None:
        answered: Deferred[Response | Handover] = maybeDeferred(self._answer)
        if not answered.called:  # whoever waits for it may go away meanwhile
            self.notifyFinish().addErrback(lambda _: answered.cancel())
        answered.addErrback(self._explain).addCallback(self._send).addErrback(self._broken)

    def _answer(self) -> Any:
        request = self._as_request()
        self.channel.site.access.check_head(request)
        return self.channel.site.answer(request)

    def _as_request(self) -> Request:
        headers = {
            name.decode("latin-1").lower(): ", ".join(v.decode("latin-1") for v in values)
            for name, values in self.requestHeaders.getAllRawHeaders()
        }
        return make_request(
            self.method, self.uri, self.clientproto, headers, self.channel, self.content.getvalue()
        )

    def _explain(self, failure: Failure) -> Response:
        error = failure.value
        if isinstance(error, CancelledError):  # nobody waits any more
            return Response(503)
        if not isinstance(error, Refused):
            self.channel.site.note_failure("a request failed", failure)
            return error_response(500, "internal", "streamd failed on this; its log says why")
        headers = {}
        if error.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        elif error.status in (429, 503):
            headers["Retry-After"] = "5"
        return error_response(error.status, error.code, error.message, headers)

    def _send(self, response: Response | Handover) -> None:
        if self._disconnected:
            return
        if isinstance(response, Handover):
            self._hand_over(response)
            return
        body = _whole(response.body)
        headers = {**SECURITY, **self._cross_origin(response), **response.headers}
        if _is_worth_packing(response, body) and self._unpacks():
            body = _packed(body)
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding, Origin"}
        self.setResponseCode(response.status, phrase(response.status).encode())
        for name, value in headers.items():
            self.responseHeaders.setRawHeaders(name, [value])
        if isinstance(body, bytes):
            if response.status not in (204, 304):
                self.responseHeaders.setRawHeaders("Content-Length", [str(len(body))])
            self.write(body)
            self.finish()
        elif self.method == b"HEAD":
            self.write(b"")
            self.finish()
        else:
            _Parts(self, body, self.channel.site.clock).start()

    def _hand_over(self, handover: Handover) -> None:
        if handover.head is not None:
            response = handover.head
            headers = {**self._cross_origin(response), **response.headers}
            self.channel.write(last_head(response.status, headers))
        if self.method == b"HEAD":
            self.channel.loseConnection()
        else:
            self.channel.hand_over(handover)

    def _unpacks(self) -> bool:
        return _GZIP.search(self._header(b"accept-encoding")) is not None

    def _cross_origin(self, response: Response) -> Mapping[str, str]:
        """A page of another origin that may read is told so; whether it may was judged before."""
        origin = self._header(b"origin")
        if not origin or response.status >= 400:
            return {}
        return {
            "Access-Control-Expose-Headers": "ETag, Streamd-Position",
            "Access-Control-Allow-Origin": origin,
            "Vary": "Origin",
        }

    def _header(self, name: bytes) -> str:
        # Of bytes: Twisted would read text as UTF-8, and fail where it is none.
        values = self.requestHeaders.getRawHeaders(name, [])
        return b",".join(values).decode("ascii", "backslashreplace")

    def _broken(self, failure: Failure) -> None:
        self.channel.site.note_failure("an answer could not be sent", failure)
        self.loseConnection()


class Channel(http.HTTPChannel):
    """One connection that speaks HTTP, until it may become a WebSocket."""

    site: Answers
    transport: Any
    callLater: Any  # the factory sets it: the reactor whose clock is ours
    _deadline: IDelayedCall | None = None
    _deaf = False

    def connectionMade(self) -> None:
        self.site.connected(self)
        self.timeOut = IDLE
        super().connectionMade()
        self._expect_request()

    def dataReceived(self, data: bytes) -> None:
        if self._deaf:
            return
        if not self.requests:
            self._expect_request()
        super().dataReceived(data)

    def allContentReceived(self) -> None:
        if not self._deaf:
            self._calm()
            super().allContentReceived()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._calm()
        self.site.disconnected(self)
        for request in self.requests:
            request.forget_body()
        super().connectionLost(reason)

    def timeoutConnection(self) -> None:
        """An idle connection is nothing to log."""
        self.abort()

    def pauseProducing(self) -> None:
        """Some of an answer stays behind: answer no further request either, though it be here.

        Twisted stops to read, but answers all that it has read: 64 KiB of requests can ask for 80 MB.
        """
        super().pauseProducing()
        self._networkProducer.pauseProducing()
        self.paused = True

    def resumeProducing(self) -> None:
        """It has left: go on."""
        super().resumeProducing()
        self.paused = False
        if self._buffer and not self.requests:
            self._expect_request()
        super().dataReceived(b"")

    def loseConnection(self) -> None:
        """Close when the answer has left; who does not read it cannot keep the connection."""
        self._calm()
        self._deadline = self.callLater(READ_WITHIN, self.abort)
        super().loseConnection()  # which may be the end, at once

    def abort(self) -> None:
        """Close without waiting for what was not read."""
        if self.transport is not None:
            self.transport.abortConnection()

    def requestDone(self, request: Any) -> None:
        """One request of a connection a turn: a flood of them must not keep others waiting."""
        self.paused = True
        super().requestDone(request)
        if self._buffer and self.persistent:
            self._networkProducer.pauseProducing()
            self.callLater(0, self._go_on)
        elif not self._waitingForTransport:
            self.paused = False

    def _go_on(self) -> None:
        if self.transport is None or not self.transport.connected or self._waitingForTransport:
            return
        self.paused = False
        self._networkProducer.resumeProducing()
        self._expect_request()
        super().dataReceived(b"")

    def refuse(self, response: Response) -> None:
        """Answer a request that is not whole yet, and hear nothing more."""
        if self._deaf:
            return
        self._deaf = True
        self.clearLineBuffer()
        body = response.body if isinstance(response.body, bytes) else b""
        self.write(last_head(response.status, response.headers) + body)
        if isinstance(self.transport, ProtocolWrapper):
            # TLS says that nothing follows, and goes on reading until the peer says so, too.
            super().loseConnection()
        else:
            self.transport.loseWriteConnection()
        self._calm()
        self._deadline = self.callLater(REFUSED_WITHIN, self.abort)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A head of one endless line."""
        self._respondToBadRequestAndDisconnect()

    def _respondToBadRequestAndDisconnect(self) -> None:
        # Twisted's own answer has no headers and no body.
        message = "this is not HTTP, or its head is larger than 16 KiB"
        self.refuse(error_response(400, "bad-request", message))

    def hand_over(self, handover: Handover) -> None:
        """From now on the connection belongs to somebody else.

        What arrived in the same segment after the request is passed on.
        """
        self.setTimeout(None)
        self.site.disconnected(self)
        transport, self.transport = self.transport, None
        hand_over(self.site, transport, handover.protocol, self.clearLineBuffer())

    def _expect_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.callLater(REQUEST_WITHIN, self.abort)

    def _calm(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None


def make_request(
    method: bytes,
    uri: bytes,
    version: bytes,
    headers: Mapping[str, str],
    connection: Any,
    body: bytes = b"",
) -> Request:
    """A request as its head says it.

    :param connection: from whom; anything with ``getPeer``.
    :raises Refused: 400 if the request line cannot be read.
    """
    path, _, query = _ABSOLUTE.sub(b"", uri).partition(b"?")
    try:
        return Request(
            method=method.decode("ascii"),
            path=unquote_to_bytes(path).decode(),
            query=dict(parse_qsl(query.decode("latin-1"), True, max_num_fields=100))
            if query
            else {},
            headers=headers,
            body=body,
            host=getattr(connection.getPeer(), "host", ""),
            version=version.decode("latin-1"),
        )
    except ValueError:
        raise Refused(400, "bad-request", "the request line is malformed") from None


def hand_over(site: Answers, transport: Any, protocol: Any, received: bytes) -> None:
    """Give a connection to another protocol, and what has arrived on it."""
    if isinstance(transport, ProtocolWrapper):  # TLS
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    try:
        protocol.makeConnection(transport)
        transport.resumeProducing()
        protocol.dataReceived(received)
    except Exception:  # nobody else has it any more
        site.note_failure("a connection could not be handed over", Failure())
        transport.abortConnection()


def _large(size: int) -> int:
    """What of a body counts for all bodies together."""
    return max(0, size - SMALL_BODY)

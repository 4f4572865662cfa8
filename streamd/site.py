"""HTTP on the port: which request goes where, and the headers that every answer carries.

``twisted.web.http`` parses; what it leaves open is closed here: an absolute deadline for a request, a
bound for bodies, a producer for large answers, and the hand-over of a connection to a WebSocket.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IPullProducer,
    IReactorTime,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from twisted.web import http
from zope.interface import implementer

from streamd.access import Access
from streamd.http import SECURITY, Handover, Request, Response, error_response, last_head
from streamd.transports.events import EventStreams
from streamd.transports.poll import Polls
from streamd.transports.publish import Publisher
from streamd.transports.read import Reader
from streamd.transports.websocket import StreamFactory
from streamd.update import Refused

REQUEST_WITHIN = 10.0
"""Seconds from the first byte of a request to its last, however busily it drips."""

IDLE = 60
"""Seconds for which a connection is kept between two requests."""

READ_WITHIN = 60.0
"""Seconds for which a reader may leave one part of a large answer unread."""

MAX_BODY = 1024 * 1024
"""Bytes: some ten thousand numbers in one PATCH."""

_ABSOLUTE = re.compile(rb"^https?://[^/?]*", re.IGNORECASE)
"""What a proxy may put before the path of a request's target (RFC 9112, section 3.2.2)."""

Answer = Response | Handover | Deferred[Response]
View = Callable[..., Answer]

_GZIP = re.compile(r"(?:^|[,\s])(?:gzip|\*)\s*(?:$|,|;\s*q=(?:1|0\.[0-9]*[1-9]))", re.IGNORECASE)
"""An Accept-Encoding that takes gzip (RFC 9110, section 12.5.3)."""

WORTH_PACKING = 1024
"""Bytes: below it an answer fits one segment anyway."""


class Route(NamedTuple):
    """A path and what can be done there; the groups of the pattern are handed to the view."""

    pattern: re.Pattern[str]
    views: Mapping[str, View]


class Exchange(http.Request):
    """One request as it arrives, and its answer as it leaves."""

    channel: Channel
    content: BytesIO
    _too_large = False

    def gotLength(self, length: int | None) -> None:
        # Never a temporary file: what is longer than MAX_BODY is not kept at all.
        self.content = BytesIO()
        self._too_large = length is not None and length > MAX_BODY

    def parseCookies(self) -> None:
        """There are none."""

    def handleContentChunk(self, data: bytes) -> None:
        self._too_large = self._too_large or self.content.tell() + len(data) > MAX_BODY
        if not self._too_large:
            self.content.write(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        self.method, self.uri, self.clientproto = command, path, version
        self.process()

    def process(self) -> None:
        answered: Deferred[Response | Handover] = maybeDeferred(self._answer)
        if not answered.called:  # whoever waits for it may go away meanwhile
            self.notifyFinish().addErrback(lambda _: answered.cancel())
        answered.addErrback(self._explain).addCallback(self._send).addErrback(self._broken)

    def _answer(self) -> Any:
        if self._too_large:
            raise Refused(413, "too-large", f"a body may have {MAX_BODY // 1024} KiB")
        request = self._as_request()
        self.channel.site.access.check_head(request)
        return self.channel.site.answer(request)

    def _as_request(self) -> Request:
        path, _, query = _ABSOLUTE.sub(b"", self.uri).partition(b"?")
        headers = {
            name.decode("latin-1").lower(): ", ".join(v.decode("latin-1") for v in values)
            for name, values in self.requestHeaders.getAllRawHeaders()
        }
        try:
            return Request(
                method=self.method.decode("ascii"),
                path=unquote_to_bytes(path).decode(),
                query=dict(parse_qsl(query.decode("latin-1"), True, max_num_fields=100)),
                headers=headers,
                body=self.content.getvalue(),
                host=getattr(self.channel.getPeer(), "host", ""),
                version=self.clientproto.decode("latin-1"),
            )
        except ValueError:
            raise Refused(400, "bad-request", "the request line is malformed") from None

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
        self.setResponseCode(response.status)
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
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}

    def _header(self, name: bytes) -> str:
        # Of bytes: Twisted would read text as UTF-8, and fail where it is none.
        values = self.requestHeaders.getRawHeaders(name, [])
        return b",".join(values).decode("ascii", "backslashreplace")

    def _broken(self, failure: Failure) -> None:
        self.channel.site.note_failure("an answer could not be sent", failure)
        self.loseConnection()


@implementer(IPullProducer)
class _Parts:
    """Writes a large answer part by part, each when the one before it has left."""

    def __init__(self, exchange: Exchange, parts: Iterator[bytes], clock: IReactorTime) -> None:
        self._exchange = exchange
        self._parts = parts
        self._clock = clock
        self._deadline: IDelayedCall | None = None

    def start(self) -> None:
        self._exchange.notifyFinish().addBoth(lambda _: self._calm())
        self._exchange.registerProducer(self, False)

    def resumeProducing(self) -> None:
        self._calm()
        try:
            part = next(self._parts, None)
        except Exception:  # half an answer must not be taken for a whole one
            self._exchange.channel.site.note_failure("an answer broke off", Failure())
            self._exchange.unregisterProducer()
            self._exchange.channel.abort()
            return
        if part is not None:
            self._deadline = self._clock.callLater(READ_WITHIN, self._exchange.channel.abort)
            self._exchange.write(part)
        else:
            self._exchange.unregisterProducer()
            self._exchange.finish()

    def stopProducing(self) -> None:
        self._calm()

    def _calm(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None


class Channel(http.HTTPChannel):
    """One connection that speaks HTTP, until it may become a WebSocket."""

    site: Site
    transport: Any
    callLater: Any  # the factory sets it: the reactor whose clock is ours
    _deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self.site.connected(self)
        super().connectionMade()
        self._expect_request()

    def dataReceived(self, data: bytes) -> None:
        if not self.requests:
            self._expect_request()
        super().dataReceived(data)

    def allContentReceived(self) -> None:
        self._calm()
        super().allContentReceived()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._calm()
        self.site.disconnected(self)
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
        super().dataReceived(b"")

    def loseConnection(self) -> None:
        """Close when the answer has left; who does not read it cannot keep the connection."""
        super().loseConnection()
        self._calm()
        self._deadline = self.callLater(READ_WITHIN, self.abort)

    def abort(self) -> None:
        """Close without waiting for what was not read."""
        if self.transport is not None:
            self.transport.abortConnection()

    def lineLengthExceeded(self, line: bytes) -> None:
        """A head of one endless line."""
        self._respondToBadRequestAndDisconnect()

    def _respondToBadRequestAndDisconnect(self) -> None:
        # Twisted's own answer has no headers and no body.
        response = error_response(
            400, "bad-request", "this is not HTTP, or its head is larger than 16 KiB"
        )
        assert isinstance(response.body, bytes)
        self.write(last_head(400, response.headers) + response.body)
        self.loseConnection()

    def hand_over(self, handover: Handover) -> None:
        """From now on the connection belongs to somebody else.

        What arrived in the same segment after the request is passed on.
        """
        protocol = handover.protocol
        self.setTimeout(None)
        self.site.disconnected(self)
        transport, self.transport = self.transport, None
        if isinstance(transport, ProtocolWrapper):  # TLS
            transport.wrappedProtocol = protocol
        else:
            transport.protocol = protocol
        protocol.makeConnection(transport)
        transport.resumeProducing()
        protocol.dataReceived(handover.received + self.clearLineBuffer())

    def _expect_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.callLater(REQUEST_WITHIN, self.abort)

    def _calm(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None


class Site(http.HTTPFactory):
    """Everything that is served on the port.

    :ivar channels: connections that speak HTTP now.
    """

    noisy = False
    _log = Logger()

    def __init__(
        self,
        access: Access,
        reader: Reader,
        publisher: Publisher,
        viewers: StreamFactory,
        events: EventStreams,
        polls: Polls,
        page: Mapping[str, Response],
        clock: IReactorTime,
        max_connections: int,
    ) -> None:
        super().__init__(timeout=IDLE, reactor=clock)
        self.access = access
        self.clock = clock
        self.channels: set[Channel] = set()
        self.turned_away = 0
        self._sets: Sequence[Collection[object]] = (
            self.channels,
            viewers.protocols,
            events.protocols,
        )
        self._upgrade = viewers.upgrade
        self._max_connections = max_connections
        name = r"([^/]+)"
        routes: dict[str, dict[str, View]] = {
            "/state": {"GET": reader.get_state, "PATCH": publisher.patch_state},
            "/streams": {"GET": reader.get_streams},
            f"/streams/{name}": {
                "GET": reader.get_stream,
                "POST": publisher.post_stream,
                "DELETE": publisher.delete_stream,
            },
            f"/widgets/{name}": {"POST": publisher.post_widget},
            "/events": {"GET": events.get_events},
            "/updates": {"GET": polls.get_updates},
            "/healthz": {"GET": reader.get_health},
            "/ws": {"GET": _want_upgrade},
        }
        self._routes = [Route(re.compile(path), views) for path, views in routes.items()]
        self._page = page

    def buildProtocol(self, addr: IAddress | None) -> Any:
        if sum(map(len, self._sets)) >= self._max_connections:
            self.turned_away += 1
            return None
        channel = Channel()
        channel.site = self
        channel.requestFactory = Exchange
        channel.factory = self
        channel.callLater = self.clock.callLater
        channel.timeOut = IDLE
        return channel

    def startFactory(self) -> None:
        """No access log, and so no timer for its date."""

    def stopFactory(self) -> None:
        """See startFactory."""

    def log(self, request: http.Request) -> None:
        """No access log."""

    def note_failure(self, what: str, failure: Failure) -> None:
        """What no client may read."""
        self._log.failure(what, failure)

    def connected(self, channel: Channel) -> None:
        self.channels.add(channel)

    def disconnected(self, channel: Channel) -> None:
        self.channels.discard(channel)

    def close_all(self) -> None:
        """Close what still speaks HTTP."""
        for channel in list(self.channels):
            channel.abort()

    def answer(self, request: Request) -> Answer:
        """What ``request`` gets.

        :raises Refused: what the asker may read.
        """
        if _wants_websocket(request):
            self.access.check_reader(request.headers)
            return self._upgrade(request)
        page = self._page.get(request.path)
        if page is not None and request.method in ("GET", "HEAD"):
            self.access.check_reader(request.headers)
            return _unless_known(page, request)
        for route in self._routes:
            match = route.pattern.fullmatch(request.path)
            if match:
                return self._call(route, match, request)
        if page is not None:
            return _not_allowed(("GET",))
        raise Refused(404, "not-found", "there is nothing here")

    def _call(self, route: Route, match: re.Match[str], request: Request) -> Answer:
        method = "GET" if request.method == "HEAD" else request.method
        if method == "OPTIONS":
            self.access.check_reader(request.headers)
            allowed = ", ".join(route.views)
            return Response(
                204,
                b"",
                {
                    "Allow": allowed,
                    "Access-Control-Allow-Methods": allowed,
                    "Access-Control-Allow-Headers": "authorization, content-type, "
                    "idempotency-key, last-event-id, streamd-time",
                },
            )
        view = route.views.get(method)
        if view is None:
            return _not_allowed(route.views)
        if method == "GET":
            self.access.check_reader(request.headers)
        return view(request, *match.groups())


def _whole(parts: bytes | Iterator[bytes]) -> bytes | Iterator[bytes]:
    """A body that has one part only is sent with its length."""
    if isinstance(parts, bytes):
        return parts
    first, second = next(parts, b""), next(parts, None)
    return first if second is None else chain((first, second), parts)


def _is_worth_packing(response: Response, body: bytes | Iterator[bytes]) -> bool:
    kind = response.headers.get("Content-Type", "")
    is_text = kind.startswith("text/") or "json" in kind or "javascript" in kind or "svg" in kind
    return is_text and (not isinstance(body, bytes) or len(body) >= WORTH_PACKING)


def _packed(body: bytes | Iterator[bytes]) -> bytes | Iterator[bytes]:
    if isinstance(body, bytes):
        return gzip.compress(body, 6, mtime=0)
    packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return (part for text in chain(map(packer.compress, body), _last(packer)) if (part := text))


def _last(packer: Any) -> Iterator[bytes]:
    yield packer.flush()


def _want_upgrade(request: Request) -> Response:
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    return error_response(426, "upgrade-required", "this path is a WebSocket", headers)


def _not_allowed(methods: Iterable[str]) -> Response:
    return error_response(
        405, "not-allowed", f"possible here: {', '.join(methods)}", {"Allow": ", ".join(methods)}
    )


def _wants_websocket(request: Request) -> bool:
    return (
        request.method == "GET"
        and request.path in ("/", "/ws")
        and "websocket" in request.headers.get("upgrade", "").lower()
    )


def _unless_known(page: Response, request: Request) -> Response:
    if page.headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(304, b"", page.headers)
    return page


def load_page(folder: Path) -> dict[str, Response]:
    """The static page, read once: path -> answer.  Nothing else of the disk can be asked for.

    :raises FileNotFoundError: if there is no ``index.html``.
    """
    page: dict[str, Response] = {}
    for file in sorted(folder.rglob("*")):
        relative = file.relative_to(folder)
        if not file.is_file() or any(part.startswith(".") for part in relative.parts):
            continue
        body = file.read_bytes()
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        page[f"/{relative.as_posix()}"] = Response(
            200,
            body,
            {
                "Content-Type": kind,
                "Cache-Control": "no-cache",
                "ETag": f'"{hashlib.sha256(body).hexdigest()[:16]}"',
            },
        )
    if "/index.html" not in page:
        raise FileNotFoundError(folder / "index.html")
    page["/"] = page["/index.html"]
    return page

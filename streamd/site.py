"""HTTP on the port: which request goes where, and the headers that every answer carries.

``twisted.web.http`` parses; what it leaves open is closed here: an absolute deadline for a request, a
bound for bodies, a producer for large answers, and the hand-over of a connection to a WebSocket.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocol,
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
from streamd.http import Request, Response, error_response
from streamd.transports.publish import Publisher
from streamd.transports.read import Reader
from streamd.transports.websocket import StreamFactory
from streamd.update import Refused
from streamd.wire import parse_query

REQUEST_WITHIN = 10.0
"""Seconds from the first byte of a request to its last, however busily it drips."""

IDLE = 60
"""Seconds for which a connection is kept between two requests."""

READ_WITHIN = 60.0
"""Seconds for which a reader may leave one part of a large answer unread."""

MAX_BODY = 1024 * 1024
"""Bytes: some ten thousand numbers in one PATCH."""

SECURITY = {
    "Content-Security-Policy": "default-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

_ABSOLUTE = re.compile(rb"^https?://[^/?]*", re.IGNORECASE)
"""What a proxy may put before the path of a request's target (RFC 9112, section 3.2.2)."""

View = Callable[..., "Response | Deferred[Response]"]


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
        answered: Deferred[Response | None] = maybeDeferred(self._answer)
        answered.addErrback(self._explain).addCallback(self._send).addErrback(self._broken)

    def _answer(self) -> Any:
        if self._too_large:
            raise Refused(413, "too-large", f"a body may have {MAX_BODY // 1024} KiB")
        request = self._as_request()
        self.channel.site.access.check_head(request)
        return self.channel.site.answer(request, self)

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
        if not isinstance(error, Refused):
            self.channel.site.note_failure("a request failed", failure)
            return error_response(500, "internal", "streamd failed on this; its log says why")
        headers = {}
        if error.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        elif error.status in (429, 503):
            headers["Retry-After"] = "5"
        return error_response(error.status, error.code, error.message, headers)

    def _send(self, response: Response | None) -> None:
        if response is None or self._disconnected:
            return
        self.setResponseCode(response.status)
        headers = {**SECURITY, **self._cross_origin(), **response.headers}
        for name, value in headers.items():
            self.responseHeaders.setRawHeaders(name, [value])
        body = _whole(response.body)
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

    def _cross_origin(self) -> Mapping[str, str]:
        """A page of another origin that may read is told so; whether it may was judged before."""
        origin = self.requestHeaders.getRawHeaders("origin")
        if not origin or self.code >= 400:
            return {}
        return {"Access-Control-Allow-Origin": origin[0], "Vary": "Origin"}

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
        part = next(self._parts, None)
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

    def abort(self) -> None:
        """Close without waiting for what was not read."""
        if self.transport is not None:
            self.transport.abortConnection()

    def hand_over(self, protocol: IProtocol, head: bytes) -> None:
        """From now on the connection belongs to ``protocol``, which is told ``head`` first.

        What arrived in the same segment after the request follows.
        """
        self.setTimeout(None)
        self.site.disconnected(self)
        transport, self.transport = self.transport, None
        if isinstance(transport, ProtocolWrapper):  # TLS
            transport.wrappedProtocol = protocol
        else:
            transport.protocol = protocol
        protocol.makeConnection(transport)
        transport.resumeProducing()
        protocol.dataReceived(head + self.clearLineBuffer())

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
        page: Mapping[str, Response],
        clock: IReactorTime,
        max_connections: int,
    ) -> None:
        super().__init__(timeout=IDLE, reactor=clock)
        self.access = access
        self.clock = clock
        self.channels: set[Channel] = set()
        self.turned_away = 0
        self._viewers = viewers
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
            "/healthz": {"GET": reader.get_health},
            "/ws": {"GET": _want_upgrade},
        }
        self._routes = [Route(re.compile(path), views) for path, views in routes.items()]
        self._page = page

    def buildProtocol(self, addr: IAddress | None) -> Any:
        if len(self.channels) + len(self._viewers.protocols) >= self._max_connections:
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

    def answer(self, request: Request, exchange: Exchange) -> Response | Deferred[Response] | None:
        """What ``request`` gets; None: the connection is a WebSocket's now.

        :raises Refused: what the asker may read.
        """
        if _wants_websocket(request):
            self._upgrade(request, exchange)
            return None
        page = self._page.get(request.path)
        if page is not None and request.method in ("GET", "HEAD"):
            return _unless_known(page, request)
        for route in self._routes:
            match = route.pattern.fullmatch(request.path)
            if match:
                return self._call(route, match, request)
        if page is not None:
            return _not_allowed(("GET",))
        raise Refused(404, "not-found", "there is nothing here")

    def _call(
        self, route: Route, match: re.Match[str], request: Request
    ) -> Response | Deferred[Response]:
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

    def _upgrade(self, request: Request, exchange: Exchange) -> None:
        self.access.check_reader(request.headers)
        if request.method != "GET" or request.path not in ("/", "/ws"):
            raise Refused(404, "not-found", "WebSockets are at / and /ws")
        protocol = self._viewers.build(parse_query(request.query))
        exchange.channel.hand_over(protocol, _handshake(request))


def _whole(parts: bytes | Iterator[bytes]) -> bytes | Iterator[bytes]:
    """A body that has one part only is sent with its length."""
    if isinstance(parts, bytes):
        return parts
    first, second = next(parts, b""), next(parts, None)
    return first if second is None else chain((first, second), parts)


def _want_upgrade(request: Request) -> Response:
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    return error_response(426, "upgrade-required", "this path is a WebSocket", headers)


def _not_allowed(methods: Iterable[str]) -> Response:
    return error_response(
        405, "not-allowed", f"possible here: {', '.join(methods)}", {"Allow": ", ".join(methods)}
    )


def _wants_websocket(request: Request) -> bool:
    return "websocket" in request.headers.get("upgrade", "").lower()


def _handshake(request: Request) -> bytes:
    """The head that Autobahn needs to see, and no byte more: it splits heads where HTTP does not.

    :raises Refused: 400 if a header that it reads has a character that no handshake has.
    """
    lines = ["GET /ws HTTP/1.1", "Host: streamd"]
    for name, value in request.headers.items():
        if name in ("upgrade", "connection") or name.startswith("sec-websocket-"):
            if not value.isascii():
                raise Refused(400, "bad-request", f"the header {name} is not ASCII")
            lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


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

"""One HTTP request and its answer, on a connection of ``twisted.web``.

Twisted writes request bodies to files and sends errors as HTML.  Here bodies are bounded and stay in
memory, errors are JSON, and answers are compressed and sent no faster than the client reads them.

The module is long because Twisted has one class for a request and its answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from io import BytesIO
from typing import Any, Protocol, TypeGuard

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.python.failure import Failure
from twisted.web import http

from streamd.core.errors import Refused
from streamd.http.access.access import Access
from streamd.http.access.client_address import FORWARDED_FOR, TrustedProxies
from streamd.http.access.credentials import TOKEN_HEADERS
from streamd.http.access.principal import signed_out
from streamd.http.bodies import (
    MAX_PACKED,
    SMALL,
    Packer,
    Parts,
    Unread,
    is_packable,
    takes_gzip,
    whole,
)
from streamd.http.failures import Notes, explain, refusal
from streamd.http.request import (
    PART,
    Handover,
    NeedsBody,
    Request,
    Response,
    head_of,
    phrase,
    varying,
)
from streamd.http.uploads import CHUNK, SMALL_BODY, Upload, Uploads
from streamd.reactor.slices import Slices

_WITH_BODY = frozenset((b"PATCH", b"POST"))
"""The methods whose views are called when the head has arrived, and may wait for the body."""

Answer = Response | Handover | NeedsBody | Deferred[Response]


class Answers(Notes, Protocol):
    """The site, as a connection uses it.

    :ivar uploads: the room for bodies that are being received.
    :ivar private: the addresses of the ports that are bound to a loopback address.
    :ivar security: headers that every answer gets.
    :ivar packer: compresses answers.
    :ivar unread: counts the memory of the answers that are being sent.
    :ivar turns: does delayed work for one client address after the other.
    :ivar logs_answers: whether each answered request gets a line in the log.
    """

    access: Access
    private: Collection[IAddress]
    clock: IReactorTime
    uploads: Uploads
    security: Mapping[str, str]
    packer: Packer
    unread: Unread
    turns: Slices

    @property
    def logs_answers(self) -> bool: ...

    @property
    def proxies(self) -> TrustedProxies:
        """The proxies whose forwarding headers count."""

    def refuse_itself(self, request: Request) -> Response | None:
        """Return the refusal of a request from a source of this log; None for other requests."""

    def is_surplus(self, channel: Any, request: Request) -> bool:
        """Return whether a connection is surplus: then it may send only this request."""

    def answer(self, request: Request) -> Answer:
        """Answer a request.

        :raises Refused: with a text for the client.
        """

    def answer_again(self, request: Request, asked: NeedsBody) -> None:
        """Count a further request with the head that was answered by ``asked``, and check its rate.

        Only the same connection may send it, and only until rights change: see ``Access.epoch``.

        :raises Refused: with a text for the client.
        """

    def answer_surplus(self, channel: Any, request: Request) -> Answer:
        """Answer a request on a surplus connection.

        :raises Refused: 503, unless the request has a token, or its path is always answered.
        """

    def viewer(self, request: Request) -> Handover | None:
        """Make a viewer from a WebSocket handshake; return None for any other request.

        :raises Refused: with a text for the client.
        """

    def connected(self, channel: Any) -> None:
        """Note a connection that speaks HTTP or has sent nothing yet."""

    def disconnected(self, channel: Any) -> None:
        """Note that a connection has ended or become a viewer's."""


class Exchange(http.Request):
    """Receives one request, and sends its answer."""

    channel: Any  # the Channel, or None once the connection is lost
    content: BytesIO

    def __init__(self, channel: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(channel, *args, **kwargs)
        self._site: Answers = channel.site
        self._request: Request | None = None
        self._asked: Answer | None = None  # the answer to the head, if a body follows
        self._epoch = 0  # of the rights with which the request was judged
        self._upload: Upload | None = None

    def gotLength(self, length: int | None) -> None:
        """Check the head of a request before any of its body is received.

        :param length: the bytes of the body, or None if it comes in chunks.
        """
        self.content = BytesIO()  # never a temporary file
        self.method, self.uri, self.clientproto = self.channel.request_line()
        has_secret = self.method in _WITH_BODY  # it may be in the query as well
        if length == 0 and not (
            has_secret or any(map(self.requestHeaders.hasHeader, TOKEN_HEADERS))
        ):
            return
        try:
            request = self._head()
            pause = self._site.access.pause(request)
        except Exception:
            self._refuse(Failure())
            return
        if pause:
            self.channel.hold(pause, request.client.group, partial(self._begin, request, length))
        else:
            self._begin(request, length)

    def _begin(self, request: Request, length: int | None) -> None:
        """Begin to receive the body, if there is one."""
        if length == 0:
            return
        try:
            if self.method in _WITH_BODY:
                self._asked = self._ask(request)
            if length is not None and length * CHUNK <= SMALL_BODY:
                return  # it takes no room, even if it comes byte by byte
            self._upload = self._site.uploads.begin(self._asked, request.client, self._refuse)
            self._upload.check_length(length or 0)
        except Exception:
            self._refuse(Failure())

    @property
    def has_drafts(self) -> bool:
        """Return whether a body was received: every publish has one.

        Only such a request is answered without waiting for its client's turn.  Others may cost
        much.  A request whose head is refused has no body.
        """
        return self.method in _WITH_BODY and self.content.tell() > 0

    def parseCookies(self) -> None:
        """Do nothing: streamd itself reads the cookies that it needs."""

    def handleContentChunk(self, data: bytes) -> None:
        try:
            if self._upload is not None:
                self._upload.add(len(data))
        except Refused:
            self._refuse(Failure())
        else:
            self.content.write(data)

    def _refuse(self, failure: Failure) -> None:
        """Answer without the rest of the body, and close."""
        self.forget_body()
        self.requestHeaders.removeHeader(b"expect")  # or Twisted would still ask for the body
        self.channel.refuse(self._explain(failure))

    def forget_body(self) -> None:
        """Stop counting the body of this request among those being received."""
        if self._upload is not None:
            self._upload.end()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        self.forget_body()
        self._upload = None  # it refers to this exchange: the cycle would be left to the collector
        self.process()

    def process(self) -> None:
        answered: Deferred[Response | Handover] = maybeDeferred(self._answer)
        if not answered.called:  # the client may go away while the answer is made
            self.notifyFinish().addErrback(lambda _: answered.cancel())
        answered.addErrback(self._explain).addCallback(self._send).addErrback(self._broken)

    def _answer(self) -> Any:
        asked = self._asked
        # A body may take ten seconds, and the right to send it may have ended meanwhile.
        is_old = self._epoch != self._site.access.epoch
        if asked is None or (is_old and isinstance(asked, NeedsBody)):
            asked = self._ask(self._head())
        return asked.take(self.content.getvalue()) if isinstance(asked, NeedsBody) else asked

    def _ask(self, request: Request) -> Answer:
        self._epoch = self._site.access.epoch
        refused = self._site.refuse_itself(request)
        if refused is not None:
            return refused
        self._site.access.rules.origins.check_head(request)
        if not self._site.is_surplus(self.channel, request):
            return self._site.answer(request)
        self.channel.persistent = False
        self.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        return self._site.answer_surplus(self.channel, request)

    def _head(self) -> Request:
        headers = {
            name.decode("latin-1").lower(): ", ".join(v.decode("latin-1") for v in values)
            for name, values in self.requestHeaders.getAllRawHeaders()
        }
        about = (self.method, self.uri, self.clientproto, headers)
        request: Request = self.channel.peer.request(*about)
        self._request = request
        return request

    @property
    def _client(self) -> str:
        """The address under which the client is counted; empty before the head was read."""
        return self._request.client.group if self._request is not None else ""

    def _explain(self, failure: Failure) -> Response:
        return explain(failure, self._site, self._request)

    def _judge_again(self, response: Response | Handover) -> Response | Handover:
        """Refuse an answer if the right to read it has ended while it was made.

        A history waits for its turn, perhaps for seconds, and is made of the newest updates.
        """
        reader = None if isinstance(response, Handover) else response.reader
        access = self._site.access
        if reader is None or self._epoch == access.epoch or access.is_current(reader):
            return response
        return refusal(signed_out())

    def _send(self, response: Response | Handover) -> Deferred[None] | None:
        if self.channel is None:
            return None
        response = self._judge_again(response)
        if isinstance(response, Handover):
            self._hand_over(response)
            return None
        packs = is_packable(response) and takes_gzip(self._header(b"accept-encoding"))
        body = whole(response.body, MAX_PACKED if packs else PART)
        headers = {**self._site.security, **response.headers, **self._cross_origin(response)}
        if packs:
            headers["Vary"] = varying(headers, "Accept-Encoding", "Origin")
        packing = self._site.packer.pack(body, self._client) if packs and _is_whole(body) else None
        if packing is None:
            self._write(response, headers, body)
            return None

        packed = headers | {"Content-Encoding": "gzip"}
        return packing.addCallback(lambda data: self._write(response, packed, data))

    def _write(
        self, response: Response, headers: Mapping[str, str], body: bytes | Iterator[bytes]
    ) -> None:
        """Send an answer: a short one at once, a long one in parts, if there is room for it."""
        if self.channel is None:
            return
        is_short = self.method == b"HEAD" or (_is_whole(body) and len(body) <= SMALL)
        # A whole body was copied from all that the answer was made of.
        kept = (0, 0) if _is_whole(body) else (response.updates, response.kept)
        try:
            held = None if is_short else self._site.unread.hold(self._client, body, *kept)
        except Refused:
            self._send(self._explain(Failure()))
            return
        if _is_whole(body) and response.status not in (204, 304):
            headers = {**headers, "Content-Length": str(len(body))}
        if held is None:
            self.code = response.status  # for the access log
            self.startedWriting = 1  # Twisted would copy and encode each header, and write twice
            head = head_of(response.status, headers, bool(self.channel.persistent))
            if _is_whole(body) and self.method != b"HEAD" and response.status not in (204, 304):
                head += body
            self.channel.write(head)
            self.finish()
            return
        self.setResponseCode(response.status, phrase(response.status).encode())
        for name, value in headers.items():
            self.responseHeaders.setRawHeaders(name, [value])
        Parts(self, body, self._site, held, response.reader).start()

    def _hand_over(self, handover: Handover) -> None:
        if handover.head is not None:
            response = handover.head
            headers = {**self._site.security, **response.headers, **self._cross_origin(response)}
            head = head_of(response.status, headers)
            self.channel.write(head if self.method == b"HEAD" else head + handover.start)
        if self.method == b"HEAD":
            self.channel.loseConnection()
        else:
            self.channel.hand_over(handover)

    def _cross_origin(self, response: Response) -> Mapping[str, str]:
        """Return the headers that let a page of another origin read; access was checked before."""
        origin = self._header(b"origin")
        if not origin or response.status >= 400:
            return {}
        return {
            "Access-Control-Expose-Headers": "ETag, Streamd-Position",
            "Access-Control-Allow-Origin": origin,
            "Vary": varying(response.headers, "Origin"),
        }

    @property
    def forwarded_for(self) -> str:
        """The header ``X-Forwarded-For``; empty without one."""
        return self._header(FORWARDED_FOR.encode())

    def _header(self, name: bytes) -> str:
        # As bytes: Twisted would read text as UTF-8, and fail where it is not.
        values = self.requestHeaders.getRawHeaders(name, [])
        return b",".join(values).decode("ascii", "backslashreplace")

    def _broken(self, failure: Failure) -> None:
        if not failure.check(CancelledError):  # the client left while its answer was packed
            self._site.note_failure("an answer could not be sent", failure)
        self.loseConnection()


def _is_whole(body: bytes | Iterator[bytes]) -> TypeGuard[bytes]:
    return isinstance(body, bytes)

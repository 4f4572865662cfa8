"""Short posts: a single publish that arrives in one piece needs no general HTTP machinery.

Most requests of programs are ``POST /streams/NAME`` with a small body, and parsing such a request
line by line costs more than publishing its value.  The parser of ``twisted.web`` gets everything
else, also a request with an unusual header.  The site makes all decisions: this module allows and
counts nothing differently.

The daemon also works without this module; with ``STREAMD_WRITES=plain`` it is only slower.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from streamd.core.errors import Refused
from streamd.http.access.client_address import NO_PROXIES
from streamd.http.exchange import Answers
from streamd.http.failures import explain
from streamd.http.head import FIELDS, headers_in
from streamd.http.request import NeedsBody, Request, Response, head_of
from streamd.http.uploads import SMALL_BODY
from streamd.hub.fast_write import ENABLED

_HEAD = re.compile(rb"POST (/streams/[!-~]+) HTTP/1\.1\r\n" + FIELDS)

_OF_OTHERS = frozenset(("connection", "expect", "origin", "transfer-encoding", "upgrade"))
"""Headers that change how a request is read or answered; the general parser knows all about them."""

_LENGTH = re.compile(r"[1-9][0-9]{0,4}")


class PostingConnection(Protocol):
    """The connection of short posts: an HTTP channel.

    :ivar peer: makes a request from its head.
    :ivar totalHeadersSize: the most bytes of a head.
    """

    site: Answers
    peer: Any
    totalHeadersSize: int

    def refuse(self, response: Response) -> None:
        """Answer a request that is refused because of its head, and close."""

    def wait_for_answer(self, rest: bytes) -> None:
        """Take no other request until :meth:`send_answer`, and keep the bytes after this one."""

    def send_answer(self, answer: bytes, rest: bytes) -> None:
        """Send an answer, and continue with the bytes that came after its request."""


class ShortPosts:
    """The short posts of one connection.

    :ivar waiting: the answer that is being made; None if no answer is.
    """

    __slots__ = (
        "_answer_head",
        "_answered",
        "_asked",
        "_connection",
        "_epoch",
        "_head",
        "_length",
        "_proxies",
        "_request",
        "_rest",
        "waiting",
    )

    def __init__(self, connection: PostingConnection) -> None:
        self.waiting: Deferred[Any] | None = None
        self._connection = connection
        self._rest = b""  # came after the request, and is not yet kept by the connection
        # The last request.  A program that publishes a number often sends the same head again.
        self._head = b""
        self._length = 0
        self._request: Request | None = None
        self._asked: NeedsBody | None = None  # the answer to its head
        self._epoch = 0  # of the rights with which its head was judged
        self._proxies = NO_PROXIES
        self._answered: tuple[object, ...] = ()  # what the head of the last answer tells
        self._answer_head = b""

    def take(self, data: bytes) -> bool:
        """Answer a request; return False if only the general parser can read it.

        :param data: all that has arrived, from the first byte of a request on.
        """
        connection, site = self._connection, self._connection.site
        request = self._read(data)
        if request is None or site.logs_answers or site.access.pause(request):
            return False
        start = len(self._head)
        end = start + self._length
        if len(data) < end or site.is_surplus(connection, request):
            return False
        try:
            asked: Any = site.refuse_itself(request) or self._ask(request)
        except Exception:
            connection.refuse(explain(Failure(), site, request))
            return True
        try:
            answer = asked.take(data[start:end]) if isinstance(asked, NeedsBody) else asked
        except Exception:
            answer = explain(Failure(), site, request)
        if isinstance(answer, Deferred) and answer.called and isinstance(answer.result, Response):
            answer = answer.result  # no callback is needed, as the journal has answered at once
        if isinstance(answer, Deferred):
            self._wait(answer, request, data[end:])
        else:
            connection.send_answer(self._written(answer), data[end:])
        return True

    def _ask(self, request: Request) -> Any:
        """Return the answer to a head, which is only judged again if rights may have changed."""
        site = self._connection.site
        known, self._asked = self._asked, None
        if known is not None and self._epoch == site.access.epoch:
            site.answer_again(request, known)
            asked: Any = known
        else:
            self._epoch = site.access.epoch
            site.access.rules.origins.check_head(request)
            asked = site.answer(request)
        if isinstance(asked, NeedsBody) and asked.again is not None:
            self._asked = asked
        return asked

    def _wait(self, answer: Deferred[Any], request: Request, rest: bytes) -> None:
        self.waiting = answer
        self._rest = rest
        answer.addErrback(explain, self._connection.site, request).addCallback(self._send)
        if self.waiting is not None:
            self._rest = b""
            # The connection keeps them now, because further bytes may arrive before the answer.
            self._connection.wait_for_answer(rest)

    def _send(self, response: Response) -> None:
        if self.waiting is not None:  # the client waits for it
            self.waiting = None
            rest, self._rest = self._rest, b""
            self._connection.send_answer(self._written(response), rest)

    def leave(self) -> None:
        """Stop making an answer: the connection is lost."""
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            waiting.cancel()

    def _written(self, response: Response) -> bytes:
        body = response.body
        if not isinstance(body, bytes):
            raise TypeError("the answer to a short post has to be whole")
        security = self._connection.site.security
        answered = response.status, len(body), response.headers, security
        if answered != self._answered:
            headers = {**security, **response.headers, "Content-Length": str(len(body))}
            self._answer_head = head_of(response.status, headers, persistent=True)
            self._answered = answered
        return self._answer_head + body

    def _read(self, data: bytes) -> Request | None:
        """Return the request with which ``data`` begins; None if it is not a short post."""
        proxies = self._connection.site.proxies
        if self._head and data.startswith(self._head) and proxies is self._proxies:
            return self._request
        head = _HEAD.match(data, 0, self._connection.totalHeadersSize) if ENABLED else None
        headers = headers_in(head[2]) if head else None
        if head is None or headers is None or not _OF_OTHERS.isdisjoint(headers):
            return None
        length = headers.get("content-length", "")
        if not _LENGTH.fullmatch(length) or int(length) > SMALL_BODY:
            return None
        try:
            request: Request = self._connection.peer.request(b"POST", head[1], b"HTTP/1.1", headers)
        except Refused:  # the general parser refuses it again, and tells the client why
            return None
        self._head, self._length, self._proxies = head[0], int(length), proxies
        self._request, self._asked = request, None
        return request

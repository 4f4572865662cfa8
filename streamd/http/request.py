"""One HTTP request and its answer as plain values.  This module is pure.

:mod:`streamd.http.channel` makes the :class:`Request`, :mod:`streamd.http.exchange` writes the
:class:`Response`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any

import msgspec
from msgspec import field

from streamd.core.rights import Rights
from streamd.http.access.client_address import ClientAddress
from streamd.http.access.principal import NOBODY, Principal
from streamd.wire.requests import Subscription, parse_query

PART = 64 * 1024
"""Bytes of one part of a large answer."""

FOREVER = "public, max-age=31536000, immutable"
"""The Cache-Control of an answer that never changes (RFC 8246): browsers do not ask for it again."""

NAME = "NAME"
"""The last part of a path that stands for any name."""

REST = "REST"
"""The last part of a path that stands for any further parts, with slashes between them."""

Routes = Mapping[str, Mapping[str, Callable[..., Any]]]
"""The routes of a part of the site: path -> method -> view.

A view is a function that takes the request, and the name if the path ends in :data:`NAME`, or what
follows if it ends in :data:`REST`."""


def security(script: str, frame_ancestors: Iterable[str] = ()) -> Mapping[str, str]:
    """Return the security headers that every answer gets.

    :param script: the CSP source that allows the inline script of the page, ``'sha256-…'``.
    :param frame_ancestors: other origins whose pages may show this page in a frame.
    """
    framed_by = " ".join(["'self'", *frame_ancestors])
    return {
        "Content-Security-Policy": (
            f"default-src 'self'; script-src 'self' {script}; frame-ancestors {framed_by}"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


SUB_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
"""Matches a sub-path: it becomes part of links, so nothing in it may need quoting."""

LOOPBACK = ClientAddress(ip_address("127.0.0.1"))


class Request(msgspec.Struct, frozen=True):
    """A request.

    :ivar path: decoded, without the query: ``/streams/orders``.
    :ivar query: the last value of each key.
    :ivar headers: names in lower case; repeated headers are joined by ``", "``.
    :ivar host: the peer's address, ``127.0.0.1``; empty for a unix socket.
    :ivar client: the client's address, which may come from a trusted proxy.
    :ivar version: ``HTTP/1.1``.
    :ivar proxied: whether the peer is a trusted proxy, so that its ``X-Forwarded-…`` headers count.
    :ivar relayed: whether a proxy sent the peer's address with the PROXY protocol.
    :ivar secure: whether the port speaks TLS.
    :ivar private: whether the port is bound to a loopback address: only this machine reaches it.
    :ivar principal: the client that its credentials name; see :mod:`streamd.http.access.access`.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"
    version: str = "HTTP/1.1"
    client: ClientAddress = LOOPBACK
    proxied: bool = False
    relayed: bool = False
    secure: bool = False
    private: bool = False
    principal: Principal = NOBODY

    @property
    def rights(self) -> Rights:
        """Return the rights of the client."""
        return self.principal.rights

    def subscription(self) -> Subscription:
        """Return the subscription in the query, without the streams that the client may not read.

        :raises Refused: 400 for an invalid query, 403 for a stream that the client may not read.
        """
        return allowed(parse_query(self.query), self.principal)

    @property
    def scheme(self) -> str:
        """``http`` or ``https``, as the client uses it."""
        told = self._forwarded("proto").lower().replace("ws", "http")  # some proxies tell wss
        return told if told in ("http", "https") else "https" if self.secure else "http"

    @property
    def authority(self) -> str:
        """The host, perhaps with a port, by which the client addresses this daemon."""
        return self._forwarded("host") or self.headers.get("host", "")

    @property
    def prefix(self) -> str:
        """The sub-path that a trusted proxy removed, such as ``/wall``; empty if it removed none."""
        told = self._forwarded("prefix").rstrip("/")
        return told if SUB_PATH.fullmatch(told) else ""

    @property
    def address(self) -> str:
        """The address of the wall as the client uses it: ``https://wall.example/floor2/``."""
        return f"{self.scheme}://{self.authority}{self.prefix}/"

    def _forwarded(self, what: str) -> str:
        """Return the last entry of a trusted proxy's header; empty if it is missing."""
        told = self.headers.get(f"x-forwarded-{what}", "") if self.proxied else ""
        return told.rpartition(",")[2].strip()


class Response(msgspec.Struct, frozen=True):
    """An answer.

    :ivar body: bytes or an iterator of parts.  Each part is made when the one before it was sent.
        So a large answer to a slow reader is never in memory as a whole.  An empty part lets other
        connections have a turn.
    :ivar updates: how many updates the iterator keeps alive, although the state may drop them.
    :ivar kept: bytes of other memory that the iterator keeps alive.
    :ivar reader: the client whose rights it needs until its end; None if it needs no rights.
    """

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    updates: int = 0
    kept: int = 0
    reader: Principal | None = None


class NeedsBody(msgspec.Struct, frozen=True):
    """An answer that is made from the body of the request, once the body has arrived.

    :ivar take: makes the answer.
    :ivar from_anyone: True if the head does not prove that the client may send the body.
    :ivar again: makes the checks that each request needs by itself, such as how fast they come; None
        if an equal head has to be judged anew.  With it, ``take`` also answers a further request with
        an equal head, as long as no rights have changed.
    """

    take: Callable[[bytes], Any]
    from_anyone: bool = False
    again: Callable[[], None] | None = None


class Handover(msgspec.Struct, frozen=True):
    """An answer that gives the connection to another protocol.

    :ivar protocol: the Twisted protocol that gets the connection.
    :ivar head: an answer whose head is sent first; the protocol then writes its body.
    :ivar start: the first bytes of that body.
    """

    protocol: Any
    head: Response | None = None
    start: bytes = b""


def allowed(asked: Subscription, principal: Principal) -> Subscription:
    """Return the part of a subscription that a client may read.

    The client cannot resume at a position before its present rights began: values that it may read
    only now would be missing.  It can resume at the position where they began: otherwise a client
    without updates since then would begin anew with each poll.

    :raises Refused: 403 for a stream that the client may not read.
    """
    after = asked.after
    if after is not None and after < principal.since:
        after = None
    return asked._replace(selection=principal.rights.visible(asked.selection), after=after)


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an answer with ``value`` as JSON on one line, with a line break at the end."""
    body = msgspec.json.encode(value) + b"\n"
    return Response(status, body, {"Content-Type": "application/json", **(headers or {})})


def varying(headers: Mapping[str, str], *names: str) -> str:
    """Return the ``Vary`` of an answer, with more headers of the request on which it depends."""
    known = filter(None, headers.get("Vary", "").split(", "))
    return ", ".join(dict.fromkeys([*known, *names]))


def unless_known(response: Response, request: Request) -> Response:
    """Return the answer, or 304 if the client already has the version with its ``ETag``."""
    if response.headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(304, b"", response.headers)
    return response


def error_response(
    status: int,
    code: str,
    message: str,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response:
    """Return the answer for an error: ``{"error": {"code", "message"}}``.

    :param members: more members, beside ``error``.
    """
    about = {"error": {"code": code, "message": message}, **(members or {})}
    return json_response(about, status, headers)


_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def phrase(status: int) -> str:
    """Return the reason phrase of a status; Twisted does not know all of them."""
    return _PHRASES[status]


def head_of(status: int, headers: Mapping[str, str], persistent: bool = False) -> bytes:
    """Return the head of an answer.

    :param persistent: whether the connection is kept for another request.
    """
    lines = [f"HTTP/1.1 {status} {phrase(status)}"]
    if not persistent:
        lines.append("Connection: close")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def joined(items: Iterable[bytes], opening: bytes, closing: bytes) -> Iterator[bytes]:
    """Yield the items with commas between, in parts of about :data:`PART` bytes.

    An empty item ends a part early, and an empty part follows it.
    """
    part, size, comma = [opening], len(opening), b""
    for item in items:
        if not item:
            yield _taken(part)
            yield b""
            size = 0
            continue
        part += (comma, item)
        size += len(item) + 1
        comma = b","
        if size > PART:
            del item  # a slow reader would keep it, besides the part that has it
            yield _taken(part)
            size = 0
    yield b"".join([*part, closing])


def _taken(part: list[bytes]) -> bytes:
    """Empty a list, and return its items joined."""
    data = b"".join(part)
    part.clear()
    return data

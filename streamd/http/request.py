"""One HTTP request and its answer as plain values.  Pure.

:mod:`streamd.http.exchange` makes the :class:`Request` and writes the :class:`Response`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec

PART = 64 * 1024
"""Bytes of one part of a large answer."""

NAME = "([^/]+)"
"""One part of a path, as a group of a route's pattern."""

Routes = Mapping[str, Mapping[str, Callable[..., Any]]]
"""The routes of a part of the site: pattern for the whole path -> method -> view.  A view is called
with the request and the groups of the pattern."""


def security(script: str, frame_ancestors: Iterable[str] = ()) -> Mapping[str, str]:
    """Return the headers of every answer.

    :param script: admits the one script that is part of the page, ``'sha256-…'``.
    :param frame_ancestors: origins whose pages may show this page in a frame, besides its own.
    """
    framed_by = " ".join(["'self'", *frame_ancestors])
    return {
        "Content-Security-Policy": (
            f"default-src 'self'; script-src 'self' {script}; frame-ancestors {framed_by}"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    :ivar path: decoded, without the query: ``/streams/orders``.
    :ivar query: the last value of each key.
    :ivar headers: names in lower case; several of one name are joined by ``", "``.
    :ivar host: the peer's address, ``127.0.0.1``.
    :ivar version: ``HTTP/1.1``.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    host: str = "127.0.0.1"
    version: str = "HTTP/1.1"


@dataclass(frozen=True, slots=True)
class Response:
    """An answer.

    :ivar body: bytes; or an iterator of parts, each made when the one before it has left, so that a
        large answer to a slow reader is never in memory whole.
    """

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Handover:
    """An answer that gives the connection to another protocol.

    :ivar protocol: the Twisted protocol that gets the connection.
    :ivar head: the answer before that; the protocol writes its body.
    :ivar start: the first bytes of that body.
    """

    protocol: Any
    head: Response | None = None
    start: bytes = b""


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an answer with ``value`` as JSON, on one line with its end."""
    body = msgspec.json.encode(value) + b"\n"
    return Response(status, body, {"Content-Type": "application/json", **(headers or {})})


def unless_known(response: Response, request: Request) -> Response:
    """Return an answer that has an ``ETag``, or 304 to a client that has it already."""
    if response.headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(304, b"", response.headers)
    return response


def error_response(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an error; every one has the form ``{"error": {"code", "message"}}``."""
    return json_response({"error": {"code": code, "message": message}}, status, headers)


def phrase(status: int) -> str:
    """Return the reason phrase of a status; Twisted does not know all of them."""
    return HTTPStatus(status).phrase


def last_head(status: int, headers: Mapping[str, str]) -> bytes:
    """Return the head of an answer that ends with the connection."""
    lines = [f"HTTP/1.1 {status} {phrase(status)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def joined(items: Iterable[bytes], opening: bytes, closing: bytes) -> Iterator[bytes]:
    """Yield the items with commas between, in parts of about :data:`PART` bytes."""
    part, size, comma = [opening], len(opening), b""
    for item in items:
        part += (comma, item)
        size += len(item) + 1
        comma = b","
        if size > PART:
            yield b"".join(part)
            part, size = [], 0
    yield b"".join([*part, closing])

"""Every way to read streamd, byte by byte: what to ask, and what the bytes that come back say.

A `Reader` is one connection's worth of a way to read.  It never touches a socket, so that whoever
holds one decides after which byte the connection ends.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

import msgspec

from checks.crowd import CLOSE, PING, TEXT, Frames
from tests.support.frames import handshake, head

COMPRESSED_TEXT = 0xC1
OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
"""What Chromium offers."""


class Heard(NamedTuple):
    """One whole message.

    :ivar kind: of v1 the message's type; ``state`` for a plain object, ``gap`` for the plain event
        ``resumed``, ``poll`` for a long poll's answer, ``nothing`` for one without news, ``bye`` and
        ``close`` (the code) for the ends of WebSockets.
    :ivar cursor: the place from which one goes on after this; None: it says nothing of that.
    """

    kind: str
    body: Any
    cursor: str | None = None


class Broken(Exception):
    """The bytes are not what this way to read promises."""


class Reader(Protocol):
    """Reads the bytes of one connection."""

    def feed(self, data: bytes) -> Iterator[Heard]:
        """Returns the messages that these bytes complete.

        :raises Broken: if they break the rules of the transport.
        """

    @property
    def stage(self) -> str:
        """Where the bytes so far end, in words."""


class Way(NamedTuple):
    """A way to read.

    :ivar numbered: every update is told, with its seq; otherwise only what is newest.
    :ivar resumes: it can go on from a cursor.
    :ivar ask: the request for a query and a cursor.
    """

    name: str
    numbered: bool
    resumes: bool
    ask: Callable[[Mapping[str, str], str | None], bytes]
    reader: Callable[[], Reader]

    def __str__(self) -> str:
        return self.name


class _Messages:
    """Messages without end, after the head of an answer."""

    def __init__(self, v1: bool) -> None:
        self._v1 = v1
        self._head: bytes | None = b""
        self._data = b""
        self._seen: str | None = None

    @property
    def stage(self) -> str:
        if self._head is not None:
            return "in the head" if self._head else "before the first byte"
        if self._is_within:
            return "in the middle of a message's bytes"
        return f"after {self._seen}" if self._seen else "before the first message"

    def feed(self, data: bytes) -> Iterator[Heard]:
        if self._head is not None:
            self._head += data
            answer, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._check_head(answer.decode("latin-1"))
            self._head = None
        self._data += data
        yield from self._messages()

    @property
    def _is_within(self) -> bool:
        """Whether the bytes so far end within a message."""
        return bool(self._data)

    def _check_head(self, answer: str) -> None:
        raise NotImplementedError

    def _messages(self) -> Iterator[Heard]:
        """Takes the whole messages out of ``_data``."""
        raise NotImplementedError


class WebSocketReader(_Messages):
    """Frames after a handshake."""

    def __init__(self, v1: bool, deflate: bool) -> None:
        super().__init__(v1)
        self._deflate = deflate
        self._frames = Frames()

    def _messages(self) -> Iterator[Heard]:
        frames = self._frames.feed(self._data)
        self._data = b""
        for first, payload in frames:
            yield self._said(first, payload)

    @property
    def _is_within(self) -> bool:
        return bool(self._frames.rest)

    def _check_head(self, answer: str) -> None:
        if not answer.startswith("HTTP/1.1 101 "):
            raise Broken(f"answered {answer.splitlines()[0]}")
        lines = answer.lower().splitlines()
        extension = next((x for x in lines if x.startswith("sec-websocket-extensions:")), "")
        if self._deflate != ("permessage-deflate" in extension):
            raise Broken(f"deflate was not negotiated as asked: {extension!r}")
        if self._deflate and "server_no_context_takeover" not in extension:
            raise Broken("compressed with context takeover")
        if self._v1 != ("sec-websocket-protocol: streamd.v1" in lines):
            raise Broken("the subprotocol was not negotiated as asked")

    def _said(self, first: int, payload: bytes) -> Heard:
        if first == PING:
            return Heard("ping", payload)
        if first == CLOSE:
            return Heard("close", int.from_bytes(payload[:2], "big"))
        if first == COMPRESSED_TEXT and self._deflate:
            # Each message by itself: no context is taken over.
            payload = zlib.decompressobj(-zlib.MAX_WBITS).decompress(payload + b"\0\0\xff\xff")
        elif first != TEXT:
            raise Broken(f"a frame that begins with {first:#x}")
        body = msgspec.json.decode(payload)
        kind = body["type"] if self._v1 else "state"
        self._seen = kind
        # What is said at the beginning is a cursor like any other.
        return Heard(kind, body, body.get("at") if self._v1 else None)


class EventReader(_Messages):
    """Events after the head of an answer, as a browser's EventSource reads them."""

    def _check_head(self, answer: str) -> None:
        if not answer.startswith("HTTP/1.1 200 "):
            raise Broken(f"answered {answer!r}")

    def _messages(self) -> Iterator[Heard]:
        *events, self._data = self._data.split(b"\n\n")
        for event in events:
            yield from self._event(event.decode())

    def _event(self, text: str) -> Iterator[Heard]:
        fields = dict(line.partition(": ")[::2] for line in text.split("\n"))
        if "data" not in fields:
            return
        body = msgspec.json.decode(fields["data"])
        self._seen = kind = fields.get("event", "state")
        if not self._v1 and kind == "resumed":
            kind = "gap"
        elif self._v1 and kind != body["type"]:
            raise Broken(f"the event {kind} has a message of type {body['type']}")
        yield Heard(kind, body, fields.get("id"))


class PollReader:
    """One answer of HTTP."""

    def __init__(self) -> None:
        self._data = b""
        self._seen = False

    @property
    def stage(self) -> str:
        if self._seen:
            return "after the answer"
        return "in the middle of an answer" if self._data else "while it waits"

    def feed(self, data: bytes) -> Iterator[Heard]:
        self._data += data
        answer, end, body = self._data.partition(b"\r\n\r\n")
        if not end or self._seen:
            return
        first, *lines = answer.decode("latin-1").split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
        status = first.split()[1]
        if status == "204":
            self._seen = True
            yield Heard("nothing", None, headers["streamd-position"])
        elif status != "200":
            raise Broken(f"answered {answer!r} {body!r}")
        elif (whole := _whole(headers, body)) is not None:
            self._seen, body = True, whole
            said = msgspec.json.decode(body)
            yield Heard("poll", said, said["at"])


def _whole(headers: Mapping[str, str], body: bytes) -> bytes | None:
    """The body of an answer, if all of it is here."""
    if "content-length" in headers:
        return body if len(body) >= int(headers["content-length"]) else None
    whole = b""
    while body:  # chunks (RFC 9112, section 7.1)
        length, _, rest = body.partition(b"\r\n")
        size = int(length, 16) if rest else len(body)
        if len(rest) < size + 2:
            return None
        if not size:
            return whole
        whole, body = whole + rest[:size], rest[size + 2 :]
    return None


def _target(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _web_socket(name: str, v1: bool, deflate: bool) -> Way:
    lines = ["Sec-WebSocket-Protocol: other, streamd.v1"] if v1 else []
    lines += [OFFER] if deflate else []

    def ask(query: Mapping[str, str], cursor: str | None) -> bytes:
        if v1 and cursor is not None:
            query = {**query, "after": cursor}
        return handshake(_target("/ws", query) if query else "/", *lines)

    return Way(name, v1, v1, ask, lambda: WebSocketReader(v1, deflate))


def _events(name: str, v1: bool) -> Way:
    def ask(query: Mapping[str, str], cursor: str | None) -> bytes:
        query = {**query, "format": "v1"} if v1 else query
        if cursor == "0-0":  # a browser has no other way to begin anywhere
            return head("GET", _target("/events", {**query, "after": cursor}))
        lines = [] if cursor is None else [f"Last-Event-ID: {cursor}"]
        return head("GET", _target("/events", query), *lines)

    return Way(name, v1, True, ask, lambda: EventReader(v1))


def _ask_poll(query: Mapping[str, str], cursor: str | None) -> bytes:
    return head("GET", _target("/updates", query if cursor is None else {**query, "after": cursor}))


V1 = _web_socket("WebSocket v1", True, False)
V1_DEFLATED = _web_socket("WebSocket v1, deflated", True, True)
PLAIN = _web_socket("WebSocket plain", False, False)
PLAIN_DEFLATED = _web_socket("WebSocket plain, deflated", False, True)
EVENTS = _events("events plain", False)
V1_EVENTS = _events("events v1", True)
POLLS = Way("long polls", True, True, _ask_poll, PollReader)

WAYS = (V1, V1_DEFLATED, PLAIN, PLAIN_DEFLATED, EVENTS, V1_EVENTS, POLLS)

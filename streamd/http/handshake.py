"""The opening handshake of a WebSocket (RFC 6455, section 4), judged from the head of its request.

Autobahn parses the head again and splits it at bytes where HTTP does not.  So streamd judges the
headers that HTTP has parsed, and Autobahn is given only what its answer depends on.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

from streamd.core.errors import Refused
from streamd.http.request import Request

V1 = "streamd.v1"

TOKEN = "streamd.token."
"""A browser may offer this beside :data:`V1`, followed by its token; it is never selected."""

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""To be hashed with the client's key (RFC 6455, section 1.3)."""

_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
"""16 bytes as base64 (RFC 6455, section 4.1)."""


class Handshake(NamedTuple):
    """What the answer to a valid handshake depends on.

    :ivar key: of the client, to be answered.
    :ivar protocol: the subprotocol that is spoken: :data:`V1`, or None.
    :ivar extensions: the header ``Sec-WebSocket-Extensions``: what the client offers.
    """

    key: str
    protocol: str | None
    extensions: str


def wants_websocket(request: Request) -> bool:
    """Return True if a request asks for a WebSocket, and at a path that has one."""
    return (
        request.method == "GET"
        and request.path in ("/", "/ws")
        and "websocket" in request.headers.get("upgrade", "").lower()
    )


def refuse_plain_request(request: Request) -> NoReturn:
    """:raises Refused: 426: there is nothing but a WebSocket at this path."""
    raise Refused(426, "upgrade-required", "this path is a WebSocket")


def parse_handshake(headers: Mapping[str, str]) -> Handshake:
    """Check the headers of a handshake.

    :param headers: names in lower case.
    :raises Refused: 400, or 426 for another version than 13.
    """
    protocols = _items(headers.get("sec-websocket-protocol", ""))
    offered = [protocol for protocol in protocols if not protocol.startswith(TOKEN)]
    key = headers.get("sec-websocket-key", "")
    if "websocket" not in _items(headers.get("upgrade", "").lower()):
        raise _refused("Upgrade: expected websocket")
    if "upgrade" not in _items(headers.get("connection", "").lower()):
        raise _refused("Connection: expected Upgrade")
    if headers.get("sec-websocket-version") != "13":
        raise Refused(426, "bad-handshake", "Sec-WebSocket-Version: expected 13")
    if not _KEY.fullmatch(key):
        raise _refused("Sec-WebSocket-Key: expected 16 bytes as base64")
    if len(set(offered)) < len(offered):
        raise _refused("Sec-WebSocket-Protocol: a protocol is offered twice")
    extensions = headers.get("sec-websocket-extensions", "")
    return Handshake(key, V1 if V1 in offered else None, extensions)


def accept_key(key: str) -> str:
    """Return the value of ``Sec-WebSocket-Accept`` (RFC 6455, section 4.2.2)."""
    digest = hashlib.sha1((key + _GUID).encode("ascii"), usedforsecurity=False).digest()
    return b64encode(digest).decode("ascii")


def _refused(message: str) -> Refused:
    return Refused(400, "bad-handshake", message)


def _items(value: str) -> list[str]:
    """Return the items of a header that is a list."""
    return [item.strip() for item in value.split(",")] if value else []

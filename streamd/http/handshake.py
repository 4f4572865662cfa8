"""Checks the opening handshake of a WebSocket (RFC 6455, section 4).

Autobahn would parse the head again, and split it differently from HTTP.  Therefore streamd checks the
headers that HTTP has parsed, and gives Autobahn only the fields that the answer needs.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

from streamd.core.errors import Refused
from streamd.http.access.proxies import UPGRADE
from streamd.http.request import Request

V1 = "streamd.v1"

SOCKET_IO = "/socket.io/"
"""The path of Socket.IO: its requests are polls, or handshakes of WebSockets."""

_WEBSOCKETS = ("/", "/ws", SOCKET_IO)
"""The paths that have a WebSocket."""

TOKEN = "streamd.token."
"""The prefix of a subprotocol that carries a token; browsers may offer it with :data:`V1`.

The server never selects it.
"""

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""The constant that is hashed with the client's key (RFC 6455, section 1.3)."""

_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
"""16 bytes as base64 (RFC 6455, section 4.1)."""


class Handshake(NamedTuple):
    """The fields of a valid handshake that its answer needs.

    :ivar key: the client's key.
    :ivar protocol: the selected subprotocol: :data:`V1`, or None.
    :ivar extensions: the header ``Sec-WebSocket-Extensions`` with the client's offers.
    """

    key: str
    protocol: str | None
    extensions: str


def wants_websocket(request: Request) -> bool:
    """Return True if a request asks for a WebSocket at a path that has one.

    Only a handshake has a ``Sec-WebSocket-Key``.  ``Upgrade`` is no sign: it concerns one
    connection, so a proxy removes it unless configured otherwise (RFC 9110, section 7.6.1).
    """
    return (
        request.method == "GET"
        and request.path in _WEBSOCKETS
        and (
            "websocket" in request.headers.get("upgrade", "").lower()
            or "sec-websocket-key" in request.headers
        )
    )


def refuse_plain_request(request: Request) -> NoReturn:
    """Refuse the request with 426, because its path serves only WebSockets."""
    raise Refused(426, "upgrade-required", "this path is a WebSocket")


def parse_handshake(headers: Mapping[str, str]) -> Handshake:
    """Check the headers of a handshake.

    :param headers: names in lower case.
    :raises Refused: 400; 426 for another version than 13, or if a proxy has removed a header.
    """
    offered = [name for name in offered_protocols(headers) if not name.startswith(TOKEN)]
    key = headers.get("sec-websocket-key", "")
    if "websocket" not in _items(headers.get("upgrade", "").lower()):
        raise _lost("Upgrade: websocket")
    if "upgrade" not in _items(headers.get("connection", "").lower()):
        raise _lost("Connection: Upgrade")
    if headers.get("sec-websocket-version") != "13":
        raise Refused(426, "bad-handshake", "Sec-WebSocket-Version: expected 13")
    if not _KEY.fullmatch(key):
        raise _refused("Sec-WebSocket-Key: expected 16 bytes as base64")
    if len(set(offered)) < len(offered):
        raise _refused("Sec-WebSocket-Protocol: a protocol is offered twice")
    extensions = headers.get("sec-websocket-extensions", "")
    return Handshake(key, V1 if V1 in offered else None, extensions)


def offered_protocols(headers: Mapping[str, str]) -> list[str]:
    """Return the subprotocols that a client offers."""
    return _items(headers.get("sec-websocket-protocol", ""))


def accept_key(key: str) -> str:
    """Return the value of ``Sec-WebSocket-Accept`` (RFC 6455, section 4.2.2)."""
    digest = hashlib.sha1((key + _GUID).encode("ascii"), usedforsecurity=False).digest()
    return b64encode(digest).decode("ascii")


def _refused(message: str) -> Refused:
    return Refused(400, "bad-handshake", message)


def _lost(header: str) -> Refused:
    return Refused(
        426,
        "upgrade-lost",
        f"a WebSocket came without {header}; a proxy in between has to pass it on "
        f"(nginx: {UPGRADE.nginx})",
    )


def _items(value: str) -> list[str]:
    """Return the items of a header with a comma-separated list."""
    return [item.strip() for item in value.split(",")] if value else []

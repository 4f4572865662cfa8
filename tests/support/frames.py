"""The bytes that a client sends: heads of requests, handshakes, WebSocket frames."""

from __future__ import annotations

import struct


def head(
    method: str = "GET", path: str = "/state", *lines: str, host: str | None = "localhost"
) -> bytes:
    """The head of a request, byte for byte (latin-1)."""
    every = [f"{method} {path} HTTP/1.1", *([f"Host: {host}"] if host is not None else []), *lines]
    return "\r\n".join([*every, "", ""]).encode("latin-1")


def handshake(path: str = "/ws", *lines: str, host: str = "localhost") -> bytes:
    """The head of a WebSocket handshake."""
    return head(
        "GET",
        path,
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *lines,
        host=host,
    )


def frame(
    first: int, payload: bytes = b"", masked: bool = True, length: int | None = None
) -> bytes:
    """A client's WebSocket frame; `first` is its first byte, `length` another one than is true."""
    length = len(payload) if length is None else length
    bit = 0x80 if masked else 0
    if length < 126:
        start = struct.pack("!BB", first, bit | length)
    elif length < 65536:
        start = struct.pack("!BBH", first, bit | 126, length)
    else:
        start = struct.pack("!BBQ", first, bit | 127, length)
    # Masked with zeros, the payload is what it is.
    return start + (bytes(4) if masked else b"") + payload

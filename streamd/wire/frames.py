"""WebSocket frames (RFC 6455), compressed if that makes them smaller (RFC 7692)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping

from streamd.core.cursor import Answer
from streamd.wire.encoding import Encoding, Format, Message, Welcome, packed
from streamd.wire.plain import PLAIN_FORMAT
from streamd.wire.v1 import V1_FORMAT, v1_hello, v1_ticks

MAX_INBOUND = 64 * 1024
"""The most bytes of one frame, and of one message, from a viewer."""

WORTH_DEFLATING = 200
"""Bytes of the shortest message that is compressed.

For a shorter one, compression saves less than the headers of a TCP segment and costs more than a send.
"""

DEFLATE_LEVEL = 1

DEFLATE_WINDOW = 12
"""A window of 4 KiB, the smallest that clients commonly ask for, so that one frame serves all."""


def frame(text: bytes) -> bytes:
    """Return an unmasked, final WebSocket text frame (RFC 6455, section 5.2)."""
    return _frame_header(0x81, len(text)) + text


def deflated_frame(text: bytes) -> bytes:
    """Return a text frame, compressed if that is shorter (RFC 7692, without context takeover)."""
    if len(text) < WORTH_DEFLATING:
        return frame(text)
    deflate = zlib.compressobj(DEFLATE_LEVEL, zlib.DEFLATED, -DEFLATE_WINDOW)
    # A sync flush ends in 00 00 ff ff, which is left out on the wire.
    short = (deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
    if len(short) >= len(text):
        return frame(text)
    return _frame_header(0xC1, len(short)) + short


def fragments(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield one text message, with a frame for each text (RFC 6455, section 5.4); usually one."""
    first, last = 0x01, None
    for text in texts:
        if last is not None:
            yield _frame_header(first, len(last)) + last
            first = 0x00
        last = text
    yield _frame_header(first | 0x80, len(last or b"")) + (last or b"")


def _frame_header(first: int, length: int) -> bytes:
    if length < 126:
        return bytes((first, length))
    if length < 65536:
        return bytes((first, 126)) + length.to_bytes(2, "big")
    return bytes((first, 127)) + length.to_bytes(8, "big")


PING = _frame_header(0x89, 0)


def _framed(name: str, format: Format, frame_of: Callable[[bytes], bytes]) -> Encoding:
    """Return the encoding that puts the messages of a format into WebSocket frames."""

    def write(answer: Answer, texts: Iterable[bytes]) -> Message:
        payloads, at, more = format.write(answer, texts)
        return b"".join([frame_of(payload.text) for payload in payloads]), at, more

    def hello(welcome: Welcome) -> Iterable[bytes]:
        return fragments(packed(v1_hello(welcome)))

    def tick(now: float, proofs: Mapping[str, float]) -> bytes:
        return b"".join(frame_of(text) for text in v1_ticks(now, proofs))

    if format is PLAIN_FORMAT:
        return Encoding(name, True, format.text, write, lambda welcome: (), None)
    return Encoding(
        name, False, format.text, write, hello, tick, lambda payload: frame_of(payload.text)
    )


PLAIN_WEBSOCKET = _framed("plain WebSocket", PLAIN_FORMAT, frame)
V1_WEBSOCKET = _framed("v1 WebSocket", V1_FORMAT, frame)
PLAIN_DEFLATED = _framed("plain WebSocket, deflated", PLAIN_FORMAT, deflated_frame)
V1_DEFLATED = _framed("v1 WebSocket, deflated", V1_FORMAT, deflated_frame)

"""The sieve: drops the parts of a broker's messages that are too large or unreadable.  Pure.

A message is cut one byte after the longest text that streamd accepts; so it is refused later.  The
properties of messages are dropped: pika reads all of them, and one unreadable property would end
every connection.  The form of frames is in AMQP 0-9-1, section 4.2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from streamd.sources.incoming_texts import MAX_TEXT

MAX_FRAME = 131_072
"""The most bytes of a frame, which the client agrees with the broker."""

MAX_BODY = MAX_TEXT + 1
"""The most bytes of a message that are passed on."""

_METHOD, _HEADER, _BODY, _HEARTBEAT = 1, 2, 3, 8
_FRONT = struct.Struct(">BHL")
_CONTENT = struct.Struct(">HHQH")  # class, weight, bytes of the body, flags of the properties
_END = b"\xce"

_CONNECTION_CLOSE = b"\x00\x0a\x00\x32"
_CONTENT_TYPE, _ENCODING, _HEADERS, _DELIVERY_MODE = 1 << 15, 1 << 14, 1 << 13, 1 << 12

STREAM_OFFSET = b"\x0fx-stream-offset"
"""The name of the header that a message from a stream of RabbitMQ has."""

PERSISTENT = 2
"""The delivery mode of a message that a broker keeps on disk."""


class NotAmqp(Exception):
    """The broker sent bytes that are not AMQP 0-9-1."""


class Sieve:
    """Takes the bytes that a broker sends, in any pieces, and passes on whole frames.

    :ivar goodbye: the code and the text with which the broker has closed the connection.
    :ivar kept: whether the broker keeps the newest message on disk, and will forget it once it is
        acknowledged.
    """

    def __init__(self) -> None:
        self.goodbye: tuple[int, str] | None = None
        self.kept = True
        self._waiting = bytearray()
        self._room = 0  # bytes of the body that are still passed on

    def take(self, data: bytes) -> Iterator[bytes]:
        """Yield the frames that are complete now.

        :raises NotAmqp: if the broker does not send frames of this version.
        """
        self._waiting += data
        while len(self._waiting) >= _FRONT.size:
            kind, channel, size = _FRONT.unpack_from(self._waiting)
            if kind not in (_METHOD, _HEADER, _BODY, _HEARTBEAT) or size + 8 > MAX_FRAME:
                raise NotAmqp
            whole = _FRONT.size + size + len(_END)
            if len(self._waiting) < whole:
                return
            payload = bytes(self._waiting[_FRONT.size : whole - len(_END)])
            if self._waiting[whole - 1 : whole] != _END:
                raise NotAmqp
            del self._waiting[:whole]
            passed = self._pass(kind, payload)
            if passed is not None:
                yield _FRONT.pack(kind, channel, len(passed)) + passed + _END

    def _pass(self, kind: int, payload: bytes) -> bytes | None:
        """Return the part of a frame that is passed on; None if nothing is."""
        if kind == _HEADER:
            return self._header(payload)
        if kind == _BODY:
            part = payload[: self._room]
            self._room -= len(part)
            return part or None
        if kind == _METHOD and payload.startswith(_CONNECTION_CLOSE):
            [code, length] = struct.unpack_from(">HB", payload, 4)
            self.goodbye = code, payload[7 : 7 + length].decode(errors="replace")
        return payload

    def _header(self, payload: bytes) -> bytes:
        try:
            about, weight, size, flags = _CONTENT.unpack_from(payload)
            self.kept = self._is_kept(payload, flags)
        except (struct.error, IndexError):
            raise NotAmqp from None
        self._room = min(size, MAX_BODY)
        return _CONTENT.pack(about, weight, self._room, 0)

    def _is_kept(self, payload: bytes, flags: int) -> bool:
        """Return whether a message is persistent, and not of a stream of RabbitMQ."""
        at = _CONTENT.size
        for flag in (_CONTENT_TYPE, _ENCODING):
            if flags & flag:
                at += 1 + payload[at]
        if flags & _HEADERS:
            [size] = struct.unpack_from(">L", payload, at)
            at += 4 + size
            if STREAM_OFFSET in payload[at - size : at]:
                return False
        return bool(flags & _DELIVERY_MODE) and payload[at] == PERSISTENT

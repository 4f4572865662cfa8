"""Small pictures of every type."""

from __future__ import annotations

import struct
import zlib

SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 9 4.5 0 9 9z"/></svg>\n'
)
JPEG = b"\xff\xd8\xff\xe0 the picture \xff\xd9"
WEBP = b"RIFF" + struct.pack("<I", 12) + b"WEBPVP8 data"


def png(width: int = 4, height: int = 3, grey: int = 128) -> bytes:
    """A picture of one grey."""
    rows = (b"\0" + bytes([grey]) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

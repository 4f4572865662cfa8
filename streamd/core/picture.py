"""Pictures: recognised by their first bytes, never by the name of a file."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

MAX_PICTURE = 2**20
"""The most bytes of a picture: 1 MiB is a photo of a whole 4K screen, and a second at 8 Mbit/s."""

PNG, JPEG, WEBP, SVG = "image/png", "image/jpeg", "image/webp", "image/svg+xml"

_SVG = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?"
    rb"(?:<!--(?:(?!-->).)*-->\s*|<!DOCTYPE[^>\[]*>\s*)*<svg[\s>]",
    re.DOTALL,
)
"""The beginning of an SVG file: a byte order mark, a declaration, comments and a document type may
come first.  An internal subset of a document type, which can define entities, is not accepted."""


class Picture(NamedTuple):
    """The content of a picture file.

    :ivar kind: the media type.
    :ivar version: an identifier that changes with the content.
    """

    body: bytes
    kind: str
    version: str

    @classmethod
    def parse(cls, body: bytes) -> Picture:
        """Recognise the content of a file.

        :raises ValueError: it is not a picture; the message continues a sentence that begins with
            the file's name, such as "is not complete".
        """
        if len(body) > MAX_PICTURE:
            raise ValueError(f"is larger than {MAX_PICTURE // 2**20} MiB")
        kind = media_type(body)
        if kind is None:
            raise ValueError("is no PNG, JPEG, WebP or SVG")
        if not is_whole(body, kind):
            raise ValueError("is not complete")
        return cls(body, kind, hashlib.sha256(body).hexdigest()[:16])


def media_type(body: bytes) -> str | None:
    """Return the media type of a picture; None if the bytes are not a picture.

    The signatures are those of PNG 1.2 (3.1), ITU T.81 (B.1.1.3), RFC 9649 (2.4) and SVG 2.
    """
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if body.startswith(b"\xff\xd8\xff"):
        return JPEG
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return WEBP
    return SVG if _SVG.match(body) else None


def is_whole(body: bytes, kind: str) -> bool:
    """Return whether a picture is complete: a program may still be writing the file.

    :param kind: the type of the content, such as :data:`PNG`.
    """
    if kind == PNG:
        return b"IEND" in body[-64:]  # bytes behind the end do no harm
    if kind == JPEG:
        return b"\xff\xd9" in body[-4096:]  # cameras append data of their own
    if kind == WEBP:
        return len(body) >= 8 + int.from_bytes(body[4:8], "little")
    return b"</svg" in body[-4096:]  # drawing programs append comments

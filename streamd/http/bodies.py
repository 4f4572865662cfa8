"""Bodies of answers: sent in parts, compressed, and no faster than the client reads them."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPullProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from streamd.http.request import Response
from streamd.reactor.deadline import Deadline

READ_WITHIN = 60.0
"""Seconds for which a reader may leave one part of a large answer unread."""

WORTH_PACKING = 1024
"""Bytes: a shorter answer fits one TCP segment anyway."""

LEVEL = 6
LONG_LEVEL = 1
"""Levels of zlib for short and for long answers: level 1 takes a quarter of the CPU of level 6."""

MAX_LONG = 4
"""How many long answers are compressed at the same time; others are sent uncompressed."""

_GZIP = re.compile(r"(?:^|[,\s])(?:gzip|\*)\s*(?:$|,|;\s*q=(?:1|0\.[0-9]*[1-9]))", re.IGNORECASE)
"""Matches an Accept-Encoding that accepts gzip (RFC 9110, section 12.5.3)."""


@implementer(IPullProducer)
class Parts:
    """Writes a large answer in parts; each is made when the one before it was sent."""

    def __init__(self, exchange: Any, parts: Iterator[bytes], site: Any) -> None:
        """:param exchange: the request to answer.

        :param site: the site, for its clock and its log.
        """
        self._exchange = exchange
        self._parts = parts
        self._site = site
        self._deadline = Deadline(site.clock)

    def start(self) -> None:
        """Begin to write the answer."""
        self._exchange.notifyFinish().addBoth(lambda _: self._deadline.cancel())
        self._exchange.registerProducer(self, False)

    def resumeProducing(self) -> None:
        self._deadline.cancel()
        try:
            part = next(self._parts, None)
        except Exception:  # the client must not mistake half an answer for a whole one
            self._site.note_failure("an answer broke off", Failure())
            self._exchange.unregisterProducer()
            self._exchange.channel.abort()
            return
        if part == b"":  # the compressor has no output yet; other connections come first
            self._deadline.set(0, self.resumeProducing)
        elif part is not None:
            self._deadline.set(READ_WITHIN, self._exchange.channel.abort)
            self._exchange.write(part)
        else:
            self._exchange.unregisterProducer()
            self._exchange.finish()

    def stopProducing(self) -> None:
        self._deadline.cancel()


def whole(parts: bytes | Iterator[bytes]) -> bytes | Iterator[bytes]:
    """Return a body that has only one part as bytes, so that it is sent with its length."""
    if isinstance(parts, bytes):
        return parts
    first, second = next(parts, b""), next(parts, None)
    return first if second is None else _again([second, first], parts)


def _again(taken: list[bytes], parts: Iterator[bytes]) -> Iterator[bytes]:
    while taken:
        yield taken.pop()
    yield from parts


def takes_gzip(accept_encoding: str) -> bool:
    """Return True if a client with this Accept-Encoding can read gzip."""
    return _GZIP.search(accept_encoding) is not None


def is_worth_packing(response: Response, body: bytes | Iterator[bytes]) -> bool:
    """Return True if compression makes this answer smaller by a packet or more."""
    kind = response.headers.get("Content-Type", "")
    is_text = kind.startswith("text/") or "json" in kind or "javascript" in kind or "svg" in kind
    return is_text and (not isinstance(body, bytes) or len(body) >= WORTH_PACKING)


class Packer:
    """Compresses answers with gzip, but only few long ones at a time.

    Any client may request all streams repeatedly.  An answer of 120 MB took 5.8 s of CPU.
    """

    def __init__(self) -> None:
        self._long = 0

    def pack(
        self, body: bytes | Iterator[bytes], finished: Deferred[Any]
    ) -> bytes | Iterator[bytes] | None:
        """Return a compressed body, whose parts are made lazily; None to send it uncompressed.

        :param body: bytes, or the parts of a long answer.
        :param finished: fires when the answer was sent, or when the connection is lost.
        """
        if isinstance(body, bytes):
            return gzip.compress(body, LEVEL, mtime=0)
        if self._long >= MAX_LONG:
            return None
        self._long += 1
        finished.addBoth(self._done)
        packer = zlib.compressobj(LONG_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        return chain(map(packer.compress, body), _last(packer))

    def _done(self, _: object) -> None:
        self._long -= 1


def _last(packer: Any) -> Iterator[bytes]:
    # A generator, because flush() must be called after all parts were compressed.
    yield packer.flush()

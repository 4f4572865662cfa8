"""Bodies of answers: in parts, compressed, no faster than they are read."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPullProducer, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from streamd.http.request import Response

READ_WITHIN = 60.0
"""Seconds for which a reader may leave one part of a large answer unread."""

WORTH_PACKING = 1024
"""Bytes: below it an answer fits one segment anyway."""

_GZIP = re.compile(r"(?:^|[,\s])(?:gzip|\*)\s*(?:$|,|;\s*q=(?:1|0\.[0-9]*[1-9]))", re.IGNORECASE)
"""An Accept-Encoding that takes gzip (RFC 9110, section 12.5.3)."""


@implementer(IPullProducer)
class _Parts:
    """Writes a large answer part by part, each when the one before it has left."""

    def __init__(self, exchange: Any, parts: Iterator[bytes], clock: IReactorTime) -> None:
        self._exchange = exchange
        self._parts = parts
        self._clock = clock
        self._deadline: IDelayedCall | None = None

    def start(self) -> None:
        self._exchange.notifyFinish().addBoth(lambda _: self._calm())
        self._exchange.registerProducer(self, False)

    def resumeProducing(self) -> None:
        self._calm()
        try:
            part = next(self._parts, None)
        except Exception:  # half an answer must not be taken for a whole one
            self._exchange.channel.site.note_failure("an answer broke off", Failure())
            self._exchange.unregisterProducer()
            self._exchange.channel.abort()
            return
        if part is not None:
            self._deadline = self._clock.callLater(READ_WITHIN, self._exchange.channel.abort)
            self._exchange.write(part)
        else:
            self._exchange.unregisterProducer()
            self._exchange.finish()

    def stopProducing(self) -> None:
        self._calm()

    def _calm(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None


def _whole(parts: bytes | Iterator[bytes]) -> bytes | Iterator[bytes]:
    """A body that has one part only is sent with its length."""
    if isinstance(parts, bytes):
        return parts
    first, second = next(parts, b""), next(parts, None)
    return first if second is None else _again([second, first], parts)


def _again(taken: list[bytes], parts: Iterator[bytes]) -> Iterator[bytes]:
    while taken:
        yield taken.pop()
    yield from parts


def _is_worth_packing(response: Response, body: bytes | Iterator[bytes]) -> bool:
    kind = response.headers.get("Content-Type", "")
    is_text = kind.startswith("text/") or "json" in kind or "javascript" in kind or "svg" in kind
    return is_text and (not isinstance(body, bytes) or len(body) >= WORTH_PACKING)


def _packed(body: bytes | Iterator[bytes]) -> bytes | Iterator[bytes]:
    if isinstance(body, bytes):
        return gzip.compress(body, 6, mtime=0)
    packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return filter(None, chain(map(packer.compress, body), _last(packer)))


def _last(packer: Any) -> Iterator[bytes]:
    # A generator, so that it is asked when all before it is packed.
    yield packer.flush()

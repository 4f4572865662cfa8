"""Bodies of answers: sent in parts, compressed, and no faster than the client reads them.

An answer that nobody reads takes memory.  :class:`Unread` counts this memory and bounds it.
"""

from __future__ import annotations

import gzip
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from streamd.core.quota import Quota, Share
from streamd.http.access.principal import Principal
from streamd.http.request import PART, Response
from streamd.reactor.deadline import Deadline
from streamd.reactor.worker import Worker

READ_WITHIN = 60.0
"""Seconds for which a reader may leave one part of a large answer unread: at least 1 KiB a second."""

ANSWER_WITHIN = 600.0
"""Seconds for a whole answer: 6 MB over a line of 100 kbit/s take eight minutes."""

LOOK_EVERY = 1.0
"""Seconds between two checks of an answer that is being sent."""

SMALL = 16 * 1024
"""Bytes: a shorter body is written at once, and not counted as unread."""

MAX_UNREAD = 64 * 2**20
"""The most memory of all answers that are being sent: 500 answers, each with two parts."""

MAX_OUTDATED = 32 * 2**20
"""Bytes of updates that the state may drop while an answer with some of them is being sent."""

POINTER = 8
"""Bytes of a reference in a list to one update."""

WORTH_PACKING = 1024
"""Bytes: a shorter answer fits one TCP segment anyway."""

MAX_PACKED = 1024 * 1024
"""Bytes: a longer answer is not compressed, because any client may request it again and again.  To
compress 120 MB took 5.8 s of CPU."""

LEVEL = 6
LONG_LEVEL = 1
"""Levels of zlib for bodies of one part and for longer ones: level 1 takes a quarter of the CPU."""

KEPT_PACKED = 8 * 2**20
"""Bytes of the cached bodies, before and after compression: the files of the page, and some answers."""

MAX_PACKING = 8
"""The most bodies that are compressed at a time; others are sent uncompressed."""

_GZIP = re.compile(r"(?:^|[,\s])(?:gzip|\*)\s*(?:$|,|;\s*q=(?:1|0\.[0-9]*[1-9]))", re.IGNORECASE)
"""Matches an Accept-Encoding that accepts gzip (RFC 9110, section 12.5.3)."""


@dataclass(slots=True)
class SharedBody:
    """A body that answers share.

    Its memory counts for the client that asked for it first, until the last of the answers has
    ended.
    """

    client: str
    size: int
    answers: int = 0


class HeldMemory(NamedTuple):
    """The memory that one answer holds while it is being sent.

    :ivar body: the identity of its body if it is whole; answers with the same body share its memory.
    :ivar since: how many bytes of updates the state had dropped when the answer began; None if the
        answer keeps no update alive.
    """

    client: str
    size: int
    body: int | None
    since: int | None


class Unread:
    """Counts the memory of all answers that are being sent, and bounds it.

    :ivar quota: bytes of memory.
    """

    def __init__(self, dropped: Callable[[], int] = lambda: 0, share: Share | None = None) -> None:
        """:param dropped: returns how many bytes of updates the state has dropped since the start.

        :param share: the part of the memory for one client address.
        """
        self.quota = Quota(MAX_UNREAD, share)
        self._dropped = dropped
        self._bodies: dict[int, SharedBody] = {}

    def hold(
        self, client: str, body: bytes | Iterator[bytes], updates: int = 0, kept: int = 0
    ) -> HeldMemory:
        """Count an answer.

        :param client: the address under which the client is counted.
        :param updates: how many updates of the state the body keeps alive.
        :param kept: bytes of other memory that the body keeps alive.
        :raises Refused: 503 if there is no room for it.
        """
        # One part waits in the transport while the next is made.  Two values can make it 128 KiB.
        size = (2 if isinstance(body, bytes) else 3) * PART + POINTER * updates + kept
        whole = id(body) if isinstance(body, bytes) else None
        new = len(body) if isinstance(body, bytes) and whole not in self._bodies else 0
        self.quota.check(client, size + new, "unread answers")
        self.quota.take(client, size + new)
        if whole is not None:
            self._bodies.setdefault(whole, SharedBody(client, new)).answers += 1
        return HeldMemory(client, size, whole, self._dropped() if updates else None)

    def release(self, held: HeldMemory) -> None:
        """Stop counting an answer."""
        self.quota.give_back(held.client, held.size)
        if held.body is None:
            return
        shared = self._bodies[held.body]
        shared.answers -= 1
        if not shared.answers:
            self.quota.give_back(shared.client, shared.size)
            del self._bodies[held.body]

    def is_outdated(self, held: HeldMemory) -> bool:
        """Return whether an answer may keep too many updates alive that the state has dropped.

        All dropped updates that answers keep alive were dropped after the oldest answer began.  So a
        bound on each answer bounds the memory of all.
        """
        return held.since is not None and self._dropped() - held.since > MAX_OUTDATED


@implementer(IPushProducer)
class Parts:
    """Writes a large answer in parts, each in its turn, while the transport has room.

    Twisted can do this with a pull producer.  But it does not stop such a producer if the connection
    ends after :meth:`Channel.loseConnection`.
    """

    def __init__(
        self,
        exchange: Any,
        body: bytes | Iterator[bytes],
        site: Any,
        held: HeldMemory,
        reader: Principal | None = None,
    ) -> None:
        """:param exchange: the request to answer.

        :param site: the site, for its clock, its log and its count of unread answers.
        :param held: the memory that the answer holds; it is released at its end.
        :param reader: whose rights the answer needs until its end; None if it needs none.
        """
        self._exchange = exchange
        self._parts = _slices(body) if isinstance(body, bytes) else body
        self._site = site
        self._held = held
        self._reader = reader
        self._waits = self._over = False
        self._look = Deadline(site.clock)
        self._paused = False
        self._began = self._progress = site.clock.seconds()

    def start(self) -> None:
        """Begin to write the answer."""
        self._exchange.notifyFinish().addBoth(self._end)
        self._look.set(LOOK_EVERY, self._check)
        self._exchange.registerProducer(self, True)
        self._write()

    def _end(self, _: object) -> None:
        self.stopProducing()
        self._parts = iter(())
        self._site.unread.release(self._held)

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._go_on()

    def stopProducing(self) -> None:
        self._over = True
        self._look.cancel()

    def _go_on(self) -> None:
        if not self._waits:
            self._waits = True
            self._site.turns.call(self._write, self._held.client)

    def _write(self) -> None:
        self._waits = False
        if self._over:
            return
        self._progress = self._site.clock.seconds()
        try:
            part = next(self._parts, None)
        except Exception:  # the client must not mistake half an answer for a whole one
            self._site.note_failure("an answer broke off", Failure())
            self._exchange.unregisterProducer()
            self._exchange.channel.abort()
            return
        if part is None:
            self._exchange.unregisterProducer()
            self._exchange.finish()
            return
        self._exchange.write(part)
        if not self._paused:
            self._go_on()

    def _check(self) -> None:
        """Abort an answer that is read too slowly, or that keeps too much of an old state alive.

        Also abort one whose client may not read it any more: its rest would be made of newer values.
        """
        now = self._site.clock.seconds()
        is_late = now - self._began >= ANSWER_WITHIN or now - self._progress >= READ_WITHIN
        reader = self._reader
        has_lost = reader is not None and not self._site.access.is_current(reader)
        if is_late or has_lost or self._site.unread.is_outdated(self._held):
            self._exchange.channel.abort()
        else:
            self._look.set(LOOK_EVERY, self._check)


def _slices(body: bytes) -> Iterator[bytes]:
    return (body[start : start + PART] for start in range(0, len(body), PART))


def whole(parts: bytes | Iterator[bytes], limit: int) -> bytes | Iterator[bytes]:
    """Return a body of at most ``limit`` bytes as bytes, so that it is sent with its length."""
    if isinstance(parts, bytes):
        return parts
    taken, size = [], 0
    for part in parts:
        taken.append(part)
        size += len(part)
        if size > limit or not part:
            return chain(taken, parts)
    return b"".join(taken)


def takes_gzip(accept_encoding: str) -> bool:
    """Return True if a client with this Accept-Encoding can read gzip."""
    return _GZIP.search(accept_encoding) is not None


def is_packable(response: Response) -> bool:
    """Return True if compression makes an answer of this type much smaller."""
    kind = response.headers.get("Content-Type", "")
    packs = kind.startswith("text/") or kind == "font/ttf"  # Inter shrinks from 877 to 478 kB
    return packs or "json" in kind or "javascript" in kind or "svg" in kind


def _gzip(body: bytes, level: int) -> bytes:
    return gzip.compress(body, level, mtime=0)


class Packer:
    """Compresses bodies with gzip in a thread, once for equal bodies, and caches the results."""

    def __init__(self, worker: Worker, share: Share | None = None) -> None:
        """:param share: the part of :data:`MAX_PACKING` for one client address."""
        self._worker = worker
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._size = 0
        self._under_way: dict[bytes, list[Deferred[bytes]]] = {}
        self._quota = Quota(MAX_PACKING, share)

    def pack(self, body: bytes, client: str) -> Deferred[bytes] | None:
        """Return a compressed body; None if it has to be sent uncompressed.

        :param client: the address under which the client is counted.
        """
        if not WORTH_PACKING <= len(body) <= MAX_PACKED:
            return None
        if body in self._kept:
            self._kept.move_to_end(body)
            return succeed(self._kept[body])
        waiting = self._under_way.get(body)
        if waiting is None:
            if not self._quota.has_room(client):
                return None
            waiting = self._under_way[body] = []
            self._quota.take(client)
            level = LEVEL if len(body) <= PART else LONG_LEVEL
            packing = self._worker.run(_gzip, body, level)
            packing.addBoth(self._done, body, client)
        answer: Deferred[bytes] = Deferred()
        waiting.append(answer)
        return answer

    def _done(self, packed: Any, body: bytes, client: str) -> None:
        self._quota.give_back(client)
        if isinstance(packed, bytes):
            self._keep(body, packed)
        for answer in self._under_way.pop(body):
            answer.callback(packed)  # a Failure calls the errbacks

    def _keep(self, body: bytes, packed: bytes) -> None:
        self._kept[body] = packed
        self._size += len(body) + len(packed)
        while self._size > KEPT_PACKED:
            oldest, dropped = self._kept.popitem(last=False)
            self._size -= len(oldest) + len(dropped)

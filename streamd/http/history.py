"""Thinned histories: computed in slices, once for equal requests, and cached."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed

from streamd.core.errors import Refused
from streamd.core.stream import Stream
from streamd.core.thin import steps_of, thin
from streamd.core.update import Update
from streamd.reactor.slices import Slices

KEPT_BYTES = 4 * 2**20
"""Bytes of cached histories: some 100 histories of 500 points."""

ENTRY_BYTES = 400
"""Memory of a cached history, beside its points; 290 to 360 bytes were measured."""

MAX_UNDER_WAY = 32
"""How many different requests may be computed at a time: each holds a list of its whole history."""


class ThinHistory(msgspec.Struct, frozen=True):
    """A thinned history.

    :ivar parts: the points as JSON; each part has many points with commas between.
    :ivar thinned: whether updates were left out.
    """

    parts: tuple[bytes, ...]
    thinned: bool

    @property
    def size(self) -> int:
        """The bytes of memory that it takes in the cache."""
        return ENTRY_BYTES + sum(map(len, self.parts))


class Thinner:
    """Thins the histories of streams for requests, and caches the results."""

    def __init__(self, slices: Slices) -> None:
        self._slices = slices
        self._kept: dict[object, ThinHistory] = {}
        self._size = 0
        self._under_way: dict[object, list[Deferred[ThinHistory]]] = {}

    def ask(self, stream: Stream, length: int, points: int) -> Deferred[ThinHistory]:
        """Return the history of a stream, thinned to about ``points`` points.

        :param length: how many of the newest updates it covers; 0 for all.
        :raises Refused: 503 if too many different requests are being computed.
        """
        newest = stream.newest
        key = stream.name, newest and newest.at, stream.lost, length, points
        if (found := self._kept.get(key)) is not None:
            return succeed(found)
        waiting = self._under_way.get(key)
        if waiting is None:
            if len(self._under_way) >= MAX_UNDER_WAY:
                raise Refused(503, "busy", "too many histories are being thinned; ask again")
            waiting = self._under_way[key] = []
            history = list(stream.history)
            self._slices.run(_thinned(history, length, points)).addBoth(self._done, key)
        answer: Deferred[ThinHistory] = Deferred()
        waiting.append(answer)
        return answer

    def _done(self, result: Any, key: object) -> None:
        if isinstance(result, ThinHistory):
            self._keep(key, result)
        for answer in self._under_way.pop(key):
            answer.callback(result)  # a Failure calls the errbacks

    def _keep(self, key: object, history: ThinHistory) -> None:
        self._kept[key] = history
        self._size += history.size
        while self._size > KEPT_BYTES:
            self._size -= self._kept.pop(next(iter(self._kept))).size


def _thinned(history: list[Update], length: int, points: int) -> Generator[None, None, ThinHistory]:
    updates: list[Update] = []
    for some in steps_of(history[-length:]):
        updates += [update for update in some if update.value is not None]
        yield
    few = yield from thin(updates, points)
    parts: list[bytes] = []
    for some in steps_of(few):
        parts.append(b",".join(map(point_text, some)))
        yield
    return ThinHistory(tuple(parts), len(few) < len(updates))


def point_text(update: Update) -> bytes:
    """Return ``{"seq", "at", "time", "value"}`` as JSON."""
    value = msgspec.Raw(update.value or b"null")
    return msgspec.json.encode(
        {"seq": update.seq, "at": str(update.at), "time": update.time, "value": value}
    )

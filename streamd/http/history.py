"""Thinned histories: computed in slices, once for equal requests, and cached."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

import msgspec
from twisted.internet.defer import Deferred, succeed

from streamd.core.errors import Refused
from streamd.core.quota import SHARE, Quota, refuse_greedy
from streamd.core.retention import cost
from streamd.core.stream import Stream
from streamd.core.thin import steps_of, thin
from streamd.core.update import Update
from streamd.reactor.slices import Slices

KEPT_BYTES = 16 * 2**20
"""Bytes of cached histories: some 100 histories of 500 points."""

ENTRY_BYTES = 400
"""Memory of a cached history, beside its updates; 290 to 360 bytes were measured."""

MAX_WAITING = 64
"""How many different requests may wait: a wall sends one for each chart."""


class ThinHistory(msgspec.Struct, frozen=True):
    """A thinned history.

    :ivar updates: the points of the chart.
    :ivar thinned: whether updates were left out.
    """

    updates: Sequence[Update]
    thinned: bool

    @property
    def size(self) -> int:
        """The bytes of memory that it takes in the cache."""
        return ENTRY_BYTES + sum(map(cost, self.updates))


class Job(NamedTuple):
    """A request; equal ones share a computation."""

    stream: Stream
    length: int
    points: int

    @property
    def key(self) -> object:
        """Return the job with the extent of the history: the result is right while this is the same."""
        newest = self.stream.newest
        return self, newest and newest.at, self.stream.lost


class Thinner:
    """Thins the histories of streams for requests, and caches the results.

    One is thinned at a time, because each takes a list of its whole history.  Clients take turns, so
    that one with many requests does not delay the others.
    """

    def __init__(self, slices: Slices, share: float = SHARE) -> None:
        """:param share: the part of :data:`MAX_WAITING` for one client address."""
        self._slices = slices
        self._quota = Quota(MAX_WAITING, share)
        self._kept: dict[object, ThinHistory] = {}
        self._size = 0
        self._waiting: dict[Job, list[Deferred[ThinHistory]]] = {}
        self._turns: OrderedDict[str, deque[Job]] = OrderedDict()
        self._running: object = None
        self._answers: list[Deferred[ThinHistory]] = []  # of the job that runs

    def ask(self, stream: Stream, length: int, points: int, client: str) -> Deferred[ThinHistory]:
        """Return the history of a stream, thinned to about ``points`` points.

        :param length: how many of the newest updates it covers; 0 for all.
        :param client: the address under which the client is counted.
        :raises Refused: 503 if too many different requests wait.
        """
        job = Job(stream, length, points)
        if (found := self._kept.get(job.key)) is not None:
            return succeed(found)
        answer: Deferred[ThinHistory] = Deferred()
        if self._running == job.key:
            self._answers.append(answer)
        elif job in self._waiting:
            self._waiting[job].append(answer)
        else:
            if self._quota.exceeds(client):
                raise refuse_greedy(client, "histories being thinned")
            if self._quota.used >= self._quota.total:
                raise Refused(503, "busy", "too many histories are being thinned; ask again")
            self._quota.take(client)
            self._waiting[job] = [answer]
            self._turns.setdefault(client, deque()).append(job)
            self._proceed()
        return answer

    def _proceed(self) -> None:
        """Start the next job, of the client whose last turn is the longest ago."""
        if self._running is not None or not self._turns:
            return
        client, jobs = self._turns.popitem(last=False)
        job = jobs.popleft()
        self._quota.give_back(client)
        if jobs:
            self._turns[client] = jobs
        self._running, self._answers = job.key, self._waiting.pop(job)
        history = list(job.stream.history)
        self._slices.run(_thinned(history, job.length, job.points)).addBoth(self._done)

    def _done(self, result: Any) -> None:
        if isinstance(result, ThinHistory):
            self._keep(self._running, result)
        answers, self._answers, self._running = self._answers, [], None
        self._proceed()
        for answer in answers:
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
    return ThinHistory(few, len(few) < len(updates))

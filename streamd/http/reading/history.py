"""Answers about the past of streams: computed in slices, once for equal requests, and cached."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Generator, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred, succeed

from streamd.core.histories.period import Period, look_back
from streamd.core.histories.segments import SEGMENT_BYTES
from streamd.core.histories.thinning import thin
from streamd.core.quota import Quota, Share
from streamd.core.retention import cost
from streamd.core.steps import steps_of
from streamd.core.stream import Stream
from streamd.core.update import Update
from streamd.reactor.slices import Slices

KEPT_BYTES = 16 * 2**20
"""Bytes of cached histories: some 100 histories of 500 points."""

ENTRY_BYTES = 400
"""Memory of a cached result, beside its points; 290 to 360 bytes were measured."""

SLOT_BYTES = 250
"""Memory of a slot in a result: a tuple and six numbers (CPython)."""

MAX_WAITING = 64
"""The most different requests that wait: a wall sends one for each chart."""


_Asker = tuple[str, Deferred[Any]]
"""The address of a client, and its answer."""


class Look(Protocol):
    """A request for a part of a stream's past; equal ones share a computation."""

    @property
    def key(self) -> object:
        """Return a key of the result: an equal key means that the result is still right."""

    def compute(self) -> Generator[None, None, Any]:
        """Compute the result, in steps of about a millisecond."""

    def size(self, result: Any) -> int:
        """Return the bytes of memory that a result takes, beside :data:`ENTRY_BYTES`."""


class ThinHistory(NamedTuple):
    """The points of a chart, and whether updates were left out."""

    updates: Sequence[Update]
    thinned: bool


class ThinLook(NamedTuple):
    """A request for the newest updates, thinned to about ``points`` points.

    :ivar length: how many of the newest updates it covers; 0 for all.
    """

    stream: Stream
    length: int
    points: int

    @property
    def key(self) -> object:
        newest = self.stream.newest
        return self, newest and newest.at, self.stream.lost

    def compute(self) -> Generator[None, None, ThinHistory]:
        return _thinned(list(self.stream.history)[-self.length :], self.points)

    def size(self, result: ThinHistory) -> int:
        return sum(map(cost, result.updates))


class PeriodLook(NamedTuple):
    """A request for a period, in at most ``most`` slots.

    :ivar begin: seconds since the epoch, as ``end`` is.
    """

    stream: Stream
    begin: float
    end: float
    most: int

    @property
    def key(self) -> object:
        newest, past = self.stream.newest, self.stream.past
        filled = past and (past, past.reached, past.trouble)
        return self, newest and newest.at, self.stream.health.since, filled

    def compute(self) -> Generator[None, None, Period]:
        return look_back(*self)

    def size(self, result: Period) -> int:
        segments = len(result.words) + len(result.levels) + len(result.silences)
        return SLOT_BYTES * len(result.slots) + SEGMENT_BYTES * segments


class PastAnswers:
    """Answers requests for the past of streams, and caches the results.

    One result is computed at a time, because each computation makes a list of a whole history.
    Clients take turns, so that one with many requests does not delay the others.
    """

    def __init__(self, slices: Slices, share: Share | None = None) -> None:
        """:param share: the part of :data:`MAX_WAITING` for one client address."""
        self._slices = slices
        self._quota = Quota(MAX_WAITING, share)
        self._kept: dict[object, tuple[Any, int]] = {}
        self._size = 0
        self._waiting: dict[Look, list[_Asker]] = {}
        self._turns: OrderedDict[str, deque[Look]] = OrderedDict()
        self._running: object = None
        self._askers: list[_Asker] = []  # of the request that is being computed

    def ask(self, look: Look, client: str) -> Deferred[Any]:
        """Return the result of a request.

        :param client: the address under which the client is counted.
        :raises Refused: 503 if too many different requests wait.
        """
        if (found := self._kept.get(look.key)) is not None:
            return succeed(found[0])
        answer: Deferred[Any] = Deferred()
        if self._running == look.key:
            self._askers.append((client, answer))
        elif look in self._waiting:
            self._waiting[look].append((client, answer))
        else:
            self._quota.check(client, 1, "histories being computed")
            self._quota.take(client)
            self._waiting[look] = [(client, answer)]
            self._turns.setdefault(client, deque()).append(look)
            self._proceed()
        return answer

    def _proceed(self) -> None:
        """Start the next computation, for the client whose last turn is the longest ago."""
        if self._running is not None or not self._turns:
            return
        client, looks = self._turns.popitem(last=False)
        look = looks.popleft()
        self._quota.give_back(client)
        if looks:
            self._turns[client] = looks
        self._running, self._askers = look.key, self._waiting.pop(look)
        self._slices.run(look.compute(), client).addCallback(self._keep, look).addBoth(self._done)

    def _keep(self, result: Any, look: Look) -> Any:
        size = ENTRY_BYTES + look.size(result)
        self._kept[self._running] = result, size
        self._size += size
        while self._size > KEPT_BYTES:
            self._size -= self._kept.pop(next(iter(self._kept)))[1]
        return result

    def _done(self, result: Any) -> None:
        """Answer everybody who asked, in turns: each answer has its own JSON, of a millisecond."""
        askers, self._askers, self._running = self._askers, [], None
        self._proceed()
        for client, answer in askers:
            self._slices.call(partial(answer.callback, result), client)  # a Failure fails it


def _thinned(history: Sequence[Update], points: int) -> Generator[None, None, ThinHistory]:
    updates: list[Update] = []
    for some in steps_of(history):
        updates += [update for update in some if update.value is not None]
        yield
    few = yield from thin(updates, points)
    return ThinHistory(few, len(few) < len(updates))

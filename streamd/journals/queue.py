"""The queue of a journal: requests wait in order, and each step carries out several of them.

A store that is another process may get the next step before it has answered: so it never waits.

All kinds of journal use this queue.  A kind defines the form of its requests, and how a step is
carried out.  Answers are given in the order of the requests.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.core.errors import Refused
from streamd.core.histories.blocks import Blocks
from streamd.core.room import Reservation, Room
from streamd.core.update import ORIGIN, Draft, Position, size_of
from streamd.journals.append_counts import AppendCounts
from streamd.journals.journal import Away, Outrun

W = TypeVar("W")

DRAFT_BYTES = 320
"""Bytes of memory for a waiting draft, without its value.  Measured with CPython 3.11: 163 bytes for
SQLite and 257 for Redis, with a short name; a name of 128 characters takes 120 more."""

REQUEST_BYTES = 1024
"""Bytes of memory for a waiting request, without its updates: 500 to 860 were measured."""

TRIM_BYTES = 200
"""Bytes of memory for one stream in a request to trim."""

MAX_WAITING = 10_000
MAX_WAITING_BYTES = 64 * 2**20
"""The most requests that wait, and the most bytes of memory for them: a disk writes that in seconds."""

STEP_UPDATES = 5000
STEP_BYTES = 8 * 2**20
"""The most updates and bytes in one step: all other requests wait until the step is over."""


def cost_of_blocks(blocks: Blocks) -> int:
    """Return the bytes of memory that parts of long histories take while they wait."""
    return sum(
        DRAFT_BYTES + len(data or b"") for parts in blocks.values() for data in parts.values()
    )


class QueuedRequest(msgspec.Struct, Generic[W], frozen=True):
    """One request in the queue.

    :ivar what: the request, in a form that the kind of journal defines.
    :ivar answer: fires with the answer.
    :ivar cost: bytes of memory.
    :ivar updates: how many updates it may commit.
    :ivar octets: the bytes of the values of these updates.
    :ivar held: the room for these updates, until the request is answered.
    :ivar since: when the request was made, in seconds on a monotonic clock.
    """

    what: W
    answer: Deferred[Any]
    cost: int = 0
    updates: int = 0
    octets: int = 0
    held: Reservation | None = None
    since: float = 0.0


Outcome = tuple[Sequence[Any], Position]
"""The result of a step: an answer for each request, which may be a :class:`Failure`, and a position.

The answers are held back until the follower has been told the log up to this position.
"""


class AppendQueue(Generic[W]):
    """A bounded queue of requests, which are carried out in steps, one after the other.

    :ivar room: the room for updates; an append that waits counts as if it were applied.
    :ivar refusal: the error for new requests; None if they are accepted.
    :ivar appends: counts the requests that append.
    :ivar followed: the follower has the log up to this position; see :data:`Outcome`.
    """

    _log = Logger()
    room: Room

    def __init__(
        self,
        carry_out: Callable[[Sequence[W]], Outcome | Awaitable[Outcome]],
        store: str,
        elapsed: Callable[[], float],
        at_once: int = 1,
    ) -> None:
        """:param carry_out: carries out a step, at once or in a while.  If it raises, all requests of
            the step fail.

        :param store: a name for the store in error messages, such as ``Redis``.
        :param elapsed: returns seconds on a monotonic clock.
        :param at_once: how many steps may be under way.  If more than one, ``carry_out`` keeps them in
            order, and calls :meth:`refuse` if one fails.
        """
        self.appends = AppendCounts()
        self._elapsed = elapsed
        self.refusal: Away | None = Away("streamd is starting or stopping")
        self.followed = ORIGIN
        self._carry_out = carry_out
        self._store = store
        self._waiting: deque[QueuedRequest[W]] = deque()
        self._under_way: deque[list[QueuedRequest[W]]] = deque()
        self._held_back: deque[tuple[Sequence[QueuedRequest[W]], Outcome]] = deque()
        self._count = self._bytes = 0
        self._at_once, self._working = at_once, 0
        self._closed: Deferred[None] | None = None

    @property
    def idle(self) -> bool:
        """Return whether every request was answered and no step is under way."""
        return self._working == self._count == 0

    def __len__(self) -> int:
        """Return how many requests were not answered yet."""
        return self._count

    @property
    def awaited(self) -> Position | None:
        """The position for which the next held-back answers wait; None if no answers are held back."""
        return self._held_back[0][1][1] if self._held_back else None

    def ask(self, what: W, size: int = 0, drafts: Sequence[Draft] = ()) -> Deferred[Any]:
        """Add a request.

        :param size: bytes of memory for its arguments, without the drafts.
        :param drafts: the drafts that the request appends.
        :returns: fires with the answer.  A caller that stops waiting may cancel it.  The drafts
            then keep their room, because the journal may still commit them.
        :raises Refused: 429 if there is no room for the drafts; see :meth:`Room.reserve`.
        :raises Away: by the Deferred, if requests are refused or too many wait.
        """
        refusal, count, octets = self.refusal, len(drafts), size_of(drafts)
        cost = REQUEST_BYTES + size + DRAFT_BYTES * count + octets
        # A request that is larger than the bound is accepted only when nothing else waits.
        if self._count and (self._count >= MAX_WAITING or self._bytes + cost > MAX_WAITING_BYTES):
            refusal = refusal or Away(f"too much waits for {self._store}")
        if refusal is not None:
            self._note_failed(count, refusal)
            return fail(refusal)
        try:
            held = self.room.reserve(drafts) if drafts else None
        except Refused as refused:
            self._note_failed(count, refused)
            raise
        now = self._elapsed() if drafts else 0.0
        return self.put(QueuedRequest(what, Deferred(), cost, count, octets, held, now))

    def put(self, request: QueuedRequest[W]) -> Deferred[Any]:
        """Add a request without checking the bounds and the refusal."""
        self._waiting.append(request)
        self._count += 1
        self._bytes += request.cost
        if self._working < self._at_once:
            self._working += 1
            self._work()
        return request.answer

    def follow(self, at: Position) -> None:
        """Note that the follower has the log up to ``at``; give the answers that wait for it."""
        self.followed = at
        while self._held_back and self._held_back[0][1][1] <= at:
            requests, (answers, _) = self._held_back.popleft()
            self._answer(requests, answers)

    def refuse(self, why: Away) -> None:
        """Refuse all requests: new ones, waiting ones, and those of the steps under way.

        The store may still carry out these steps, but their answers are dropped.

        :param why: the error for these requests.
        """
        self.refusal = why
        steps = [*(step for step, _ in self._held_back), *self._under_way, [*self._waiting]]
        self._held_back.clear()
        self._under_way.clear()
        self._waiting.clear()
        for requests in steps:
            self._answer(requests, [Failure(why)] * len(requests))

    def admit(self) -> None:
        """Accept requests again, unless the queue is closed."""
        if self._closed is None:
            self.refusal = None

    def close(self) -> Deferred[None]:
        """Refuse new requests; fires when every request was answered and no step is under way."""
        self.refusal = Away("streamd is starting or stopping")
        self._closed = self._closed or Deferred()
        return succeed(None) if self.idle else self._closed

    def _work(self) -> None:
        """Carry out steps until no request waits, or until a step takes a while."""
        while self._waiting:
            requests = self._take()
            self._under_way.append(requests)
            try:
                outcome = self._carry_out([request.what for request in requests])
            except Exception as error:
                outcome = self._failed(requests, error)
            if not isinstance(outcome, tuple):
                Deferred.fromCoroutine(self._wait(requests, outcome))
                return
            self._finish(requests, outcome)
        self._working -= 1
        self._tell_idle()

    async def _wait(
        self, requests: Sequence[QueuedRequest[W]], carried_out: Awaitable[Outcome]
    ) -> None:
        """Wait for the end of a step, and go on with the next one."""
        try:
            outcome = await carried_out
        except Exception as error:
            outcome = self._failed(requests, error)
        self._finish(requests, outcome)
        self._work()

    def _finish(self, requests: Sequence[QueuedRequest[W]], outcome: Outcome) -> None:
        """Give the answers of a step that has ended, once the follower has been told its updates."""
        if self._under_way and self._under_way[0] is requests:  # not refused meanwhile
            self._under_way.popleft()
            self._held_back.append((requests, outcome))
            self.follow(self.followed)

    def _failed(self, requests: Sequence[QueuedRequest[W]], error: Exception) -> Outcome:
        """Return the outcome of a step that has failed."""
        return [Failure(self._reason(error))] * len(requests), ORIGIN

    def _take(self) -> list[QueuedRequest[W]]:
        """Remove the requests of the next step from the queue, and return them."""
        requests: list[QueuedRequest[W]] = []
        updates = cost = 0
        while waiting := self._waiting:
            updates += waiting[0].updates
            cost += waiting[0].cost
            if requests and (updates > STEP_UPDATES or cost > STEP_BYTES):
                break
            requests.append(waiting.popleft())
        return requests

    def _answer(self, requests: Iterable[QueuedRequest[W]], answers: Sequence[Any]) -> None:
        now = self._elapsed()
        for request, answer in zip(requests, answers, strict=True):
            self._count -= 1
            self._bytes -= request.cost
            if request.updates:
                self._note(request, answer, now)
            if request.held is not None:
                self.room.release(request.held)
            request.answer.callback(answer)
        self._tell_idle()

    def _note(self, request: QueuedRequest[W], answer: Any, now: float) -> None:
        """Count an append that is answered."""
        if isinstance(answer, Failure):
            self._note_failed(request.updates, answer.value)
        else:
            self.appends.updates += request.updates
            self.appends.octets += request.octets
            self.appends.delays.add(now - request.since)

    def _note_failed(self, updates: int, error: BaseException | None) -> None:
        if updates:
            known = "outrun" if isinstance(error, Outrun) else "internal"
            self.appends.errors[error.code if isinstance(error, Refused) else known] += 1

    def _tell_idle(self) -> None:
        if self._closed is not None and self.idle and not self._closed.called:
            self._closed.callback(None)

    def _reason(self, error: Exception) -> Away:
        if isinstance(error, Away):
            return error
        self._log.failure("the journal failed", Failure(error))
        return Away("the journal failed, see the log")

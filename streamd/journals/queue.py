"""The queue of a journal: requests wait in order, steps carry them out, answers go out in order.

All kinds of journal use this queue.  A kind decides what a request is, and carries a step out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.core.update import ORIGIN, Draft, Position, Update, size_of
from streamd.journals.journal import Away, Follower

W = TypeVar("W")

DRAFT_BYTES = 320
"""Memory of a draft that waits, beside its value.  Measured with CPython 3.11: 163 bytes for SQLite and
257 for Redis, with a short name; a name of 128 characters takes 120 more."""

REQUEST_BYTES = 1024
"""Memory of a request that waits, beside its updates: 500 to 860 bytes were measured."""

TRIM_BYTES = 200
"""Memory of one stream in a request to trim."""

MAX_WAITING = 10_000
MAX_WAITING_BYTES = 64 * 2**20
"""Requests that may wait, and bytes of their memory: a disk writes that in seconds."""

STEP_UPDATES = 5000
STEP_BYTES = 8 * 2**20
"""Updates and bytes of one step at most: every other request waits until the step is over."""


def cost_of(drafts: Sequence[Draft]) -> int:
    """Return the bytes of memory that drafts take while they wait."""
    return DRAFT_BYTES * len(drafts) + size_of(drafts)


class Request(NamedTuple, Generic[W]):
    """One request in the queue.

    :ivar what: the request, as the kind of journal understands it.
    :ivar cost: bytes of memory; :ivar updates: how many updates it may commit.
    """

    what: W
    answer: Deferred[Any]
    cost: int
    updates: int


class Outcome(NamedTuple):
    """What a step led to.

    :ivar answers: one for each request; a :class:`Failure` is an answer too.
    :ivar at: the answers are held back until the log was followed up to here.
    """

    answers: Sequence[Any]
    at: Position = ORIGIN


class AppendQueue(Generic[W]):
    """Bounded; one step at a time.

    :ivar refusal: why new requests are refused; None: they are taken.
    :ivar followed: the log was followed up to here, see :attr:`Outcome.at`.
    """

    _log = Logger()

    def __init__(self, carry_out: Callable[[Sequence[W]], Awaitable[Outcome]], store: str) -> None:
        """:param carry_out: carries out a step.  If it raises, all requests of the step fail.

        :param store: what the requests wait for, in an error's words.
        """
        self.refusal: Away | None = Away("streamd is starting or stopping")
        self.followed = ORIGIN
        self._carry_out = carry_out
        self._store = store
        self._waiting: deque[Request[W]] = deque()
        self._under_way: Sequence[Request[W]] = ()
        self._held_back: deque[tuple[Sequence[Request[W]], Outcome]] = deque()
        self._count = self._bytes = 0
        self._working = False
        self._closed: Deferred[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether every request was answered and no step is under way."""
        return not (self._working or self._count)

    @property
    def awaited(self) -> Position | None:
        """The position up to which the log has to be followed for the next answers; None: nowhere."""
        return self._held_back[0][1].at if self._held_back else None

    def ask(self, what: W, cost: int = 0, updates: int = 0) -> Deferred[Any]:
        """Add a request.

        :param cost: bytes of memory beyond :data:`REQUEST_BYTES`.
        :returns: fires with the answer.
        :raises Away: by the Deferred, if requests are refused or too many wait.
        """
        if self.refusal is not None:
            return fail(self.refusal)
        cost += REQUEST_BYTES
        # A request that is too large for the bound is taken when nothing else waits.
        if self._count and (self._count >= MAX_WAITING or self._bytes + cost > MAX_WAITING_BYTES):
            return fail(Away(f"too much waits for {self._store}"))
        return self.put(Request(what, Deferred(), cost, updates))

    def put(self, request: Request[W]) -> Deferred[Any]:
        """Add a request, whatever the bounds and the refusal say."""
        self._waiting.append(request)
        self._count += 1
        self._bytes += request.cost
        if not self._working:
            self._working = True
            Deferred.fromCoroutine(self._work()).addErrback(
                lambda failure: self._log.failure("the journal stands still", failure)
            )
        return request.answer

    def follow(self, at: Position) -> None:
        """Give the answers that waited until the log was followed up to ``at``."""
        self.followed = at
        while self._held_back and self._held_back[0][1].at <= at:
            requests, outcome = self._held_back.popleft()
            self._answer(requests, outcome.answers)

    def refuse(self, why: Away) -> None:
        """Refuse every request: those that come, those that wait, and those under way.

        A step under way may have been carried out nevertheless, but nobody hears of its answers.
        """
        self.refusal = why
        held_back, under_way, waiting = [*self._held_back], self._under_way, [*self._waiting]
        self._held_back.clear()
        self._under_way = ()
        self._waiting.clear()
        for requests in (*(step for step, _ in held_back), under_way, waiting):
            self._answer(requests, [Failure(why)] * len(requests))

    def admit(self) -> None:
        """Take requests, unless the queue was closed."""
        if self._closed is None:
            self.refusal = None

    def close(self) -> Deferred[None]:
        """Refuse new requests; fires when every request was answered and no step is under way."""
        self.refusal = Away("streamd is starting or stopping")
        self._closed = self._closed or Deferred()
        return succeed(None) if self.idle else self._closed

    async def _work(self) -> None:
        while self._waiting:
            requests = self._under_way = self._take()
            try:
                outcome = await self._carry_out([request.what for request in requests])
            except Exception as error:
                outcome = Outcome([Failure(self._reason(error))] * len(requests))
            if self._under_way:  # they were not refused meanwhile
                self._under_way = ()
                self._held_back.append((requests, outcome))
                self.follow(self.followed)
        self._working = False
        self._tell_idle()

    def _take(self) -> list[Request[W]]:
        """Take the requests of the next step."""
        requests: list[Request[W]] = []
        updates = cost = 0
        while waiting := self._waiting:
            updates += waiting[0].updates
            cost += waiting[0].cost
            if requests and (updates > STEP_UPDATES or cost > STEP_BYTES):
                break
            requests.append(waiting.popleft())
        return requests

    def _answer(self, requests: Iterable[Request[W]], answers: Sequence[Any]) -> None:
        for request, answer in zip(requests, answers, strict=True):
            self._count -= 1
            self._bytes -= request.cost
            request.answer.callback(answer)
        self._tell_idle()

    def _tell_idle(self) -> None:
        if self._closed is not None and self.idle and not self._closed.called:
            self._closed.callback(None)

    def _reason(self, error: Exception) -> Away:
        if isinstance(error, Away):
            return error
        self._log.failure("the journal failed", Failure(error))
        return Away("the journal failed, see the log")


class QueuedJournal(Generic[W]):
    """What every kind of journal has: a queue, a follower, and a word on whether it can commit.

    :ivar life: of the log.
    """

    _log = Logger()

    def __init__(self, life: int, store: str) -> None:
        """:param store: where the log is kept, in an error's words."""
        self.life = life
        self._queue: AppendQueue[W] = AppendQueue(self._carry_out, store)
        self._follower: Follower
        self._told_away: str | None = None

    def stop(self) -> Deferred[None]:
        """See :meth:`Journal.stop`."""
        return self._queue.close().addCallback(lambda _: self._close())

    def _lose(self, why: str) -> Away:
        """Refuse everything until :meth:`_find`; tell the follower why."""
        away = Away(why)
        if self._told_away != why:
            self._told_away = why
            self._log.error("nothing can be published: {why}", why=why)
            self._follower.away(why)
        self._queue.refuse(away)
        return away

    def _find(self) -> None:
        """Take requests again; tell the follower."""
        self._queue.admit()
        if self._told_away is not None:
            self._told_away = None
            self._log.info("the journal can commit again")
            self._follower.away(None)

    def _tell(self, updates: Sequence[Update]) -> None:
        """Tell the follower what was committed.  Its errors undo nothing: they go to the log."""
        try:
            if updates:
                self._follower.committed(updates)
        except Exception:
            self._log.failure("the follower failed on what was committed")

    # -- what a kind says --------------------------------------------------------------------------

    async def _carry_out(self, requests: Sequence[W]) -> Outcome:
        """Carry out a step, and tell the follower, at the latest before ``Outcome.at`` is followed.

        :raises Away: nothing of it was committed, as far as is known.
        """
        raise NotImplementedError

    def _close(self) -> Deferred[None]:
        """Give back what is open."""
        return succeed(None)

"""The base of all kinds of journal: a queue, a follower, and whether the journal can commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from streamd.core.update import Update
from streamd.journals.append_counts import AppendCounts
from streamd.journals.journal import Away, Follower
from streamd.journals.queue import AppendQueue, Outcome

W = TypeVar("W")


class QueuedJournal(Generic[W]):
    """A journal whose requests wait in a queue.

    :ivar life: the life of the log.
    """

    _log = Logger()

    def __init__(
        self, life: int, store: str, elapsed: Callable[[], float], at_once: int = 1
    ) -> None:
        """:param store: a name for the place of the log in error messages, such as ``Redis``.

        :param elapsed: returns seconds on a monotonic clock.
        :param at_once: see :class:`AppendQueue`.
        """
        self.life = life
        self._queue: AppendQueue[W] = AppendQueue(self._carry_out, store, elapsed, at_once)
        self._follower: Follower
        self._told_away: str | None = None

    @property
    def appends(self) -> AppendCounts:
        """The counts of all appends."""
        return self._queue.appends

    @property
    def waiting(self) -> int:
        """How many requests were not answered yet."""
        return len(self._queue)

    def _tell_to(self, follower: Follower) -> None:
        """Set the follower, which also says how much room there is."""
        self._follower = follower
        self._queue.room = follower.room

    def stop(self) -> Deferred[None]:
        """See :meth:`Journal.stop`."""
        return self._queue.close().addCallback(lambda _: self._close())

    def _lose(self, why: str) -> Away:
        """Note that the journal cannot commit: refuse requests until :meth:`_find` is called."""
        away = Away(why)
        if self._told_away != why:
            self._told_away = why
            self._log.error("nothing can be published: {why}", why=why)
            self._follower.away(why)
        self._queue.refuse(away)
        return away

    def _find(self) -> None:
        """Note that the journal can commit again: accept requests, and tell the follower."""
        self._queue.admit()
        if self._told_away is not None:
            self._told_away = None
            self._log.info("the journal can commit again")
            self._follower.away(None)

    def _tell(self, updates: Sequence[Update]) -> None:
        """Tell the follower what was committed.  Its errors are logged; the updates stay committed."""
        try:
            if updates:
                self._follower.committed(updates)
        except Exception:
            self._log.failure("the follower failed on what was committed")

    # -- what a kind of journal defines ------------------------------------------------------------

    def _carry_out(self, requests: Sequence[W]) -> Outcome | Awaitable[Outcome]:
        """Carry out a step, and tell the follower what it committed.

        The follower is told either before the outcome is there, or before :attr:`followed
        <AppendQueue.followed>` reaches the position in the :data:`Outcome`.

        :raises Away: nothing was committed, as far as the journal knows.
        """
        raise NotImplementedError

    def _close(self) -> Deferred[None]:
        """Close the connections and files of the store."""
        return succeed(None)

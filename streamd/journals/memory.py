"""The log in memory: committed at once, gone with the process."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from twisted.internet.defer import Deferred, succeed

from streamd.config.kind import Kind, Surroundings
from streamd.core.update import ORIGIN
from streamd.journals.journal import Follower
from streamd.journals.local import LocalJournal
from streamd.journals.log_state import Batch, draw_life


class MemoryJournal(LocalJournal):
    """A journal without a store: it keeps the state of the log, and the follower keeps the history."""

    def __init__(
        self, now: Callable[[], float], elapsed: Callable[[], float], life: int | None = None
    ) -> None:
        """:param life: the life of the log; None for a random one."""
        super().__init__(now, elapsed, draw_life() if life is None else life, "memory")

    def start(self, follower: Follower) -> Deferred[None]:
        self._tell_to(follower)
        follower.restore(self.life, (), ORIGIN, {})
        self._queue.admit()
        return succeed(None)

    def _store(self, batch: Batch) -> None:
        """Store nothing: the follower keeps the updates."""


class MemorySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[journal]`` with ``kind = "memory"``."""


def _make(name: str, settings: MemorySettings, surroundings: Surroundings) -> MemoryJournal:
    return MemoryJournal(surroundings.now, surroundings.reactor.seconds)


KIND = Kind("memory", frozenset(), MemorySettings, _make)

"""The regular work of the daemon, independent of sources and viewers."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.app.process import trim_memory
from streamd.cluster.lease import Lease
from streamd.core.saving import FOLLOWED
from streamd.core.state import State
from streamd.core.update import Draft
from streamd.hub.hub import Hub
from streamd.hub.sweep import Sweep
from streamd.journals.journal import Away, Journal, Outrun, as_shared
from streamd.reactor.timer import Timer
from streamd.wire.encoding import TICK

MANY_LEFT = 100
"""After so many viewers or other connections have ended, memory is returned to the system."""

FORGET_EVERY = 60.0
"""Seconds between two searches for streams without updates."""

STORE_EVERY = 5.0
"""Seconds between two moments at which long histories are stored: a crash loses no more of them."""

TRIM_EVERY = 5.0
"""Seconds between two requests to the journal to delete the updates that the state has dropped."""

MEMORY_EVERY = 10.0
"""Seconds between two checks how many viewers and connections have ended."""


class Upkeep:
    """Updates health, pings viewers, forgets streams, trims the journal, and returns memory.

    :ivar now: returns seconds since the epoch.
    :ivar elapsed: returns seconds on a monotonic clock.
    :ivar lease: only the node that holds this lease forgets streams and stores long histories; None if
        there is only one node.
    """

    _log = Logger()

    def __init__(
        self,
        state: State,
        journal: Journal,
        hub: Hub,
        sweep: Sweep,
        left: Callable[[], tuple[int, int]],
        forget: float,
        now: Callable[[], float],
        reactor: Any,
    ) -> None:
        """:param left: returns how many viewers, and how many other connections, have ended so far.

        :param forget: seconds without an update after which a stream is forgotten.
        """
        self.now = now
        self.elapsed: Callable[[], float] = reactor.seconds
        self._state, self._journal, self._hub = state, journal, hub
        self._left = left
        self._forget = forget
        shared = as_shared(journal)
        self.lease = None if shared is None else Lease("forget", shared, reactor)
        self._timers = [
            Timer(reactor, 1.0, lambda: sweep.turn(reactor.seconds())),
            Timer(reactor, 1.0, self._judge),
            Timer(reactor, TICK, self.tick),
            Timer(reactor, FORGET_EVERY, self.forget_streams),
            Timer(reactor, MEMORY_EVERY, self._give_back_memory),
            Timer(reactor, TRIM_EVERY, self._trim),
            Timer(reactor, STORE_EVERY, self.store),
        ]
        self._trimmed = (0, 0)
        self._storing = False

    def start(self) -> None:
        """Start all timers; to be called once the journal is open."""
        for timer in self._timers:
            timer.start()
        if self.lease is not None:
            self.lease.start()

    def stop(self) -> Deferred[None]:
        """Stop all timers, and store the long histories; fires when the lease is released."""
        for timer in self._timers:
            timer.stop()
        self.store()
        return succeed(None) if self.lease is None else self.lease.stop()

    def tick(self) -> None:
        """Send a tick to viewers, so that each knows that its connection works."""
        self._hub.tick(self.now())

    def _judge(self) -> None:
        before = self._state.revision
        self._state.judge(self.now(), self.elapsed())
        if self._state.revision != before:
            self._hub.wake()

    def forget_streams(self) -> None:
        """Publish a tombstone for each stream that has had no update for too long."""
        names = self._state.forgettable(self._forget, self.now(), self.elapsed())
        fence = None if self.lease is None else self.lease.fence
        if names and (fence or self.lease is None):
            options: dict[str, Any] = {} if fence is None else {"fence": fence}
            forgetting = self._journal.append([Draft(name, None) for name in names], **options)
            # The next search finds the same streams again.
            forgetting.addErrback(lambda failure: failure.trap(Away, Outrun))
            forgetting.addErrback(self._not_forgotten)

    def _not_forgotten(self, failure: Failure) -> None:
        self._log.failure("streams could not be forgotten", failure)

    def store(self) -> None:
        """Store the changes of the long histories, unless another node stores them."""
        if self.lease is not None and self.lease.fence is None:
            self._state.saving.leave()
        elif not self._storing:
            self._store_part()

    def _store_part(self) -> None:
        blocks = self._state.saving.take(self.now())
        if not blocks:
            return
        self._storing = True

        def stored(failure: Failure | None) -> None:
            self._storing = False
            if failure is None:
                if FOLLOWED not in blocks:
                    self._store_part()  # there is more
                return
            self._state.saving.give_back(blocks)
            if not failure.check(Away):
                self._log.failure("long histories could not be stored", failure)

        self._journal.store(blocks).addBoth(stored)

    def _trim(self) -> None:
        first, horizon = self._state.losses()
        if first:  # after a failed attempt, the next start finds what is left
            self._journal.trim(first, horizon).addErrback(lambda failure: failure.trap(Away))

    def _give_back_memory(self) -> None:
        viewers, connections = left = self._left()
        if viewers - self._trimmed[0] >= MANY_LEFT:
            gc.collect()  # its time grows with the state: too long to do it for connections
        elif connections - self._trimmed[1] < MANY_LEFT:
            return
        self._trimmed = left
        trim_memory()

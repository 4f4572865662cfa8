"""The regular work of the daemon, independent of sources and viewers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.app.process import collect_all, trim_memory
from streamd.cluster.lease import Lease
from streamd.core.histories.saving import FOLLOWED
from streamd.core.state import State
from streamd.core.update import Draft, Position
from streamd.hub.hub import Hub
from streamd.hub.sweep import Sweep
from streamd.journals.journal import Away, Journal, Outrun, as_shared
from streamd.reactor.timer import Timer
from streamd.wire.encoding import TICK

MANY_LEFT = 100
"""After this many viewers or other connections have ended, memory is returned to the system."""

FORGET_EVERY = 60.0
"""Seconds between two searches for streams without updates."""

STORE_EVERY = 5.0
"""Seconds between two moments at which long histories are stored, and the journal is trimmed.  A killed
daemon does not know whether values were current since the last one."""

JUDGE_EVERY = 1.0
"""Seconds between two moments at which the health of all streams is judged."""

PAUSE = 4.0
"""Seconds without a judgement that count as a pause of the process.  A wall may show a value as current
for 5.5 s without knowing better."""

RECOVERY = 4.0
"""Seconds after a pause in which every source can read the newest values or fail: a source that gets no
answer fails after three."""

MEMORY_EVERY = 10.0
"""Seconds between two checks how many viewers and connections have ended."""


class Upkeep:
    """Updates health, pings viewers, forgets streams, stores histories, trims the journal, frees RAM.

    :ivar forget: seconds without an update after which a stream is forgotten.
    :ivar now: returns seconds since the epoch.
    :ivar elapsed: returns seconds on a monotonic clock.
    :ivar lease: only the node that holds this lease forgets streams, stores long histories and trims
        the journal; None if there is only one node.
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
        """:param left: returns how many viewers, and how many other connections, have ended so far."""
        self.now = now
        self.elapsed: Callable[[], float] = reactor.seconds
        self._state, self._journal, self._hub = state, journal, hub
        self._left = left
        self.forget = forget
        shared = as_shared(journal)
        self.lease = None if shared is None else Lease("forget", shared, reactor)
        self._timers = [
            Timer(reactor, 1.0, lambda: sweep.turn(reactor.seconds())),
            Timer(reactor, JUDGE_EVERY, self._judge),
            Timer(reactor, TICK, self.tick),
            Timer(reactor, FORGET_EVERY, self.forget_streams),
            Timer(reactor, MEMORY_EVERY, self._give_back_memory),
            Timer(reactor, STORE_EVERY, self.store),
        ]
        self._judged = math.inf, math.inf  # when, on both clocks
        self._recovered = math.inf
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
        now, elapsed = self.now(), self.elapsed()
        self._notice_pause(now, elapsed)
        self._state.judge(now, elapsed)
        if self._state.revision != before:
            self._hub.wake()

    def _notice_pause(self, now: float, elapsed: float) -> None:
        """Doubt what sources said before a pause of this process.

        Viewers come back at once, and connections of sources may have ended meanwhile.  The monotonic
        clock does not count the time for which a machine is suspended, so the wall clock is read, too.
        """
        paused = max(now - self._judged[0], elapsed - self._judged[1])
        self._judged = now, elapsed
        if paused > PAUSE:
            self._recovered = elapsed + RECOVERY
            self._state.pause(True, now)
        elif elapsed >= self._recovered:
            self._recovered = math.inf
            self._state.pause(False, now)

    def forget_streams(self) -> None:
        """Publish a tombstone for each stream without an update for ``forget`` seconds."""
        names = self._state.forgettable(self.forget, self.now(), self.elapsed())
        if names and (self._fenced or self.lease is None):
            forgetting = self._journal.append([Draft(name, None) for name in names], **self._fenced)
            # The next search finds the same streams again.
            forgetting.addErrback(lambda failure: failure.trap(Away, Outrun))
            forgetting.addErrback(self._not_forgotten)

    @property
    def _fenced(self) -> dict[str, Any]:
        """The fencing token as an option; without one, this node does not hold the lease."""
        fence = None if self.lease is None else self.lease.fence
        return {} if fence is None else {"fence": fence}

    def _not_forgotten(self, failure: Failure) -> None:
        self._log.failure("streams could not be forgotten", failure)

    def store(self) -> None:
        """Store the changes of the long histories, and then trim the journal.

        If another node holds the lease, that node does both.  The journal keeps every update until
        it is stored as a part of a long history, so a daemon that is killed loses none.
        """
        if self._state.gaps.undecided:
            return  # what is stored would say that the long histories were followed until now
        if self.lease is not None and self.lease.fence is None:
            self._state.saving.leave()
            self._state.losses()
        elif not self._storing:
            self._store_part(*self._state.losses())

    def _store_part(self, first: Mapping[str, Position], horizon: Position) -> None:
        blocks = self._state.saving.take(self.now())
        if not blocks:
            self._trim(first, horizon)
            return
        self._storing = True

        def stored(failure: Failure | None) -> None:
            self._storing = False
            if failure is None:
                if FOLLOWED in blocks:
                    self._trim(first, horizon)
                elif self.lease is None or self._fenced:
                    self._store_part(first, horizon)  # there is more
                return
            self._state.saving.give_back(blocks)
            if not failure.check(Away, Outrun):
                self._log.failure("long histories could not be stored", failure)

        self._journal.store(blocks, **self._fenced).addBoth(stored)

    def _trim(self, first: Mapping[str, Position], horizon: Position) -> None:
        if first:  # after a failed attempt, the next start finds what is left
            self._journal.trim(first, horizon).addErrback(lambda failure: failure.trap(Away))

    def _give_back_memory(self) -> None:
        viewers, connections = left = self._left()
        if viewers - self._trimmed[0] >= MANY_LEFT:
            collect_all()  # this takes too long to do it for connections
        elif connections - self._trimmed[1] < MANY_LEFT:
            return
        self._trimmed = left
        trim_memory()

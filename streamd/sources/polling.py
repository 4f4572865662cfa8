"""What a source does again and again, whatever happens: its schedule, and its retries."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.sources.errors import Unreachable
from streamd.sources.feed import Feed

MIN_RETRY = 1.0
MAX_RETRY = 60.0
"""Seconds between two attempts of a source that fails: doubling from the first to its own interval,
or to this if that is longer."""

MAX_UNREACHABLE = 4.0
"""Seconds between two attempts at the most while nobody is there: what is back is seen within five."""

LOOK = 1.0
"""Seconds between two looks whether somebody is there."""

STEADY = 10.0
"""Seconds after which a run that fails did well: the next attempt is a first one again."""

TOLD = object()
"""What a run gives that has told the feed itself."""


class Polling:
    """Runs a function every so often; when it fails, again with jittered, growing pauses.

    Never two runs at a time.  Runs begin ``every`` seconds apart; one that takes longer is followed by
    the next at once, unless it is to be done gently.

    :ivar stopped: nothing more is to be told.
    """

    _log = Logger()

    def __init__(
        self,
        read: Callable[[], Any],
        every: float,
        clock: IReactorTime,
        rng: Callable[[], float] = random.random,
        gently: bool = False,
        look: Callable[[], Any] | None = None,
    ) -> None:
        """:param read: gives a reading, or :data:`TOLD`, or a Deferred of either.

        :param every: seconds.
        :param gently: the pause after a run is at least as long as the run took.
        :param look: asked every second between two runs whether somebody is there; fails if nobody is.
        """
        self._read = read
        self._every = every
        self._clock = clock
        self._rng = rng
        self._gently = gently
        self._look = look
        self._woken = False
        self._earliest = self._due = 0.0
        self._failures = 0
        self._longest = MAX_UNREACHABLE
        self._next: IDelayedCall | None = None
        self.stopped = False

    def start(self, feed: Feed) -> None:
        """Run for the first time, now."""
        self._feed = feed
        self._turn()

    def stop(self) -> None:
        """Do not run again; what a run under way finds is ignored."""
        self.stopped = True
        if self._next is not None and self._next.active():
            self._next.cancel()

    def wake(self) -> None:
        """There is news: run as soon as may be, again if a run is under way."""
        self._woken = True
        if self._next is not None and self._next.active():
            self._next.reset(max(0.0, self._when() - self._clock.seconds()))

    def _when(self) -> float:
        """When the next run is due."""
        return self._earliest if self._woken else self._due

    def _turn(self) -> None:
        began = self._clock.seconds()
        look = self._look if began < self._when() else None
        if look is not None:
            running = maybeDeferred(look).addErrback(self._failed, began)
        else:
            self._woken = False
            running = maybeDeferred(self._read)
            running.addCallbacks(self._found, self._failed, errbackArgs=(began,))
        running.addErrback(lambda failure: self._feed.failed(failure))
        running.addErrback(lambda failure: self._log.failure("a run failed badly", failure))
        running.addCallback(lambda _: self._schedule(began, look is not None))

    def _found(self, value: Any) -> Deferred[None] | None:
        self._failures = 0
        return None if self.stopped or value is TOLD else self._feed.put(value)

    def _failed(self, failure: Failure, began: float) -> None:
        steady = self._clock.seconds() - began > STEADY
        self._failures = 1 if steady else self._failures + 1
        self._longest = MAX_UNREACHABLE
        if not failure.check(Unreachable):
            self._longest = min(max(self._every, MAX_UNREACHABLE), MAX_RETRY)
        if not self.stopped:
            self._feed.failed(failure)

    def _schedule(self, began: float, looked: bool) -> None:
        if self.stopped:
            return
        now = self._clock.seconds()
        if self._failures:
            self._earliest = self._due = now + self._pause()
        elif not looked:
            self._earliest = now + (now - began if self._gently else 0.0)
            self._due = max(self._earliest, began + self._every)
        wait = max(0.0, self._when() - now)
        if self._look is not None and not self._failures:
            wait = min(wait, LOOK)
        self._next = self._clock.callLater(wait, self._turn)

    def _pause(self) -> float:
        """Seconds until the next attempt after a failure."""
        # The exponent is bounded: 2.0**1024 overflows after a night of failures.
        pause = min(MIN_RETRY * 2.0 ** min(self._failures - 1, 10), self._longest)
        return max(MIN_RETRY, pause * (0.5 + self._rng() / 2))

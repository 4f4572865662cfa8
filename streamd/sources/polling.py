"""The schedule of a source: runs it at an interval, and retries without end after failures."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.reactor.deadline import Deadline
from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.feed import Feed

MIN_RETRY = 1.0
"""Seconds from a failure to the first new attempt.  The pause doubles with each further failure."""

MAX_RETRY = 8.0
"""The longest pause in seconds: a source works again within ten seconds after its server does."""

MAX_UNREACHABLE = 4.0
"""The longest pause in seconds while the server is unreachable: it is on the wall again within five."""

MAX_LATER = 3600.0
"""The longest pause in seconds that a :class:`RetryLater` gets."""

PING = 1.0
"""Seconds between two pings."""

STEADY = 10.0
"""Seconds after which a run that fails had worked: then the pauses begin again with the shortest."""

DONE = object()
"""The result of a run that has already published through the feed."""


class RetryLater(SourceError):
    """The server asks for a pause before the next attempt.

    :ivar seconds: the pause until the next attempt; more than an hour counts as an hour.
    """

    seconds = 0.0


class Polling:
    """Runs a function at an interval; after failures it retries with growing, jittered pauses.

    There is never more than one run at a time.  Runs begin ``every`` seconds apart.  If a run takes
    longer, the next one begins at once.

    :ivar stopped: True after :meth:`stop`.
    """

    _log = Logger()

    def __init__(
        self,
        read: Callable[[], Any],
        every: float,
        clock: IReactorTime,
        rng: Callable[[], float] = random.random,
        gently: bool = False,
        ping: Callable[[], Any] | None = None,
    ) -> None:
        """:param read: returns a reading for :meth:`Feed.put`, :data:`DONE`, or a Deferred of those;
            it may be a coroutine function.

        :param every: the interval in seconds.
        :param clock: usually the reactor.
        :param rng: returns a number from 0 to 1 for the jitter.
        :param gently: make the pause after a run at least as long as the run took.
        :param ping: called every second between two runs, to notice early that nobody answers; it
            raises, or returns a Deferred that fails.
        """
        self._read = read
        self._every = every
        self._clock = clock
        self._rng = rng
        self._gently = gently
        self._ping = ping
        self._woken = False
        self._earliest = self._due = 0.0
        self._failures = 0
        self._longest = MAX_UNREACHABLE
        self._next = Deadline(clock)
        self._running: Deferred[Any] | None = None  # the run that began last
        self.stopped = False

    def start(self, feed: Feed) -> None:
        """Begin the first run now.

        :param feed: gets the readings and the failures.
        """
        self._feed = feed
        self._turn()

    def stop(self) -> None:
        """Stop; the result of a run that has begun is ignored."""
        self.stopped = True
        self._next.cancel()

    def cancel(self) -> None:
        """Stop, and cancel a run that has begun."""
        self.stop()
        if self._running is not None:
            self._running.cancel()

    def wake(self) -> None:
        """Run as soon as possible, because there is news; during a run, run once more after it."""
        self._woken = True
        if self._next:
            self._next.set(max(0.0, self._when() - self._clock.seconds()), self._turn)

    def _when(self) -> float:
        """Return the time on the clock at which the next run is due."""
        return self._earliest if self._woken else self._due

    def _turn(self) -> None:
        began = self._clock.seconds()
        ping = self._ping if began < self._when() else None
        if ping is not None:
            running = maybeDeferred(ping).addErrback(self._failed, began)
        else:
            self._woken = False
            running = self._running = maybeDeferred(self._read)
            running.addBoth(self._took, began)
            running.addCallbacks(self._found, self._failed, errbackArgs=(began,))
        running.addErrback(lambda failure: self._feed.failed(failure))
        running.addErrback(lambda failure: self._log.failure("a run failed badly", failure))
        running.addCallback(lambda _: self._schedule(began, ping is not None))

    def _took(self, result: Any, began: float) -> Any:
        self._feed.took(self._clock.seconds() - began)
        return result

    def _found(self, value: Any) -> Deferred[Any] | None:
        self._failures = 0
        return None if self.stopped or value is DONE else self._feed.put(value)

    def _failed(self, failure: Failure, began: float) -> None:
        steady = self._clock.seconds() - began > STEADY
        self._failures = 1 if steady else self._failures + 1
        self._longest = MAX_UNREACHABLE if failure.check(Unreachable) else MAX_RETRY
        later = failure.value.seconds if isinstance(failure.value, RetryLater) else 0.0
        self._earliest = self._clock.seconds() + min(later, MAX_LATER)
        if not self.stopped:
            self._feed.failed(failure)

    def _schedule(self, began: float, pinged: bool) -> None:
        if self.stopped:
            return
        now = self._clock.seconds()
        rest = now - began if self._gently else 0.0
        if self._failures:
            if self._longest == MAX_UNREACHABLE:  # a run that waited in vain was a pause itself
                rest = began - now + self._pause()
            else:
                rest = max(rest, self._pause())
            self._earliest = self._due = max(self._earliest, now + max(rest, MIN_RETRY))
        elif not pinged:
            self._earliest = now + rest
            self._due = max(self._earliest, began + self._every)
        wait = max(0.0, self._when() - now)
        if self._ping is not None and not self._failures:
            wait = min(wait, PING)
        self._next.set(wait, self._turn)

    def _pause(self) -> float:
        """Return the seconds from a failure to the next attempt."""
        # The exponent is bounded: 2.0**1024 overflows after a night of failures.
        pause = min(MIN_RETRY * 2.0 ** min(self._failures - 1, 10), self._longest)
        return max(MIN_RETRY, pause * (0.5 + self._rng() / 2))


class PolledSource:
    """The base of a source that a schedule runs, which its constructor makes."""

    _polling: Polling

    def start(self, feed: Feed) -> None:
        self._feed = feed
        self._polling.start(feed)

    def stop(self) -> Deferred[Any] | None:
        self._polling.cancel()
        return None

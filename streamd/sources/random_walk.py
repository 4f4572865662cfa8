"""The smallest demo: a number that grows by random amounts at random moments."""

from __future__ import annotations

import random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.python.failure import Failure

from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.reactor.deadline import Deadline
from streamd.sources.feed import Feed
from streamd.sources.settings import SourceSettings

MAX_WAIT = 1.0
"""Seconds: each wait is shorter than this."""

MAX_STEP = 10
"""The largest step by which the number grows."""


class RandomWalkSettings(SourceSettings, frozen=True):
    """The table ``[sources.NAME]`` with ``kind = "random_walk"``."""

    expect: Duration | None = Duration(3 * MAX_WAIT)


class RandomWalk:
    """A number that starts at 0; after each random wait below a second it grows by 1 to 10."""

    def __init__(self, clock: IReactorTime, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._value = 0
        self._loop = LoopingCall(self._round)
        self._loop.clock = clock
        self._waiting: Deferred[None] | None = None
        self._again = Deadline(clock)

    def start(self, feed: Feed) -> None:
        self._feed = feed
        feed.put(self._value)
        self._walk()

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()
        if self._waiting is not None:
            self._waiting.cancel()
        self._again.cancel()

    def _walk(self) -> None:
        # An interval of 0: a round begins as soon as the wait of the one before it is over.
        self._loop.start(0).addErrback(self._ended)

    def _round(self) -> Deferred[None]:
        self._waiting = deferLater(self._clock, self._rng.random() * MAX_WAIT, self._step)
        return self._waiting

    def _step(self) -> None:
        self._value += self._rng.randint(1, MAX_STEP)
        self._feed.put(self._value)

    def _ended(self, failure: Failure) -> None:
        """Report the exception that ended the LoopingCall, and start it again."""
        if not failure.check(CancelledError):
            self._again.set(MAX_WAIT, self._walk)
            self._feed.failed(failure)


def _make(name: str, settings: Any, surroundings: Surroundings) -> RandomWalk:
    return RandomWalk(surroundings.reactor, random.Random())


KIND = Kind("random_walk", frozenset(), RandomWalkSettings, _make)

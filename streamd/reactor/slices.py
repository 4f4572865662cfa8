"""Runs long computations in slices, so that they do not block the reactor."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import Cooperator

T = TypeVar("T")

TURN = 0.005
"""Seconds in one turn of the reactor for all computations together."""

PAUSE = 0.005
"""Seconds between two such turns: computations use at most half a core."""


class Slices:
    """Runs computations in turns; each is a generator that yields about every millisecond.

    A thread would be worse.  It takes the interpreter lock for 5 ms whenever the reactor releases it,
    and the reactor releases it at every send.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._next: IDelayedCall | None = None
        self._cooperator = Cooperator(
            terminationPredicateFactory=self._until, scheduler=self._schedule
        )

    def _schedule(self, call: Callable[[], None]) -> IDelayedCall:
        self._next = self._clock.callLater(PAUSE, call)
        return self._next

    def _until(self) -> Callable[[], bool]:
        end = self._clock.seconds() + TURN
        return lambda: self._clock.seconds() >= end

    def run(self, steps: Generator[None, None, T]) -> Deferred[T]:
        """Run a generator; fires with its return value, or fails with its exception.

        If the Deferred is cancelled, the generator is not continued: clients that send requests and
        leave at once must not pile up work.
        """
        done: Deferred[T] = Deferred()

        def work() -> Generator[None, None, None]:
            try:
                while not done.called:
                    next(steps)
                    yield
            except StopIteration as end:
                done.callback(end.value)
            except Exception:
                done.errback()

        self._cooperator.coiterate(work())
        return done

    def stop(self) -> None:
        """End all computations; their Deferreds never fire."""
        if self._next is not None and self._next.active():
            self._next.cancel()

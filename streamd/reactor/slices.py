"""Runs long computations in slices, so that they do not block the reactor."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from streamd.reactor.deadline import Deadline

T = TypeVar("T")

_Task = tuple[Generator[None, None, Any], Deferred[Any]]

TURN = 0.005
"""Seconds in one turn of the reactor for all computations together."""

PAUSE = 0.005
"""Seconds between two such turns: long computations use at most half a core."""


class Slices:
    """Runs computations in turns; each is a generator that yields about every millisecond.

    Clients take turns, and so do the computations of one client.  So a client with thousands of
    computations does not delay other clients.

    A thread would be worse.  It takes the interpreter lock for 5 ms whenever the reactor releases it,
    and the reactor releases it at every send.
    """

    def __init__(self, clock: IReactorTime, pause: float = PAUSE) -> None:
        """:param pause: seconds between two turns of the reactor in which something is computed."""
        self._clock = clock
        self._pause = pause
        self._turns: OrderedDict[str, deque[_Task]] = OrderedDict()
        self._timer = Deadline(clock)

    def run(self, steps: Generator[None, None, T], client: str = "") -> Deferred[T]:
        """Run a generator; fires with its return value, or fails with its exception.

        If the Deferred is cancelled, the generator is not continued: otherwise clients that send
        requests and leave at once would pile up work.

        :param client: the address under which the client is counted; empty for the daemon itself.
        """
        done: Deferred[T] = Deferred()
        self._turns.setdefault(client, deque()).append((steps, done))
        self._go_on()
        return done

    def call(self, function: Callable[[], None], client: str) -> None:
        """Call a function when it is the client's turn."""
        self.run(_call(function), client)

    def _go_on(self) -> None:
        if self._turns and not self._timer:
            self._timer.set(self._pause, self._turn)

    def _turn(self) -> None:
        end = self._clock.seconds() + TURN
        while self._turns and self._clock.seconds() < end:
            client, tasks = self._turns.popitem(last=False)
            task = tasks.popleft()
            if tasks:
                self._turns[client] = tasks
            if _step(*task):
                self._turns.setdefault(client, deque()).append(task)
        self._go_on()

    def stop(self) -> None:
        """End all computations; their Deferreds never fire."""
        self._turns.clear()
        self._timer.cancel()


def _call(function: Callable[[], None]) -> Generator[None, None, None]:
    function()
    yield from ()


def _step(steps: Generator[None, None, Any], done: Deferred[Any]) -> bool:
    """Take one step; return whether there may be more."""
    if done.called:
        return False
    try:
        next(steps)
        return True
    except StopIteration as end:
        done.callback(end.value)
    except Exception:
        done.errback()
    return False

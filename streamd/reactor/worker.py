"""A thread for calls that block; it delays neither the reactor nor the exit of the daemon."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

T = TypeVar("T")


class Worker:
    """One thread, which starts with the first call and runs the calls in order."""

    def __init__(self, reactor: IReactorFromThreads, name: str) -> None:
        self._reactor = reactor
        self._calls: SimpleQueue[tuple[Deferred[Any], Callable[..., Any], Any] | None] = (
            SimpleQueue()
        )
        self._thread = Thread(target=self._work, name=name, daemon=True)

    def run(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        """Call ``function`` in the thread, after all earlier calls.

        :returns: fires with its result, or fails with its exception.
        """
        done: Deferred[T] = Deferred()
        self._calls.put((done, function, arguments))
        if not self._thread.ident:
            self._thread.start()
        return done

    def stop(self) -> None:
        """End the thread after all earlier calls; do not wait for it, because a call may never end."""
        self._calls.put(None)

    def _work(self) -> None:
        while call := self._calls.get():
            done, function, arguments = call
            try:
                outcome = function(*arguments)
            except BaseException:  # SystemExit too: it would end the thread and say nothing
                outcome = Failure()
            self._reactor.callFromThread(done.callback, outcome)

"""A set of the open connections of one kind: counts them, and closes them when the daemon stops."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

C = TypeVar("C")

CLOSE_GRACE = 2.0
"""Seconds that a peer has to answer a close frame, or to read an answer when the daemon stops."""


class Connections(set[C]):
    """A set of open connections that reports when all of them have ended.

    :ivar left: how many connections have left the set since the daemon started.
    """

    def __init__(self, clock: IReactorTime) -> None:
        super().__init__()
        self.left = 0
        self._clock = clock
        self._emptied: Deferred[None] | None = None

    def discard(self, connection: object) -> None:
        """Remove a connection; ignore it if it is not in the set."""
        if connection in self:
            super().discard(connection)
            self.left += 1
        if self._emptied is not None and not self:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def close_all(self, close: Callable[[C], None], abort: Callable[[C], None]) -> Deferred[None]:
        """Call ``close`` for every connection; after :data:`CLOSE_GRACE` ``abort`` those still open.

        :returns: a Deferred that fires when all have ended, or once the rest were aborted.
        """
        for connection in list(self):
            close(connection)
        if not self:
            return succeed(None)

        def late(failure: Failure) -> None:
            self._emptied = None
            for connection in list(self):
                abort(connection)

        self._emptied = Deferred[None]().addTimeout(CLOSE_GRACE, self._clock)
        return self._emptied.addErrback(late)

"""Writes the log without ever waiting for its reader.

A pipe or a socket whose reader stalls takes 64 KiB, and then a write blocks the whole daemon.  Here
each line waits for room in a bounded backlog instead.  Lines that do not fit are dropped and
counted.
"""

from __future__ import annotations

import os
import select
from collections import deque

from twisted.internet.interfaces import IDelayedCall, IReactorTime

MAX_BACKLOG = 256 * 1024
"""Bytes of lines that wait for the reader."""

PIECE = select.PIPE_BUF
"""Bytes of one write: a pipe that poll(2) calls writable has room for this many (pipe(7))."""

LOOK_EVERY = 1.0
"""Seconds between two looks whether the reader reads again."""


class LogOutput:
    """A text file, as an observer of the log uses it.

    :ivar dropped: how many lines were dropped since the start.
    """

    def __init__(self, descriptor: int, clock: IReactorTime) -> None:
        """:param descriptor: an open file descriptor; it stays in its blocking mode."""
        self.dropped = 0
        self._descriptor = descriptor
        self._clock = clock
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._backlog: deque[bytes] = deque()
        self._size = 0
        self._untold = 0  # lines dropped since the log last said so
        self._look: IDelayedCall | None = None

    def write(self, text: str) -> None:
        """Write a line, now or when the reader reads again, or drop it."""
        self._drain()
        data = text.encode("utf-8", "backslashreplace")
        if self._size + len(data) > MAX_BACKLOG:
            self.dropped += 1
            self._untold += 1
            return
        self._put(data)
        self._drain()
        if self._backlog and self._look is None:
            self._look = self._clock.callLater(LOOK_EVERY, self._look_again)

    def flush(self) -> None:
        """Do nothing: nothing is buffered that could be written."""

    def _put(self, data: bytes) -> None:
        self._size += len(data)
        self._backlog.extend(data[at : at + PIECE] for at in range(0, len(data), PIECE))

    def _drain(self) -> None:
        """Write what the reader takes without waiting."""
        while self._backlog and self._is_writable():
            piece = self._backlog.popleft()
            self._size -= len(piece)
            try:
                os.write(self._descriptor, piece)
            except OSError:  # the reader is gone, or the disk is full: nobody can be told
                self.dropped += 1
        if self._untold and not self._backlog:
            said, self._untold = self._untold, 0
            self._put(b"%d lines of the log were dropped: its reader had stalled\n" % said)
            self._drain()

    def _is_writable(self) -> bool:
        events = self._poll.poll(0)
        return bool(events)  # an error counts: the write then fails at once

    def _look_again(self) -> None:
        self._look = None
        self._drain()
        if self._backlog:
            self._look = self._clock.callLater(LOOK_EVERY, self._look_again)

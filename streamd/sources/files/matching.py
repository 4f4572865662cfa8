"""Asks a process for the named groups of lines, and ends it if one line takes too long."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from streamd.core.values import BadValue
from streamd.sources.errors import SourceError
from streamd.sources.files import matching_process

LIMIT = 1.0
"""The longest time in seconds for the pattern to read one line."""

PATIENCE = 3
"""The most lines of one call that may take too long; then the rest is left out."""

START = 30.0
"""The longest time in seconds for the process to start."""

TOO_SLOW = BadValue(f"the pattern took longer than {LIMIT:g} s for a line", "pattern")

Groups = dict[str, str | None] | None
"""The named groups of a line, or None if the pattern does not match."""


class Matching:
    """Reads lines by a pattern, in a process that is started when it is needed.

    A regular expression may take exponential time, and Python holds all threads meanwhile.  So the
    expression runs in its own process, which is killed after :data:`LIMIT` for one line.
    """

    def __init__(self, reactor: Any, pattern: str) -> None:
        self._reactor = reactor
        self._pattern = pattern
        self._process: _Process | None = None

    async def read(self, lines: Sequence[str]) -> list[Groups | BadValue]:
        """Return the named groups of each line, or :data:`TOO_SLOW`."""
        found: list[Groups | BadValue] = []
        slow = 0
        while len(found) < len(lines):
            if slow == PATIENCE:
                found += [TOO_SLOW] * (len(lines) - len(found))
                break
            if self._process is None:
                self._process = _Process(self._reactor)
                self._process.run(self._pattern)
            try:
                found += await self._process.ask(lines[len(found) :])
            except BaseException:
                self.stop()
                raise
            if len(found) < len(lines):
                self.stop()
                found.append(TOO_SLOW)
                slow += 1
        return found

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process = None


class _Process(ProcessProtocol):
    """One run of :mod:`matching_process`."""

    transport: Any

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._answers: list[Groups | BadValue] = []
        self._wanted = 0
        self._rest = b""
        self._asking: Deferred[list[Groups | BadValue]] | None = None
        self._watch: IDelayedCall | None = None
        self._ready = False

    def run(self, pattern: str) -> None:
        """Start the process."""
        # Isolated, and without packages: it starts in a hundredth of a second.
        words = [sys.executable, "-I", "-S", str(Path(matching_process.__file__))]
        self._reactor.spawnProcess(self, words[0], words, env={})
        self._write([pattern])

    def ask(self, lines: Sequence[str]) -> Deferred[list[Groups | BadValue]]:
        """Return the groups of lines; of fewer if one line takes too long.

        :raises SourceError: the process ended by itself.
        """
        self._answers, self._wanted = [], len(lines)
        asking: Deferred[list[Groups | BadValue]] = Deferred(lambda _: self.kill())
        self._asking = asking
        self._write(lines)
        self._watch = self._reactor.callLater(LIMIT if self._ready else START, self._answer)
        return asking

    def kill(self) -> None:
        """End the process."""
        self._forget()
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

    def outReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if lines and not self._ready:
            self._ready = True
            del lines[0]
        self._answers += map(json.loads, lines)
        if self._watch is not None:
            self._watch.reset(LIMIT)
        if len(self._answers) == self._wanted:
            self._answer()

    def processEnded(self, reason: Failure) -> None:
        asking = self._forget()
        if asking is not None:
            asking.errback(SourceError("the process that reads the pattern ended"))

    def _write(self, texts: Sequence[str]) -> None:
        # Escapes of ASCII alone: no line feed but the ends of lines, whatever the encoding.
        self.transport.write("".join(json.dumps(text) + "\n" for text in texts).encode())

    def _answer(self) -> None:
        if (asking := self._forget()) is not None:
            asking.callback(self._answers)

    def _forget(self) -> Deferred[list[Groups | BadValue]] | None:
        """Return the question that waits for its answer, and wait no more."""
        if self._watch is not None and self._watch.active():
            self._watch.cancel()
        asking, self._watch, self._asking = self._asking, None, None
        return asking

"""A test case about what a source makes of the daemon that it runs in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.description import Description
from tests.support.fakes import Daemonette


class SourceTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.make()

    def make(self, descriptions: dict[str, Description] | None = None, **bounds: int) -> None:
        self.daemon = Daemonette(descriptions, **bounds)
        self.state = self.daemon.state
        capturing = capturedLogs()
        self.events: Sequence[Any] = capturing.__enter__()
        self.addCleanup(capturing.__exit__, None, None, None)

    def lines(self) -> list[str]:
        """What was logged, from warnings up."""
        return [formatEvent(e) for e in self.events if e["log_level"] >= LogLevel.warn]

    def names(self) -> list[str]:
        return [stream.name for stream in self.state]

    def health(self, name: str) -> tuple[str, str | None]:
        return self.daemon.health(name)

"""Notices when a file was saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.internet.interfaces import IReactorTime

from streamd.reactor.timer import Timer

LOOK_EVERY = 0.5
"""Seconds between two looks at the file."""

Mark = tuple[int, int, int] | None
"""When a file was changed, its size and its inode; None if the file does not exist."""


class FileWatch:
    """Calls a function when a file has changed, :data:`LOOK_EVERY` seconds after the last change.

    Editors write a file in parts, or remove it and write another one.  The call comes after the last of
    these steps, if they follow one another closely.  A file that has vanished has changed, too.
    """

    def __init__(self, file: Path, changed: Callable[[], object], clock: IReactorTime) -> None:
        self._file = file
        self._changed = changed
        self._told = self._seen = self._mark()
        self._timer = Timer(clock, LOOK_EVERY, self._look)

    def start(self) -> None:
        """Begin to watch."""
        self._timer.start()

    def stop(self) -> None:
        """Stop watching."""
        self._timer.stop()

    def note(self) -> None:
        """Note that the present content of the file is known."""
        self._told = self._seen = self._mark()

    def _look(self) -> None:
        before, self._seen = self._seen, self._mark()
        if self._seen == before != self._told:
            self._told = before
            self._changed()

    def _mark(self) -> Mark:
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

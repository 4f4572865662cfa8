"""Sends the service manager a status line, and signs for the watchdog."""

from __future__ import annotations

from collections import deque

from twisted.internet.interfaces import IReactorTime

from streamd.app.notify import Notifier
from streamd.core.state import State
from streamd.core.update import Position
from streamd.hub.hub import Hub
from streamd.reactor.timer import Timer

TELL_EVERY = 1.0
"""Seconds between two looks at the status.  It is sent only if it has changed."""

SIGNS = 4
"""Signs in the time of the watchdog: three may be late."""

OVERDUE = 90.0
"""Seconds after which every viewer must have been told a change.  The longest pace is 60 s; in a flood
the small audiences wait for their turn, which is no reason to restart."""


def status_line(viewers: int, state: State) -> str:
    """Return the status in a line: ``12 viewers, 34 streams, 1 source failed: shop: …``.

    At most one failed source is named: there is room for one line.
    """
    parts = [_count(viewers, "viewer"), _count(len(state), "stream")]
    journal = state.journal
    if journal is not None and journal["state"] == "away":
        parts.append(f"the journal is away: {journal['error']}")
    failures = dict(state.sources.failures())
    if failures:
        name = min(failures)
        parts.append(f"{_count(len(failures), 'source')} failed: {name}: {failures[name]}")
    return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


class Status:
    """Keeps ``systemctl status`` up to date, and gives the watchdog signs while the daemon works.

    A sign needs two things: the event loop turns, because a timer of the loop gives it, and no flush is
    overdue.  Sources and the journal do not matter, because a restart does not repair them.
    """

    def __init__(self, notifier: Notifier, state: State, hub: Hub, clock: IReactorTime) -> None:
        self._notifier = notifier
        self._state, self._hub, self._clock = state, hub, clock
        self._note: str | None = None
        self._told = ""
        # When, and up to which update and which revision, there was something to tell.
        self._marks: deque[tuple[float, Position, int]] = deque()
        self._timers = [Timer(clock, TELL_EVERY, self._tell)] if notifier else []
        if notifier.watchdog is not None:
            self._timers.append(Timer(clock, notifier.watchdog / SIGNS, self._give_sign))

    def ready(self) -> None:
        """Tell the service manager that the daemon answers."""
        self._notifier.tell(READY="1")
        self._tell()
        if self._notifier.watchdog is not None:
            self._give_sign()
        for timer in self._timers:
            timer.start()

    def fail(self, why: str) -> None:
        """Tell the service manager why the daemon ends."""
        self._notifier.tell_status(why)

    def note(self, text: str | None) -> None:
        """Put a sentence before the status line; None removes it."""
        self._note = text
        self._tell()

    def stop(self) -> None:
        """Tell the service manager that the daemon stops."""
        for timer in self._timers:
            timer.stop()
        self._notifier.tell(STOPPING="1", STATUS="stopping: all viewers are told")

    def _tell(self) -> None:
        line = status_line(len(self._hub), self._state)
        line = line if self._note is None else f"{self._note}; {line}"
        if line != self._told:
            self._told = line
            self._notifier.tell_status(line)

    def _give_sign(self) -> None:
        now = self._clock.seconds()
        if not self._is_overdue(now):
            self._notifier.tell(WATCHDOG="1")

    def _is_overdue(self, now: float) -> bool:
        """Return whether a viewer was not told a change that is :data:`OVERDUE` old."""
        self._marks.append((now, self._state.head, self._state.revision))
        while len(self._marks) > 1 and self._marks[1][0] <= now - OVERDUE:
            self._marks.popleft()
        then, head, revision = self._marks[0]
        return then <= now - OVERDUE and self._hub.is_behind(head, revision)

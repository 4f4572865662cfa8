"""A log that cannot be flooded: so many lines of one kind a second, and a count of the rest."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from zope.interface import implementer

LINES_PER_SECOND = 5
MAX_KINDS = 1000
"""Kinds of lines that are told apart within a second; beyond them all others are one kind."""


@implementer(ILogObserver)
class Quieted:
    """Passes events on to an observer, of each kind only so many a second.

    Lines are of one kind when they come from the same place with the same format, and are about the
    same source: where many fail at once, each is told.
    """

    def __init__(self, observer: ILogObserver, clock: IReactorTime) -> None:
        self._observer = observer
        self._clock = clock
        self._second = -1
        self._counts: dict[Any, int] = {}

    def __call__(self, event: LogEvent) -> None:
        second = int(self._clock.seconds())
        if second != self._second:
            self._second = second
            self._tell_suppressed(event)
        form = event.get("log_format") or event.get("format")
        kind = (event.get("log_namespace"), form, event.get("source"))
        if len(self._counts) >= MAX_KINDS and kind not in self._counts:
            kind = ("", "", None)
        self._counts[kind] = count = self._counts.get(kind, 0) + 1
        if count <= LINES_PER_SECOND:
            self._observer(event)

    def _tell_suppressed(self, event: LogEvent) -> None:
        """:param event: the first of this second; it tells the time."""
        for (namespace, form, _), count in self._counts.items():
            if count > LINES_PER_SECOND:
                told: LogEvent = {key: event[key] for key in ("log_time", "time") if key in event}
                told |= {"log_format": "{count} more lines like: {form}", "form": form}
                told |= {"log_namespace": namespace, "log_system": namespace}
                told |= {"log_level": LogLevel.info, "count": count - LINES_PER_SECOND}
                self._observer(told)
        self._counts.clear()


def quiet_log(clock: IReactorTime) -> None:
    """Put every observer that logs now behind a :class:`Quieted`.

    twistd adds its observer between ``makeService`` and ``startService`` and offers no place for a
    filter in between; the publisher's list is private, so that a Twisted without it changes nothing.
    """
    observers: list[Any] = getattr(globalLogPublisher, "_observers", [])
    observers[:] = [o if isinstance(o, Quieted) else Quieted(o, clock) for o in observers]

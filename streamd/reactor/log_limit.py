"""Limits the rate of the log: a few lines of each kind a second, and a count of the rest."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from zope.interface import implementer

from streamd.core.printable import showable

LINES_PER_SECOND = 5
MAX_KINDS = 1000
"""The most kinds of lines that are counted separately in a second; all others count as one kind."""


@implementer(ILogObserver)
class Quieted:
    """Passes events on to an observer, at most :data:`LINES_PER_SECOND` of each kind a second.

    Lines are of one kind if they have the same namespace, format and source: when many sources fail at
    once, each of them is logged.
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
            self._observer(_clean(event))

    def _tell_suppressed(self, event: LogEvent) -> None:
        """Log how many lines were left out; ``event`` is the first of the next second."""
        for (namespace, form, _), count in self._counts.items():
            if count > LINES_PER_SECOND:
                line: LogEvent = {key: event[key] for key in ("log_time", "time") if key in event}
                line |= {"log_format": "{count} more lines like: {form}", "form": form}
                line |= {"log_namespace": namespace, "log_system": namespace}
                line |= {"log_level": LogLevel.info, "count": count - LINES_PER_SECOND}
                self._observer(line)
        self._counts.clear()


class _CleanFailure:
    """A failure whose traceback has no control characters and no passwords."""

    def __init__(self, failure: Any) -> None:
        self._failure = failure

    def getTraceback(self) -> str:
        """Return the traceback, as Twisted's observers write it."""
        return "\n".join(map(showable, self._failure.getTraceback().split("\n")))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._failure, name)


def _clean(event: LogEvent) -> LogEvent:
    """Return an event without control characters and passwords in its text.

    Names, values, errors and tracebacks may contain text from outside.
    """
    clean = {**event, "log_format": "{log_text}", "log_text": showable(formatEvent(event))}
    clean.pop("log_flattened", None)
    if "log_failure" in event:
        clean["log_failure"] = _CleanFailure(event["log_failure"])
    return clean

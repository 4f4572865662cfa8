"""The promise that every kind of source keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred

from streamd.config.kind import SourceTable, Surroundings
from streamd.core.state import State
from streamd.journals.journal import Journal
from streamd.sources.feed import Feed


class Source(Protocol):
    """Makes updates until it is stopped.

    One that runs on a schedule that its settings do not tell has an attribute ``every``: seconds, or
    None when it does not.
    """

    def start(self, feed: Feed) -> None:
        """Begin to tell ``feed`` what is; never raises for what the outside does."""

    def stop(self) -> Deferred[None] | None:
        """Tell nothing more; fires when all is given back."""


def furnish(
    name: str,
    table: SourceTable,
    surroundings: Surroundings,
    journal: Journal,
    state: State,
    now: Callable[[], float],
    changed: Callable[[], None],
) -> tuple[Source, Feed]:
    """The source of a table, and the feed that it is to be started with; does nothing yet.

    :raises ConfigError: see :class:`~streamd.config.kind.Kind`.
    """
    kind, settings = table
    source = kind.make(name, settings, surroundings)
    every = getattr(source, "every", getattr(settings, "every", None))
    told_by = (key for key in sorted(kind.told_by) if getattr(settings, key, None) is not None)
    key = next(told_by, "url" if hasattr(settings, "url") else "")
    feed = Feed(name, settings, journal, state, now, changed, every, key)
    return source, feed

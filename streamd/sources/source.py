"""The interface of every kind of source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred

from streamd.config.kind import SourceTable, Surroundings
from streamd.core.state import State
from streamd.journals.journal import Journal
from streamd.sources.feed import Feed


class Source(Protocol):
    """Publishes updates through a feed until it is stopped.

    A source whose schedule is not the ``every`` of its settings has an attribute ``every``: the
    interval in seconds, or None if it has no schedule.
    """

    def start(self, feed: Feed) -> None:
        """Begin to publish through ``feed``; raise no exception if, for example, a server is down."""

    def stop(self) -> Deferred[None] | None:
        """Stop publishing; fires when threads, processes and connections have ended."""


def furnish(
    name: str,
    table: SourceTable,
    surroundings: Surroundings,
    journal: Journal,
    state: State,
    now: Callable[[], float],
    changed: Callable[[], None],
) -> tuple[Source, Feed]:
    """Make the source of a table and its feed; the source is not started yet.

    :raises ConfigError: see :class:`~streamd.config.kind.Kind`.
    """
    kind, settings = table
    source = kind.make(name, settings, surroundings)
    every = getattr(source, "every", getattr(settings, "every", None))
    told_by = (key for key in sorted(kind.told_by) if getattr(settings, key, None) is not None)
    key = next(told_by, "url" if hasattr(settings, "url") else "")
    what = " ".join(filter(None, (kind.name, key, "query" * bool(getattr(settings, "query", "")))))
    feed = Feed(name, settings, journal, state, now, changed, every, key, what)
    return source, feed

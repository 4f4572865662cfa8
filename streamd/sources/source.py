"""The interface of every kind of source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import NamedTuple, Protocol

from twisted.internet.defer import Deferred

from streamd.config.kind import SourceTable, Surroundings
from streamd.core.description import Description
from streamd.core.duration import Duration
from streamd.core.names import is_below
from streamd.core.state import State
from streamd.journals.journal import Journal
from streamd.sources.feed import Feed
from streamd.sources.settings import has_backfill


class Source(Protocol):
    """Publishes updates through a feed until it is stopped.

    A source whose schedule is not the ``every`` of its settings has an attribute ``every``: the
    interval in seconds, or None if it has no schedule.
    """

    def start(self, feed: Feed) -> None:
        """Begin to publish through ``feed``; raise no exception if, for example, a server is down."""

    def stop(self) -> Deferred[None] | None:
        """Stop publishing; fires when threads, processes and connections have ended."""


class SourcePlan(NamedTuple):
    """Everything from the configuration of which a source is made: equal plans make equal sources.

    :ivar secrets: key path -> hash of the secret's text.  The hash shows that a file with a secret
        has changed, although the configuration has not.
    :ivar rollups: stream that a backfill fills -> its ``rollup``; empty without a backfill.
    """

    name: str
    table: SourceTable
    secrets: Mapping[str, int]
    zone: tzinfo | None
    rollups: Mapping[str, Duration | None]


def plan_source(
    name: str,
    table: SourceTable,
    surroundings: Surroundings,
    streams: Mapping[str, Description],
) -> SourcePlan:
    """Return the plan of a source; this makes the source once, to find mistakes and secrets.

    :raises ConfigError: see :class:`~streamd.config.kind.Kind`.
    """
    secrets: dict[str, int] = {}

    def note(path: str, text: str) -> None:
        secrets[path] = hash(text)

    kind, settings = table
    kind.make(name, settings, surroundings._replace(note=note))
    fills = has_backfill(settings)
    rollups = {
        stream: description.rollup
        for stream, description in streams.items()
        if fills and is_below(stream, name)
    }
    return SourcePlan(name, table, secrets, surroundings.zone, rollups)


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
    labels = (key, what, surroundings.zone, kind.section)
    feed = Feed(name, settings, journal, state, now, changed, every, *labels)
    return source, feed

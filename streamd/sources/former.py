"""Former sources: sources that made streams, and are no longer configured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from twisted.internet.interfaces import IReactorTime

from streamd.core.state import State
from streamd.journals.journal import Away, Journal
from streamd.reactor.timer import Timer
from streamd.sources.feed import Feed
from streamd.sources.records import STREAMS
from streamd.sources.settings import SourceSettings

TURN = 1.0
"""Seconds between two looks whether a stream of a former source got an update."""


class FormerSources:
    """Knows which streams every source made, and marks the streams of former sources.

    A marked stream is late, because no source reports it any more.  The mark ends when the stream gets
    an update or is forgotten: then the stream belongs to no source.
    """

    def __init__(
        self, journal: Journal, state: State, now: Callable[[], float], changed: Callable[[], None]
    ) -> None:
        """:param changed: to be called when health changed without an update."""
        self._shared = (journal, state, now, changed)
        self._configured: Mapping[str, Feed] = {}
        self._feeds: dict[str, Feed] = {}
        self._timer: Timer | None = None
        self._adopted = False

    def reconfigure(self, configured: Iterable[Feed]) -> None:
        """Note which sources are configured now; all other known sources are former ones.

        :param configured: the feeds of all configured sources.
        """
        before, self._configured = self._configured, {feed.name: feed for feed in configured}
        for name in before:
            self._find(name)
        for name in self._configured:
            self._feeds.pop(name, None)

    async def adopt(self, configured: Iterable[Feed]) -> None:
        """Assign the streams in the log to the sources that made them.

        :param configured: the feeds of all configured sources.
        """
        self.reconfigure(configured)
        for name, record in (await self._shared[0].records(STREAMS)).items():
            self._find(name).own(record)
        self._adopted = True

    def start(self, configured: Iterable[Feed], clock: IReactorTime) -> None:
        """Begin to call :meth:`adopt` and :meth:`update`, if no other node can run a source."""
        self.reconfigure(configured)
        self._timer = Timer(clock, TURN, self._turn)
        self._timer.start()
        self._timer.call_now()

    def stop(self) -> None:
        """Stop the calls that :meth:`start` began."""
        if self._timer is not None:
            self._timer.stop()

    async def _turn(self) -> None:
        with suppress(Away):  # the next turn tries again
            if not self._adopted:
                await self.adopt(self._configured.values())
            await self.update({})

    async def update(self, reports: Mapping[str, bytes]) -> bool:
        """Mark the streams of former sources; release those that got an update since.

        :param reports: the health of sources that another node still runs, by their names.
        :returns: whether streams were released.
        """
        journal, state, _, changed = self._shared
        revision = state.revision
        for name in reports:
            self._find(name)
        ended = []
        for name, feed in self._feeds.items():
            if name in reports:
                feed.follow(reports[name])
            else:
                ended.append(feed)
        # Another node may have marked the streams before this one, and one may have an update since.
        unmarked = any(not feed.retired for feed in ended)
        records = await journal.records(STREAMS) if unmarked else {}
        ended = [
            feed for feed in ended if feed.name in self._feeds
        ]  # some may be configured by now
        released = [feed.retire(records.get(feed.name, b"[]")) for feed in ended]
        if state.revision != revision:
            changed()
        return any(released)

    def _find(self, name: str) -> Feed:
        """Return the feed of a source; make one if it is not configured and was not known."""
        feed = self._configured.get(name) or self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = Feed(name, SourceSettings(), *self._shared)
        return feed

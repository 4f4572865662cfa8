"""Former sources: those that made streams before, and are not configured any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from streamd.core.state import State
from streamd.journals.journal import Away, Journal
from streamd.reactor.timer import Timer
from streamd.sources.feed import Feed
from streamd.sources.records import STREAMS
from streamd.sources.settings import SourceSettings

TURN = 1.0
"""Seconds between two looks whether a stream of a former source got an update."""


class FormerSources:
    """Knows which streams every source made, and marks those of sources that are not configured.

    Such a stream is late, because no source reports it any more, until it gets an update or is
    forgotten.  Then its source does not count as its source any more.
    """

    _log = Logger()

    def __init__(
        self, journal: Journal, state: State, now: Callable[[], float], changed: Callable[[], None]
    ) -> None:
        """:param changed: to be called when health changed without an update."""
        self._shared = (journal, state, now, changed)
        self._configured: Mapping[str, Feed] = {}
        self._feeds: dict[str, Feed] = {}
        self._timer: Timer | None = None
        self._adopted = False

    async def adopt(self, configured: Iterable[Feed]) -> None:
        """Assign the streams in the log to the sources that made them.

        :param configured: the feeds of all configured sources.
        """
        self._configured = {feed.name: feed for feed in configured}
        for name, record in (await self._shared[0].records(STREAMS)).items():
            self._find(name).own(record)
        self._adopted = True

    def start(self, configured: Iterable[Feed], clock: IReactorTime) -> None:
        """Do all that where no other node can run a source: now, and then every second."""
        feeds = list(configured)
        self._timer = Timer(clock, TURN, lambda: self._turn(feeds))
        self._timer.start()
        self._turn(feeds)

    def stop(self) -> None:
        """Stop what :meth:`start` began."""
        if self._timer is not None:
            self._timer.stop()

    def _turn(self, configured: Iterable[Feed]) -> None:
        adopting = succeed(None)
        if not self._adopted:  # while the journal is away, the next turn tries again
            adopting = Deferred.fromCoroutine(self.adopt(configured))
        adopting.addCallback(lambda _: self.update({}))
        adopting.addErrback(lambda failure: failure.trap(Away))
        adopting.addErrback(
            lambda failure: self._log.failure("former sources are unknown", failure)
        )

    def update(self, reports: Mapping[str, bytes]) -> None:
        """Mark the streams of former sources; release those that got an update since.

        :param reports: the health of sources that another node still runs, by their names.
        """
        state, changed = self._shared[1], self._shared[3]
        revision = state.revision
        for name in reports:
            self._find(name)
        for name, feed in self._feeds.items():
            if name in reports:
                feed.follow(reports[name])
            else:
                feed.retire()
        if state.revision != revision:
            changed()

    def _find(self, name: str) -> Feed:
        """Return the feed of a source; make one if it is not configured and was not known."""
        feed = self._configured.get(name) or self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = Feed(name, SourceSettings(), *self._shared)
        return feed

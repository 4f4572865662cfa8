"""Fills the past of a source's streams, once for each stream, from the history of a server.

The rows are read in windows of time, oldest first.  The rows of a window and the progress of the
backfill are stored in one step.  So a backfill that was interrupted continues with the next window,
on this or on another node, and no row is lost or counts twice.

A stream may come later, or come back after it was forgotten.  Then the backfill runs again, and fills
only the streams that lack a past.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from operator import attrgetter

import msgspec
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from streamd.config.kind import Surroundings
from streamd.core.histories.past import Past
from streamd.core.histories.slots import width_for
from streamd.core.stream import Stream
from streamd.journals.journal import Outrun
from streamd.reactor.slices import Slices
from streamd.sources.backfills.backfill_log import BackfillLog
from streamd.sources.backfills.rows import fill
from streamd.sources.backfills.spans import DAY
from streamd.sources.backfills.windows import PastQuery, Sample, WindowReader
from streamd.sources.feed import Feed

RETRY, MAX_RETRY = 1.0, 60.0
"""Seconds until a window that failed is read again; the pause doubles up to the longest."""

FIRST = 8 * DAY
"""Seconds of the first window."""

BEGIN = 1.0
"""Seconds from the source's first reading to the backfill."""

AGAIN = 60.0
"""Seconds between two looks for streams that lack a past."""


class BackfillProgress(msgspec.Struct, frozen=True):
    """The stored progress of a backfill.  How far each past is filled, is stored with the past.

    :ivar of: a hash of the query.  With another query the backfill begins anew.
    :ivar written: when this was written, in seconds since the epoch.  Other nodes learn from a change
        of it that more is filled.
    :ivar size: seconds of the next window.
    """

    of: str
    written: float
    size: int


class Backfill:
    """Reads the past of one source's streams, in the background.

    A window that fails does not make the source fail.  It is read again, and the log says why.
    """

    def __init__(
        self, name: str, opening: Callable[[], PastQuery], surroundings: Surroundings
    ) -> None:
        """:param name: of the source.

        :param opening: returns what asks the server; it does not connect yet.
        """
        self._name, self._opening = name, opening
        self._reactor, self._now = surroundings.reactor, surroundings.now
        self._open()
        self._slices = Slices(surroundings.reactor)
        self._log = BackfillLog(name)
        self._running: Deferred[None] | None = None
        self._recalled = False  # whether it is known what other nodes have filled
        self._stopped = False
        self._live: Sequence[str] = ()
        # The stored progress at the last look for streams that lack a past, and when the next one is.
        self._seen: bytes | None = None
        self._next_look = 0.0

    def _open(self) -> None:
        self._closed: Deferred[None] | None = None
        self._query = self._opening()
        self._reader = WindowReader(self._query, self._reactor)

    @property
    def keyed(self) -> bool:
        """Return whether rows may belong to streams that no longer exist."""
        return self._query.keyed

    @property
    def key(self) -> str:
        """The key in the source's table that errors of the rows name, such as ``backfill.query``."""
        return self._query.key

    def start(self, feed: Feed, live: Sequence[str] = ()) -> None:
        """Begin or continue the backfill, unless it is under way or no stream lacks a past.

        This is called after each reading: a new log needs the backfill again, and so does a new stream.

        :param live: the columns from which the reading was made.
        """
        self._live = live
        if self._running is not None:
            return
        self._feed, self._state = feed, feed.state
        if self._stored == self._seen and self._reactor.seconds() < self._next_look:
            return
        if not self._streams():
            return  # an empty backfill would count as complete
        self._look_again_later()
        if self._filling() or self._lacking():
            if self._closed is not None:
                self._open()
            self._running = Deferred.fromCoroutine(self._run())
            self._running.addErrback(self._ended)

    def _look_again_later(self) -> None:
        self._seen, self._next_look = self._stored, self._reactor.seconds() + AGAIN

    def stop(self) -> Deferred[None]:
        """Stop; fires when the connection is closed."""
        self._stopped = True
        if self._running is not None:
            self._running.cancel()
        self._slices.stop()
        return self._close()

    def _close(self) -> Deferred[None]:
        if self._closed is None:
            self._closed = self._query.stop()
        return succeed(None) if self._closed.called else self._closed

    async def sample(self, rollups: Mapping[str, float]) -> Sample:
        """Return the plan of the backfill, and some of its rows; the backfill is not started.

        :param rollups: the names of the streams that it fills -> the seconds of their history.
        :raises SourceError: if the server fails, or if its rows do not fit the live query.
        """
        now = self._now()
        widths = {name: width_for(seconds) for name, seconds in rollups.items()}
        return await self._reader.sample(now - max(rollups.values()), now, widths)

    def _ended(self, failure: Failure) -> None:
        if failure.check(Outrun) and self._feed.outrun is not None:
            self._feed.outrun()
        elif not failure.check(CancelledError):
            self._log.stands_still(failure)

    # -- the windows -------------------------------------------------------------------------------

    async def _run(self) -> None:
        await deferLater(self._reactor, BEGIN)
        failures = 0
        more = True
        while more:
            try:
                more = await self._turn()
            except (CancelledError, Outrun):
                raise
            except Exception as error:
                if self._stopped:  # a client may tell its cancellation as another error
                    return
                self._log.complain(error, self._filling().values())
                failures += 1
                await deferLater(self._reactor, _pause(failures))
            else:
                failures = 0
                self._log.mend(self._pasts().values())
        await self._close()
        self._running = None
        self._look_again_later()

    async def _turn(self) -> bool:
        """Read the next window; return whether there may be more."""
        if not self._recalled:
            await self._feed.recall()
            self._recalled = True
        progress, pasts = self._progress(), self._filling()
        if progress is None or not pasts:
            lacking = self._lacking()
            if not lacking:
                return False
            progress = await self._begin(lacking)
            pasts = self._filling()
        if not pasts:
            return False
        widths = {name: past.slots.width for name, past in pasts.items()}
        begin = min(past.reached for past in pasts.values())
        end = math.ceil(max(past.until for past in pasts.values()))
        window = await self._reader.read(begin, progress.size, end, self._live, widths)
        found = await self._slices.run(window.rows)
        strange = await self._slices.run(fill(pasts, self._name, found.rows))
        self._log.note(found, self._query.key, strange)
        if not self._holds(pasts):
            return True  # there is another log now, or a stream was forgotten
        reached = [(past, past.reached) for past in pasts.values()]
        for past in pasts.values():
            past.reach(window.end)
        progress = BackfillProgress(progress.of, self._now(), window.next_size)
        try:
            await self._feed.fill(msgspec.json.encode(progress), pasts)
        except BaseException:
            for past, time in reached:
                past.reach(time)
            raise
        if not self._filling():
            self._log.complete()
        await deferLater(self._reactor, window.asked)  # the server has as much time for others
        return True

    @property
    def _stored(self) -> bytes | None:
        return self._state.saving.backfills.get(self._name)

    def _progress(self) -> BackfillProgress | None:
        """Return the progress of the backfill; None if it has to begin, or to begin anew."""
        try:
            progress = msgspec.json.decode(self._stored or b"", type=BackfillProgress)
        except msgspec.MsgspecError:
            return None
        return progress if progress.of == self._configured() else None

    def _configured(self) -> str:
        """Return a hash of the query: with another one the backfill begins anew."""
        return sha256(msgspec.json.encode(self._query.identity)).hexdigest()

    def _streams(self) -> list[Stream]:
        found = map(self._state.find, self._state.saving.backfilled(self._name))
        return sorted(filter(None, found), key=attrgetter("name"))

    def _pasts(self) -> dict[str, Past]:
        return {s.name: s.past for s in self._streams() if s.past is not None and not s.past.ended}

    def _filling(self) -> dict[str, Past]:
        return {name: past for name, past in self._pasts().items() if not past.complete}

    def _lacking(self) -> list[Stream]:
        """Return the streams whose past has yet to be filled from its beginning."""
        streams = self._streams()
        return streams if self._progress() is None else [*filter(self._lacks, streams)]

    def _lacks(self, stream: Stream) -> bool:
        past, rollup = stream.past, _rollup(stream)
        if past is not None and not past.ended:
            return past.length < rollup
        now = self._now()
        made = stream.make_past(now)
        return made is not None and made.until > now - rollup

    def _holds(self, pasts: Mapping[str, Past]) -> bool:
        """Return whether these are still the pasts of their streams."""
        found = ((self._state.find(name), past) for name, past in pasts.items())
        return all(stream is not None and stream.past is past for stream, past in found)

    async def _begin(self, streams: Sequence[Stream]) -> BackfillProgress:
        """Give streams an empty past.

        :param streams: at least one.
        """
        now = self._now()
        begin = await self._reader.begin_at(now - max(map(_rollup, streams)))
        for stream in streams:
            stream.past = stream.make_past(now)
            if stream.past is not None:
                stream.past.reach(begin)
        progress = BackfillProgress(self._configured(), now, FIRST)
        self._state.saving.backfills[self._name] = msgspec.json.encode(progress)
        if self._filling():
            self._log.begin(begin)
        return progress


def _rollup(stream: Stream) -> float:
    return float(stream.description.rollup or 0)


def _pause(failures: int) -> float:
    """Return the seconds until the next attempt, after this many failures in a row."""
    # The exponent is bounded: 2.0**1024 overflows after a night of failures.
    return min(RETRY * 2.0 ** min(failures - 1, 10), MAX_RETRY) * (0.5 + random.random() / 2)


class NoBackfill:
    """The backfill of a source that has none: does nothing."""

    def start(self, feed: Feed, live: Sequence[str] = ()) -> None:
        """Do nothing."""

    def stop(self) -> Deferred[None]:
        """Return a Deferred that has fired."""
        return succeed(None)

"""Reads the past of a source in windows of time, small enough for memory and for the server."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import tzinfo
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from streamd.core.steps import finish
from streamd.sources.backfills.rows import PastRow, PastRows
from streamd.sources.backfills.spans import DAY, LONGEST, end_of_window, longer, midnight, shorter
from streamd.sources.errors import SourceError, Unreachable

FEW_ROWS, MANY_ROWS = 1000, 4000
"""With fewer rows in a window the next one is longer, with more it is shorter, but not below a day.

The thread that reads 4000 rows from a database delays the reactor for some hundredths of a second."""

TRY_AGAIN = 10
"""Windows after which a length that had too many rows is tried again: the past may be sparser there."""

QUICK = 1 / 4
"""The part of ``timeout`` after which the next window is not longer."""

Widths = Mapping[str, int]
"""The names of the streams that a backfill fills -> seconds of one of their slots."""


class TooMany(SourceError):
    """The window has more rows than are read at once; a shorter one has fewer."""


class Found(NamedTuple):
    """The answer of a server about a window.

    :ivar number: how many rows there are.
    :ivar rows: makes the rows, in steps of one or two milliseconds.
    """

    number: int
    rows: Generator[None, None, PastRows]


class PastQuery(Protocol):
    """Asks one server for the past of a source's streams.

    :ivar identity: identifies the configuration: if it changes, the backfill begins anew.
    :ivar key: the configuration key of the rows, in the source's table.
    :ivar keyed: whether a key names the streams, so that rows may belong to streams that no longer
        exist.
    :ivar timeout: the most seconds of one window.
    """

    identity: Sequence[Any]
    key: str
    keyed: bool
    timeout: float

    async def zone(self) -> tzinfo | None:
        """Return the time zone in which the server counts days; None for this machine's."""

    def longest(self, widths: Widths) -> float:
        """Return the seconds of the longest window that the server can answer."""

    async def read(self, begin: float, end: float, live: Sequence[str], widths: Widths) -> Found:
        """Read a window, from ``begin`` up to but not including ``end``.

        :param live: the columns from which the last live reading was made.
        :raises TooMany: if a shorter window has to be read.
        :raises SourceError: if the server fails, or :class:`Unreachable` if it does not answer.
        """

    async def some(self, begin: float, end: float, widths: Widths) -> Found:
        """Return a few rows of a stretch of time, in the form of :meth:`read`."""

    def stop(self) -> Deferred[None]:
        """Stop reading; fires when the connection is closed."""


class PastWindow(NamedTuple):
    """A window that was read.

    :ivar end: in seconds since the epoch.
    :ivar rows: see :class:`Found`.
    :ivar asked: seconds that the server took.
    :ivar next_size: the seconds of the next window.
    """

    end: float
    rows: Generator[None, None, PastRows]
    asked: float
    next_size: int


class Sample(NamedTuple):
    """The plan of a backfill: its beginning, and some of its rows.

    :ivar begin: the beginning of its oldest window, in seconds since the epoch.
    :ivar rows: some of its rows.
    """

    begin: float
    rows: Sequence[PastRow]


class WindowReader:
    """Reads the windows of one backfill."""

    def __init__(self, query: PastQuery, clock: IReactorTime) -> None:
        self._query, self._clock = query, clock
        self._longest = LONGEST
        self._cut, self._since = LONGEST + 1, 0  # what had too many rows, and windows since then

    async def begin_at(self, time: float) -> float:
        """Return the beginning of a window with this time: a midnight."""
        return midnight(time, await self._query.zone())

    async def read(
        self, begin: float, size: int, most: float, live: Sequence[str], widths: Widths
    ) -> PastWindow:
        """Read the window that begins at a time; a window with too many rows is cut.

        :param size: the seconds of the window, unless it must be cut.
        :param most: the window ends at this time at the latest.
        :param live: see :meth:`PastQuery.read`.
        :raises SourceError: if the server fails, or a second has too many rows.
        """
        began = self._clock.seconds()
        zone = await self._query.zone()
        size = int(min(size, self._longest, self._query.longest(widths)))
        while True:
            end = min(end_of_window(begin, size, zone), most)
            try:
                found = await self._query.read(begin, end, live, widths)
            except TooMany:
                cut = shorter(size)
                if cut is None:
                    raise
                self._cut, self._since, size = size, 0, cut
            except Unreachable:
                raise
            except SourceError:  # a shorter window takes less time
                self._longest = shorter(size, DAY) or max(size, DAY)
                raise
            else:
                asked = self._clock.seconds() - began
                return PastWindow(
                    end, found.rows, asked, self._next_size(size, found.number, asked)
                )

    def _next_size(self, size: int, rows: int, asked: float) -> int:
        """Return the seconds of the next window, from those of the last one and its rows."""
        if rows > MANY_ROWS:
            return shorter(size, DAY) or size
        self._since += 1
        known_as_long = longer(size) >= self._cut and self._since < TRY_AGAIN
        quick = asked < self._query.timeout * QUICK
        return longer(size) if rows < FEW_ROWS and quick and not known_as_long else size

    async def sample(self, begin: float, end: float, widths: Widths) -> Sample:
        """Return the plan for a backfill of a stretch of time; see :meth:`read`.

        :raises SourceError: also if the backfill and the live query have different columns.
        """
        begin = await self.begin_at(begin)
        found = await self._query.some(begin, end, widths)
        return Sample(begin, finish(found.rows).rows)

"""Decides when each audience is flushed, by its pace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from streamd.core.cursor import Cursor
from streamd.core.histogram import FAST, Histogram
from streamd.core.roster import Matches
from streamd.core.selection import Selection
from streamd.hub.audience import Audience, Viewer
from streamd.hub.deliveries import Deliveries
from streamd.reactor.deadline import Deadline
from streamd.wire.encoding import Encoding

TIMER = 0.003
"""Seconds by which a timer may be late even if the reactor is idle."""

LARGE = 16
"""An audience is large if it has a sixteenth of its pace's viewers, so at most 16 are large."""

BUDGET = 0.01
"""Seconds in one turn of the reactor for all small audiences; other work comes between two turns."""


class FlushTimes:
    """The durations of flushes, of all paces together.

    :ivar turns: how long the reactor was busy with one turn of a flush.
    :ivar delays: how long the oldest update of a flush waited until it was written to the last
        viewer.  The pace is a part of this delay.
    """

    def __init__(self) -> None:
        self.turns = Histogram(FAST)
        self.delays = Histogram(FAST)


class Pace:
    """The audiences of one pace.

    An update after a pause is flushed at once.  During a burst there is one flush every ``seconds``.
    Every large audience is flushed on time.  The small ones take turns; those that were not reached
    before the next flush come first after it.  So a thousand viewers with different selections delay
    only each other.

    :ivar audiences: by selection and encoding.
    """

    def __init__(
        self,
        clock: IReactorTime,
        seconds: float,
        flush: Callable[[Audience], None],
        times: FlushTimes,
    ) -> None:
        self.audiences: dict[tuple[Selection, Encoding], Audience] = {}
        self._clock = clock
        self._seconds = seconds
        self._broadcast = flush
        self._times = times
        self._earliest = 0.0
        self._woken: float | None = None  # when the oldest update came that not all viewers have
        self._call: IDelayedCall | None = None  # the next flush
        self._rest = Deadline(clock)  # the next turn for small audiences
        self._left: list[Audience] = []  # those that wait for it; the longest wait comes first

    def wake(self) -> None:
        """Flush as soon as the pace allows it."""
        if self._call is not None:
            return
        now = self._clock.seconds()
        if self._woken is None:
            self._woken = now
        if now < self._earliest:
            self._call = self._clock.callLater(self._earliest - now, self._flush_late)
        else:
            self._earliest = now  # no timer was late
            self._flush(now)

    def _flush_late(self) -> None:
        self._call = None
        self._flush(self._clock.seconds())

    def _flush(self, now: float) -> None:
        # Timers are slightly late.  The next flush is planned from the planned time, or this adds up.
        self._earliest = (self._earliest if now - self._earliest < TIMER else now) + self._seconds
        self._rest.cancel()
        small = self._flush_large()
        if self._left:
            left = set(self._left)
            small = [*self._left, *(audience for audience in small if audience not in left)]
        end = self._note_turn(now)
        if small:
            self._flush_small(small)
        else:
            self._note_end(end)

    def _flush_small(self, audiences: list[Audience]) -> None:
        """Flush as many of these audiences as one turn allows, and the rest in later turns."""
        began = self._clock.seconds()
        end = began + BUDGET
        for number, audience in enumerate(audiences):
            if self._clock.seconds() >= end:
                self._note_turn(began)
                self._left = audiences[number:]
                self._rest.set(0, partial(self._flush_small, self._left))
                return
            if audience.viewers:  # they may have left meanwhile
                self._broadcast(audience)
        self._left = []
        self._note_end(self._note_turn(began))

    def _note_end(self, now: float) -> None:
        """Count how long the oldest update waited for the end of this flush."""
        if self._woken is not None:
            self._times.delays.add(now - self._woken)
            self._woken = None

    def _note_turn(self, began: float) -> float:
        """Count the duration of a turn, and return the time."""
        now = self._clock.seconds()
        self._times.turns.add(now - began)
        return now

    def _flush_large(self) -> list[Audience]:
        """Flush the large audiences, and return the others."""
        audiences = list(self.audiences.values())
        least = 0.0
        if len(audiences) > LARGE:
            least = sum(len(audience.viewers) for audience in audiences) / LARGE
        small = []
        for audience in audiences:
            if len(audience.viewers) >= least:
                self._broadcast(audience)
            else:
                small.append(audience)
        return small

    def stop(self) -> None:
        """Stop flushing."""
        self._rest.cancel()
        if self._call is not None:
            self._call.cancel()
            self._call = None


class Audiences:
    """All audiences, grouped by pace; also counts their viewers.

    :ivar times: how long flushes took.
    :ivar deliveries: the counts of messages to viewers, by the names of encodings.
    """

    def __init__(self, clock: IReactorTime, flush: Callable[[Audience], None]) -> None:
        self._clock = clock
        self._flush = flush
        self._paces: dict[float, Pace] = {}
        self._viewers = 0
        self.times = FlushTimes()
        self.deliveries: dict[str, Deliveries] = {}

    def __len__(self) -> int:
        return self._viewers

    def __iter__(self) -> Iterator[Audience]:
        return chain.from_iterable(pace.audiences.values() for pace in self._paces.values())

    def seat(
        self, viewer: Viewer, seconds: float, encoding: Encoding, matches: Matches, flushed: Cursor
    ) -> Audience:
        """Put a viewer into the audience with its selection, encoding and pace, or into a new one.

        :param seconds: the viewer's pace.
        :param flushed: the cursor up to which a new audience counts as flushed.
        """
        pace = self._paces.get(seconds)
        if pace is None:
            pace = self._paces[seconds] = Pace(self._clock, seconds, self._flush, self.times)
        key = matches.selection, encoding
        audience = pace.audiences.get(key)
        if audience is None:
            deliveries = self.deliveries.setdefault(encoding.name, Deliveries())
            audience = pace.audiences[key] = Audience(
                seconds, encoding, matches, flushed, deliveries
            )
        audience.viewers[viewer] = None
        viewer.audience = audience
        self._viewers += 1
        return audience

    def leave(self, viewer: Viewer) -> None:
        """Remove a viewer from its audience, if it has one."""
        audience, viewer.audience = viewer.audience, None
        if audience is None:
            return
        self._viewers -= 1
        del audience.viewers[viewer]
        pace = self._paces[audience.pace]
        if not audience.viewers:
            del pace.audiences[audience.selection, audience.encoding]
        if not pace.audiences:
            pace.stop()
            del self._paces[audience.pace]

    def wake(self) -> None:
        """Flush every audience as soon as its pace allows it."""
        for pace in list(self._paces.values()):
            pace.wake()

    def stop(self) -> None:
        """Stop flushing."""
        for pace in self._paces.values():
            pace.stop()

"""The hub: brings every viewer up to date; a slow viewer does not delay the others.

A viewer is a cursor and a method to write.  Viewers with the same selection, encoding and pace are
an audience.  The next message for a cursor is made once, and every viewer of the audience at that
cursor gets the same bytes.  Usually all are at the same cursor.  A viewer whose socket is full is
skipped and keeps its cursor; when the socket has drained, it gets the updates that it missed.  So
no viewer has a queue.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from functools import partial
from itertools import chain

from msgspec.structs import replace
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.core import catchup
from streamd.core.cursor import Cursor
from streamd.core.roster import Matches
from streamd.core.selection import ALL_STREAMS, Selection
from streamd.core.state import State
from streamd.core.update import ORIGIN, Position
from streamd.hub.audience import Audience, Pieces, Viewer
from streamd.hub.deliveries import Step
from streamd.hub.fills import Fills
from streamd.hub.messages import Messages, Tick
from streamd.hub.pace import Audiences
from streamd.hub.seats import Seats
from streamd.reactor.slices import Slices
from streamd.reactor.turn_end import TurnEnd
from streamd.wire.encoding import MAX_MESSAGE, Encoding, Welcome
from streamd.wire.overview import Overviews
from streamd.wire.requests import PACE, Subscription


class Hub:
    """Keeps the list of viewers, and writes to them.

    The class is long because joins, flushes, ticks and the ends of long answers all write to a viewer
    by the same steps.

    :ivar pace: the least seconds between two flushes of a viewer that joins.
    :ivar clock: the clock for delays; its seconds need not be since the epoch.
    :ivar dropped: how many viewers were dropped because writing to them failed.
    :ivar seats: who may become a viewer; the transports ask it.
    :ivar audiences: the viewers by selection, encoding and pace, with counts of their messages.
    :ivar slices: runs long computations for viewers.
    :ivar fills: sends newcomers the history that only slots have.
    """

    _log = Logger()

    def __init__(
        self,
        state: State,
        clock: IReactorTime,
        pace: float = PACE,
        seats: Seats | None = None,
    ) -> None:
        """:param pace: the least seconds between two flushes; a viewer may ask for more."""
        self.state = state
        self.pace = pace
        self.seats = seats or Seats(clock)
        self.clock = clock
        self.dropped = 0
        self._messages = Messages(state)
        self._overviews = Overviews(state)
        self.audiences = Audiences(clock, self.broadcast)
        self.slices = Slices(clock)
        self.turn_end = TurnEnd(clock)
        self.fills = Fills(state, self.slices, self._write)
        # Viewers whose selections are being matched.
        self._arriving: dict[Viewer, Deferred[None]] = {}
        self._ticks = Tick(state, 0, 0), Tick(state, 0, 0)
        self._ticking: Iterator[Audience] = iter(())
        self._last_tick = 0.0
        self._woken_for = (state.head, state.revision)

    def __len__(self) -> int:
        return len(self.audiences) + len(self._arriving)

    def join(
        self,
        viewer: Viewer,
        subscription: Subscription,
        encoding: Encoding,
        now: float,
        known: Selection = ALL_STREAMS,
        also: bytes = b"",
        client: str = "",
    ) -> None:
        """Keep a viewer up to date from now on; the first answer is sent at once.

        A viewer that brings a position resumes there if no update that it selects was dropped since;
        see :func:`streamd.core.catchup.begin`.

        :param now: seconds since the epoch.
        :param known: the streams whose updates the viewer has up to that position.
        :param also: bytes to send right after the welcome.
        :param client: the address under which the viewer is counted.
        """
        self.leave(viewer)
        matches = self.state.roster.matches(subscription.selection)
        begin = partial(self._begin, viewer, subscription, encoding, known, also, matches, client)
        if matches.advance():
            begin(now)
            return
        asked = self.clock.seconds()

        def matched(_: None) -> None:
            del self._arriving[viewer]
            begin(now + self.clock.seconds() - asked)
            viewer.proceed()

        self._arriving[viewer] = arriving = self.slices.run(matches.steps(), client)
        arriving.addCallbacks(matched, lambda failure: failure.trap(CancelledError))
        arriving.addErrback(self._lose, viewer)

    def _begin(
        self,
        viewer: Viewer,
        subscription: Subscription,
        encoding: Encoding,
        known: Selection,
        also: bytes,
        matches: Matches,
        client: str,
        now: float,
    ) -> None:
        after, selection = subscription.after, subscription.selection
        cursor, resumed = catchup.begin(self.state, after, selection, subscription.history, known)
        if not encoding.newest:  # the hello has all health and descriptions
            cursor = replace(cursor, revision=self.state.revision)
        head = self._messages.head()
        pace = max(subscription.pace, self.pace)
        cursor = replace(cursor, counted=self.state.applied)
        audience = self.audiences.seat(viewer, pace, encoding, matches, head)
        at = after if after is not None and resumed else ORIGIN
        more = not encoding.newest and self._messages.next(cursor, audience).data != b""
        bits, journal = matches.bits, self.state.journal_told
        about = partial(self._overviews.parts, bits, journal)
        welcome = Welcome(now, at, resumed, more, subscription.asked, about)
        viewer.cursor = cursor
        viewer.ticked = True
        self._write(viewer, chain(encoding.welcome(welcome), (also,)))
        self._serve(viewer, audience, newcomer=True)
        if viewer.audience is not None:  # it may be lost already
            old = self.state.roster.matches(known).bits if resumed else 0
            self.fills.begin(viewer, bits & ~old, encoding, subscription.history, now, client)

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer; an unknown viewer is ignored."""
        arriving = self._arriving.pop(viewer, None)
        if arriving is not None:
            arriving.cancel()
        self.fills.leave(viewer)
        self.audiences.leave(viewer)

    def drained(self, viewer: Viewer) -> None:
        """Send a viewer the updates that it missed: its socket has drained."""
        if viewer.audience is not None:
            self._serve(viewer, viewer.audience)
            self.fills.go_on(viewer)

    def _proceed(self, viewer: Viewer) -> None:
        self.drained(viewer)
        viewer.proceed()

    def wake(self) -> None:
        """If the state has changed, flush every audience as soon as its pace allows."""
        news = (self.state.head, self.state.revision)
        if news == self._woken_for:
            return  # a flush without changes would delay the next one by a pace
        self._woken_for = news
        self.audiences.wake()

    def is_behind(self, head: Position, revision: int) -> bool:
        """Return whether an audience was not flushed up to a position and a revision."""
        flushed = (audience.flushed for audience in self.audiences)
        return any(cursor.at < head or cursor.revision < revision for cursor in flushed)

    def restart(self) -> None:
        """Drop every viewer, because the state has a new log; they reconnect and begin anew."""
        viewers = [viewer for audience in self.audiences for viewer in audience.viewers]
        for viewer in viewers + list(self._arriving):
            self._dismiss(viewer)

    def broadcast(self, audience: Audience) -> None:
        """Flush an audience: bring every viewer that is ready up to the current state."""
        head = self._messages.head()
        if audience.flushed == head:
            return
        audience.flushed = head
        usual: Cursor | None = None  # the cursor of most viewers
        told: Step | None = None  # their message
        data, after = b"", head
        count = 0
        for viewer in list(audience.viewers):
            cursor = viewer.cursor
            if cursor is usual and viewer.ready and viewer.unsent is None:
                viewer.cursor = after
                count += 1
                if data:
                    try:  # inlined _send: saves a call for each of many viewers
                        viewer.write(data)
                    except Exception:
                        self._lose(Failure(), viewer)
                continue
            step = self._serve(viewer, audience)
            if (
                usual is None
                and step is not None
                and len(step.data) <= MAX_MESSAGE  # else it goes out in pieces
                and not audience.is_behind(step.cursor)
            ):
                usual, told = cursor, step
                data, after = told.data, told.cursor
        if told is not None and count:
            audience.deliveries.add(told, count)
            audience.deliveries.octets += len(data) * count

    def tick(self, now: float) -> None:
        """Send a tick to every viewer that is up to date: the time, and the proofs since the last tick.

        :param now: seconds since the epoch.
        """
        for audience in self._ticking:  # the last tick has not reached these
            for viewer in audience.viewers:
                viewer.ticked = False
        last, self._last_tick = self._last_tick, now
        self._ticks = Tick(self.state, now, last), Tick(self.state, now, last, every=True)
        self._ticking = iter(list(self.audiences))
        self._overviews.renew()  # or a newcomer would miss the proofs of this tick
        self.slices.run(self._tell_time(self._ticking))

    def _tell_time(self, audiences: Iterator[Audience]) -> Generator[None, None, None]:
        for audience in audiences:
            try:
                self._tell_time_to(audience)
            except Exception:
                self._log.failure("a tick could not be told")
            yield

    def _tell_time_to(self, audience: Audience) -> None:
        usual, whole = self._ticks
        if not usual.message(audience):
            return
        for viewer in list(audience.viewers):
            if not viewer.ready or viewer.unsent or audience.is_behind(viewer.cursor):
                viewer.ticked = False
                continue
            tick = usual if viewer.ticked else whole  # all proofs if it missed the last tick
            viewer.ticked = True
            self._write(viewer, (tick.message(audience),))
            self._serve(viewer, audience)  # sends the rest of a long tick

    def _serve(self, viewer: Viewer, audience: Audience, newcomer: bool = False) -> Step | None:
        """Write the flushed updates that a viewer lacks; a newcomer does not wait for a flush.

        :returns: the message with them, or None if the viewer was not due for one.
        """
        step = None
        while viewer.ready:
            if viewer.unsent is not None:
                self._send_next(viewer, viewer.unsent)
                continue
            if not newcomer and not audience.is_behind(viewer.cursor):
                return step
            if step is not None:  # there is more: others come first
                self.clock.callLater(0, self._proceed, viewer)
                return step
            newcomer = False
            if catchup.is_beyond(self.state, viewer.cursor):
                self._dismiss(viewer)
                return None
            try:
                step = self._messages.next(viewer.cursor, audience)
            except Exception:
                self._log.failure("a message could not be made; its viewers wait for the next")
                return None
            data = step.data
            viewer.cursor = step.cursor
            audience.deliveries.add(step, 1)
            if data:
                if len(data) <= MAX_MESSAGE:
                    self._send(viewer, data)
                else:
                    self._write(viewer, (data,))
        return step

    def _write(self, viewer: Viewer, parts: Iterable[bytes]) -> None:
        """Send a message.  A long one is sent in pieces, each when the socket has drained."""
        pieces = Pieces(parts)
        if pieces:
            self._send_next(viewer, pieces)

    def _send_next(self, viewer: Viewer, pieces: Pieces) -> None:
        data = pieces.pop()
        viewer.unsent = pieces if pieces else None
        self._send(viewer, data)

    def _send(self, viewer: Viewer, data: bytes) -> None:
        if viewer.audience is not None:
            viewer.audience.deliveries.octets += len(data)
        try:
            viewer.write(data)
        except Exception:
            self._lose(Failure(), viewer)

    def _lose(self, failure: Failure, viewer: Viewer) -> None:
        """Drop a viewer because writing to it failed; the others are not affected."""
        self._log.failure("a viewer was lost: writing to it failed", failure)
        self.dropped += 1
        self._dismiss(viewer)

    def _dismiss(self, viewer: Viewer) -> None:
        """Drop a viewer; if it comes back, its first answer has what it missed."""
        self.leave(viewer)
        viewer.ready = False
        try:
            viewer.lose()
        except Exception:
            self._log.failure("and closing it failed too")

    def stop(self) -> None:
        """Stop flushing, and stop the computations."""
        self.audiences.stop()
        self.slices.stop()

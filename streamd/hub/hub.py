"""The hub: brings every viewer up to date, and nobody at another's cost.

A viewer is a cursor and a way to write.  Those who want the same in the same form at the same pace are
an audience: what one at some cursor gets next is made once, and every other one at that cursor gets the
same bytes.  Usually all are at the same cursor; one whose socket is still full is passed over, keeps
its cursor, and is given what is left when its socket has drained.  So there is no queue for anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from streamd.core import catchup
from streamd.core.catchup import Cursor
from streamd.core.errors import Refused
from streamd.core.selection import ALL_STREAMS, Selection
from streamd.core.state import State
from streamd.core.update import ORIGIN
from streamd.hub.audience import Audience, Pieces, Viewer
from streamd.hub.pace import Pace
from streamd.wire.encoding import MAX_MESSAGE, Encoding, Welcome
from streamd.wire.requests import PACE, Subscription


class Hub:
    """Knows the viewers.

    :ivar clock: delays only; it need not know the date.
    :ivar delivered: messages written so far.
    :ivar dropped: viewers lost because writing to them failed.
    """

    _log = Logger()

    def __init__(
        self, state: State, clock: IReactorTime, max_viewers: int = 10_000, pace: float = PACE
    ) -> None:
        """:param pace: seconds between two flushes to anybody; a viewer may ask for more."""
        self.state = state
        self._pace = pace
        self._max_viewers = max_viewers
        self.clock = clock
        self.delivered = 0
        self.dropped = 0
        self._beats: dict[float, Pace] = {}
        self._audiences: dict[Viewer, Audience] = {}
        self._last_tick = 0.0
        self._woken_for = (state.head, state.revision)

    def __len__(self) -> int:
        return len(self._audiences)

    def check_room(self) -> None:
        """Whether another viewer may join.

        :raises Refused: 503 when there are too many.
        """
        if len(self) >= self._max_viewers:
            raise Refused(
                503,
                "too-many-viewers",
                f"there are {self._max_viewers} viewers, as many as [server] max_viewers allows",
            )

    def join(
        self,
        viewer: Viewer,
        subscription: Subscription,
        encoding: Encoding,
        now: float,
        known: Selection = ALL_STREAMS,
        also: bytes = b"",
    ) -> None:
        """Keep a viewer up to date from now on; what it has to know first goes out now.

        Its cursor is honoured if nothing that it selects was lost since; otherwise it begins anew.

        :param now: seconds since the epoch.
        :param known: what it selected before, if its cursor speaks of less than all.
        :param also: what its transport has to say right after the welcome, encoded.
        """
        self.leave(viewer)
        state, after, selection = self.state, subscription.after, subscription.selection
        cursor, resumed = catchup.begin(state, after, selection, subscription.history, known)
        if not encoding.newest:  # a hello tells how everything is
            cursor = cursor._replace(revision=state.revision)
        audience = self._seat(viewer, subscription, encoding)
        at = after if after is not None and resumed else ORIGIN
        more = not encoding.newest and audience.next(cursor)[0] != b""
        welcome = Welcome(now, at, resumed, more, subscription.asked, audience.overview)
        viewer.cursor = cursor
        viewer.ticked = True
        self._write(viewer, chain(encoding.welcome(welcome), (also,)))
        self._serve(viewer, audience, newcomer=True)

    def _seat(self, viewer: Viewer, subscription: Subscription, encoding: Encoding) -> Audience:
        pace = max(subscription.pace, self._pace)
        beat = self._beats.get(pace)
        if beat is None:
            beat = self._beats[pace] = Pace(self.clock, pace, self.broadcast)
        audience = beat.audiences.get((subscription.selection, encoding))
        if audience is None:
            audience = Audience(self.state, beat, subscription.selection, encoding)
            beat.audiences[subscription.selection, encoding] = audience
        audience.viewers[viewer] = None
        self._audiences[viewer] = audience
        return audience

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer; one that is not known is no error."""
        audience = self._audiences.pop(viewer, None)
        if audience is None:
            return
        beat = audience.beat
        del audience.viewers[viewer]
        if not audience.viewers:
            del beat.audiences[audience.selection, audience.encoding]
        if not beat.audiences:
            beat.stop()
            self._beats = {pace: b for pace, b in self._beats.items() if b is not beat}

    def drained(self, viewer: Viewer) -> None:
        """What was written to this viewer has left: give it what it missed meanwhile."""
        audience = self._audiences.get(viewer)
        if audience is not None:
            self._serve(viewer, audience)

    def wake(self) -> None:
        """The state may have changed."""
        news = (self.state.head, self.state.revision)
        if news == self._woken_for:
            return  # a flush for nothing would hold up the next one
        self._woken_for = news
        for beat in list(self._beats.values()):
            beat.wake()

    def restart(self) -> None:
        """The state is another one: all have to come back, and are told where it begins."""
        for viewer in list(self._audiences):
            self._dismiss(viewer)

    def broadcast(self, audience: Audience) -> None:
        """Bring all of an audience that can take it to what the state is now."""
        audience.flush()
        usual: Cursor | None = None  # where most are
        data, after = b"", Cursor(ORIGIN, 0)  # what they get, and where they are then
        for viewer in list(audience.viewers):
            cursor = viewer.cursor
            if cursor is usual and viewer.ready and viewer.unsent is None:
                viewer.cursor = after
                self.delivered += 1
                try:
                    viewer.write(data)
                except Exception:
                    self._lose(viewer)
                continue
            self._serve(viewer, audience)
            if usual is None and (step := audience.step(cursor)):
                usual, (data, after) = cursor, step

    def tick(self, now: float) -> None:
        """Tell everybody that is up to date the time, and what was proved since the last tick.

        :param now: seconds since the epoch.
        """
        last, self._last_tick = self._last_tick, now
        audiences = [a for beat in self._beats.values() for a in beat.audiences.values()]
        for audience in audiences:
            try:
                self._tick(audience, now, last)
            except Exception:
                self._log.failure("a tick could not be told")

    def _tick(self, audience: Audience, now: float, last: float) -> None:
        usual = audience.tick(now, last)
        if not usual:
            return
        whole = None  # for those who were not told the last time
        for viewer in list(audience.viewers):
            if not viewer.ready or viewer.unsent or audience.is_behind(viewer.cursor):
                viewer.ticked = False
            elif viewer.ticked:
                self._write(viewer, (usual,))
            else:
                whole = whole or audience.tick(now, 0)
                viewer.ticked = True
                self._write(viewer, (whole,))
            self._serve(viewer, audience)  # the slices of a long one

    def _serve(self, viewer: Viewer, audience: Audience, newcomer: bool = False) -> None:
        """Write what a viewer lacks of what was flushed; a newcomer does not wait for the flush."""
        while viewer.ready:
            if viewer.unsent is not None:
                self._send_next(viewer, viewer.unsent)
                continue
            if not newcomer and not audience.is_behind(viewer.cursor):
                return
            newcomer = False
            if catchup.is_beyond(self.state, viewer.cursor):
                self._dismiss(viewer)
                return
            try:
                data, cursor = audience.next(viewer.cursor)
            except Exception:
                self._log.failure("a message could not be made; its viewers wait for the next")
                return
            viewer.cursor = cursor
            if data:
                self.delivered += 1
                if len(data) <= MAX_MESSAGE:
                    self._send(viewer, data)
                else:
                    self._write(viewer, (data,))
            if viewer.ready and viewer.unsent is None and audience.is_behind(cursor):
                self.clock.callLater(0, self.drained, viewer)  # there is more: others come first
                return

    def _write(self, viewer: Viewer, parts: Iterable[bytes]) -> None:
        """Send a message; a long one in pieces, each when the one before it has left."""
        pieces = Pieces(parts)
        if pieces:
            self._send_next(viewer, pieces)

    def _send_next(self, viewer: Viewer, pieces: Pieces) -> None:
        data = pieces.pop()
        viewer.unsent = pieces if pieces else None
        self._send(viewer, data)

    def _send(self, viewer: Viewer, data: bytes) -> None:
        try:
            viewer.write(data)
        except Exception:
            self._lose(viewer)

    def _lose(self, viewer: Viewer) -> None:
        """One viewer's failure stays its own."""
        self._log.failure("a viewer was lost: writing to it failed")
        self.dropped += 1
        self._dismiss(viewer)

    def _dismiss(self, viewer: Viewer) -> None:
        """It cannot be served any more; if it comes back, it is told what it has to know."""
        self.leave(viewer)
        viewer.ready = False
        try:
            viewer.lose()
        except Exception:
            self._log.failure("and closing it failed too")

    def stop(self) -> None:
        """No more flushes."""
        for beat in self._beats.values():
            beat.stop()

"""The hub: brings every viewer up to date, and nobody at another's cost.

A viewer is a mark and a way to write.  Those who want the same in the same form at the same pace are an
audience: what one at some mark gets next is made once, and every other one at that mark gets the same
bytes.  Usually all are at the same mark; one whose socket is still full is passed over, keeps its mark,
and is given what is left when its socket has drained.  So there is no queue for anybody.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from streamd.state import Mark, State
from streamd.update import Selection
from streamd.wire import Encoding

_REMEMBERED = 8
"""Messages that an audience keeps while the state stands still; a chain of them per straggler would
be memory for every slow viewer."""


class Viewer(Protocol):
    """What the hub asks of a transport.

    :ivar ready: whether all that was written has left for the kernel.  The transport clears it in
        :meth:`write` when something stays behind, and calls :meth:`Hub.drained` when that has left.
    :ivar mark: how far this viewer is; the hub's alone.
    """

    ready: bool
    mark: Mark

    def write(self, data: bytes) -> None:
        """Send this, all of it, after what was sent before."""

    def lose(self) -> None:
        """Drop this viewer: writing to it failed."""


class Audience:
    """Viewers that want the same streams in the same form at the same pace."""

    def __init__(self, state: State, selection: Selection, encoding: Encoding) -> None:
        self.viewers: set[Viewer] = set()
        self.selection = selection
        self.encoding = encoding
        self._state = state
        self._messages: dict[Mark, tuple[bytes, Mark]] = {}
        self._made_at = self.flushed = self._head()

    def _head(self) -> Mark:
        return Mark(self._state.head, self._state.revision)

    def flush(self) -> None:
        """Everybody here is to know what the state is now."""
        self.flushed = self._head()

    def next(self, mark: Mark) -> tuple[bytes, Mark]:
        """What a viewer at ``mark`` is sent, and its mark then."""
        head = self._head()
        if head != self._made_at:
            self._messages.clear()
            self._made_at = head
        found = self._messages.get(mark)
        if found is None:
            answer = self._state.since(mark, self.selection, self.encoding.newest)
            message = self.encoding.write(answer)
            after = Mark(message.at, answer.revision, mark.fill if message.more else None)
            found = message.data, after
            if len(self._messages) == _REMEMBERED:
                del self._messages[next(iter(self._messages))]
            self._messages[mark] = found
        return found

    def is_behind(self, mark: Mark) -> bool:
        """Whether a viewer at ``mark`` has not been told what was flushed."""
        flushed = self.flushed
        return mark.fill is not None or mark.at < flushed.at or mark.revision < flushed.revision


class _Beat:
    """The audiences of one pace, flushed together: at once after a pause, else one pace apart."""

    def __init__(self, hub: Hub, pace: float) -> None:
        self.audiences: dict[tuple[Selection, Encoding], Audience] = {}
        self._hub = hub
        self._pace = pace
        self._earliest = 0.0
        self._call: IDelayedCall | None = None

    def wake(self) -> None:
        if self._call is None:
            wait = self._earliest - self._hub.clock.seconds()
            if wait <= 0:
                self._flush()
            else:
                self._call = self._hub.clock.callLater(wait, self._flush)

    def _flush(self) -> None:
        self._call = None
        self._earliest = self._hub.clock.seconds() + self._pace
        for audience in list(self.audiences.values()):
            self._hub.broadcast(audience)

    def stop(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None


class Hub:
    """Knows the viewers.

    :ivar clock: delays only; it need not know the date.
    :ivar delivered: messages written so far.
    :ivar dropped: viewers lost because writing to them failed.
    """

    _log = Logger()

    def __init__(self, state: State, clock: IReactorTime) -> None:
        self.state = state
        self.clock = clock
        self.delivered = 0
        self.dropped = 0
        self._beats: dict[float, _Beat] = {}
        self._places: dict[Viewer, tuple[_Beat, Audience]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def join(
        self, viewer: Viewer, selection: Selection, encoding: Encoding, pace: float, mark: Mark
    ) -> None:
        """Keep a viewer that is at ``mark`` up to date from now on; its first answer goes out now.

        :param pace: seconds between two messages to it while much happens.
        """
        beat = self._beats.setdefault(pace, _Beat(self, pace))
        audience = beat.audiences.get((selection, encoding))
        if audience is None:
            audience = Audience(self.state, selection, encoding)
            beat.audiences[selection, encoding] = audience
        audience.viewers.add(viewer)
        self._places[viewer] = beat, audience
        viewer.mark = mark
        self._serve(viewer, audience)

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer; one that is not known is no error."""
        beat, audience = self._places.pop(viewer, (None, None))
        if beat is None or audience is None:
            return
        audience.viewers.discard(viewer)
        if not audience.viewers:
            del beat.audiences[audience.selection, audience.encoding]
        if not beat.audiences:
            beat.stop()
            self._beats = {p: b for p, b in self._beats.items() if b is not beat}

    def drained(self, viewer: Viewer) -> None:
        """What was written to this viewer has left: give it what it missed meanwhile."""
        place = self._places.get(viewer)
        if place is not None:
            self._serve(viewer, place[1])

    def wake(self) -> None:
        """The state changed."""
        for beat in list(self._beats.values()):
            beat.wake()

    def broadcast(self, audience: Audience) -> None:
        """Bring all of an audience that can take it to what the state is now."""
        audience.flush()
        for viewer in list(audience.viewers):
            self._serve(viewer, audience)

    def _serve(self, viewer: Viewer, audience: Audience) -> None:
        while viewer.ready and audience.is_behind(viewer.mark):
            try:
                data, mark = audience.next(viewer.mark)
            except Exception:
                self._log.failure("a message could not be made; its viewers wait for the next")
                return
            viewer.mark = mark
            if data:
                self.delivered += 1
                try:
                    viewer.write(data)
                except Exception:
                    self._lose(viewer)
                    return

    def _lose(self, viewer: Viewer) -> None:
        """One viewer's failure stays its own."""
        self._log.failure("a viewer was lost: writing to it failed")
        self.dropped += 1
        self.leave(viewer)
        try:
            viewer.lose()
        except Exception:
            self._log.failure("and closing it failed too")

    def stop(self) -> None:
        """No more flushes."""
        for beat in self._beats.values():
            beat.stop()

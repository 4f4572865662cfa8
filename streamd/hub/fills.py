"""Fills: history that only slots still have, sent to new viewers after their first answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.core.histories.period import Looking, look_before
from streamd.core.state import State
from streamd.core.steps import STEP
from streamd.hub.audience import Viewer
from streamd.reactor.slices import Slices
from streamd.wire.encoding import Encoding
from streamd.wire.past import v1_past

MOST = 500
"""The most slots of one fill, without one that reaches over its beginning: 500 take up to 55
KiB."""


class _Fill:
    """The fill of one viewer.

    :ivar names: the streams that are still to be looked at.
    :ivar made: a message that waits, or none.
    :ivar running: the computation of the next message.
    """

    def __init__(
        self, names: Iterator[str], encoding: Encoding, history: int, now: float, client: str
    ) -> None:
        self.names = names
        self.encoding = encoding
        self.history = history
        self.now = now
        self.client = client
        self.made = b""
        self.running: Deferred[bytes | None] | None = None


class Fills:
    """Sends fills to viewers that asked for more history than the updates they got.

    Each viewer gets one stream at a time, once it has read all earlier messages.  So a fill takes
    the memory of one message, and its computation takes turns with others.
    """

    _log = Logger()

    def __init__(
        self, state: State, slices: Slices, write: Callable[[Viewer, Iterable[bytes]], None]
    ) -> None:
        """:param write: sends a message to a viewer."""
        self._state = state
        self._slices = slices
        self._write = write
        self._fills: dict[Viewer, _Fill] = {}

    def begin(
        self, viewer: Viewer, bits: int, encoding: Encoding, history: int, now: float, client: str
    ) -> None:
        """Begin to fill the history of a viewer that has got its first answer, or begins to get it.

        :param bits: the streams that are new to it.
        :param history: how many updates of each it asked for.
        :param now: seconds since the epoch.
        :param client: the address under which the viewer is counted.
        """
        if history > 1 and encoding.frame is not None:
            names = self._state.roster.select(bits)
            self._fills[viewer] = _Fill(names, encoding, history, now, client)
            self.go_on(viewer)

    def __contains__(self, viewer: Viewer) -> bool:
        """Return whether a viewer may still get something."""
        return viewer in self._fills

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer; an unknown viewer is ignored."""
        fill = self._fills.pop(viewer, None)
        if fill is not None and fill.running is not None:
            fill.running.cancel()

    def go_on(self, viewer: Viewer) -> None:
        """Send the next message to a viewer if it has read everything else, or begin to make it."""
        fill = self._fills.get(viewer)
        if fill is None or fill.running is not None or not _is_free(viewer):
            return
        if fill.made:
            made, fill.made = fill.made, b""
            self._write(viewer, (made,))
            if not _is_free(viewer) or self._fills.get(viewer) is not fill:
                return
        fill.running = self._slices.run(self._next(fill), fill.client)
        fill.running.addCallback(self._made, viewer, fill)
        fill.running.addErrback(self._failed, viewer)

    def _made(self, made: bytes | None, viewer: Viewer, fill: _Fill) -> None:
        fill.running = None
        if made is None:
            del self._fills[viewer]
            viewer.proceed()
        else:
            fill.made = made
            self.go_on(viewer)

    def _failed(self, failure: Failure, viewer: Viewer) -> None:
        if not failure.check(CancelledError):
            self._log.failure("a history could not be filled", failure)
            self._fills.pop(viewer, None)
            viewer.proceed()

    def _next(self, fill: _Fill) -> Generator[None, None, bytes | None]:
        """Make the message about the next stream that lacks history; None if no other one does."""
        for count, name in enumerate(fill.names, 1):
            if count % STEP == 0:
                yield
            looking = self._looking(fill, name)
            if looking is not None and fill.encoding.frame is not None:
                period, end = yield from looking
                if period.slots or period.words:
                    return fill.encoding.frame(v1_past(name, period, end))
        return None

    def _looking(self, fill: _Fill, name: str) -> Looking | None:
        """Return the computation of what a viewer lacks of a stream; None if it lacks nothing."""
        stream = self._state.get(name)
        lacks = 0 if stream is None else min(fill.history - len(stream.history), MOST)
        return None if stream is None or lacks < 1 else look_before(stream, fill.now, lacks)


def _is_free(viewer: Viewer) -> bool:
    """Return whether a viewer has read everything that was sent, and has all of its first answer."""
    return viewer.ready and not viewer.unsent and viewer.cursor.backlog is None

"""Gaps: times in which no node followed the log, as the long histories note them.

A gap is known by the place of the last update before it.  Every node notes it there, so that all have
the same long histories.  One node decides whether there was a gap before it began to follow the log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from streamd.core.stream import Stream
from streamd.core.streams import Streams
from streamd.core.update import Place, Update, place_of

MOST_WAITING = 10_000
"""The most updates that wait for the long histories until it is decided whether there was a gap.  That
takes a few steps of the journal, or two seconds if another node decides."""


class Gaps:
    """Notes gaps in the long histories of all streams.

    :ivar undecided: whether it is not known yet if there was a gap before this node began.
    """

    def __init__(self, streams: Streams) -> None:
        self.undecided = False
        self._streams = streams
        self._known: deque[Place] = deque()
        self._waiting: list[Update] = []

    def begin(self, known: Iterable[Place]) -> None:
        """Begin to read a log.

        :param known: the gaps that the loaded histories lack: the place of the last update before each,
            oldest first.
        """
        self.undecided = False
        self._known = deque(known)
        self._waiting = []

    def pass_to(self, update: Update) -> None:
        """Note the gaps before the next update that was read from the log."""
        while self._known and place_of(update) > self._known[0]:
            self._note(self._known.popleft())

    def pass_all(self, undecided: bool) -> None:
        """Note all gaps that are left, once the whole log was read.

        :param undecided: whether updates wait from now on for :meth:`decide`.
        """
        while self._known:
            self._note(self._known.popleft())
        self.undecided = undecided

    def hear(self, stream: Stream, update: Update) -> None:
        """Add a new update to the long history of its stream, now or in :meth:`decide`."""
        assert stream.long is not None
        if not self.undecided:
            stream.long.hear(update, stream.history)
            return
        self._waiting.append(update)
        if len(self._waiting) > MOST_WAITING:
            self.decide(None)

    def forget(self, name: str) -> None:
        """Forget the updates of a stream that wait: the stream was forgotten."""
        self._waiting = [update for update in self._waiting if update.stream != name]

    def decide(self, gap: Place | None) -> None:
        """Note a gap if there was one, and then add the updates that waited.

        :param gap: the place of the last update before the gap, or None.
        """
        waiting, self._waiting, self.undecided = self._waiting, [], False
        if gap is not None:
            self._note(gap)
        for update in waiting:
            stream = self._streams.find(update.stream)
            if stream is not None and stream.long is not None:
                stream.long.hear(update, stream.history)

    def _note(self, gap: Place) -> None:
        """Begin a silence in each stream with values that has had no update since a gap."""
        for stream in self._streams:
            if stream.long is not None and (0, 0) < stream.long.at <= gap:
                stream.long.silence(0.0)

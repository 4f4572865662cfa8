"""All streams by name: descriptions, health, and the order in which these changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter

import msgspec

from streamd.core.description import Description
from streamd.core.duration import Duration
from streamd.core.retention import Retention
from streamd.core.room import Room
from streamd.core.roster import Roster
from streamd.core.selection import Selection
from streamd.core.stream import Stream
from streamd.core.update import Update

Expected = Sequence[tuple[Selection, Duration]]
"""Streams, and the most seconds between two proofs of each."""


class Streams:
    """All streams, and the entries of failed sources.

    An entry shows viewers that a source has failed which has no stream yet.  Viewers see it as a stream
    without a value.  It is not a real stream: it has no history, counts towards no bound, and cannot be
    forgotten.

    :ivar revision: grows with each change of health or of a description.
    :ivar kept: the updates that are kept.
    :ivar room: whether updates may be appended.
    :ivar streams: by name, tombstones included.
    :ivar roster: the names of streams and entries, and which of them a selection matches.
    :ivar entries: by the name of their source; ``gone`` while an entry is not shown.
    :ivar noted: streams in the order in which they were last forgotten, described or judged (changed
        their health).
    :ivar configured: descriptions of the configured streams, which exist before their first update.
    :ivar expected: pairs of names and an ``expect``, for streams without their own ``expect``; the
        first pair that matches counts.
    """

    def __init__(
        self, configured: Mapping[str, Description], max_streams: int, max_state: int
    ) -> None:
        self.revision = 0
        self.kept = Retention(max_streams, max_state)
        self.room = Room(self.kept)
        self.streams = self.kept.streams
        self.entries: dict[str, Stream] = {}
        self.noted: OrderedDict[str, Stream] = OrderedDict()
        self.configured = configured
        self.expected: Expected = ()
        self.roster = Roster()
        self.find = self.kept.find

    # -- look up -----------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self.kept.count

    def __iter__(self) -> Iterator[Stream]:
        """Yield the streams in the order in which they appeared, then the entries that are shown."""
        everything = chain(self.streams.values(), self.entries.values())
        return (stream for stream in everything if not stream.gone)

    def get(self, name: str) -> Stream | None:
        """Return the stream or the shown entry with this name, or None."""
        found = self.find(name) or self.entries.get(name)
        return None if found is None or found.gone else found

    def value(self, name: str) -> bytes | None:
        """Return the newest value of a stream as JSON text; None if the stream has no value."""
        stream = self.streams.get(name)
        return stream.history[-1].value if stream is not None and stream.history else None

    @property
    def size(self) -> int:
        """Bytes of all history."""
        return self.kept.size

    def serialize(self, selection: Selection | None = None) -> list[Update]:
        """Return the newest update of every selected stream that has one, sorted by name."""
        streams = self if selection is None else self.selected(selection)
        newest = (stream.newest for stream in streams)
        return sorted(filter(None, newest), key=attrgetter("stream"))

    def selected(self, selection: Selection) -> Iterator[Stream]:
        """Yield the selected streams; streams may be added and removed during the iteration."""
        names = self.roster.select(self.roster.matches(selection).bits)
        return filter(None, map(self.get, names))

    def clear(self) -> None:
        """Remove all streams.

        ``revision`` is not reset: a viewer must not mistake a new revision for one that it knows.
        """
        self.kept.clear()
        self.entries.clear()
        self.noted.clear()
        self.roster.clear()

    def description_of(self, name: str) -> Description:
        """Return the description of a stream, unless a source makes it."""
        described = self.configured.get(name) or Description()
        if described.expect is None:
            for streams, expect in self.expected:
                if name in streams:
                    return msgspec.structs.replace(described, expect=expect)
        return described

    # -- change ------------------------------------------------------------------------------------

    def describe(self, name: str, description: Description, now: float) -> Stream:
        """Set the description of a stream; make the stream if it does not exist."""
        stream = self.find(name)
        if stream is None:
            return self.add(name, description, now)
        if stream.description != description:
            stream.description = description
            self.kept.limit(stream)
            stream.judge_limits(now)
            self.judge_stream(stream, now)
            stream.described = self.note(stream)
        return stream

    def add(self, name: str, description: Description, now: float) -> Stream:
        """Make a stream, or turn the tombstone of this name into a stream again."""
        configured = name in self.configured
        stream = self.streams.get(name)
        if stream is None:
            stream = self.streams[name] = Stream(name, description, configured, now)
            self._enroll(name)
        else:
            stream.begin(description, configured, now)
            self.kept.unbury(stream)
        if name in self.entries:
            self.show(self.entries[name], False)
        stream.described = stream.judged = self.note(stream)
        return stream

    def bury(self, stream: Stream, update: Update, now: float) -> None:
        """Forget a stream.

        :param update: the update without a value that forgets it in the log.
        """
        self.kept.empty(stream)
        self.kept.lose(stream, update.at)
        self.kept.follow(stream, update)
        self.kept.settle((update,))
        self._begin_anew(stream, now)
        if stream.configured:  # it continues to exist, without a value
            stream.described = stream.judged = stream.buried
            return
        self.kept.bury(stream)
        self.razed(self.kept.raze())

    def remove(self, stream: Stream, now: float) -> None:
        """Turn a stream that has no value, and is not configured any more, into a tombstone."""
        self._begin_anew(stream, now)
        self.kept.bury(stream)
        self.razed(self.kept.raze())

    def _begin_anew(self, stream: Stream, now: float) -> None:
        if stream.source is not None:
            stream.source.streams.discard(stream.name)
            stream.source.waiting.discard(stream.name)
        stream.begin(stream.description, stream.configured, now)
        stream.buried = self.note(stream)

    def razed(self, streams: list[Stream]) -> None:
        """Remove every trace of tombstones that retention has removed."""
        for stream in streams:
            if self.noted.get(stream.name) is stream:  # not an entry of that name
                del self.noted[stream.name]
            if stream.name not in self.entries:
                self.roster.discard(stream.name)

    def show(self, entry: Stream, shown: bool) -> None:
        """Show an entry to viewers, or hide it."""
        if shown == (not entry.gone):
            return
        entry.gone = not shown
        self._enroll(entry.name)
        former = self.noted.get(entry.name, entry)
        entry.buried = max(entry.buried, former.buried)  # a stream may have had this name
        if shown:
            entry.described = entry.judged = self.note(entry)
        elif former is entry:
            entry.buried = self.note(entry)

    def _enroll(self, name: str) -> None:
        if name not in self.roster.numbers:
            self.roster.add(name)

    def hear(self, stream: Stream, now: float) -> None:
        """Note that a stream's newest value has come now."""
        stream.confirm(now)
        stream.judge_level()
        self.judge_confirmed(stream, now)

    def judge_confirmed(self, stream: Stream, now: float) -> None:
        """Compute the health of a stream, and note a change; faster if it was confirmed now."""
        source = stream.source
        works = source is None or (source.gap is None and source.troubled < stream.proved)
        if works and stream.proof == now and stream.refused is None and not stream.paused:
            # The usual case: nothing can make the value doubtful.
            health = stream.health
            if health.state == "fresh" and health.level == stream.level:
                return
        self.judge_stream(stream, now)

    def judge_stream(self, stream: Stream, now: float) -> None:
        """Compute the health of a stream, and note a change."""
        if stream.judge(now):
            stream.judged = self.note(stream)

    def note(self, stream: Stream) -> int:
        """Note a change for viewers; return its revision."""
        self.revision += 1
        self.noted[stream.name] = stream
        self.noted.move_to_end(stream.name)
        return self.revision

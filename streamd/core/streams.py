"""All streams by name: what they are, how they are, and the order in which that changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from itertools import chain
from operator import attrgetter

from streamd.core.description import Description
from streamd.core.retention import Retention
from streamd.core.room import Room
from streamd.core.roster import Roster
from streamd.core.selection import Selection
from streamd.core.stream import Stream
from streamd.core.update import Update


class Streams:
    """Streams, and entries of sources that fail and have no stream which could say so.

    An entry is derived from the record of its source.  Viewers see it as a stream without a value.  In
    every other respect it is none: it has no history, takes no room, and nobody can forget it.

    :ivar revision: counts changes of health and descriptions.
    :ivar kept: the updates that are kept.
    :ivar room: whether updates may be appended.
    :ivar streams: by name, tombstones included.
    :ivar roster: the names of streams and entries, and which of them a selection matches.
    :ivar entries: of sources, by their names; ``gone`` while they are not shown.
    :ivar noted: streams in the order in which they were last forgotten, described or judged.
    :ivar configured: descriptions of the configured streams, which exist before their first update.
    """

    def __init__(
        self, configured: Mapping[str, Description], max_streams: int, max_state: int
    ) -> None:
        self.revision = 0
        self.kept = Retention(max_streams, max_state)
        self.room = Room(self.kept, max_streams, max_state)
        self.streams = self.kept.streams
        self.entries: dict[str, Stream] = {}
        self.noted: OrderedDict[str, Stream] = OrderedDict()
        self.configured = configured
        self.roster = Roster()
        self.find = self.kept.find

    # -- which there are ---------------------------------------------------------------------------

    def __len__(self) -> int:
        return self.kept.count

    def __iter__(self) -> Iterator[Stream]:
        """Yield the streams in the order in which they appeared, then the entries that are shown."""
        everything = chain(self.streams.values(), self.entries.values())
        return (stream for stream in everything if not stream.gone)

    def get(self, name: str) -> Stream | None:
        """Return what viewers see under this name: a stream, an entry that is shown, or None."""
        found = self.find(name) or self.entries.get(name)
        return None if found is None or found.gone else found

    def value(self, name: str) -> bytes | None:
        """Return the newest value of a stream as JSON text; None if it has none."""
        stream = self.streams.get(name)
        return stream.history[-1].value if stream is not None and stream.history else None

    @property
    def size(self) -> int:
        """Bytes that history takes."""
        return self.kept.size

    def serialize(self, selection: Selection | None = None) -> list[Update]:
        """Return the newest update of every selected stream that has one, by name."""
        streams = self if selection is None else self.selected(selection)
        newest = (stream.newest for stream in streams)
        return sorted(filter(None, newest), key=attrgetter("stream"))

    def selected(self, selection: Selection) -> Iterator[Stream]:
        """Yield the selected streams; streams may come and go before the last is asked for."""
        names = self.roster.select(self.roster.matches(selection).bits)
        return filter(None, map(self.get, names))

    def clear(self) -> None:
        """Know no streams; revisions go on, so that nobody takes the next ones for known."""
        self.kept.clear()
        self.entries.clear()
        self.noted.clear()
        self.roster.clear()

    # -- how they change ---------------------------------------------------------------------------

    def describe(self, name: str, description: Description, now: float) -> Stream:
        """Say what a stream is; it exists from then on."""
        stream = self.find(name)
        if stream is None:
            return self.add(name, description, now)
        if stream.description != description:
            stream.description = description
            self.kept.limit(stream)
            stream.judge_level()
            self.judge_stream(stream, now)
            stream.described = self.note(stream)
        return stream

    def add(self, name: str, description: Description, now: float) -> Stream:
        """Have a new stream, or one again that was forgotten."""
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

        :param update: the log's word for it.
        """
        self.kept.empty(stream)
        self.kept.lose(stream, update.at)
        self.kept.follow(stream, update)
        if stream.source is not None:
            stream.source.streams.discard(stream.name)
            stream.source.waiting.discard(stream.name)
        stream.begin(stream.description, stream.configured, now)
        stream.buried = self.note(stream)
        if stream.configured:  # it goes on, without a value
            stream.described = stream.judged = stream.buried
            return
        self.kept.bury(stream)
        self.razed(self.kept.raze())

    def razed(self, streams: list[Stream]) -> None:
        """Forget tombstones that are taken away."""
        for stream in streams:
            if self.noted.get(stream.name) is stream:  # not an entry of that name
                del self.noted[stream.name]
            if stream.name not in self.entries:
                self.roster.discard(stream.name)

    def show(self, entry: Stream, shown: bool) -> None:
        """Have viewers see an entry, or see it no more."""
        if shown == (not entry.gone):
            return
        entry.gone = not shown
        self._enroll(entry.name)
        former = self.noted.get(entry.name, entry)
        entry.buried = max(entry.buried, former.buried)  # of a stream of its name
        if shown:
            entry.described = entry.judged = self.note(entry)
        elif former is entry:
            entry.buried = self.note(entry)

    def _enroll(self, name: str) -> None:
        if name not in self.roster.numbers:
            self.roster.add(name)

    def judge_stream(self, stream: Stream, now: float) -> None:
        """Find out how a stream is, and note it if that is news."""
        if stream.judge(now):
            stream.judged = self.note(stream)

    def note(self, stream: Stream) -> int:
        """Note that something is to be told of a stream; return the revision."""
        self.revision += 1
        self.noted[stream.name] = stream
        self.noted.move_to_end(stream.name)
        return self.revision

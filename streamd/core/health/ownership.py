"""Ownership: which streams belong to which source, and how a source without streams is shown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from streamd.core.description import Description
from streamd.core.duration import Duration
from streamd.core.health.source_health import SourceHealth
from streamd.core.health.verdict import standing
from streamd.core.stream import Stream
from streamd.core.streams import Streams
from streamd.core.update import Draft, Place, check_name, place_of


class Ownership:
    """The records of all sources, and the streams of each.

    A stream belongs to the source that made it.  While the source ``shop`` fails, configured streams
    such as ``shop.revenue`` fail with it, even if it has not made them yet.
    """

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._records: dict[str, SourceHealth] = {}
        self._below: dict[str, list[str]] | None = None  # configured streams by their source

    @property
    def records(self) -> Mapping[str, SourceHealth]:
        """All sources by name: configured ones, former ones, and those of other nodes."""
        return self._records

    def record(self, name: str, expect: Duration | None) -> SourceHealth:
        """Return the health of a source; the same object serves all runs of the source.

        :param expect: the default for ``expect`` of its streams.
        """
        record = self._records.get(name)
        if record is None:
            record = self._records[name] = SourceHealth(name)
            self._below = None
        record.expect = expect
        return record

    def failures(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the error of each source that fails, on any node."""
        for name, record in self._records.items():
            if record.fails and record.failure is not None and not record.retired:
                yield name, record.failure.message

    def relay(self, source: SourceHealth, via: tuple[str, ...], now: float) -> None:
        """Note that the streams of a source come through these logs."""
        source.via = via
        for name in source.streams:
            description = source.describe(self._streams.configured.get(name))
            self._streams.describe(name, description, now)

    def reconfigured(self) -> None:
        """Note that the configured streams have changed."""
        self._below = None

    def wait_all(self, now: float) -> None:
        """Fail the streams that were just configured below the names of failed sources."""
        for source in self._records.values():
            if source.fails:
                self._wait(source)
                self._judge(source, now)

    def own(
        self,
        source: SourceHealth,
        names: Collection[str],
        now: float,
        unreported: Mapping[str, Place] | None = None,
    ) -> None:
        """Assign to a source the streams that it made before, in this process or in another one.

        :param unreported: see :class:`SourceHealth`.  A stream that has got an update since it was
            marked does not count as the source's.
        """
        source.unreported = dict(unreported or {})
        self.release(source, now)
        for name in names:
            if self._streams.find(name) and not self._is_published(source, name):
                self._own(source, name, now)
        self._judge(source, now)

    def release(self, source: SourceHealth, now: float) -> bool:
        """Separate unreported streams from a source if they got an update since they were marked.

        :returns: whether any stream was separated.
        """
        published = [n for n in source.unreported if self._is_published(source, n)]
        made = [name for name in published if name in source.streams]
        for name in made:
            self._part(source, name, now)
        return bool(made)

    def came_or_went(self, name: str, now: float) -> None:
        """Update the entry of a source when a stream with the source's name appears or disappears."""
        source = self._records.get(name)
        if source is not None:
            self._show(source, now)

    # -- internals ---------------------------------------------------------------------------------

    def _mark(self, source: SourceHealth, streams: Iterable[Stream]) -> None:
        """Note that no run of the source makes these streams any more."""
        for stream in streams:
            source.unreported.setdefault(stream.name, _newest_place(stream))

    def _is_published(self, source: SourceHealth, name: str) -> bool:
        """Return whether an unreported stream got an update since it was marked."""
        stream, mark = self._streams.find(name), source.unreported.get(name)
        return stream is not None and mark is not None and _newest_place(stream) > mark

    def unrefused(self, source: SourceHealth) -> list[str]:
        """Return the streams of a source whose newest value was not refused."""
        made = self._made(source)
        return [s.name for s in made if standing(s.refused, s.proved) is None]

    def _made(self, source: SourceHealth) -> list[Stream]:
        return [self._streams.streams[name] for name in source.streams]

    def _own(self, source: SourceHealth, name: str, now: float, number: int = 0) -> Stream:
        """Make a stream of a source, or assign an existing stream to it.

        :param number: the number of the reading that makes the stream; 0 if none does.
        :raises Refused: 400 for a bad name, 429 if there is no room for it.
        """
        streams = self._streams
        stream = streams.find(name)
        if stream is not None and stream.source is source and name in source.streams:
            return stream
        if stream is None:
            check_name(name)
            streams.room.check([Draft(name, b"")])
        else:
            number = 0  # its errors remain until the reading is in the log
        stream = streams.describe(name, source.describe(streams.configured.get(name)), now)
        if stream.source is not None:
            self._leave(stream.source, name)
        source.streams.add(name)
        stream.source = source
        stream.proved = max(stream.proved, number, source.worked)
        streams.judge_stream(stream, now)
        if len(source.streams) == 1:
            self._show(source, now)
        self.came_or_went(name, now)
        return stream

    def _part(self, source: SourceHealth, name: str, now: float) -> None:
        """Separate a stream from a source that does not make it any more."""
        self._leave(source, name)
        # The source's ``expect`` is not the stream's any more.
        description = self._streams.description_of(name)
        self._streams.judge_stream(self._streams.describe(name, description, now), now)

    def _leave(self, source: SourceHealth, name: str) -> None:
        """Separate a stream from this source."""
        source.streams.discard(name)
        source.waiting.discard(name)
        stream = self._streams.find(name)
        if stream is not None and stream.source is source:
            stream.source = None

    def _wait(self, source: SourceHealth) -> None:
        """While a source fails, fail also the configured streams that it has not made yet."""
        if not source.fails:
            return
        for name in self._configured_below(source):
            stream = self._streams.find(name)
            if stream is not None and stream.source is None and stream.newest is None:
                stream.source = source
                source.waiting.add(name)

    def _release(self, source: SourceHealth, now: float) -> None:
        """Release the streams that failed only because of the source, once it works."""
        for name in list(source.waiting):
            if not any(source.troubles(name, 0)):
                self._leave(source, name)
                self._streams.judge_stream(self._streams.streams[name], now)

    def _configured_below(self, source: SourceHealth) -> Sequence[str]:
        """Return the configured streams that belong to this source by their names.

        A stream belongs to the source with the longest name that is a prefix of the stream's name.
        """
        if self._below is None:
            self._below = {}
            for name in self._streams.configured:
                owner = next(filter(self._records.__contains__, _prefixes(name)), None)
                if owner is not None:
                    self._below.setdefault(owner, []).append(name)
        return self._below.get(source.name, ())

    def _judge(self, source: SourceHealth, now: float) -> None:
        """Compute the health of everything that depends on a source."""
        for name in [*source.streams, *source.waiting]:
            self._streams.judge_stream(self._streams.streams[name], now)
        self._show(source, now)

    def _show(self, source: SourceHealth, now: float) -> None:
        """Show the entry of a source that needs one, unless a stream has the source's name."""
        name, own_entry = source.name, source.has_own_entry
        stream, entry = self._streams.find(name), self._streams.entries.get(name)
        if stream is not None:
            if own_entry and stream.source is None:
                stream.source = source
                source.waiting.add(name)
            self._streams.judge_stream(stream, now)
            own_entry = False
        if entry is None:
            if not own_entry:
                return
            entry = self._streams.entries[name] = Stream(name, Description(), False, now)
            entry.gone = True
        if own_entry and entry.gone:
            entry.begin(source.describe(self._streams.configured.get(name)), False, now)
            entry.source = source
        self._streams.show(entry, own_entry)
        if own_entry:
            self._streams.judge_stream(entry, now)


def _newest_place(stream: Stream) -> Place:
    return (0, 0) if stream.newest is None else place_of(stream.newest)


def _prefixes(name: str) -> Iterator[str]:
    """Yield the names of sources that a stream may belong to, the longest first."""
    yield name
    while "." in name:
        name = name.rpartition(".")[0]
        yield name

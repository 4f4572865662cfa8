"""Feeds: turn what a source reads into updates in the journal and health in the state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from time import localtime, strftime
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from streamd.core.description import Keep
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.source_health import StreamReport
from streamd.core.sources import Reading
from streamd.core.state import State
from streamd.core.stream import VOUCHED
from streamd.core.update import Draft, check_time
from streamd.core.values import from_python
from streamd.journals.journal import Fence, Journal, Outrun, SourceCursor
from streamd.sources.complaints import Complaints
from streamd.sources.errors import SourceError
from streamd.sources.settings import LATE_AFTER, SourceSettings

STREAMS = "streams"
"""The kind of the records that list the streams of a source, and ``=`` with the source's kind."""

HEALTH = "health"
"""The kind of the records with the health of sources.  Nodes of 0.1.0 read and write the same."""

DAY = 86400.0


class Feed:
    """The object through which one source publishes.

    :ivar fence: the fencing token of the source's lease; None if the source has no lease.
    :ivar outrun: called when the journal refuses the fence because another node runs the source.
    """

    def __init__(
        self,
        name: str,
        settings: SourceSettings,
        journal: Journal,
        state: State,
        now: Callable[[], float],
        changed: Callable[[], None],
        every: float | None = None,
        key: str = "",
        kind: str = "",
    ) -> None:
        """:param changed: to be called when health changed without an update.

        :param every: seconds between two runs; None if the source has no schedule.
        :param key: the configuration key that log lines name, for example ``query``.
        :param kind: what the source is, such as ``sql query``; a source of another kind makes other
            streams.  Empty if it is unknown.
        """
        self.name = name
        self.every = every
        self._settings = settings
        self._journal = journal
        self._state = state
        self._now = now
        self._changed = changed
        expect = settings.expect or (Duration(every * LATE_AFTER) if every else None)
        self._source = state.sources.record(name, expect)
        self.fence: Fence | None = None
        self.outrun: Callable[[], object] | None = None
        self._kind = kind
        self._recorded: set[str] = set()
        self._recording = self._resumes = False
        self._complaints = Complaints(name, key)
        self._under_way: dict[str, Draft] = {}  # stream -> its newest draft not yet committed

    # -- before it runs, and while another node runs it --------------------------------------------

    def adopt(self) -> Deferred[None]:
        """Take over the streams that this source made before it was started here.

        :returns: fires when that has been tried; never fails.
        """

        def found(records: Mapping[str, bytes]) -> None:
            kind = self.own(records.get(self.name, b"[]"))
            if kind and kind != self._kind:
                self._state.sources.retire(self._source, self._now())
            self._state.sources.begin(self._source)

        return self._journal.records(STREAMS).addCallback(found).addErrback(self.failed)

    def own(self, record: bytes) -> str:
        """Assign to this source the streams that its record in the journal lists.

        :returns: the kind of source that made them; empty if it is unknown.
        """
        # Nodes of version 0.1.0 list names only, and skip what is no name of a stream.
        listed = msgspec.json.decode(record, type=list[str])
        self._recorded = set(listed)
        kind = next((each[1:] for each in listed if each.startswith("=")), "")
        self._kind = self._kind or kind
        names = [each for each in listed if not each.startswith("=")]
        self._state.sources.own(self._source, names, self._now())
        return kind

    def retire(self) -> None:
        """Mark the streams of this source, because no node runs it: no source reports them any more."""
        self._state.sources.retire(self._source, self._now())
        self._record()

    @property
    def streams(self) -> Collection[str]:
        """The names of the streams that the source made."""
        return self._source.streams

    def report(self) -> Deferred[None]:
        """Store the source's health for the other nodes, unless another one runs the source now."""

        def refused(failure: Failure) -> None:
            failure.trap(Outrun)
            self.failed(failure)

        text = msgspec.json.encode(self._state.sources.report(self._source))
        storing = self._journal.put(HEALTH, self.name, text, VOUCHED, **self._fenced)
        return storing.addErrback(refused)

    def follow(self, report: bytes) -> None:
        """Take over the health that the node that runs the source reports.

        :param report: what :meth:`report` stored there.
        """
        said = msgspec.json.decode(report, type=dict[str, StreamReport])
        self._state.sources.hear(self._source, said, self._now())

    def restart(self) -> None:
        """Begin with a new log: the list of streams must be written to it again."""
        self._recorded = set()

    @property
    def _fenced(self) -> dict[str, Any]:
        # Only a shared journal knows fences.
        return {} if self.fence is None else {"fence": self.fence}

    # -- what the source says ----------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The state of all streams, for a source that is made of other streams."""
        return self._state

    @property
    def life(self) -> int:
        """The life of the log."""
        return self._state.life

    @property
    def keep(self) -> Keep:
        """How much history the stream with the source's name keeps."""
        return self._source.describe(self._state.configured.get(self.name)).keep

    def put(self, value: Any, time: float | None = None) -> Deferred[None]:
        """Publish a reading: the newest value of what the source observes.

        Each member of an object becomes a stream such as ``shop.orders``, unless ``whole`` is set.
        Any other value is published on the stream with the source's name.

        :param value: a Python value that JSON can express.
        :param time: when the value was true, in seconds since the epoch; None for now.
        :returns: fires when the reading is in the journal or was refused; never fails.
        """
        if isinstance(value, Mapping) and not self._settings.whole:
            return self._read(
                {f"{self.name}.{member}": part for member, part in value.items()}, time
            )
        return self._read({self.name: value}, time)

    def put_all(self, parts: Mapping[str, Any]) -> Deferred[None]:
        """Publish a complete reading, and forget the source's streams that it does not contain.

        :param parts: stream name without the source's name -> value.  The stream
            ``shop.north.orders`` of the source ``shop`` has the key ``north.orders``.
        """
        named = {f"{self.name}.{end}": part for end, part in parts.items()}
        return self._read(named, None, sorted(self.streams - named.keys()))

    def add(
        self, values: Sequence[tuple[Any, float | None]], cursor: SourceCursor | None = None
    ) -> Deferred[None]:
        """Publish events: each becomes one update of the stream with the source's name.

        :param values: pairs, oldest first: a value, and the time when it was true or None for now.
        :param cursor: the source's own cursor, stored in the same step as the updates.
        :returns: fires when the events are in the journal.  Fails with :class:`Refused` or
            :class:`~streamd.journals.journal.Outrun` if they are not, unlike :meth:`put`: the source
            must not move its cursor past events that were not stored.
        """
        drafts = [Draft(self.name, _value(value, time), time) for value, time in values]
        reading = self._prepare({self.name: b"null"})
        appended = self._append(drafts, cursor=cursor)
        return appended.addCallback(lambda updates: self._committed(reading))

    def place(self) -> Deferred[str | None]:
        """Return the source's own cursor as :meth:`add` stored it last; None if it never did."""

        def found(place: str | None) -> str | None:
            self._resumes = place is not None
            return place

        return self._journal.place(self.name).addCallback(found)

    def proved(self) -> None:
        """Record that the source ran and found nothing new: its last values are still true.

        This proves the values since the source was started and since :meth:`missed`.  A source with a
        cursor also proves the value from before: it has read on from there.
        """
        streams = self._state.sources.current(self._source)
        if self._resumes and self.name in self.streams:
            streams.append(self.name)
        self._commit(self._prepare({})._replace(streams=streams))

    def missed(self, since: float | None) -> None:
        """Record that the source works again, but that readings may be missing until now.

        Its streams are late, with this reason, until their next reading.

        :param since: when the source last worked, in seconds since the epoch; None if this object does
            not know, because another process or node ran the source before.
        """
        sources = self._state.sources
        if since is None:
            since = sources.last_proof(self._source)
        if since is None:  # it has no streams
            self.proved()
            return
        sources.miss(self._source, _missing(since, self._now()), self._now())
        self._complaints.end()
        self._changed()

    def waits(self, why: str) -> None:
        """Record that the source works, but has no current value: its streams are late.

        :param why: the reason, a sentence that walls show.
        """
        self._state.sources.wait(self._source, why, self._now())
        self._complaints.end()
        self._changed()

    def failed(self, failure: Failure) -> None:
        """Record that the source failed: its streams are shown as failed until its next reading."""
        error = failure.value
        if isinstance(error, Outrun) and self.outrun is not None:
            self.outrun()
            return
        if isinstance(error, SourceError | Refused):
            message = error.message
            self._complaints.add(message, getattr(error, "detail", ""), getattr(error, "key", ""))
        else:
            message = f"the source failed ({type(error).__name__}), see the log"
            self._complaints.add_unexpected(message, failure)
        self._state.sources.fail(self._source, message, self._now())
        self._changed()

    # -- from a reading to the journal -------------------------------------------------------------

    def _read(
        self, parts: Mapping[str, Any], time: float | None, gone: Sequence[str] = ()
    ) -> Deferred[None]:
        values = {stream: _value_or_why(part, time) for stream, part in parts.items()}
        reading = self._prepare(values, time, None if self._settings.repeat else self._under_way)
        if reading.complaint:
            self._complaints.add(reading.complaint)
            self._changed()
        if gone:
            forgotten = [Draft(stream, None) for stream in gone]
            reading = reading._replace(drafts=[*forgotten, *reading.drafts])
        return self._commit(reading)

    def _prepare(
        self,
        values: Mapping[str, bytes | Refused],
        time: float | None = None,
        known: Mapping[str, Draft] | None = None,
    ) -> Reading:
        return self._state.sources.prepare(self._source, values, self._now(), time, known)

    def _commit(self, reading: Reading) -> Deferred[None]:
        """Append a reading to the journal, then mark its streams as up to date.  Never fails."""
        return Deferred.fromCoroutine(self._take_turn(reading)).addErrback(self.failed)

    async def _take_turn(self, reading: Reading) -> None:
        # A reading without new values also waits for its turn: it confirms drafts that the journal
        # has not committed yet.
        in_turn = bool(reading.drafts or self._under_way)
        newest = {draft.stream: draft for draft in reading.drafts}
        self._under_way.update(newest)
        try:
            if in_turn:
                await self._append(reading.drafts)
        finally:
            for stream, draft in newest.items():
                if self._under_way.get(stream) is draft:
                    del self._under_way[stream]
        self._committed(reading)

    def _append(self, drafts: Sequence[Draft], **options: Any) -> Deferred[Any]:
        return self._journal.append(drafts, **self._fenced, **options)

    def _committed(self, reading: Reading) -> None:
        """Mark the streams of a reading as up to date: the reading is in the log."""
        if self._state.sources.prove(self._source, reading, self._now()):
            self._complaints.end()
        self._record()
        self._changed()

    def _record(self) -> None:
        """Store the names of this source's streams in a record, for :meth:`adopt`."""
        names = set(self.streams)
        if names and self._kind:
            names.add(f"={self._kind}")
        if self._recording or names == self._recorded:
            return
        self._recording = True

        def done(result: Any) -> None:
            self._recording = False
            if not isinstance(result, Failure):
                self._recorded = names
                self._record()  # it may have changed meanwhile

        text = msgspec.json.encode(sorted(names))
        lasts = None if names else 0.0
        self._journal.put(STREAMS, self.name, text, lasts, **self._fenced).addBoth(done)


def _missing(since: float, now: float) -> str:
    """Return the reason why a stream is late whose messages may be missing."""
    form = "%H:%M" if now - since < DAY else "%Y-%m-%d %H:%M"
    return f"messages may be missing since {strftime(form, localtime(since))}"


def _value(value: Any, time: float | None) -> bytes:
    check_time(time)
    return from_python(value)


def _value_or_why(value: Any, time: float | None) -> bytes | Refused:
    try:
        return _value(value, time)
    except Refused as refused:
        return refused

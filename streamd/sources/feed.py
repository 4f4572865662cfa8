"""Feeds: turn what a source reads into updates in the journal and health in the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import localtime, strftime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from streamd.core.description import Keep
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.sources import Reading
from streamd.core.state import State
from streamd.core.update import Draft, check_time
from streamd.core.values import from_python
from streamd.journals.journal import Journal, Outrun, SourceCursor
from streamd.sources.complaints import Complaints
from streamd.sources.errors import SourceError
from streamd.sources.records import RecordedSource
from streamd.sources.settings import LATE_AFTER, SourceSettings

DAY = 86400.0


class Feed(RecordedSource):
    """The object through which one source publishes.

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
        :param kind: the kind of source, such as ``sql query``; a source of another kind makes other
            streams.  Empty if it is unknown.
        """
        expect = settings.expect or (Duration(every * LATE_AFTER) if every else None)
        source = state.sources.record(name, expect)
        super().__init__(name, source, journal, state, now, kind)
        self.every = every
        self._settings = settings
        self._changed = changed
        self.outrun: Callable[[], object] | None = None
        self._resumes = False
        self._complaints = Complaints(name, key)
        self._under_way: dict[str, Draft] = {}  # stream -> its newest draft not yet committed
        self._lost: dict[str, float] = {}  # stream -> since when the journal takes no value of it

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
        """The history that the stream with the source's name keeps."""
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
        cursor also proves the value from before: it has read on from there.  If the journal did not
        take a value, and no later one came, the source missed it.
        """
        if self._lost:
            since = min(self._lost.values())
            self._lost.clear()
            self.missed(since)
            return
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
        if since is None or not self.streams:
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
        except Exception:
            self._lost.update(dict.fromkeys(newest, self._now()) | self._lost)
            raise
        finally:
            for stream, draft in newest.items():
                if self._under_way.get(stream) is draft:
                    del self._under_way[stream]
        for stream in self._lost.keys() & newest:
            del self._lost[stream]
        self._committed(reading)

    def _append(self, drafts: Sequence[Draft], **options: Any) -> Deferred[Any]:
        return self._journal.append(drafts, **self._fenced, **options)

    def _committed(self, reading: Reading) -> None:
        """Mark the streams of a reading as up to date: the reading is in the log."""
        if self._state.sources.prove(self._source, reading, self._now()):
            self._complaints.end()
        self._record()
        self._changed()


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

"""Feeds: turn the readings of a source into updates in the journal and health in the state.

The module is long because it is the whole interface between a source and the daemon.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from streamd.core.description import Keep
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.health.readings import Reading
from streamd.core.health.source_health import StreamReport
from streamd.core.names import is_below, join_ends
from streamd.core.presentation import time_text
from streamd.core.state import State
from streamd.core.update import Draft, check_time
from streamd.core.values import BadValue, from_python
from streamd.journals.journal import Journal, Outrun, SourceCursor
from streamd.sources.complaints import Complaints
from streamd.sources.errors import SourceError
from streamd.sources.records import RecordedSource
from streamd.sources.settings import LATE_AFTER, SourceSettings, has_backfill

SETTLED = 0.5
"""Seconds after a connect in which a server that marks no end sends what it has kept."""

PROMPT = 1.0
"""Seconds: a reading whose answer took no longer counts as of now."""

GONE = object()
"""The value of a stream that is to be forgotten, for :meth:`Feed.add_parts`."""


class Feed(RecordedSource):
    """The object through which one source publishes.

    The class is long because it is the whole interface between a source and the daemon.

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
        zone: tzinfo | None = None,
        section: str = "sources",
    ) -> None:
        """:param changed: to be called when health changed without an update.

        :param every: seconds between two runs; None if the source has no schedule.
        :param key: the configuration key that log lines name, for example ``query``.
        :param kind: the kind of source, such as ``sql query``; a source of another kind makes other
            streams.  Empty if it is unknown.
        :param zone: the time zone of times in reasons; None for the machine's.
        :param section: see :class:`~streamd.config.kind.Kind`.
        """
        expect = settings.expect or (Duration(every * LATE_AFTER) if every else None)
        source = state.sources.record(name, expect)
        super().__init__(name, source, journal, state, now, kind)
        self.every = every
        self.fills = has_backfill(settings)
        self._settings = settings
        self._changed = changed
        self._zone = zone
        self.outrun: Callable[[], object] | None = None
        self._resumes = False
        self._asked: float | None = None  # when the source asked for its next reading
        self._complaints = Complaints(name, key, section)
        self._appends = 0  # how many are under way
        self._under_way: dict[str, Draft] = {}  # stream -> its newest draft not yet committed
        self._lost: dict[str, float] = {}  # stream -> since when the journal takes no value of it

    # -- what the source says ----------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The state of all streams, for a source that is made of other streams."""
        return self._state

    @property
    def ends(self) -> Collection[str]:
        """The ends of the names of the source's streams, as :meth:`put_some` takes them."""
        return {name.removeprefix(self.name).removeprefix(".") for name in self.streams}

    @property
    def life(self) -> int:
        """The life of the log."""
        return self._state.life

    @property
    def keep(self) -> Keep:
        """The history that the stream with the source's name keeps."""
        return self._source.describe(self._state.configured.get(self.name)).keep

    def asks(self) -> None:
        """Note that the source now asks for its next reading: an answer is as old as its question.

        So an answer that the network held back for ten seconds is ten seconds old when it arrives.
        """
        self._asked = self._now()

    def put(self, value: Any, time: float | None = None) -> Deferred[bool]:
        """Publish a reading: the newest values that the source has read.

        Each member of an object becomes a stream such as ``shop.orders``, unless ``whole`` is set.
        Any other value is published on the stream with the source's name.

        :param value: a Python value that JSON can express.
        :param time: when the value was true, in seconds since the epoch; None for now.
        :returns: fires with whether the reading is in the journal; never fails.
        """
        return self._read(self._parts(value), time)

    def put_some(self, parts: Mapping[str, Any], gone: Collection[str] = ()) -> Deferred[bool]:
        """Publish a part of a reading: streams that it does not contain stay as they are.

        :param parts: end of a stream's name -> value, as for :meth:`put_all`.  The end of the stream
            with the source's name is empty.
        :param gone: ends of names: these streams, and those below them, are forgotten, unless they are
            in ``parts``.
        :returns: fires with whether the reading is in the journal; never fails.
        """
        named = {join_ends(self.name, end): part for end, part in parts.items()}
        below = {join_ends(self.name, end) for end in gone}
        left = [s for s in self.streams - named.keys() if any(is_below(s, end) for end in below)]
        return self._read(named, None, sorted(left))

    def put_all(self, parts: Mapping[str, Any]) -> Deferred[bool]:
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
        appended = Deferred.fromCoroutine(self._append(drafts, cursor=cursor))
        return appended.addCallback(lambda updates: self._committed(reading))

    async def add_readings(
        self,
        readings: Sequence[tuple[Any, float | None]],
        cursor: SourceCursor | None = None,
        gone: Collection[str] = (),
    ) -> bool:
        """Publish readings as events: every value of every reading is an update, also an equal one.

        The members of an object become streams, as with :meth:`put`.  If the newest value of a stream
        cannot be a value, only this stream fails.

        :param readings: pairs, oldest first: a reading, and the time when it was true or None for now.
        :param cursor: the source's own cursor, stored in the same step as the updates.
        :param gone: names of streams that are forgotten in this step.
        :raises Refused: nothing was stored; also raises
            :class:`~streamd.journals.journal.Outrun`, as :meth:`add` does.
        :returns: False if the newest value of a stream was refused; that stream has failed.
        """
        parts = [(self._parts(reading), time) for reading, time in readings]
        return await self._add(parts, cursor, gone)

    async def add_parts(
        self, parts: Sequence[tuple[Mapping[str, Any], float | None]], cursor: SourceCursor
    ) -> bool:
        """Publish events of several streams, as :meth:`add_readings` does.

        :param parts: pairs, oldest first: a mapping as for :meth:`put_some`, and its time or None for
            now.  The value :data:`GONE` forgets the stream and those below it.
        :raises Refused: see :meth:`add_readings`.
        :returns: False if the newest value of a stream was refused; that stream has failed.
        """
        named = [({join_ends(self.name, e): v for e, v in p.items()}, time) for p, time in parts]
        return await self._add(named, cursor)

    async def _add(
        self,
        parts: Sequence[tuple[Mapping[str, Any], float | None]],
        cursor: SourceCursor | None,
        gone: Collection[str] = (),
    ) -> bool:
        drafts, newest, wrong = self._drafts(parts)
        reading = self._prepare(newest)
        known = set(reading.streams)
        drafts = [draft for draft in drafts if draft.stream in known or draft.value is None]
        drafts = [*(Draft(name, None) for name in gone if name in self.streams), *drafts]
        await self._append(drafts, cursor=cursor)
        self._committed(reading)
        if reading.complaint:
            self._complaints.add(reading.complaint, key=reading.key)
        if wrong:
            self._read(wrong, None)
        return not (wrong or reading.complaint)

    def place(self) -> Deferred[str | None]:
        """Return the source's cursor that :meth:`add` or :meth:`add_readings` stored last.

        None if they never stored one.
        """

        def found(place: str | None) -> str | None:
            self._resumes = place is not None
            return place

        return self._journal.place(self.name).addCallback(found)

    def proved(self) -> None:
        """Record that the source ran and found nothing new: its last values are still true.

        This confirms the values that came since the start of the source and since :meth:`missed`.
        A source with a cursor also confirms the value before them, because it continued to read
        from there.  If the journal refused the newest value of a stream, this calls :meth:`missed`
        instead.
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

    def resumed(self) -> None:
        """Record that the source has read everything since its last run, and has missed nothing.

        So the values of all its streams are the newest.
        """
        self._commit(
            self._prepare({})._replace(streams=self._state.sources.unrefused(self._source))
        )

    def took(self, seconds: float) -> None:
        """Count how long a run of the source took, whether it worked or failed."""
        self._source.durations.add(seconds)

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
        now = self._now()
        why = f"messages may be missing since {time_text(since, now, self._zone)}"
        sources.miss(self._source, why, now)
        self._complaints.end()
        self._changed()

    def waits(self, why: str) -> None:
        """Record that the source works, but has no current value: its streams are late.

        :param why: the reason, a sentence that walls show.
        """
        self._state.sources.wait(self._source, why, self._now())
        self._complaints.end()
        self._changed()

    def comes_through(self, lives: Collection[str]) -> None:
        """Note the logs through which the source's streams have come.

        A daemon recognises its own streams by them, and does not read them back.

        :param lives: the lives of these logs.
        """
        via = tuple(sorted(lives))
        if via != self._source.via:
            self._state.sources.relay(self._source, via, self._now())
            self._changed()

    def pass_on(self, health: Mapping[str, StreamReport]) -> None:
        """Give streams the health that another daemon reports; a report counts for four seconds.

        :param health: stream -> its report, for all streams of the source.  If the source fails, its
            own name has a report, too.
        """
        self._state.sources.hear(self._source, health, self._now())
        if not self._source.fails:
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

    def _parts(self, value: Any) -> dict[str, Any]:
        """Return a reading by streams: the members of an object, or the value itself."""
        if isinstance(value, Mapping) and not self._settings.whole:
            return {f"{self.name}.{member}": part for member, part in value.items()}
        return {self.name: value}

    def _drafts(
        self, parts: Sequence[tuple[Mapping[str, Any], float | None]]
    ) -> tuple[Sequence[Draft], Mapping[str, bytes], Mapping[str, Any]]:
        """Return the drafts of readings, the newest values, and the parts that stay bad at the end."""
        drafts: list[Draft] = []
        newest: dict[str, bytes] = {}
        wrong: dict[str, Any] = {}
        away: set[str] = set()  # forgotten, and not made again
        for named, time in parts:
            for stream, part in named.items():
                if part is GONE:
                    gone = [n for n in self.streams if n not in away and is_below(n, stream)]
                    away.update(gone)
                    drafts += [Draft(name, None) for name in gone]
                    for name in [name for name in (*newest, *wrong) if is_below(name, stream)]:
                        newest.pop(name, None)
                        wrong.pop(name, None)
                    continue
                value = _value_or_why(part, time)
                if isinstance(value, Refused):
                    wrong[stream] = BadValue(value.message, value.key)
                    continue
                wrong.pop(stream, None)
                away.discard(stream)
                newest[stream] = value
                drafts.append(Draft(stream, value, time))
        return drafts, newest, wrong

    def _read(
        self, parts: Mapping[str, Any], time: float | None, gone: Sequence[str] = ()
    ) -> Deferred[bool]:
        values = {stream: _value_or_why(part, time) for stream, part in parts.items()}
        reading = self._prepare(values, time, None if self._settings.repeat else self._under_way)
        if reading.complaint:
            self._complaints.add(reading.complaint, key=reading.key)
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
        now, asked = self._now(), self._asked
        reading = self._state.sources.prepare(self._source, values, now, time, known)
        slow = asked is not None and now - asked > PROMPT
        return reading._replace(asked=asked) if slow else reading

    def _commit(self, reading: Reading) -> Deferred[bool]:
        """Append a reading to the journal, then mark its streams as up to date.

        :returns: fires with whether that was done; never fails.
        """

        def refused(failure: Failure) -> bool:
            self.failed(failure)
            return False

        taking = Deferred.fromCoroutine(self._take_turn(reading))
        return taking.addCallbacks(lambda _: True, refused)

    async def _take_turn(self, reading: Reading) -> None:
        # A reading without new values also waits for its turn: it confirms drafts that the journal
        # has not committed yet.
        in_turn = bool(reading.drafts or self._appends)
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

    async def _append(self, drafts: Sequence[Draft], **options: Any) -> None:
        self._appends += 1
        try:
            await self._journal.append(drafts, **self._fenced, **options)
        finally:
            self._appends -= 1

    def _committed(self, reading: Reading) -> None:
        """Mark the streams of a reading as up to date: the reading is in the log."""
        if self._state.sources.prove(self._source, reading, self._now()):
            self._complaints.end()
        self._record()
        self._changed()


def _value(value: Any, time: float | None) -> bytes:
    check_time(time)
    return from_python(value)


def _value_or_why(value: Any, time: float | None) -> bytes | Refused:
    try:
        return _value(value, time)
    except Refused as refused:
        return refused

"""Feeds: what a source read becomes streams, updates and health."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.core.description import Description, Keep
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.state import State
from streamd.core.stream import Report
from streamd.core.update import Draft, check_name, check_time
from streamd.core.values import from_python
from streamd.journals.journal import Fence, Journal, Outrun, SourceCursor
from streamd.sources.errors import SourceError
from streamd.sources.settings import LATE_AFTER, SourceSettings

MAX_ERROR = 500
"""Characters of an error that are told: it may quote what somebody else sent."""

STREAMS = "streams"
"""The kind of record that says which streams are a source's."""


class Feed:
    """Where one source puts what it found.

    :ivar fence: of the lease under which this node runs the source, if that is leased.
    :ivar outrun: called when another node turns out to run it.
    """

    _log = Logger()

    def __init__(
        self,
        name: str,
        settings: SourceSettings,
        journal: Journal,
        state: State,
        now: Callable[[], float],
        changed: Callable[[], None],
        descriptions: Mapping[str, Description] | None = None,
        every: float | None = None,
        key: str = "",
    ) -> None:
        """:param changed: to be called when health changed without an update.

        :param every: seconds between two runs, where something runs on a schedule.
        :param key: of its table, which tells what it does.
        """
        self.name = name
        self.every = every
        self._key = key
        self._settings = settings
        self._journal = journal
        self._state = state
        self._now = now
        self._changed = changed
        self._descriptions = descriptions or {}
        self._expect = settings.expect or (Duration(every * LATE_AFTER) if every else None)
        self.fence: Fence | None = None
        self.outrun: Callable[[], object] | None = None
        self._streams: set[str] = set()
        self._stand_ins = {name}  # what fails while there are no streams that could
        self._recorded: set[str] = set()
        self._recording = False
        self._error: str | None = None  # that was told last, until it is back
        self._recovering = False  # nothing that it said since was wrong
        self._under_way: dict[str, Draft] = {}  # stream -> its newest that is not committed yet

    def adopt(self, former: Feed | None = None) -> Deferred[None]:
        """Take over the streams of this source that are there from before it was started.

        :param former: the feed of the run before, if this process had one; what that failed in the
            place of streams is this one's to take back.
        :returns: fires when that is done as far as can be; never fails.
        """
        if former is not None:
            self._stand_ins |= former._stand_ins

        def found(records: Mapping[str, bytes]) -> None:
            names = msgspec.json.decode(records.get(self.name, b"[]"), type=list[str])
            self._recorded = set(names)
            for stream in filter(self._state.get, names):
                self._introduce(stream)
                self._streams.add(stream)

        return self._journal.records(STREAMS).addCallback(found).addErrback(self.failed)

    @property
    def streams(self) -> Collection[str]:
        """Those that it made."""
        return self._streams

    def report(self) -> bytes:
        """How its streams are, for nodes that do not run it: name -> report."""
        names = self._streams or {self.name, *self._awaited()}
        streams = filter(None, map(self._state.get, names | self._stand_ins))
        said = {s.name: s.report() for s in streams if s.name in names or s.error is not None}
        return msgspec.json.encode(said)

    def follow(self, report: bytes, seconds: float) -> None:
        """Another node runs the source, and says this of its streams; it holds for so long."""
        said = msgspec.json.decode(report, type=dict[str, Report])
        now = self._now()
        for stream, how in said.items():
            if how.error is not None or self._state.get(stream):
                self._introduce(stream)
                self._state.hear(stream, how, now, now + seconds)
        self._streams = {stream for stream in said if self._state.value(stream) is not None}
        self._stand_in(set(said) - self._streams)

    def restart(self) -> None:
        """The log is another one: what was kept beside it is gone."""
        self._recorded = set()

    @property
    def keep(self) -> Keep:
        """The history of the stream that is called as the source."""
        return self._description(self.name).keep

    def put(self, value: Any, time: float | None = None) -> Deferred[None]:
        """A reading: what is true now.

        An object becomes one stream a member, ``shop.orders``, unless ``whole`` is set; anything else
        is a value of the stream that is called as the source.

        :param value: Python's for JSON.
        :param time: seconds since the epoch when it was true; None: now.
        :returns: fires when it is in the journal, or was refused; never fails.
        """
        if isinstance(value, Mapping) and not self._settings.whole:
            return self._read(
                {f"{self.name}.{member}": part for member, part in value.items()}, time
            )
        return self._read({self.name: value}, time)

    def put_all(self, parts: Mapping[str, Any]) -> Deferred[None]:
        """A reading that is complete: what this source said before and is not in it is forgotten.

        :param parts: end of a stream's name -> value: ``north.orders`` of ``shop.north.orders``.
        """
        named = {f"{self.name}.{end}": part for end, part in parts.items()}
        self._prune()
        gone = [Draft(stream, None) for stream in sorted(self._streams - named.keys())]
        return self._read(named, None, gone)

    def add(
        self, values: Sequence[tuple[Any, float | None]], cursor: SourceCursor | None = None
    ) -> Deferred[None]:
        """Each of these happened: an update each of the stream that is called as the source.

        :param values: with the time when each was true, or None for now, in order.
        :param cursor: the source's own place, stored in the same step.
        :returns: fires when they are in the journal.  Unlike the others it fails when they are not,
            with :class:`Refused` or
            :class:`~streamd.journals.journal.Outrun`: a source that counts what it read has to know.
        """
        drafts = [self._draft(self.name, value, time) for value, time in values]
        self._describe(self.name)
        self._state.check_room(drafts)
        self._recover(self._streams)
        appended = self._journal.append(drafts, cursor=cursor, fence=self.fence)
        return appended.addCallback(lambda updates: self._committed(self._streams))

    def place(self) -> Deferred[str | None]:
        """The source's own place that was stored last; None: it never was."""
        return self._journal.place(self.name)

    def proved(self) -> None:
        """The source ran and found nothing new: all that it said is right."""
        self._prune()
        self._recover(self._streams)
        self._commit((), tuple(self._streams))

    def _read(
        self, parts: Mapping[str, Any], time: float | None, gone: Sequence[Draft] = ()
    ) -> Deferred[None]:
        drafts = list(gone)
        right: list[str] = []
        wrong: dict[str, str] = {}
        for stream, part in parts.items():
            try:
                read = self._draft(stream, part, time)
                self._describe(stream)
            except Refused as refused:
                wrong[stream] = refused.message
                continue
            right.append(stream)
            newest = self._under_way.get(stream)
            said = newest.value if newest else self._state.value(stream)
            if self._settings.repeat or read.value != said:
                drafts.append(read)
        self._recover(right)
        if wrong:
            self._refuse(wrong)
        return self._commit(drafts, right)

    def _draft(self, stream: str, value: Any, time: float | None) -> Draft:
        check_time(time)
        return Draft(stream, from_python(value), time)

    def failed(self, failure: Failure) -> None:
        """The source cannot say what is: so do its streams, until the next reading."""
        error = failure.value
        if isinstance(error, Outrun) and self.outrun is not None:
            self.outrun()
            return
        self._recovering = False
        if isinstance(error, SourceError | Refused):
            message = error.message
            self._complain(message, getattr(error, "detail", ""), getattr(error, "key", ""))
        else:
            message = f"the source failed ({type(error).__name__}), see the log"
            if message != self._error:
                path = self._path(self._key)
                self._log.failure("{path} failed", failure, source=self.name, path=path)
            self._error = message
        self._prune()
        if not self._streams:  # it never said what its streams are: it appears under its own name
            self._introduce(self.name)
            self._stand_in({self.name, *self._awaited()})
        self._state.fail(self._streams or self._stand_ins, message, self._now())
        self._changed()

    def _awaited(self) -> list[str]:
        """Streams that are configured under its name, and that nobody has said anything of."""
        streams = (self._state.get(n) for n in self._descriptions if n.startswith(f"{self.name}."))
        return [stream.name for stream in streams if stream and stream.newest is None]

    def _recover(self, streams: Collection[str]) -> None:
        """It has read these, and for now that is the newest that it said."""
        self._state.recover(streams)
        self._recovering = True

    def _commit(self, drafts: Sequence[Draft], right: Collection[str]) -> Deferred[None]:
        """Have what it read committed; then what was right is proved.  Never fails."""
        return Deferred.fromCoroutine(self._append(drafts, right)).addErrback(self.failed)

    async def _append(self, drafts: Sequence[Draft], right: Collection[str]) -> None:
        # What says nothing new waits for its turn, too: it confirms what is under way.
        in_turn = bool(drafts or self._under_way)
        newest = {draft.stream: draft for draft in drafts if draft.value is not None}
        self._under_way.update(newest)
        try:
            self._state.check_room(drafts)
            if in_turn:
                await self._journal.append(drafts, fence=self.fence)
        finally:
            for stream, draft in newest.items():
                if self._under_way.get(stream) is draft:
                    del self._under_way[stream]
        if any(draft.value is None for draft in drafts):
            self._prune()
        self._committed(right)

    def _committed(self, streams: Collection[str]) -> None:
        """What it read of these is: they are proved, but for what it said against them since."""
        self._state.confirm(streams, self._now())
        if self._recovering:
            self._stand_in(set())  # also for a feed of before this one
            if self._error is not None:
                self._log.info("source {source} is back", source=self.name)
                self._error = None
        self._record()
        self._changed()

    def _record(self) -> None:
        """Which streams are this source's is kept beside the log: :meth:`adopt` asks for it."""
        if self._recording or self._streams == self._recorded:
            return
        self._recording, names = True, set(self._streams)

        def done(result: Any) -> None:
            self._recording = False
            if not isinstance(result, Failure):
                self._recorded = names
                self._record()  # it may have changed meanwhile

        text = msgspec.json.encode(sorted(names))
        self._journal.put(STREAMS, self.name, text, None).addBoth(done)

    def _describe(self, stream: str) -> None:
        """The stream exists and is described before its first update."""
        known = self._state.get(stream)
        if known and stream in self._streams and known.description == self._description(stream):
            return  # and nobody has forgotten and published it meanwhile
        check_name(stream)
        self._state.check_room([Draft(stream, b"")])
        self._introduce(stream)
        self._streams.add(stream)
        if len(self._streams) > len(self._state):  # members that come and go are not for ever
            self._prune()
        self._stand_in(set())

    def _stand_in(self, names: set[str]) -> None:
        """These fail in the place of streams that it does not have; no others any more."""
        for name in self._stand_ins - names - self._streams:
            self._state.withdraw(name, self._now())
        self._stand_ins = names

    def _introduce(self, stream: str) -> None:
        configured = stream in self._descriptions
        self._state.describe(stream, self._description(stream), self._now(), configured)

    def _prune(self) -> None:
        """Streams that were forgotten are this source's no more."""
        self._streams = {stream for stream in self._streams if self._state.get(stream)}

    def _description(self, stream: str) -> Description:
        description = self._descriptions.get(stream) or Description()
        if description.expect is None and self._expect is not None:
            description = msgspec.structs.replace(description, expect=self._expect)
        return description

    def _refuse(self, wrong: Mapping[str, str]) -> None:
        """Members that cannot be values fail alone; those that never were streams, as the source."""
        self._recovering = False
        text = "; ".join(f"{stream}: {why}" for stream, why in wrong.items())[:MAX_ERROR]
        self._complain(text)
        for stream, why in wrong.items():
            if self._state.get(stream):
                self._state.fail([stream], why, self._now())
            else:
                self._introduce(self.name)
                self._stand_in({*self._stand_ins, self.name})
                self._state.fail([self.name], text, self._now())
        self._changed()

    def _complain(self, text: str, detail: str = "", key: str = "") -> None:
        """A line in the log, with the key path to look at; one for the same again and again."""
        if text != self._error:
            self._error = text
            self._log.warn(
                # Not called "message": Twisted's old observers empty a field of that name.
                "{path}: {error} {detail}",
                source=self.name,
                path=self._path(key or self._key),
                error=text,
                detail=detail,
            )

    def _path(self, key: str) -> str:
        return ".".join(filter(None, ("sources", self.name, key)))

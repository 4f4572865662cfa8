"""The health of sources: from readings, from failures, and from reports of the nodes that run them.

Readings and failures are numbered in the order in which they began.  Once a reading is in the log, it
resolves all errors of its streams that began before it.  An error that began later remains.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from streamd.core.description import Description
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.health import Trouble
from streamd.core.printable import told
from streamd.core.source_health import SourceHealth, StreamReport
from streamd.core.stream import VOUCHED, Stream
from streamd.core.streams import Streams
from streamd.core.update import Draft, check_name

MAX_ERROR = 500
"""The most characters of an error that viewers see: it may quote data from outside."""


class Reading(NamedTuple):
    """A reading that is not in the log yet.

    :ivar number: its place in the order of readings and failures.
    :ivar drafts: the updates to append; empty if no value is new.
    :ivar streams: names of the streams whose values it confirms.
    :ivar complaint: the errors of members that cannot be values; empty if there are none.
    """

    number: int
    drafts: Sequence[Draft]
    streams: Collection[str]
    complaint: str


class Sources:
    """The health of all sources, and its effect on the health of their streams.

    The class is long because each of its events changes the same records and the same streams, in the
    order of one count.
    """

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._records: dict[str, SourceHealth] = {}
        self._below: dict[str, list[str]] | None = None  # configured streams by their source
        self._number = 0

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

    # -- readings and failures ---------------------------------------------------------------------

    def prepare(
        self,
        source: SourceHealth,
        parts: Mapping[str, bytes | Refused],
        now: float,
        time: float | None = None,
        known: Mapping[str, Draft] | None = None,
    ) -> Reading:
        """Begin a reading: make its streams, and note the errors of members that cannot be values.

        :param parts: name of a stream -> its value, or the error if it has none.
        :param time: when the values were true, in seconds since the epoch; None for the time of the
            append.
        :param known: stream -> its newest draft that is not in the log yet.  A value that equals the
            newest one gets no draft.  None: every value gets a draft.
        """
        number = self._next()
        drafts: list[Draft] = []
        right: list[str] = []
        wrong: dict[str, str] = {}
        for name, value in parts.items():
            try:
                if isinstance(value, Refused):
                    raise value
                self._own(source, name, now, number)
            except Refused as refused:
                wrong[name] = refused.message
                continue
            right.append(name)
            if known is None or value != self._newest(name, known):
                drafts.append(Draft(name, value, time))
        return Reading(number, drafts, right, self._refuse(source, number, wrong, now))

    def prove(self, source: SourceHealth, reading: Reading, now: float) -> bool:
        """End a reading: it is in the log, and confirms the values of its streams.

        :returns: whether the reading had no error, and the source had none since the reading began.
        """
        calm = source.troubled < reading.number
        for name in reading.streams:
            stream = self._streams.find(name)
            if stream is not None and stream.source is None:  # forgotten, and then appended again
                stream = self._own(source, name, now)
            if stream is None or stream.source is not source:  # forgotten, or another source's
                continue
            stream.proved = max(stream.proved, reading.number)
            if (calm and stream.refused is None) or stream.trouble() is None:
                stream.confirm(now)
            self._streams.judge_stream(stream, now)
        if reading.streams or not reading.complaint:
            self._works(source, reading.number, now)
        return calm

    def fail(self, source: SourceHealth, message: str, now: float) -> None:
        """Note that a source failed; only a reading that begins later can resolve this.

        :param message: the reason, a sentence that walls show.
        """
        source.troubled = self._next()
        source.failure = Trouble(source.troubled, message)
        self._wait(source)
        self._judge(source, now)

    def own(self, source: SourceHealth, names: Collection[str], now: float) -> None:
        """Assign to a source the streams that it made before this process started."""
        for name in names:
            if self._streams.find(name):
                self._own(source, name, now)
        self._judge(source, now)

    # -- reports between nodes ---------------------------------------------------------------------

    def report(self, source: SourceHealth) -> Mapping[str, StreamReport]:
        """Return the health of a source's streams, for nodes that do not run the source.

        The source's own entry, if it has one, is reported like a stream.
        """
        told = {}
        for name in source.streams:
            stream = self._streams.streams[name]
            proof = None if stream.restored else stream.proof
            told[name] = StreamReport(proof, stream.error, stream.health.state == "late")
        if source.speaks and self._streams.find(source.name) is None:
            told[source.name] = StreamReport(None, self._streams.entries[source.name].error, False)
        return told

    def hear(self, source: SourceHealth, report: Mapping[str, StreamReport], now: float) -> None:
        """Take over the report of the node that runs a source.

        The source fails if everything that it reports fails.  Until the report expires, a stream can
        become late only if the report says that it is late.
        """
        failing, proving = self._next(), self._next()
        errors = [how.error for how in report.values()]
        failure = errors[0] if errors and all(errors) else None
        own = report.get(source.name)
        source.failure = Trouble(failing, failure) if failure else None
        source.refused = Trouble(proving, own.error) if own and own.error else None
        source.troubled = proving
        if not failure:
            source.worked = proving
        known = {name: how for name, how in report.items() if self._streams.find(name)}
        for name in source.streams - known.keys():
            self._leave(source, name)
            self._streams.judge_stream(self._streams.streams[name], now)
        for name, how in known.items():
            stream = self._own(source, name, now)
            if how.proof is not None:
                stream.proof, stream.restored = max(how.proof, stream.proof or how.proof), False
            stream.proved = failing if how.error else proving
            stream.refused = Trouble(proving, how.error) if how.error else None
            stream.vouched = 0.0 if how.late else now + VOUCHED
        self._wait(source)
        self._release(source, now)
        self._judge(source, now)

    # -- when the streams change -------------------------------------------------------------------

    def restart(self, now: float) -> None:
        """Begin with a new log: sources keep their errors and their streams."""
        for source in self._records.values():
            names = source.streams
            source.streams, source.waiting = set(), set()
            self._wait(source)
            self.own(source, names, now)

    def came_or_went(self, name: str, now: float) -> None:
        """Update the entry of a source when a stream with the source's name appears or disappears."""
        source = self._records.get(name)
        if source is not None:
            self._show(source, now)

    # -- internals ---------------------------------------------------------------------------------

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _newest(self, name: str, known: Mapping[str, Draft]) -> bytes | None:
        draft = known.get(name)
        return self._streams.value(name) if draft is None else draft.value

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

    def _leave(self, source: SourceHealth, name: str) -> None:
        """Separate a stream from this source."""
        source.streams.discard(name)
        source.waiting.discard(name)
        stream = self._streams.find(name)
        if stream is not None and stream.source is source:
            stream.source = None

    def _refuse(
        self, source: SourceHealth, number: int, wrong: Mapping[str, str], now: float
    ) -> str:
        """Note the errors of members that cannot be values, at their streams or else at the source.

        :returns: the errors in one line; empty if there are none.
        """
        if not wrong:
            return ""
        complaint = told("; ".join(f"{name}: {why}" for name, why in wrong.items()))[:MAX_ERROR]
        source.troubled = number
        for name, why in wrong.items():
            stream = self._streams.find(name)
            if stream is None:
                source.refused = Trouble(number, complaint)
            else:
                stream.refused = Trouble(number, why)
                self._streams.judge_stream(stream, now)
        self._show(source, now)
        return complaint

    def _works(self, source: SourceHealth, number: int, now: float) -> None:
        """Note that a reading of a source is in the log."""
        source.worked = max(source.worked, number)
        if source.troubled:
            self._release(source, now)
            self._show(source, now)

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
        name, speaks = source.name, source.speaks
        stream, entry = self._streams.find(name), self._streams.entries.get(name)
        if stream is not None:
            if speaks and stream.source is None:
                stream.source = source
                source.waiting.add(name)
            self._streams.judge_stream(stream, now)
            speaks = False
        if entry is None:
            if not speaks:
                return
            entry = self._streams.entries[name] = Stream(name, Description(), False, now)
            entry.gone = True
        if speaks and entry.gone:
            entry.begin(source.describe(self._streams.configured.get(name)), False, now)
            entry.source = source
        self._streams.show(entry, speaks)
        if speaks:
            self._streams.judge_stream(entry, now)


def _prefixes(name: str) -> Iterator[str]:
    """Yield the names of sources that a stream may belong to, the longest first."""
    yield name
    while "." in name:
        name = name.rpartition(".")[0]
        yield name

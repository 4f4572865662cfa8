"""What sources say: readings, failures, and what another node says of a source that it runs.

Readings and failures are numbered in the order in which they began.  Once a reading is in the log, it
proves its streams against every trouble that began before it.  So nothing has to be taken back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from streamd.core.description import Description
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.health import Trouble
from streamd.core.source_health import SourceHealth
from streamd.core.stream import Stream
from streamd.core.streams import Streams
from streamd.core.update import Draft, check_name

MAX_ERROR = 500
"""Characters of an error that are told: it may quote what somebody else sent."""


class Reading(NamedTuple):
    """A reading that is on its way into the log.

    :ivar number: its place in the order of readings and failures.
    :ivar drafts: the updates to append; empty if it says nothing new.
    :ivar streams: names of the streams that it proves.
    :ivar complaint: what is wrong with the members that could not be values; empty: nothing.
    """

    number: int
    drafts: Sequence[Draft]
    streams: Collection[str]
    complaint: str


class StreamReport(NamedTuple):
    """What the node that runs a source says of a stream.

    :ivar proof: seconds since the epoch; None: nobody has confirmed the value since the log was read.
    :ivar late: whether its proof is due.
    """

    proof: float | None
    error: str | None
    late: bool


class SourceReport(NamedTuple):
    """What the node that runs a source says of it.

    :ivar failure: why it fails, unless a later reading is in the log.
    :ivar refused: what is wrong with members that are no streams.
    """

    failure: str | None
    refused: str | None
    streams: Mapping[str, StreamReport]


class Sources:
    """The records of all sources, and what follows from them for the streams."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._records: dict[str, SourceHealth] = {}
        self._below: dict[str, list[str]] | None = None  # configured streams by their source
        self._number = 0

    def record(self, name: str, expect: Duration | None) -> SourceHealth:
        """Return the record of a source, which outlasts the runs of the source.

        :param expect: of its streams, unless they are configured otherwise.
        """
        record = self._records.get(name)
        if record is None:
            record = self._records[name] = SourceHealth(name)
            self._below = None
        record.expect = expect
        return record

    # -- what a source says ------------------------------------------------------------------------

    def prepare(
        self,
        source: SourceHealth,
        parts: Mapping[str, bytes | Refused],
        now: float,
        time: float | None = None,
        known: Mapping[str, Draft] | None = None,
    ) -> Reading:
        """Begin a reading: its streams exist from then on, and what cannot be a value is refused.

        :param parts: name of a stream -> its value, or why it cannot be one.
        :param time: seconds since the epoch when it was true; None: when it is appended.
        :param known: the newest values of streams that are not in the log yet; None: every value goes
            out, also one that is equal to the last.
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
        """End a reading: it is in the log, and proves its streams.

        :returns: whether nothing has been wrong with the source since the reading began, nor in it.
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
        """Note that a source cannot say what its streams are; no reading under way changes that.

        :param message: the reason, in words fit for a wall.
        """
        source.troubled = self._next()
        source.failure = Trouble(source.troubled, message)
        self._wait(source)
        self._judge(source, now)

    def own(self, source: SourceHealth, names: Collection[str], now: float) -> None:
        """Give a source the streams that it made before this process was started."""
        for name in names:
            if self._streams.find(name):
                self._own(source, name, now)
        self._judge(source, now)

    # -- what nodes say ----------------------------------------------------------------------------

    def report(self, source: SourceHealth) -> SourceReport:
        """Return how a source is, for nodes that do not run it."""
        told = {}
        for name in source.streams:
            stream = self._streams.streams[name]
            proof = None if stream.restored else stream.proof
            told[name] = StreamReport(proof, stream.error, stream.health.state == "late")
        failure = source.failure if source.fails else None
        refused = source.refused if source.refuses else None
        return SourceReport(failure and failure.message, refused and refused.message, told)

    def hear(self, source: SourceHealth, report: SourceReport, now: float, seconds: float) -> None:
        """Follow what the node says that runs a source.

        :param seconds: for which it counts: until then no stream is late that is not said to be.
        """
        failing, proving = self._next(), self._next()
        source.failure = Trouble(failing, report.failure) if report.failure else None
        source.refused = Trouble(proving, report.refused) if report.refused else None
        source.troubled = proving
        if not report.failure:
            source.worked = proving
        known = {name: how for name, how in report.streams.items() if self._streams.find(name)}
        for name in source.streams - known.keys():
            self._leave(source, name)
            self._streams.judge_stream(self._streams.streams[name], now)
        for name, how in known.items():
            stream = self._own(source, name, now)
            if how.proof is not None:
                stream.proof, stream.restored = max(how.proof, stream.proof or how.proof), False
            stream.proved = failing if how.error else proving
            stream.refused = Trouble(proving, how.error) if how.error else None
            stream.vouched = 0.0 if how.late else now + seconds
        self._wait(source)
        self._release(source, now)
        self._judge(source, now)

    # -- when the streams change -------------------------------------------------------------------

    def restart(self, now: float) -> None:
        """Follow another log: what stands still stands, and streams are a source's as they were."""
        for source in self._records.values():
            names = source.streams
            source.streams, source.waiting = set(), set()
            self._wait(source)
            self.own(source, names, now)

    def came_or_went(self, name: str, now: float) -> None:
        """See to the entry of a source when a stream of its name comes or goes."""
        source = self._records.get(name)
        if source is not None:
            self._show(source, now)

    # -- how ---------------------------------------------------------------------------------------

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _newest(self, name: str, known: Mapping[str, Draft]) -> bytes | None:
        draft = known.get(name)
        return self._streams.value(name) if draft is None else draft.value

    def _own(self, source: SourceHealth, name: str, now: float, number: int = 0) -> Stream:
        """Have a stream of a source that is described as it is to be.

        :param number: of the reading that makes it, if one does.
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
            number = 0  # it fails as it did until the reading is in the log
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
        """Have a stream be no stream of this source."""
        source.streams.discard(name)
        source.waiting.discard(name)
        stream = self._streams.find(name)
        if stream is not None and stream.source is source:
            stream.source = None

    def _refuse(
        self, source: SourceHealth, number: int, wrong: Mapping[str, str], now: float
    ) -> str:
        """Have members fail that cannot be values: alone, or as the source if they are no streams."""
        if not wrong:
            return ""
        complaint = "; ".join(f"{name}: {why}" for name, why in wrong.items())[:MAX_ERROR]
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
        """Have configured streams fail with the source that is to make them, while it fails."""
        if not source.fails:
            return
        for name in self._configured_below(source):
            stream = self._streams.find(name)
            if stream is not None and stream.source is None and stream.newest is None:
                stream.source = source
                source.waiting.add(name)

    def _release(self, source: SourceHealth, now: float) -> None:
        """Have streams that the source did not make fail with it no longer than it does."""
        for name in list(source.waiting):
            if not any(source.troubles(name, 0)):
                self._leave(source, name)
                self._streams.judge_stream(self._streams.streams[name], now)

    def _configured_below(self, source: SourceHealth) -> Sequence[str]:
        """Return the configured streams of which this source has the longest name that is a prefix."""
        if self._below is None:
            self._below = {}
            for name in self._streams.configured:
                owner = next(filter(self._records.__contains__, _prefixes(name)), None)
                if owner is not None:
                    self._below.setdefault(owner, []).append(name)
        return self._below.get(source.name, ())

    def _judge(self, source: SourceHealth, now: float) -> None:
        """Find out how everything is that depends on a source."""
        for name in [*source.streams, *source.waiting]:
            self._streams.judge_stream(self._streams.streams[name], now)
        self._show(source, now)

    def _show(self, source: SourceHealth, now: float) -> None:
        """Show the entry of a source if it speaks under its own name, unless a stream has that name."""
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
    """Yield the longest name of a source that a stream may be of, then shorter ones."""
    yield name
    while "." in name:
        name = name.rpartition(".")[0]
        yield name

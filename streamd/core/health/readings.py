"""The health of sources: from readings, from failures, and from reports of the nodes that run them.

Readings and failures are numbered in the order in which they began.  Once a reading is in the log, it
resolves all errors of its streams that began before it.  An error that began later remains.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from streamd.core.errors import Refused
from streamd.core.health.ownership import Ownership
from streamd.core.health.source_health import PUBLISHED, SourceHealth, StreamReport
from streamd.core.health.verdict import Trouble, standing
from streamd.core.printable import showable
from streamd.core.stream import UNREPORTED, VOUCHED
from streamd.core.streams import Streams
from streamd.core.update import Draft

MAX_ERROR = 500
"""The most characters of an error that viewers see: it may quote data from outside."""


class Reading(NamedTuple):
    """A reading that is not in the log yet.

    :ivar number: its place in the order of readings and failures.
    :ivar drafts: the updates to append; empty if no value is new.
    :ivar streams: names of the streams whose values it confirms.
    :ivar complaint: the errors of members that cannot be values; empty if there are none.
    :ivar key: the key of the source's table that the first of these errors refers to; empty for its
        main key.
    :ivar asked: when the source asked for it, in seconds since the epoch, if the answer took long; the
        values are as old.
    """

    number: int
    drafts: Sequence[Draft]
    streams: Collection[str]
    complaint: str
    key: str = ""
    asked: float | None = None


class Sources(Ownership):
    """The health of all sources, and its effect on the health of their streams."""

    def __init__(self, streams: Streams) -> None:
        super().__init__(streams)
        self._number = 0

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

        :param parts: name of a stream -> its value, or the error if it has no value.
        :param time: when the values were true, in seconds since the epoch; None for the time of the
            append.
        :param known: stream -> its newest draft that is not in the log yet.  A value that equals the
            newest one gets no draft.  None: every value gets a draft.
        """
        number = self._next()
        drafts: list[Draft] = []
        right: list[str] = []
        wrong: dict[str, Refused] = {}
        for name, value in parts.items():
            try:
                if isinstance(value, Refused):
                    raise value
                self._own(source, name, now, number)
            except Refused as refused:
                wrong[name] = refused
                continue
            right.append(name)
            if known is None or value != self._newest(name, known):
                drafts.append(Draft(name, value, time))
        key = next(iter(wrong.values())).key if wrong else ""
        reasons = {name: refused.message for name, refused in wrong.items()}
        return Reading(number, drafts, right, self._refuse(source, number, reasons, now), key)

    def prove(self, source: SourceHealth, reading: Reading, now: float) -> bool:
        """End a reading: it is in the log, and confirms the values of its streams.

        :returns: whether the reading had no error, and the source had none since the reading began.
        """
        calm = source.troubled < reading.number
        source.readings += 1
        for name in reading.streams:
            stream = self._streams.find(name)
            if stream is not None and stream.source is None:  # forgotten, and then appended again
                stream = self._own(source, name, now)
            if stream is None or stream.source is not source:  # forgotten, or another source's
                continue
            stream.proved = max(stream.proved, reading.number)
            stream.vouched = 0.0  # this node runs the source: it gets no more reports
            source.unreported.pop(stream.name, None)
            if (calm and stream.refused is None) or stream.trouble() is None:
                stream.confirm(now if reading.asked is None else reading.asked)
            self._streams.judge_confirmed(stream, now)
        if reading.streams or not reading.complaint:
            self._works(source, reading.number, now)
        self.release(source, now)
        return calm

    def fail(self, source: SourceHealth, message: str, now: float) -> None:
        """Note that a source failed; only a reading that begins later can resolve this.

        :param message: the reason, a sentence that walls show.
        """
        source.failures += 1
        source.troubled = self._next()
        source.failure = Trouble(source.troubled, message)
        self._wait(source)
        self._judge(source, now)

    def miss(self, source: SourceHealth, why: str, now: float) -> None:
        """Note that a source works again, and that readings of its streams may be missing until now.

        :param why: the reason, with the time since when; a sentence that walls show.
        """
        gap = source.gap
        if gap is not None and any(standing(gap, s.proved) for s in self._made(source)):
            why = gap.message  # some are missing since an earlier time
        self.wait(source, why, now)

    def wait(self, source: SourceHealth, why: str, now: float) -> None:
        """Note that a source works, but that its streams are late until its next reading.

        :param why: the reason, a sentence that walls show.
        """
        number = self._next()
        source.gap = Trouble(number, why)
        source.failure = None
        source.worked = number  # a channel's first message may lack streams: it marks none
        self._works(source, number, now)
        self._judge(source, now)

    def last_proof(self, source: SourceHealth) -> float | None:
        """Return when a value of a source was last confirmed; None if no value ever was."""
        return max((s.proof for s in self._made(source) if s.proof is not None), default=None)

    def current(self, source: SourceHealth) -> list[str]:
        """Return the streams that the present run of a source made and no later gap put in doubt."""
        since = max(source.began, source.gap.reading if source.gap else 0)
        right = self.unrefused(source)
        return [name for name in right if self._streams.streams[name].proved > since]

    # -- runs --------------------------------------------------------------------------------------

    def begin(self, source: SourceHealth) -> None:
        """Begin a run of a source.

        The first reading of the run in the log marks the streams that it does not contain, until they
        are in a later one.
        """
        source.began = self._next()
        source.retired = False

    def retire(self, source: SourceHealth, now: float) -> None:
        """Mark the streams of a source that no node runs; release those that were updated since."""
        self.release(source, now)
        if not source.retired:
            marked = source.unreported
            late = StreamReport(None, UNREPORTED, True)
            self.hear(source, dict.fromkeys(source.streams, late), now)
            source.retired = True
            source.unreported = marked
            self._mark(source, self._made(source))

    # -- reports between nodes ---------------------------------------------------------------------

    def report(self, source: SourceHealth) -> Mapping[str, StreamReport]:
        """Return the health of a source's streams, for nodes that do not run the source.

        The source's own entry, if it has one, is reported like a stream.
        """
        told = {}
        for name in source.streams:
            stream = self._streams.streams[name]
            proof = stream.proof if stream.doubt is None else None
            late = stream.health.state == "late"
            told[name] = StreamReport(proof, stream.lapse or None if late else stream.error, late)
        if source.has_own_entry:
            name = source.name
            other = self._streams.find(name)
            entry = other or self._streams.entries[name]
            late = entry.error is None
            if other is None or (name in source.waiting and not late):
                proof = None if other is None else PUBLISHED
                told[name] = StreamReport(proof, entry.lapse if late else entry.error, late)
        return told

    def hear(self, source: SourceHealth, report: Mapping[str, StreamReport], now: float) -> None:
        """Take over the report of the node that runs a source.

        The source fails if everything that it reports fails.  Until the report expires, a stream can
        become late only if the report says that it is late.
        """
        failing, proving = self._next(), self._next()
        errors = [how.failure for how in report.values()]
        failure = errors[0] if errors and all(errors) else None
        own = report.get(source.name)
        source.failure = Trouble(failing, failure) if failure else None
        source.refused = Trouble(proving, own.failure) if own and own.failure else None
        waits = own.error if own and own.late and not self._streams.find(source.name) else None
        source.gap = Trouble(proving, waits) if waits else None
        source.retired = False
        source.unreported = {}  # the node that runs the source marks them
        source.troubled = proving
        if not failure:
            source.worked = proving
        known = {name: how for name, how in report.items() if self._streams.find(name)}
        if own and own.proof == PUBLISHED:
            known.pop(source.name, None)  # it only fails with the source
        for name in source.streams - known.keys():
            self._part(source, name, now)
        for name, how in known.items():
            stream = self._own(source, name, now)
            if how.late and how.error:
                stream.doubt = how.error
            elif how.proof is not None:
                # A stream may be late although an update has just come: the answer took long.
                stream.proof = how.proof if how.late else max(how.proof, stream.proof or how.proof)
                stream.vouch()
            elif how.late:  # the node that runs the source doubts the value itself
                stream.doubt = stream.doubt or ""
            stream.proved = failing if how.failure else proving
            stream.refused = Trouble(proving, how.failure) if how.failure else None
            stream.vouched = 0.0 if how.late else now + VOUCHED
        self._wait(source)
        self._release(source, now)
        self._judge(source, now)

    # -- when the streams change -------------------------------------------------------------------

    def restart(self, now: float) -> None:
        """Begin with a new log: sources keep their errors and their streams."""
        for source in self._records.values():
            names = source.streams
            source.streams, source.waiting, source.retired = set(), set(), False
            self._wait(source)
            self.own(source, names, now)

    # -- internals ---------------------------------------------------------------------------------

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _newest(self, name: str, known: Mapping[str, Draft]) -> bytes | None:
        draft = known.get(name)
        return self._streams.value(name) if draft is None else draft.value

    def _refuse(
        self, source: SourceHealth, number: int, wrong: Mapping[str, str], now: float
    ) -> str:
        """Note the errors of members that cannot be values, at their streams or else at the source.

        :returns: the errors in one line; empty if there are none.
        """
        if not wrong:
            return ""
        complaint = showable("; ".join(f"{name}: {why}" for name, why in wrong.items()))[:MAX_ERROR]
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
        first = source.worked <= source.began < number
        source.worked = max(source.worked, number)
        for stream in self._made(source) if first else ():
            if stream.proved <= source.began:
                stream.doubt = UNREPORTED
                self._mark(source, [stream])
                self._streams.judge_stream(stream, now)
        if source.troubled:
            self._release(source, now)
            self._show(source, now)

"""The records in the journal by which other nodes, and later runs, know the streams of a source."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.core.health.source_health import SourceHealth, StreamReport
from streamd.core.histories.blocks import HEAD
from streamd.core.histories.past import Past
from streamd.core.histories.saving import BACKFILL, PAST
from streamd.core.record import read_record
from streamd.core.state import State
from streamd.core.stream import VOUCHED
from streamd.core.update import Place, parse_position
from streamd.journals.journal import Away, Fence, Journal, Outrun, as_shared

STREAMS = "streams"
"""The kind of the records that list the streams of a source.

An entry that begins with ``=`` is the source's kind.  An entry ``@<ms>-<n> <name>`` marks a stream that
no run of the source makes any more, and has the place of its newest update at that time.
"""

FILLED = "filled"
"""The kind of the records that say how far the backfill of a source is; other nodes then load it."""

RECALL = 10.0
"""Seconds between two times that a node loads what another one fills: a past has 500 kB a stream."""

HEALTH = "health"
"""The kind of the records with the health of sources.  Nodes of 0.1.0 read and write the same."""


class RecordedSource:
    """One source, as the journal's records describe it to other nodes and to later runs.

    :ivar fills: whether the source has a backfill.
    :ivar fence: the fencing token of the source's lease; None if the source has no lease.
    """

    _log = Logger()

    def __init__(
        self,
        name: str,
        source: SourceHealth,
        journal: Journal,
        state: State,
        now: Callable[[], float],
        kind: str,
    ) -> None:
        """:param kind: the kind of source, such as ``sql query``; empty if it is unknown."""
        self.name = name
        self.fills = False
        self.fence: Fence | None = None
        self._source = source
        self._journal = journal
        self._state = state
        self._now = now
        self._kind = kind
        self._recorded: set[str] = set()
        self._recording = False
        self._recalled = 0.0  # when keep_up() last loaded something
        self._rollups = 0  # how many rollups had changed then

    def adopt(self) -> Deferred[None]:
        """Take over the streams that this source made before it was started here.

        :returns: fires after the attempt; never fails.
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
        listed = [each for each in read_record(record, list[str]) or () if each]
        self._recorded = set(listed)
        kind = next((each[1:] for each in listed if each.startswith("=")), "")
        self._kind = self._kind or kind
        names = [each for each in listed if each[0] not in "=@"]
        self._state.sources.own(self._source, names, self._now(), _marks(listed))
        return kind

    @property
    def retired(self) -> bool:
        """Return whether the streams of this source are marked, because no node runs it."""
        return self._source.retired

    def retire(self, record: bytes) -> bool:
        """Mark the streams of this source as no longer reported, because no node runs it.

        Streams that got an update since they were marked are released.  All nodes follow the marks of
        the node that marked a stream first.

        :param record: this source's record in the journal; not read if the source is retired already.
        :returns: whether streams were released.
        """
        sources, now, before = self._state.sources, self._now(), len(self.streams)
        if not self.retired:
            self._source.unreported |= _marks(read_record(record, list[str]) or ())
        sources.retire(self._source, now)
        self._record()
        return len(self.streams) < before

    @property
    def streams(self) -> Collection[str]:
        """The names of the streams that the source made."""
        return self._source.streams

    async def fill(self, place: bytes, pasts: Mapping[str, Past]) -> None:
        """Store the pasts that a backfill has filled, and its progress, in one step.

        :param place: the progress of the backfill, as bytes that only the source reads.
        :param pasts: by the names of their streams.
        :raises Away: nothing was stored.  The next call stores these blocks, too.
        :raises Outrun: another node runs the source.
        """
        saving = self._state.saving
        blocks = saving.filled(self.name, place, pasts)
        try:
            await self._journal.store(blocks, **self._fenced)
        except BaseException:
            saving.unfilled(blocks)
            raise
        saving.backfills[self.name] = place
        if self._journal.shared:
            await self._journal.put(FILLED, self.name, place, None, **self._fenced)

    async def recall(self) -> None:
        """Load the pasts that another node has filled, if the journal is shared."""
        shared = as_shared(self._journal)
        if shared is None:
            return
        saving = self._state.saving
        rollups = saving.rollups
        # The place first: if more is filled meanwhile, the pasts have more than it says, not less.
        place = (await shared.stored(f"{self.name}{BACKFILL}")).get(HEAD)
        for name in list(saving.backfilled(self.name)):
            if stored := await shared.stored(f"{name}{PAST}"):
                saving.load_past(name, stored)
        if place is not None:
            saving.backfills[self.name] = place
        self._rollups = rollups

    def keep_up(self, place: bytes) -> None:
        """Load the pasts that another node has filled, unless that was done a moment ago.

        A past has a place only in a stream of its rollup.  So a change of a rollup needs it again:
        the other node may have had the change, and filled the past, before this one.

        :param place: the progress of the backfill.
        """
        saving = self._state.saving
        known = saving.backfills.get(self.name) == place and self._rollups == saving.rollups
        if known or abs(self._now() - self._recalled) < RECALL:
            return
        self._recalled = self._now()
        recalling = Deferred.fromCoroutine(self.recall())
        # After a failure the next look tries again.
        recalling.addErrback(lambda failure: failure.trap(Away))
        recalling.addErrback(lambda failure: self._log.failure("a past cannot be loaded", failure))

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

        :param report: the record that :meth:`report` stored on that node.
        """
        said = read_record(report, dict[str, StreamReport])
        if said is not None:
            self._state.sources.hear(self._source, said, self._now())

    @property
    def shared(self) -> bool:
        """Return whether other nodes may run the source."""
        return self._journal.shared

    def record(self, kind: str) -> Deferred[bytes | None]:
        """Return a record that the source keeps; None if it was not stored, or has expired.

        :param kind: the kind of the record in the journal.
        """
        finding = self._journal.records(kind)
        return finding.addCallback(lambda records: records.get(self.name))

    def keep_record(self, kind: str, record: bytes) -> Deferred[None]:
        """Store a record of the source; it replaces the last one of its kind.

        :raises Outrun: another node runs the source.
        """
        return self._journal.put(kind, self.name, record, None, **self._fenced)

    def restart(self) -> None:
        """Begin with a new log: the list of streams must be written to it again."""
        self._recorded = set()

    @property
    def _fenced(self) -> dict[str, Any]:
        # Only a shared journal knows fences.
        return {} if self.fence is None else {"fence": self.fence}

    def _record(self) -> None:
        """Store the names of this source's streams in a record, for :meth:`adopt`."""
        names = set(self.streams)
        if names and self._kind:
            names.add(f"={self._kind}")
        for name, (ms, n) in self._source.unreported.items():
            if name in self.streams:
                names.add(f"@{ms}-{n} {name}")
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

    def failed(self, failure: Failure) -> None:
        """Record that the source failed."""
        raise NotImplementedError


def _marks(listed: Collection[str]) -> dict[str, Place]:
    """Return the marks in a record of the kind :data:`STREAMS`."""
    marks = {}
    for each in listed:
        place, _, name = each[1:].partition(" ")
        if each.startswith("@") and (position := parse_position(place)) is not None:
            marks[name] = position.ms, position.n
    return marks

"""The records in the journal by which other nodes, and later runs, know the streams of a source."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from streamd.core.source_health import SourceHealth, StreamReport
from streamd.core.state import State
from streamd.core.stream import VOUCHED
from streamd.journals.journal import Fence, Journal, Outrun

STREAMS = "streams"
"""The kind of the records that list the streams of a source, and ``=`` with the source's kind."""

HEALTH = "health"
"""The kind of the records with the health of sources.  Nodes of 0.1.0 read and write the same."""


class RecordedSource:
    """One source, as the journal's records describe it to other nodes and to later runs.

    :ivar fence: the fencing token of the source's lease; None if the source has no lease.
    """

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
        self.fence: Fence | None = None
        self._source = source
        self._journal = journal
        self._state = state
        self._now = now
        self._kind = kind
        self._recorded: set[str] = set()
        self._recording = False

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

    def failed(self, failure: Failure) -> None:
        """Record that the source failed."""
        raise NotImplementedError

"""The health of one source: whether its last run worked, or the error, and how nodes report it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from streamd.core.description import Description, relayed
from streamd.core.duration import Duration
from streamd.core.health.verdict import Trouble, standing
from streamd.core.histogram import SLOW, Histogram
from streamd.core.update import Place

PUBLISHED = 0.0
"""The proof in the report of a stream that clients published, and that fails with the source of its
name.  For nodes of version 0.1.0 this is a proof that is older than any other."""


class StreamReport(NamedTuple):
    """The health of a stream, as the node that runs its source reports it to other nodes.

    Nodes of version 0.1.0 read the same; they show a stream that is late with a reason as failed.

    :ivar proof: when the value was last confirmed, in seconds since the epoch; None if it was not
        confirmed since that node read the log, and :data:`PUBLISHED` if the source did not make the
        stream.
    :ivar error: the reason why the stream is failed, or late for another reason than ``expect``.
    :ivar late: whether that node shows the stream as late.
    """

    proof: float | None
    error: str | None
    late: bool

    @property
    def failure(self) -> str | None:
        """The reason why the stream is failed, or None."""
        return None if self.late else self.error


class SourceHealth:
    """The record of one source, with the facts that decide the health of its streams.

    Only :class:`~streamd.core.health.readings.Sources` changes it.  The schedule adds to ``durations``.

    :ivar expect: the default for ``expect`` of its streams.
    :ivar via: the lives of the other logs that its streams come through.
    :ivar streams: names of the streams that the source made and that were not forgotten since.
    :ivar waiting: names of streams that fail with the source although it did not make them.  These are
        configured streams below its name, and a published stream with exactly its name.
    :ivar failure: its last failure, which fails all its streams.
    :ivar refused: the errors of members of a reading (its values by name) that have no stream, from
        the last reading with such errors.
    :ivar gap: since when readings may be missing, which makes all its streams late.
    :ivar retired: True if the source is no longer configured, and its streams are marked.
    :ivar unreported: the marked streams: those that no run of the source makes any more, with the
        place of their newest update when they were marked.  A later update was published by a
        client.
    :ivar began: the number at which its present run began.
    :ivar worked: the number of its newest reading that is in the log.
    :ivar troubled: the number of its newest error of any kind; 0 if it never had one.
    :ivar readings: how many readings are in the log, since the daemon started.
    :ivar failures: how often it failed, since then.
    :ivar durations: how long its runs took, if it has a schedule.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.expect: Duration | None = None
        self.via: tuple[str, ...] = ()
        self.streams: set[str] = set()
        self.waiting: set[str] = set()
        self.failure: Trouble | None = None
        self.refused: Trouble | None = None
        self.gap: Trouble | None = None
        self.retired = False
        self.unreported: dict[str, Place] = {}
        self.began = 0
        self.worked = 0
        self.troubled = 0
        self.readings = 0
        self.failures = 0
        self.durations = Histogram(SLOW)

    @property
    def fails(self) -> bool:
        """Return whether the source failed, and no reading that began later is in the log."""
        return standing(self.failure, self.worked) is not None

    @property
    def refuses(self) -> bool:
        """Return whether the newest reading in the log, or a later one, had invalid members."""
        return standing(self.refused, self.worked) is not None

    @property
    def has_own_entry(self) -> bool:
        """Return True if the source needs its own entry, because no stream shows its health."""
        waits = self.gap is not None and self.gap.reading >= self.worked
        return self.refuses or (not self.streams and (self.fails or waits))

    def troubles(self, stream: str, proved: int) -> Iterator[Trouble | None]:
        """Yield the unresolved errors of this source that fail a stream.

        :param proved: the number of the newest reading that confirmed the stream.
        """
        yield standing(self.failure, proved if stream in self.streams else self.worked)
        if stream == self.name:
            yield standing(self.refused, self.worked)

    def describe(self, configured: Description | None) -> Description:
        """Return the description for a stream of this source: the configured one, with ``expect``."""
        description = relayed(configured or Description(), self.via)
        if description.expect is None and self.expect is not None:
            return msgspec.structs.replace(description, expect=self.expect)
        return description

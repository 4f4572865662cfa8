"""Glob values: the newest values of the streams that a glob selects, followed change by change."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice, takewhile

from streamd.core.formulas.evaluation import Unknown, number
from streamd.core.selection import Selection
from streamd.core.stream import Stream
from streamd.core.streams import Streams
from streamd.core.update import ORIGIN, Update
from streamd.core.values import to_python


class GlobValues:
    """The numbers of the streams that a glob selects.

    The cost of :meth:`follow` grows with the streams that changed since the last call, up to the
    number of all streams.

    :ivar version: grows with each change.
    :ivar unfit: streams that are failed or late, or have no value, by name.
    """

    def __init__(self, streams: Streams, pattern: str) -> None:
        self._streams = streams
        self._selection = Selection([pattern])
        self._seen: dict[str, tuple[Update | None, str, str | None]] = {}
        self._numbers: dict[str, float] = {}
        self._wrong: dict[str, str] = {}  # the reasons why values are no numbers
        self.unfit: dict[str, Stream] = {}
        self.version = 0
        self._at = ORIGIN
        self._revision = 0
        self._epoch = -1

    def follow(self) -> None:
        """Take over the changes since the last call."""
        streams = self._streams
        most = len(self._seen) + 1
        changed: Collection[str] = [*islice(self._changed(), most)]
        # After a restart, or when a tombstone is removed, not every change can be found.
        if (
            len(changed) == most
            or self._epoch != streams.roster.epoch
            or streams.kept.razed > self._revision
        ):
            changed = self._seen.keys() | {s.name for s in streams.selected(self._selection)}
        for name in changed:
            if name in self._seen or name in self._selection:
                self._take(name, streams.get(name))
        newest = next(reversed(streams.kept.recent.values()), None)
        self._at = ORIGIN if newest is None else newest.history[-1].at
        self._revision, self._epoch = streams.revision, streams.roster.epoch

    def _changed(self) -> Iterator[str]:
        """Yield the streams that got a value, changed their health, came or went, newest first."""
        recent = reversed(self._streams.kept.recent.values())
        yield from (s.name for s in takewhile(lambda s: s.history[-1].at > self._at, recent))
        noted = reversed(self._streams.noted.values())
        yield from (s.name for s in takewhile(lambda s: s.noted > self._revision, noted))

    def _take(self, name: str, stream: Stream | None) -> None:
        if stream is None:
            if self._seen.pop(name, None) is not None:
                self._drop(name)
            return
        health, newest = stream.health, stream.newest
        seen = newest, health.state, health.error
        if seen == self._seen.get(name):
            return
        self._seen[name] = seen
        if health.state != "fresh" or newest is None:
            self._drop(name)
            self.unfit[name] = stream
            return
        try:
            found = number(to_python(newest.value or b"null"), name)
        except Unknown as error:
            self._drop(name)
            self._wrong[name] = str(error)
            return
        if name not in self._numbers:  # most are there, and not among the others
            self._drop(name)
        self._numbers[name] = found
        self.version += 1

    def _drop(self, name: str) -> None:
        self.version += 1
        self._numbers.pop(name, None)
        self._wrong.pop(name, None)
        self.unfit.pop(name, None)

    def numbers(self) -> Collection[float]:
        """Return the numbers.

        :raises Unknown: one of the values is not a number.
        """
        if self._wrong:
            raise Unknown(self._wrong[min(self._wrong)])
        return self._numbers.values()

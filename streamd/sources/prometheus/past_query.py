"""Reads the past of a source's streams from Prometheus, by range queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from math import ceil
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed

from streamd.core.duration import Duration
from streamd.sources.backfills.rows import PastRows
from streamd.sources.backfills.windows import Found, TooMany, Widths
from streamd.sources.prometheus.answers import ranges_of
from streamd.sources.prometheus.client import PrometheusClient, in_milliseconds
from streamd.sources.prometheus.past_points import Steps, past_points, step_for, steps_of
from streamd.sources.web.http_answer import TooLong

MOST_POINTS = 10_000
"""The most points of a series in one answer: Prometheus refuses more than 11,000."""

PART = 0.9
"""The part of ``timeout`` after which Prometheus itself gives up.

Its error makes the next window shorter; without an answer it would count as unreachable."""

SAMPLE, SAMPLE_STEPS = 3, 50
"""The rows that ``streamd check`` shows, and the times that it looks at to find some."""


class RangeStep(Duration):
    """The seconds between two points."""

    @classmethod
    def parse(cls, written: Any) -> RangeStep:
        seconds = super().parse(written)
        if seconds < 1:
            raise ValueError("expected at least 1s: no slot of a history is shorter")
        return cls(seconds)


class PromqlBackfill(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[sources.NAME.backfill]`` of a source with ``promql``.

    :ivar step: seconds between two points; None for a fifth of a slot.
    :ivar timeout: the most seconds of one window.
    """

    step: RangeStep | None = None
    timeout: Duration = Duration(30)


class PrometheusPast:
    """Computes the query of a source at past times.

    See :class:`~streamd.sources.backfills.windows.PastQuery`.
    """

    key = "backfill"

    def __init__(
        self,
        name: str,
        promql: str,
        labels: Sequence[str],
        settings: PromqlBackfill,
        client: PrometheusClient,
    ) -> None:
        """:param labels: those that name the streams; empty for one stream with the source's name."""
        self._name, self._promql, self._labels, self._step = name, promql, labels, settings.step
        self._client = client
        self.timeout: float = settings.timeout
        self.keyed = bool(labels)
        step = None if settings.step is None else float(settings.step)
        self.identity: Sequence[Any] = (promql, labels, step)

    def stop(self) -> Deferred[None]:
        return succeed(None)  # each request has a connection of its own

    async def zone(self) -> tzinfo | None:
        return UTC

    def _step_for(self, widths: Widths) -> float:
        return self._step or step_for(widths.values())

    def longest(self, widths: Widths) -> float:
        return MOST_POINTS * self._step_for(widths)

    async def read(self, begin: float, end: float, live: Sequence[str], widths: Widths) -> Found:
        return await self._points(steps_of(begin, end, self._step_for(widths)), widths)

    async def some(self, begin: float, end: float, widths: Widths) -> Found:
        step = self._step_for(widths)
        coarse = step * max(1, ceil((end - begin) / step / SAMPLE_STEPS))
        steps = steps_of(begin, end, step)
        count = max(0, int((steps.last - begin) // coarse) + 1)
        # The last time stays: a server often knows the newest part alone.
        seen = Steps(steps.last - (count - 1) * coarse, coarse, count)
        found = await self._points(seen, widths)
        return found._replace(rows=_first(found))

    async def _points(self, steps: Steps, widths: Widths) -> Found:
        if steps.number < 1:
            return Found(0, past_points((), self._labels, steps, ()))
        form = {
            "query": self._promql,
            "start": f"{steps.first:.3f}",
            "end": f"{steps.last:.3f}",
            "step": f"{steps.step:.3f}",
            "timeout": in_milliseconds(self.timeout * PART),
        }
        try:
            # The live query has found that this server is not a streamd daemon.
            data = await self._client.ask("query_range", form, self.timeout, 0)
        except TooLong as error:
            raise TooMany(error.message, key=self.key) from None
        found = ranges_of(data)
        ends = [name.removeprefix(self._name).removeprefix(".") for name in widths]
        count = sum(len(points) for _, points in found)
        return Found(count, past_points(found, self._labels, steps, ends))


def _first(found: Found) -> Any:
    """Return the rows of a sample: the first ones in which something is known."""
    rows: PastRows = yield from found.rows
    known = [
        row._replace(values={end: value for end, value in row.values.items() if value != b"null"})
        for row in rows.rows
    ]
    return rows._replace(rows=[row for row in known if row.values][:SAMPLE])

"""A period of a stream's past as members of JSON objects.  ``docs/protocol.rst`` describes them."""

from __future__ import annotations

from typing import Any

from streamd.core.histories.period import Period
from streamd.core.histories.slot import Slot
from streamd.wire.encoding import Payload
from streamd.wire.v1 import v1_message

Point = tuple[float, float, float, float, float]
"""The beginning of a slot, and its lowest, mean, highest and last number."""


def period_members(period: Period, end: float) -> dict[str, Any]:
    """Return the members of a message about a period, without its points.

    :param end: the end of the period, in seconds since the epoch.
    """
    told: dict[str, Any] = {"from": period.begin, "to": end, "width": period.width}
    told |= {"words": period.words, "levels": period.levels}
    told["silences"] = [(start, stop) for start, stop, _ in period.silences]
    if period.rough:
        told["rough"] = True
    if period.backfill:
        told["backfill"] = period.backfill._asdict()
    return told


def point(slot: Slot) -> Point:
    """Return a slot as a message has it."""
    return slot.time, slot.low, slot.mean, slot.high, slot.last


def v1_past(name: str, period: Period, end: float) -> Payload:
    """Return the message ``past`` about a stream: the time before its first update."""
    points = [*map(point, period.slots)]
    return v1_message("past", {"stream": name, **period_members(period, end), "points": points})

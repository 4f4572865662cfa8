"""A period of a stream's past as JSON and as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from streamd.core.period import Period
from streamd.core.slots import Slot
from streamd.core.steps import steps_of
from streamd.http.request import joined

COLUMNS = "time,min,mean,max,last"
"""The members of a point in the answers, in this order."""

_encode = msgspec.json.encode


def json_of(about: Mapping[str, Any], begin: float, end: float, period: Period) -> Iterator[bytes]:
    """Yield the members of the stream, and of the period; ``docs/protocol.rst`` describes them.

    :param about: the members of the stream.
    :param begin: the beginning of the period, in seconds since the epoch.
    """
    told: dict[str, Any] = {"from": begin, "to": end, "width": period.width}
    told |= {"words": period.words, "levels": period.levels}
    told["silences"] = [(start, stop) for start, stop, _ in period.silences]
    if period.rough:
        told["rough"] = True
    opening = _encode({**about, **told})[:-1] + b',"points":['
    return joined(map(_encode, map(_point, period.slots)), opening, b"]}\n")


def csv_of(period: Period) -> Iterator[bytes]:
    """Yield a line for each slot, after a line with the names of the columns (RFC 4180)."""
    yield f"{COLUMNS}\r\n".encode()
    for slots in steps_of(period.slots):
        lines = (",".join(map(repr, _point(slot))) for slot in slots)
        yield "".join(f"{line}\r\n" for line in lines).encode()


def _point(slot: Slot) -> tuple[float, float, float, float, float]:
    return slot.time, slot.low, slot.mean, slot.high, slot.last
